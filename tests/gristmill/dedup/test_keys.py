"""Keys: hex ids both ways, and MurmurHash3 as everybody else has it."""

import polars as pl
import pytest

from gristmill.dedup.keys import absent, hashed, hexes, parse
from gristmill.errors import ContractError


def test_hex_there_and_back() -> None:
    column = pl.Series("doc_id", ["00" * 15 + "01", "ff" * 16, None, "0123456789abcdef" * 2])
    found = parse(column)
    assert found.tolist() == [[0, 1], [2**64 - 1] * 2, [0, 0], [0x0123456789ABCDEF] * 2]
    assert hexes(found[[0, 1, 3]], "doc_id").to_list() == column.drop_nulls().to_list()
    assert absent(found).tolist() == [False, False, True, False]
    assert parse(column.slice(1, 1)).tolist() == [[2**64 - 1] * 2]
    assert hexes(parse(pl.Series([], dtype=pl.String))).is_empty()


@pytest.mark.parametrize("value", ["abc", "0g" * 16, "00" * 15])
def test_what_is_no_id_is_refused(value: str) -> None:
    with pytest.raises(ContractError, match="column doc_id"):
        parse(pl.Series("doc_id", ["00" * 16, value]))


def test_reference_values_of_murmur3_x64_128() -> None:
    """From the reference implementation's widely quoted outputs; with tails of 0, 3, 5, 11 and 12 bytes."""
    known = {
        "": "00000000000000000000000000000000",
        "foo": "e271865701f545617eaf87e42bba7d87",
        "hello": "cbd8a7b341bd9b025b1e906a48ae1d19",
        "The quick brown fox jumps over the lazy dog": "e34bbc7bbc071b6c7a433ca9c49a9347",
    }
    assert hexes(hashed(pl.Series(list(known)))).to_list() == list(known.values())
    assert absent(hashed(pl.Series(["", None, "x"]))).tolist() == [True, True, False]
