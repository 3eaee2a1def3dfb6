"""The cache of compiled kernels: what moves its folders, and what is removed from it."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from gristmill.signals.kernels import cache

KERNELS = cache.ENGINE / "signals" / "kernels"
DAY = 24 * 3600


def test_kernels_depend_on_what_they_import_and_on_no_rule() -> None:
    closure = {path.relative_to(cache.ENGINE).as_posix() for path in cache.depends_on(KERNELS / "c4.py")}
    assert closure >= {"signals/kernels/c4.py", "signals/kernels/base.py", "signals/line_phrases.py", "signals/segment.py"}
    assert "signals/c4.py" not in closure
    assert "signals/kernels/gopher.py" not in closure
    of_dedup = cache.depends_on(cache.ENGINE / "dedup" / "minhash_kernels.py")
    assert cache.ENGINE / "dedup" / "words.py" in of_dedup  # whose constants normal_kernels imports
    assert cache.ENGINE / "dedup" / "minhash.py" not in of_dedup


def test_an_edit_moves_the_folders_of_what_could_see_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def folders() -> list[str]:
        for known in (cache.folder_of, cache.depends_on, cache._imports):
            known.cache_clear()
        return [cache.folder_of(tmp_path / name).name for name in ("caller.py", "called.py", "other.py")]

    monkeypatch.setattr(cache, "ENGINE", tmp_path)
    monkeypatch.setattr(cache, "root", lambda: tmp_path / "compiled")
    files = {
        "caller": "from gristmill.called import f",
        "called": "from gristmill.limits import MOST",
        "other": "",
        "limits": "MOST = 1",
        "rule": "",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    first = folders()
    (tmp_path / "rule.py").write_text("THRESHOLD = 2")
    assert folders() == first
    (tmp_path / "limits.py").write_text("MOST = 2")
    second = folders()
    assert [before == after for before, after in zip(first, second, strict=True)] == [False, False, True]
    (tmp_path / "caller.py").write_text("from gristmill.called import f  # edited")
    assert [before == after for before, after in zip(second, folders(), strict=True)] == [False, True, True]
    for known in (cache.folder_of, cache.depends_on, cache._imports):
        known.cache_clear()


def caches(root: Path, *ages: float) -> list[Path]:
    for n, age in enumerate(ages):
        folder = root / f"kernels-{n:016x}"
        folder.mkdir(parents=True)
        (folder / "f.nbc").touch()
        os.utime(folder, (time.time() - age * DAY,) * 2)
    (root / "kernels.cpython-311.pyc").touch()
    return sorted(root.glob("kernels-*"))


def test_unused_caches_go_and_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old, older, newest = caches(tmp_path, 2, cache.DAYS + 1, 100, 0)
    cache.sweep(tmp_path)
    assert (new.exists(), old.exists(), older.exists(), newest.exists()) == (True, False, False, True)
    assert (tmp_path / "kernels.cpython-311.pyc").exists()
    monkeypatch.setattr(cache, "MOST", 1)
    cache.sweep(tmp_path)
    assert (new.exists(), newest.exists()) == (False, True)


def test_nothing_is_removed_while_another_process_uses_the_cache(tmp_path: Path) -> None:
    """Locks belong to open files, so another one stands for another process."""
    (unused,) = caches(tmp_path, 100)
    with (tmp_path / "in-use").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        cache._used(tmp_path)
        assert unused.exists()


def test_the_cache_is_swept_once_a_day_by_whoever_is_alone(tmp_path: Path) -> None:
    (unused,) = caches(tmp_path / "first", 100)
    cache._used(tmp_path / "first")
    assert not unused.exists()
    caches(tmp_path / "swept", 100)
    lock = tmp_path / "swept" / "in-use"
    lock.write_text("swept\n")
    cache._used(tmp_path / "swept")
    assert list((tmp_path / "swept").glob("kernels-*"))
    with lock.open() as now, pytest.raises(BlockingIOError):
        fcntl.flock(now, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held for as long as this process lives
