"""Every document is left in one shard: the one that owns it, whatever the memory; what counts documents counts them once."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.lake.workspace import Made
from gristmill.policy import copies as found_copies
from gristmill.policy.copies import copies
from gristmill.policy.rules import Rule
from gristmill.policy.sweep import sweep
from gristmill.policy.what_if import what_if

SHARDS = ("code/a", "web-1/a", "web-1/b", "web-2/a")
SHORT = Rule(name="short", signal="gopher.word_count", when="<", threshold=50)


def row(doc_id: str, words: float = 45, **given: object) -> dict[str, object]:
    return {"doc_id": doc_id, "words": words, "divergence": 0, **given}


def elect(workspace, owners: dict[str, tuple[str, list[str]]]) -> None:
    """A `duplicate_clusters` in which each document's owner survives the copies of other shards."""
    rows = [(doc, at, "survivor" if at == owner else "same", owner) for doc, (owner, shards) in owners.items() for at in shards]
    table = pl.DataFrame(rows, schema=["doc_id", "shard", "kind", "survivor_shard"], orient="row").select(
        "doc_id", "shard", "kind", "survivor_shard", cluster="doc_id", survivor="doc_id", similarity=pl.lit(1.0)
    )
    order = ["doc_id", "shard", "kind", "cluster", "survivor", "survivor_shard", "similarity"]
    workspace.store("duplicate_clusters", None, Made({"clusters": table.select(order).sort("doc_id", "shard")}), "1")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(0, 30), st.sets(st.sampled_from(SHARDS), min_size=1), min_size=1),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_elected_shard_owns_it_else_the_first(stored, tmp_path_factory, placed, small, random) -> None:
    held = {shard: [row(f"{doc:02}") for doc in sorted(placed) if shard in placed[doc]] for shard in SHARDS}
    workspace = stored(tmp_path_factory.mktemp("lake"), held)
    elected = {f"{doc:02}": random.choice(sorted(at)) for doc, at in placed.items() if len(at) > 1 and random.random() < 0.5}
    if elected:
        elect(workspace, {doc: (owner, sorted(placed[int(doc)])) for doc, owner in elected.items()})
    with pytest.MonkeyPatch.context() as limits:
        if small:  # several ranges
            limits.setattr(found_copies, "MEMORY", 600)
        with copies(workspace, SHARDS) as found:
            kept = {shard: found.distinct(shard, pl.DataFrame(rows, schema=["doc_id"])) for shard, rows in held.items()}
            assert found.count == sum(len(at) - 1 for at in placed.values())
    for shard, frame in kept.items():
        owned = [(n, each["doc_id"]) for n, each in enumerate(held[shard])]
        expected = [(n, doc) for n, doc in owned if elected.get(doc, min(placed[int(doc)])) == shard]
        assert frame.rows() == expected


def test_they_are_remembered_until_a_shard_or_an_election_changes(stored, tmp_path) -> None:
    held = {"web-1/a": [row("a"), row("b")], "web-2/a": [row("b"), row("c")]}
    workspace = stored(tmp_path / "lake", held)
    folder = workspace.lake.cache_folder / "copies"

    def left_out() -> dict[str, list[int]]:
        with copies(workspace, list(held)) as found:
            return {shard: found.of(shard).tolist() for shard in held}

    def remembered() -> set[tuple[str, int]]:
        return {(path.name, path.stat().st_ino) for path in folder.iterdir()}

    assert left_out() == {"web-1/a": [], "web-2/a": [0]}
    first = remembered()
    assert left_out() == {"web-1/a": [], "web-2/a": [0]} and remembered() == first and len(first) == 1
    elect(workspace, {"b": ("web-2/a", ["web-1/a", "web-2/a"])})
    assert left_out() == {"web-1/a": [1], "web-2/a": []} and len(remembered() - first) == 1
    held["web-2/a"].append(row("a"))
    workspace = stored(tmp_path / "lake", held)
    assert left_out() == {"web-1/a": [1], "web-2/a": [0]} and len(remembered() - first) == 2
    folder.rename(tmp_path / "gone")
    folder.write_text("no folder can be made here")
    assert left_out() == {"web-1/a": [1], "web-2/a": [0]}


def test_a_document_of_several_shards_flips_once_where_it_survives(stored, tmp_path) -> None:
    shared = row("b", n_bytes=100, topic="science")
    workspace = stored(
        tmp_path / "lake",
        {"web-1/a": [row("a"), {**shared, "topic": None}], "web-2/a": [shared, row("c")], "web-2/b": [{**shared, "topic": None}]},
    )
    elect(workspace, {"b": ("web-2/a", ["web-1/a", "web-2/a", "web-2/b"])})
    flips: list[pl.DataFrame] = []
    answer = what_if(workspace, [], [SHORT], on_flips=flips.append)
    assert (answer.copies, answer.total("documents"), answer.flipped("lost_documents"), answer.flipped("lost_bytes")) == (2, 3, 3, 120)
    assert pl.concat(flips).select("doc_id", "shard", "topic").rows() == [
        ("a", "web-1/a", None),
        ("b", "web-2/a", "science"),
        ("c", "web-2/a", None),
    ]
    assert answer.flips.filter(pl.col("name") == "science")["lost_documents"].item() == 1
    assert answer.changed.rows() == [("short", 3, 0, 0, 0)]
    assert answer.rules["fired_after"].to_list() == [3]
    swept = sweep(workspace, "gopher.word_count", [SHORT])
    assert (swept.copies, swept.sources["documents"].to_list()) == (2, [3, 3])
    assert swept.of("<").filter(pl.col("threshold") == 50)["documents"].item() == 3


def test_an_election_over_shards_that_are_gone_says_nothing(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": [row("a")], "web-2/a": [row("a")]})
    elect(workspace, {"a": ("web-9/z", ["web-1/a", "web-9/z"])})
    with copies(workspace, ["web-1/a", "web-2/a"]) as found:
        assert (found.of("web-1/a").tolist(), found.of("web-2/a").tolist()) == ([], [0])
