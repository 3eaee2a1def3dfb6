"""Hashes of texts and of names."""

from gristmill.lake.hashing import mapping_hash, text_hash


def test_golden_vectors():
    """Hashes are addresses of what is stored: they may not change between releases."""
    assert text_hash("grist") == "f8d0acb272a176d8fedc4d2c25dec165"
    assert mapping_hash({"a": "1"}) == "d5dd13597e9379845cea6ae37f01d335"
    assert mapping_hash({"b": "2", "a": "1"}) == mapping_hash({"a": "1", "b": "2"}) != mapping_hash({"a": "12", "b": ""})
