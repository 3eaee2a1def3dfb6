import re
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup import substrings
from gristmill.dedup.spill import Spill
from gristmill.dedup.substrings import fingerprints, substring_cuts
from gristmill.lake.contracts import CONTRACTS, conform

WORDS = 6
LETTERS = st.sampled_from(["ab", "b", "longer-word-of-19-ch", "é", "über", "x."])
GAPS = st.sampled_from([" ", " ", " ", "\n", "  ", "\n\n", "\t", "\u00a0"])
PASSAGE = st.lists(LETTERS, min_size=1, max_size=14)


@st.composite
def collections(draw):
    """Texts put together from a few passages, so that they share runs of words, by document."""
    passages = draw(st.lists(PASSAGE, min_size=1, max_size=4))
    texts = {}
    for i in range(draw(st.integers(1, 5))):
        words = [word for passage in draw(st.lists(st.sampled_from(passages), max_size=4)) for word in passage]
        gaps = draw(st.lists(GAPS, min_size=len(words) + 1, max_size=len(words) + 1))
        texts[f"d{i}"] = "".join(gap + word for gap, word in zip(gaps, words, strict=False)) + draw(st.sampled_from(["", "\n"]))
    return texts


def found(texts, words=WORDS, ranks=None, shards=("s",), memory=1 << 30):
    """The cuts of all shards; a document's shard is chosen by its id's place."""
    documents = pl.DataFrame(
        {
            "doc_id": list(texts),
            "shard": [shards[i % len(shards)] for i in range(len(texts))],
            "rank": ranks or list(range(len(texts))),
            "text": list(texts.values()),
        },
        schema={"doc_id": pl.String, "shard": pl.String, "rank": pl.Int64, "text": pl.String},
    )
    prints = {shard: fingerprints(documents.filter(shard=shard), words) for shard in shards}
    opened = []

    def texts_of(shard, doc_ids):
        opened.extend(doc_ids)
        return documents.filter((pl.col("shard") == shard) & pl.col("doc_id").is_in(doc_ids.implode())).select("doc_id", "text").reverse()

    with tempfile.TemporaryDirectory() as scratch:
        by_shard = list(
            substring_cuts(
                documents.select("doc_id", "shard", "rank"), lambda shard: prints[shard].lazy(), texts_of, words, Path(scratch), memory
            )
        )
        assert not list(Path(scratch).iterdir())
    assert all(set(cuts["doc_id"]) <= set(documents.filter(shard=shard)["doc_id"]) for shard, cuts in by_shard)
    cuts = pl.concat([pl.DataFrame(schema=CONTRACTS["cuts"].schema), *(cuts for _, cuts in by_shard)])
    return conform("cuts", cuts), set(opened)


def plain(texts, words=WORDS, ranks=None):
    """By definition: doc_id, first and last word, places, twin of every cut; all windows compared with all."""
    order = [doc_id for _, doc_id in sorted(zip(ranks or range(len(texts)), texts, strict=True))]
    split = {doc_id: texts[doc_id].split() for doc_id in order}
    places = {}
    for rank, doc_id in enumerate(order):
        for at in range(len(split[doc_id]) - words + 1):
            places.setdefault(tuple(split[doc_id][at : at + words]), []).append((rank, at))
    rows = []
    for rank, doc_id in enumerate(order):
        cut = []
        for at in range(len(split[doc_id]) - words + 1):
            held = places[tuple(split[doc_id][at : at + words])]
            if held[0] == (rank, at):
                continue
            if cut and at <= cut[-1][1]:
                first, _, most, twin = cut.pop()
                cut.append((first, at + words, max(most, len(held)), min(twin, held[0][0])))
            else:
                cut.append((at, at + words, len(held), held[0][0]))
        rows += [(doc_id, first, last, most, order[twin]) for first, last, most, twin in cut]
    return sorted(rows)


def in_words(texts, cuts):
    """Cuts as first and last word, and what is left of each text."""
    rows = []
    for doc_id, start, end, documents, twin in cuts.select("doc_id", "start", "end", "documents", "twin").iter_rows():
        spans = [match.span() for match in re.finditer(r"\S+", texts[doc_id])]
        inside = [i for i, (a, b) in enumerate(spans) if a >= start and b <= end]
        assert not any(a < start < b or a < end < b for a, b in spans)  # whole words
        rows.append((doc_id, inside[0], inside[-1] + 1, documents, twin))
    return sorted(rows)


def left(texts, cuts):
    kept = dict(texts)
    for doc_id, start, end in cuts.sort("start", descending=True).select("doc_id", "start", "end").iter_rows():
        kept[doc_id] = kept[doc_id][:start] + kept[doc_id][end:]
    return kept


