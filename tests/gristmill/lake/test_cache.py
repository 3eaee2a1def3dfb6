"""The key-value cache: what is put is found, what is forgotten is in no file any more."""

from pathlib import Path

from gristmill.lake.cache import BATCH, KeyedCache


def test_entries_are_listed_by_key_in_batches(tmp_path: Path):
    cache = KeyedCache(tmp_path / "c.sqlite")
    assert list(cache.items()) == [] and cache.forget(["a"]) == 0
    entries = {f"{n:06d}": bytes([n % 256]) for n in range(2 * BATCH)}
    cache.put_many(entries)
    assert dict(cache.items()) == entries and [key for key, _ in cache.items()] == sorted(entries)


def test_what_is_forgotten_leaves_no_byte(tmp_path: Path):
    cache = KeyedCache(tmp_path / "c.sqlite")
    cache.put_many({"a:1": b"the secret of the mill", "a:2": b"the secret of the brook" * 500, "b": b"stays"})
    assert cache.forget(["none"], ["a:"]) == 2
    assert dict(cache.items()) == {"b": b"stays"}
    assert not [path for path in tmp_path.iterdir() if b"secret" in path.read_bytes()]
