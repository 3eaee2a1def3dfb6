"""The mix of a phase: exact shares, whole independence of order, repetition up to a bound, and clear refusals."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.corpus import mixture
from gristmill.errors import ContractError, RecipeError
from gristmill.recipe import Phase

MIX = {"web": 0.4, "web/Science": 0.2, "code": 0.3, "synthetic/exercises": 0.1}
SOURCES = [("web", "Science"), ("web", "Games"), ("code", "Software"), ("synthetic", "exercises"), ("prose", "Books")]


def candidates(n: int = 100) -> pl.DataFrame:
    rows = [
        {
            "doc_id": f"{source}-{topic}-{i:03}",
            "origin": f"synthetic/{topic}" if source == "synthetic" else f"{source}-1/{i % 3}",
            "source": source,
            "topic": topic,
            "n_bytes": 40 + i,
            "weight": 1.0,
        }
        for source, topic in SOURCES
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=mixture.CANDIDATE)


def count(doc_ids: list[str]) -> dict[str, int]:
    """Streams of 11 to 40 tokens."""
    return {doc_id: 11 + int(doc_id[-3:]) * 7 % 30 for doc_id in doc_ids}


def choose(frame: pl.DataFrame, tokens: int = 2_000, seed: int = 1, name: str = "general", **changes) -> pl.DataFrame:
    phase = Phase(**{"tokens": tokens, "mix": MIX, **changes})
    return mixture.choose(frame, name, phase, tokens, seed, count)


def shares(pieces: pl.DataFrame) -> dict[str, float]:
    return {key: length / pieces["length"].sum() for key, length in pieces.group_by("key").agg(pl.col("length").sum()).iter_rows()}


def test_every_key_gets_its_share_to_the_token() -> None:
    pieces = choose(candidates())
    assert dict(pieces.group_by("key").agg(pl.col("length").sum()).iter_rows()) == {
        "web": 800,
        "web/Science": 400,
        "code": 600,
        "synthetic/exercises": 200,
    }
    assert set(pieces.filter(pl.col("key") == "web")["topic"]) == {"Games"}  # the most specific key takes a document
    assert "prose" not in set(pieces["source"])
    assert set(pieces["epoch"]) == {0}


@given(st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_candidates_does_not_matter(random) -> None:
    frame = candidates(40)
    shuffled = list(range(len(frame)))
    random.shuffle(shuffled)
    assert choose(frame[shuffled]).equals(choose(frame))


def test_how_much_is_read_at_a_time_does_not_matter(monkeypatch) -> None:
    before = choose(candidates())
    monkeypatch.setattr(mixture, "BYTES_PER_TOKEN", 1)
    assert choose(candidates()).equals(before)
    monkeypatch.setattr(mixture, "BYTES_PER_TOKEN", 1_000)
    assert choose(candidates()).equals(before)


def test_seed_and_phase_choose_other_documents() -> None:
    first = choose(candidates())
    assert not first.equals(choose(candidates(), seed=2))
    assert not first["doc_id"].equals(choose(candidates(), name="annealing")["doc_id"])


def test_a_larger_budget_keeps_what_a_smaller_one_chose() -> None:
    small, large = choose(candidates(), 1_000), choose(candidates(), 2_000)
    assert set(small["doc_id"]) <= set(large["doc_id"])


def test_a_short_key_repeats_up_to_max_epochs_and_then_stays_short() -> None:
    few = candidates(4)
    pool = sum(count([f"code-Software-{i:03}" for i in range(4)]).values())
    twice = choose(few, 2 * pool, mix={"code": 1.0}, max_epochs=2.0)
    assert twice["length"].sum() == 2 * pool
    assert sorted(twice["epoch"].unique()) == [0, 1]
    short = choose(few, 10 * pool, mix={"code": 1.0}, max_epochs=2.5)
    assert short["length"].sum() == pool * 5 // 2
    assert choose(few, pool, mix={"code": 1.0}, max_epochs=0.5)["length"].sum() == pool // 2


def test_empty_documents_are_left_out() -> None:
    phase = Phase(tokens=50, mix={"web": 1.0})
    frame = candidates(10)
    pieces = mixture.choose(frame, "general", phase, 50, 1, lambda ids: {i: 1 if i.endswith("0") else 20 for i in ids})
    assert not any(doc_id.endswith("0") for doc_id in pieces["doc_id"])


def test_a_key_without_documents_is_an_error_that_names_those_that_have_some() -> None:
    with pytest.raises(RecipeError, match="web/Cooking") as error:
        choose(candidates(), mix={"web": 0.5, "web/Cooking": 0.5})
    assert "web/Science" in str(error.value)
    assert "corpus.phases.general.mix" in str(error.value)


def test_a_key_with_no_share_needs_no_document() -> None:
    assert set(choose(candidates(), mix={"web": 1.0, "web/Cooking": 0.0})["key"]) == {"web"}


def test_one_document_in_two_shards_is_refused() -> None:
    twice = pl.concat([candidates(2), candidates(1).with_columns(origin=pl.lit("web-2/0"))])
    with pytest.raises(ContractError, match="candidate twice"):
        choose(twice)


@given(
    st.dictionaries(st.text(min_size=1), st.integers(0, 100), min_size=1).filter(lambda mix: sum(mix.values()) > 0), st.integers(1, 10**7)
)
@settings(deadline=None)
def test_quotas_are_whole_and_exact(weights: dict[str, int], tokens: int) -> None:
    mix = {key: weight / sum(weights.values()) for key, weight in weights.items()}
    quotas = mixture.quota(mix, tokens)
    assert sum(quotas.values()) == tokens
    assert all(abs(quotas.get(key, 0) - share * tokens) <= 1 for key, share in mix.items())


def test_realised_mix_is_read_from_provenance() -> None:
    frame = pl.DataFrame(
        {
            "doc_id": ["a", "a", "b"],
            "source": ["web", "web", "code"],
            "topic": ["Games", "Games", "Software"],
            "start": [0, 0, 5],
            "end": [30, 30, 45],
            "epoch": [0, 1, 0],
        }
    )
    rows = mixture.realised_mix(frame, "general", Phase(tokens=100, mix={"web": 0.5, "code": 0.3, "prose": 0.2}))
    assert [(row["key"], row["realised"], row["tokens"], row["documents"], row["epochs"]) for row in rows] == [
        ("code", 0.4, 40, 1, 1),
        ("prose", 0.0, 0, 0, 0),
        ("web", 0.6, 60, 1, 2),
    ]


def test_a_down_weighted_document_comes_as_often_as_its_weight_says() -> None:
    light = candidates(400).with_columns(weight=pl.when(pl.col("doc_id").str.ends_with("7")).then(0.25).otherwise(1.0))
    pieces = choose(light, tokens=200_000, max_epochs=8.0)
    seen = pieces.group_by("doc_id").len().join(light.select("doc_id", "weight", "source"), on="doc_id").filter(pl.col("source") == "code")
    often = {weight: part["len"].mean() for (weight,), part in seen.group_by("weight")}
    assert often[0.25] / often[1.0] == pytest.approx(0.25 / 0.92, rel=0.5)
    assert choose(light.sample(fraction=1.0, shuffle=True, seed=3), tokens=200_000, max_epochs=8.0).equals(pieces)
    assert pieces.group_by("doc_id", "epoch").len()["len"].max() == 1
