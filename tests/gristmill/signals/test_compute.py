"""Families: computed together, chunk by chunk; nothing imports the compiler before it is needed, and it compiles once."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gristmill.errors import ContractError
from gristmill.signals.chunk import References, chunks
from gristmill.signals.compute import compute_chunk, compute_families

DOCUMENTS = pl.DataFrame({"doc_id": ["b", "a"], "text": ["one two", ""], "language_score": [1.00000049, 0.1234567]})
DISTRIBUTION = pl.DataFrame({"token": ["one"], "count": [1], "probability": [0.9]})


def test_values_are_rounded_and_bounded() -> None:
    assert compute_families(["language"], DOCUMENTS)["language"]["language.score"].to_list() == [1.0, 0.123457]


def test_families_share_a_pass_and_come_out_whole_in_chunks_of_any_size() -> None:
    many = pl.DataFrame({"doc_id": [f"{n:02}" for n in range(40)], "text": [f"word {n} of the text" * n for n in range(40)]})
    seconds: dict[str, float] = {}
    whole = compute_families(["gopher", "compression"], many, References(), seconds)
    assert list(seconds) == ["gopher", "compression"]
    assert len(small := list(chunks(many, 64))) > 10
    assert all(pl.concat([compute_chunk(family, chunk) for chunk in small]).equals(table) for family, table in whole.items())


def test_what_cannot_be_computed_says_so() -> None:
    with pytest.raises(ValueError, match="no module computes"):
        compute_families(["astrology"], DOCUMENTS)
    with pytest.raises(ValueError, match="token distribution"):
        compute_families(["kl"], DOCUMENTS)
    with pytest.raises(ValueError, match="not one term"):
        compute_families(["kl"], DOCUMENTS, References(DISTRIBUTION.with_columns(token=pl.lit("two words"))))
    with pytest.raises(ContractError, match=r"language\.score is not a finite number for the document b"):
        compute_families(["language"], DOCUMENTS.with_columns(language_score=pl.lit(float("nan"))))


def test_importing_the_families_does_not_import_numba() -> None:
    code = "import sys, gristmill.recipe, gristmill.signals.compute; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(p for p in sys.path if p)}, check=False).returncode == 0


@pytest.mark.parametrize("given", [True, False], ids=["in a folder that is given", "where neither package nor home can be written"])
def test_the_kernels_find_a_cache(tmp_path: Path, given: bool) -> None:
    """A probe that fails stands for a read-only file system (root may write anywhere)."""
    code = (
        "import tempfile\n"
        "probe = tempfile.TemporaryFile\n"
        "def refuse(dir):\n"
        f"    if not str(dir).startswith({str(tmp_path)!r}): raise OSError('read-only')\n"
        "    return probe(dir=dir)\n"
        "tempfile.TemporaryFile = refuse\n"
        "import polars as pl\n"
        "from gristmill.signals.compute import compute_families\n"
        "frame = pl.DataFrame({'doc_id': ['a'], 'text': ['one two']})\n"
        "print(compute_families(['gopher'], frame)['gopher']['gopher.word_count'][0])\n"
    )
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "given")} if given else {"TMPDIR": str(tmp_path)}
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p), **where}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2.0", done.stderr
    assert any(tmp_path.rglob("*.nbc"))


COMPILED = """
import importlib, json, pkgutil
import polars as pl
from numba.core.registry import CPUDispatcher
from gristmill.lake.contracts import CONTRACTS
from gristmill.signals import kernels
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES

frame = pl.DataFrame({
    "doc_id": ["a", "b"], "text": ["One two. The end", ""], "url": ["https://mill.org/a.py"] * 2, "host": "mill.org", "language": "en",
    "language_score": 1.0, "extractor": "plain-1", "n_bytes": [16, 0], "n_chars": [16, 0],
})
tokens = pl.DataFrame({"token": ["one"], "count": [1], "probability": [0.9]})
lists = {name: frozenset({"one two"}) for name in ("dirty_words", "adult_words", "toxic_words")}
compute_families(FAMILIES, frame, References(tokens, lists, CONTRACTS["edits"].empty()))
functions = {
    id(f): f
    for module in pkgutil.iter_modules(kernels.__path__)
    for f in vars(importlib.import_module(f"{kernels.__name__}.{module.name}")).values()
    if isinstance(f, CPUDispatcher)
}
print(json.dumps([sum(sum(f.stats.cache_misses.values()) for f in functions.values()), len(functions)]))
"""


def test_a_second_process_compiles_nothing() -> None:
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    for again in (False, True):
        done = subprocess.run([sys.executable, "-c", COMPILED], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        misses, kernels = json.loads(done.stdout)
        assert kernels > 5
        assert not (again and misses)
