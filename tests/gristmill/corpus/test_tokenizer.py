"""The tokenizer: lossless, deterministic, blind to special tokens in text, and what transformers loads."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.corpus import tokenizer
from gristmill.errors import GristmillError

TEXTS = [
    "The mill grinds 1234 sacks of wheat, and the miller counts them: 1, 2, 3.\n",
    "def grind(grain):\n    return [kernel for kernel in grain if kernel]\n",
    "Der Müller mahlt; 粉屋は挽く. Ωmega, naïve café.\n",
    "To connect to a database, call connect() and keep the connection open while it is used.\n",
]


def documents(order: int = 1) -> pl.DataFrame:
    rows = [{"doc_id": f"{i:032x}", "text": text * 3 + str(i)} for i, text in enumerate(TEXTS * 5)]
    return pl.DataFrame(rows[::order])


TRAINED = tokenizer.train(documents(), 420)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=300, deadline=None)
def test_text_comes_back_unchanged(text: str) -> None:
    assert TRAINED.decode(TRAINED.encode(text)) == text


@given(st.lists(st.sampled_from(["<|endoftext|>", "<|pad|>", " ", "a", "\n", "<|", "|>"])).map("".join))
@settings(deadline=None)
def test_text_cannot_forge_a_special_token(text: str) -> None:
    ids = TRAINED.encode(text)
    assert not {TRAINED.end_of_text, TRAINED.pad} & set(ids)
    assert TRAINED.decode(ids) == text


def test_specials_are_the_first_ids_and_every_digit_is_a_token() -> None:
    assert (TRAINED.end_of_text, TRAINED.pad) == (0, 1)
    assert TRAINED.vocab_size <= 420
    assert [TRAINED.decode([i]) for i in TRAINED.encode("1234")] == ["1", "2", "3", "4"]
    assert TRAINED.encode("") == []


def test_the_order_of_documents_does_not_matter(tmp_path) -> None:
    TRAINED.save(tmp_path / "forward")
    tokenizer.train(documents(-1), 420).save(tmp_path / "backward")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "forward" / name).read_bytes() == (tmp_path / "backward" / name).read_bytes()


def test_ties_are_broken_by_id() -> None:
    """`ab` and `cd` are equally frequent: the pair with the smaller ids is merged first."""
    tied = tokenizer.train(pl.DataFrame({"doc_id": ["1", "2"], "text": ["cd ab", "ab cd"]}), 2 + 256 + 2)
    assert tied.encode("ab") == [258]
    assert tied.encode("cd") == [259]


def test_saved_and_loaded_it_encodes_alike_and_transformers_agrees(tmp_path) -> None:
    from transformers import AutoTokenizer

    TRAINED.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    text = "".join(TEXTS)
    assert tokenizer.load(tmp_path).encode(text) == TRAINED.encode(text) == theirs(text)["input_ids"]
    assert theirs.decode(theirs(text)["input_ids"]) == text
    assert (theirs.eos_token_id, theirs.pad_token_id) == (0, 1)
    assert theirs("a <|endoftext|>", split_special_tokens=True)["input_ids"] == TRAINED.encode("a <|endoftext|>")
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["eos_token"] == "<|endoftext|>"


def test_sample_is_by_hash_not_by_order() -> None:
    ids = [f"{i:032x}" for i in range(100)]
    chosen = tokenizer.sample(ids, 10)
    assert chosen == tokenizer.sample(reversed(ids), 10) == sorted(chosen)
    assert len(chosen) == 10
    assert set(chosen) < set(tokenizer.sample(ids, 20))
    assert tokenizer.sample(ids[:3], 10) == ids[:3]


def test_bytes_per_token_by_source() -> None:
    frame = pl.DataFrame({"source": ["web", "code", "web"], "text": ["Müller", "def f", "mill"]})
    rows = tokenizer.bytes_per_token(TRAINED, frame).to_dicts()
    assert [row["source"] for row in rows] == ["code", "web"]
    assert rows[1]["n_bytes"] == 11
    assert rows[1]["documents"] == 2
    assert rows[1]["bytes_per_token"] == round(11 / (len(TRAINED.encode("Müller")) + len(TRAINED.encode("mill"))), 3)


def test_nothing_to_learn_from_is_an_error(tmp_path) -> None:
    with pytest.raises(GristmillError, match="no document"):
        tokenizer.train(documents().clear(), 420)
    with pytest.raises(GristmillError, match=r"no tokenizer\.json"):
        tokenizer.load(tmp_path)