@settings(deadline=None, max_examples=60)
@given(collections(), st.randoms(use_true_random=False))
def test_cuts_are_those_of_the_definition_in_any_order_and_shards(texts, random):
    ranks = list(range(len(texts)))
    random.shuffle(ranks)
    cuts, _ = found(texts, ranks=ranks)
    assert in_words(texts, cuts) == plain(texts, ranks=ranks)
    for doc_id, text in left(texts, cuts).items():  # what is left are the words that were not cut, none run into another
        gone = {word for _, first, last, *_ in (row for row in in_words(texts, cuts) if row[0] == doc_id) for word in range(first, last)}
        assert text.split() == [word for i, word in enumerate(texts[doc_id].split()) if i not in gone]
    shuffled = list(zip(texts.items(), ranks, strict=True))
    random.shuffle(shuffled)
    again = dict(text for text, _ in shuffled)
    assert found(again, ranks=[rank for _, rank in shuffled], shards=("b", "a", "c"), memory=2000)[0].equals(cuts)


@settings(deadline=None)
@given(collections())
def test_no_word_is_lost(texts):
    cuts, _ = found(texts)
    assert {word for text in left(texts, cuts).values() for word in text.split()} == {
        word for text in texts.values() for word in text.split()
    }


@settings(deadline=None)
@given(st.lists(st.sampled_from("ab"), max_size=40), st.integers(5, 9))
def test_a_repeated_window_shares_a_fingerprint(letters, words):
    """Winnowing's promise, in one document and in two."""
    text = " ".join(letters)
    windows = [tuple(letters[i : i + words]) for i in range(len(letters) - words + 1)]
    one = fingerprints(pl.DataFrame({"doc_id": ["d"], "text": [text]}), words)
    assert (one["places"].sum() > 0) == bool(windows)
    if len(set(windows)) < len(windows):
        assert one["places"].max() > 1
    for i in range(len(windows)):
        part = fingerprints(pl.DataFrame({"doc_id": ["e"], "text": ["z " + " ".join(windows[i]) + " y"]}), words)
        assert set(part["key"]) & set(one["key"])


def test_documents_without_a_shared_run_are_not_opened():
    run = " ".join(f"w{i}" for i in range(WORDS))
    texts = {"a": f"one {run} two", "b": "nothing of it " * 1 + "here at all or there", "c": f"{run} three"}
    cuts, opened = found(texts)
    assert opened == {"a", "c"}
    assert left(texts, cuts) == texts | {"c": "three"}
    assert cuts.select("rule", "documents", "twin").rows() == [("dedup.substring", 2, "a")]


def test_white_space_goes_on_the_side_that_keeps_lines_apart():
    run = " ".join(f"w{i}" for i in range(WORDS))
    texts = {"a": run, "b": f"Before\n\n{run}\n\nafter.", "c": f"A {run}\nnew line.", "d": f"Ends with {run}\n", "e": f"\n {run}"}
    cuts, _ = found(texts)
    assert left(texts, cuts) == {"a": run, "b": "Before\n\nafter.", "c": "A\nnew line.", "d": "Ends with", "e": ""}


def test_periods_shrink_to_one():
    text = "x y " * 20
    cuts, _ = found({"a": text})
    assert left({"a": text}, cuts) == {"a": "x y"}
    assert cuts["twin"].to_list() == ["a"]


def test_letters_without_spaces_are_words():
    run = "我们在这里买东西"
    texts = {"a": f"甲{run}乙", "b": f"丙丁{run}戊。"}
    cuts, _ = found(texts, words=8)
    assert left(texts, cuts)["b"] == "丙丁戊。"


def test_a_false_claim_of_the_hashes_cuts_nothing(tmp_path):
    """What has the same hash is compared word by word: soft hyphens and white space do not count, everything else does."""
    texts = {"a": "v0 v1 v2 v3 v4 v5 v6", "b": "v0 v1\nv2 v3 v\u00ad4 v5 v7", "c": "v0 v1 v2 v3 v4 v55", "d": "V0 v1 v2 v3 v4 v5"}
    frame = pl.DataFrame({"doc_id": list(texts), "text": list(texts.values()), "shard": "s", "rank": range(4)})
    claims = Spill(tmp_path, "repeats", 3)
    claims.add(np.array([[row << 32, 0, 4] for row in (1, 2, 3)], np.uint64))

    def texts_of(shard, doc_ids):
        return frame.filter(pl.col("doc_id").is_in(doc_ids.implode()))

    order = substrings._Order.of(frame)
    runs, wanted = substrings._runs(order, claims, WORDS, tmp_path)
    ((_, cuts),) = substrings._cuts(order, runs, *substrings._quotes(order, wanted, texts_of, tmp_path), texts_of)
    assert cuts["doc_id"].to_list() == ["b"]


def test_nothing_to_compare():
    assert found({})[0].is_empty()
    assert found({"a": "", "b": "short"})[0].is_empty()
