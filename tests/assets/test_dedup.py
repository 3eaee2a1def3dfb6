"""The dedup assets over a small lake: each document kept once, the same rows for any sharding, checks that can fail."""

import datetime
import hashlib
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets import contamination, dedup, dedup_checks, repeated
from assets.kept import filtered_documents
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Dedup, Recipe, Source, Sources
from gristmill.recipe.dedup import Semantic, Substrings
from gristmill.texts import final_texts

KINDS = ("apple", "brook", "cloud", "dune", "elm", "fern", "grove", "hill")
PAGES = {f"page{i}": " ".join(f"w{hash_}" for hash_ in range(40 * i, 40 * i + 40)) for i in range(12)}
PAGES |= {
    "copy3": PAGES["page3"],
    "near4": PAGES["page4"] + " and a line",
    "semantic5": "a rewording of page five",
    "long4": PAGES["page4"] + " and some more",
    **{f"menu{i}": f"home about contact us today again\n{kind} words that nobody else writes about {kind}" for i, kind in enumerate(KINDS)},
    "quote8": "begins by itself " + " ".join(PAGES["page8"].split()[:30]) + " and ends alone",
}
RECIPE = Recipe(
    sources=Sources(groups={"web": Source(crawls=["one", "two"]), "code": Source(crawls=["code"], priority=1)}),
    dedup=Dedup(semantic=Semantic(threshold=0.99)),
)


class Words:
    """An embedder of the port's shape: a text's words as a hashed vector; the rewording of page five reads like page five."""

    name, dimension = "words", 64

    def open(self, settings: Any, known: Any = None) -> "Words":
        return self

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = np.zeros((len(texts), self.dimension))
        for row, text in zip(rows, texts, strict=True):
            for word in (PAGES["page5"] if text == PAGES["semantic5"] else text).split():
                digest = hashlib.blake2b(word.encode(), digest_size=2).digest()
                row[digest[0] % self.dimension] += 1 if digest[1] % 2 else -1
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).round(4).astype(np.float32)


def store(workspace: Workspace, asset: str, partition: str | None, made: Made) -> None:
    workspace.store(asset, partition, made, "1")


def fill(workspace: Workspace, shards: dict[str, list[str]], dropped: frozenset[str] = frozenset()) -> None:
    """documents, edits and filtered_shards of the shards, which hold names of PAGES."""
    for shard, names in shards.items():
        documents = pl.DataFrame(
            [
                {
                    "doc_id": hashlib.md5(name.encode()).hexdigest(),
                    "captures": [name],
                    "url": f"http://h/{name}",
                    "host": "h",
                    "text": PAGES[name],
                    "text_hash": hashlib.blake2b(PAGES[name].encode(), digest_size=16).hexdigest(),
                    "language": "en",
                    "language_score": 1.0,
                    "extractor": "x",
                    "fetched_at": datetime.datetime(2026, 1, 1 + list(PAGES).index(name), tzinfo=datetime.UTC),
                    "n_bytes": 1,
                    "n_chars": len(PAGES[name]),
                }
                for name in names
            ],
            schema=CONTRACTS["documents"].schema,
        )
        verdicts = documents.select(
            "doc_id",
            pl.Series([name not in dropped for name in names], dtype=pl.Boolean).alias("kept"),
            pl.lit(None, pl.String).alias("first_rule"),
            pl.lit(None, pl.Float64).alias("value"),
            pl.lit(None, pl.Float64).alias("threshold"),
            pl.lit([], pl.List(pl.String)).alias("fired"),
            pl.lit(1.0).alias("weight"),
            pl.lit("p").alias("policy"),
        )
        store(workspace, "raw_crawl", shard, Made({"records": _records(documents)}))
        store(workspace, "documents", shard, Made({"documents": documents}))
        store(workspace, "edits", shard, Made({"edits": CONTRACTS["edits"].empty()}))
        store(workspace, "filtered_shards", shard, Made({"verdicts": verdicts}))


def _records(documents: pl.DataFrame) -> pl.DataFrame:
    """Of each document, one capture; a payload is the text."""
    same = {name: pl.lit(None, kind).alias(name) for name, kind in CONTRACTS["records"].schema.items()}
    same |= {name: pl.lit("x").alias(name) for name in ("warc", "kind")} | {
        name: pl.lit(0, pl.Int64).alias(name) for name in ("offset", "length")
    }
    same |= {"payload_digest": pl.format("sha256:{}", "text_hash"), "capture": pl.col("url")}
    same |= {name: pl.col(name) for name in ("doc_id", "url", "host", "fetched_at")}
    return documents.select(**{name: same[name] for name in CONTRACTS["records"].schema})


def build(workspace: Workspace, shards: dict[str, list[str]]) -> None:
    for shard in shards:
        store(workspace, "minhash_signatures", shard, dedup.make_minhash_signatures(workspace, shard))
        store(workspace, "document_embeddings", shard, dedup.make_document_embeddings(workspace, shard, Words()))
    if not workspace.has("semantic_centroids"):
        store(workspace, "semantic_centroids", None, dedup.make_semantic_centroids(workspace, None))
    store(workspace, "duplicate_clusters", None, dedup.make_duplicate_clusters(workspace, None))
    for shard in shards:
        store(workspace, "deduplicated_shards", shard, dedup.make_deduplicated_shards(workspace, shard))


SHARDS = {
    "one/0": [f"page{i}" for i in range(8)],
    "two/0": [f"page{i}" for i in range(6, 12)] + ["copy3", "near4", "semantic5"],
    "code/0": ["page0"],
}
CHECKS = (dedup_checks.one_survivor, dedup_checks.fuzzy_losses, dedup_checks.each_document_once, dedup_checks.split_sizes)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(Lake(tmp_path), RECIPE)
    fill(made, SHARDS, frozenset({"page11"}))
    build(made, SHARDS)
    return made


def verdicts(workspace: Workspace) -> dict[tuple[str, str], tuple[bool, str | None]]:
    names = {hashlib.md5(name.encode()).hexdigest(): name for name in PAGES}
    return {
        (shard, names[doc]): (kept, rule)
        for shard in workspace.partitions("deduplicated_shards")
        for doc, kept, rule in workspace.read("deduplicated_shards", shard, "verdicts", ["doc_id", "kept", "first_rule"]).rows()
    }


def test_every_document_is_kept_once_and_every_loser_has_a_reason(workspace: Workspace) -> None:
    found = verdicts(workspace)
    assert {key: rule for key, (kept, rule) in found.items() if not kept} == {
        ("one/0", "page0"): "dedup.same",  # code has the higher priority
        ("two/0", "page6"): "dedup.same",
        ("two/0", "page7"): "dedup.same",
        ("two/0", "copy3"): "dedup.payload",
        ("one/0", "page4"): "dedup.near",  # the longer text survives
        ("two/0", "semantic5"): "dedup.semantic",
        ("two/0", "page11"): None,  # a filter's doing; it takes no part here
    }
    for check in CHECKS:
        outcome = check(workspace)
        assert outcome.passed, (check.__name__, outcome.metadata)


def test_another_sharding_keeps_the_same_documents_and_splits(workspace: Workspace, tmp_path: Path) -> None:
    names = sorted({name for names in SHARDS.values() for name in names})
    other = Workspace(Lake(tmp_path / "other"), RECIPE)
    shards = {"one/a": names[::3], "one/b": names[1::3], "two/a": names[2::3]}
    fill(other, shards, frozenset({"page11"}))
    build(other, shards)

    def kept(of: Workspace) -> pl.DataFrame:
        return pl.concat([of.read("deduplicated_shards", shard, "splits") for shard in of.partitions("deduplicated_shards")]).sort("doc_id")

    assert kept(other).equals(kept(workspace))


def test_texts_in_a_language_that_the_model_cannot_read_are_not_compared(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dedup.semantic.READS, Words.name, frozenset({"de"}))
    made = dedup.make_duplicate_clusters(workspace, None)
    assert made.metadata["recomputed"]["blocks"] == 0 and "semantic" not in made.tables["clusters"]["kind"].to_list()


def test_a_new_duplicate_changes_only_the_shards_whose_rows_change(workspace: Workspace) -> None:
    before = {shard: workspace.version("deduplicated_shards", shard) for shard in SHARDS}
    more = {**SHARDS, "two/9": ["long4"]}  # longer than near4 of two/0, which was page4's survivor
    fill(workspace, {"two/9": ["long4"]})
    build(workspace, more)
    assert {shard for shard in SHARDS if workspace.version("deduplicated_shards", shard) != before[shard]} == {
        "two/0"
    }  # page4 of one/0 has lost to either
    assert verdicts(workspace)["two/9", "long4"] == (True, None)


def test_embeddings_are_of_kept_documents_and_made_once(workspace: Workspace) -> None:
    again = dedup.make_document_embeddings(workspace, "two/0", Words())
    assert again.metadata["texts embedded now"] == 0
    assert again.tables["embeddings"].height == len(SHARDS["two/0"]) - 1


@pytest.mark.parametrize(
    "breaking",
    [
        pl.lit("survivor").alias("kind"),  # several survivors
        pl.when(pl.col("kind") == "survivor").then(pl.lit("same")).otherwise("kind").alias("kind"),  # none
        pl.when(pl.col("kind") == "near").then(0.1).otherwise("similarity").alias("similarity"),  # too far
        pl.lit("nobody").alias("survivor"),
    ],
)
def test_the_check_of_survivors_fails_on_broken_clusters(workspace: Workspace, breaking: pl.Expr) -> None:
    store(workspace, "duplicate_clusters", None, Made({"clusters": workspace.read("duplicate_clusters").with_columns(breaking)}))
    assert not dedup_checks.one_survivor(workspace).passed


def test_the_check_of_survivors_fails_on_a_survivor_that_was_dropped(workspace: Workspace) -> None:
    before = workspace.read("filtered_shards", "two/0")
    store(workspace, "filtered_shards", "two/0", Made({"verdicts": before.with_columns(pl.lit(False).alias("kept"))}))
    assert not dedup_checks.one_survivor(workspace).passed


@pytest.mark.parametrize("kept", [True, False])
def test_the_check_of_documents_fails_on_verdicts_that_disagree(workspace: Workspace, kept: bool) -> None:
    tables = {name: workspace.read("deduplicated_shards", "one/0", name) for name in ("verdicts", "splits")}
    tables["verdicts"] = tables["verdicts"].with_columns(pl.lit(kept).alias("kept"))
    store(workspace, "deduplicated_shards", "one/0", Made(tables))
    assert not dedup_checks.each_document_once(workspace).passed


def test_the_check_of_losses_fails_on_a_wiped_out_source(workspace: Workspace) -> None:
    wiped = (
        filtered_documents(workspace)
        .filter(pl.col("shard") != "code/0")
        .select(
            "doc_id",
            "shard",
            pl.lit("near").alias("kind"),
            pl.lit("c").alias("cluster"),
            pl.lit("s").alias("survivor"),
            pl.lit("code/0").alias("survivor_shard"),
            pl.lit(0.9).alias("similarity"),
        )
    )
    store(workspace, "duplicate_clusters", None, Made({"clusters": wiped}))
    assert not dedup_checks.fuzzy_losses(workspace).passed


def test_the_check_of_splits_fails_on_a_lopsided_split(workspace: Workspace) -> None:
    for shard in SHARDS:
        tables = {name: workspace.read("deduplicated_shards", shard, name) for name in ("verdicts", "splits")}
        tables["splits"] = tables["splits"].with_columns(pl.lit("test").alias("split"))
        store(workspace, "deduplicated_shards", shard, Made(tables))
    assert not dedup_checks.split_sizes(workspace).passed


def test_nothing_to_deduplicate(tmp_path: Path) -> None:
    workspace = Workspace(Lake(tmp_path), RECIPE)
    fill(workspace, {"one/0": []})
    build(workspace, {"one/0": []})
    assert all(check(workspace).passed for check in CHECKS)


def test_the_assets_and_what_makes_them_stale() -> None:
    shards = dg.DynamicPartitionsDefinition(name="shards")

    def versions(recipe: Recipe) -> dict[str, str]:
        return {
            key.path[-1]: version for asset in dedup.dedup_assets(recipe, shards) for key, version in asset.code_versions_by_key.items()
        }

    plain = versions(Recipe())
    assert list(plain) == ["minhash_signatures", "document_embeddings", "semantic_centroids", "duplicate_clusters", "deduplicated_shards"]
    changed = versions(Recipe(dedup=Dedup(semantic=Semantic(threshold=0.9))))
    assert [name for name in plain if plain[name] != changed[name]] == ["duplicate_clusters", "deduplicated_shards"]


def text_level(workspace: Workspace, shards: list[str]) -> None:
    for shard in shards:
        store(workspace, "text_keys", shard, repeated.make_text_keys(workspace, shard))
    store(workspace, "repeated_text", None, repeated.make_repeated_text(workspace, None))
    for shard in shards:
        store(workspace, "repeated_spans", shard, repeated.make_repeated_spans(workspace, shard))
    store(workspace, "reference_ngrams", None, contamination.make_reference_ngrams(workspace, None))
    for shard in shards:
        store(workspace, "contamination", shard, contamination.make_contamination(workspace, shard))


PARTS = {"one/0": ["page8", *(f"menu{i}" for i in range(4))], "two/0": ["quote8", *(f"menu{i}" for i in range(4, 8))]}
TEXT_RECIPE = RECIPE.model_copy(
    update={"dedup": Dedup(levels=["exact", "lines", "paragraphs", "substrings"], substrings=Substrings(words=20))}
)


def test_repeated_lines_and_substrings_are_cut_from_the_final_view_and_named(tmp_path: Path) -> None:
    workspace = Workspace(Lake(tmp_path), TEXT_RECIPE)
    fill(workspace, PARTS)
    build(workspace, PARTS)
    text_level(workspace, list(PARTS))
    ids = {name: hashlib.md5(name.encode()).hexdigest() for name in PAGES}
    for shard, names in PARTS.items():
        texts = dict(final_texts(workspace, shard).select("doc_id", "text").iter_rows())
        for name in names:
            if name.startswith("menu"):
                assert texts[ids[name]] == PAGES[name].split("\n")[1]
    cut = workspace.read("repeated_spans", "two/0").filter(pl.col("doc_id") == ids["quote8"])
    assert cut.select("rule", "documents", "twin").rows() == [("dedup.substring", 2, ids["page8"])]
    quoted = final_texts(workspace, "two/0", [ids["quote8"]])["text"][0]
    assert quoted.split() == ["begins", "by", "itself", "and", "ends", "alone"]
    assert repeated.cuts_are_sound(workspace).passed
    assert workspace.metadata("repeated_spans", "one/0")["by rule"] == [
        {"rule": "dedup.line", "cuts": 4, "documents": 4, "characters": 136}
    ]


def test_what_is_cut_does_not_depend_on_the_sharding(tmp_path: Path) -> None:
    found = []
    names = sorted(name for shard in PARTS.values() for name in shard)
    for at, shards in enumerate((PARTS, {"one/a": names[::2], "two/z": names[1::2]}, {"one/a": names})):
        workspace = Workspace(Lake(tmp_path / str(at)), TEXT_RECIPE)
        fill(workspace, shards)
        build(workspace, shards)
        text_level(workspace, list(shards))
        found.append(pl.concat([workspace.read("repeated_spans", shard) for shard in shards]).sort("doc_id", "start"))
    assert found[0].height == 9 and found[0].equals(found[1]) and found[0].equals(found[2])


def test_the_check_of_cuts_fails_on_overlaps_and_on_documents_that_are_gone(tmp_path: Path) -> None:
    workspace = Workspace(Lake(tmp_path), TEXT_RECIPE)
    fill(workspace, PARTS)
    build(workspace, PARTS)
    text_level(workspace, list(PARTS))
    made = repeated.make_repeated_spans(workspace, "one/0")
    cut = made.tables["cuts"]
    strangers = cut.with_columns(pl.col("doc_id").str.reverse())
    for broken in (strangers, pl.concat([cut, cut.with_columns(pl.col("start") + 1)])):
        store(workspace, "repeated_spans", "one/0", Made({"cuts": broken}, metadata=made.metadata))
        assert not repeated.cuts_are_sound(workspace).passed


def test_a_cluster_says_what_it_had_to_compute_again(workspace: Workspace) -> None:
    fill(workspace, {"two/9": ["long4"]})
    build(workspace, {**SHARDS, "two/9": ["long4"]})
    again = workspace.metadata("duplicate_clusters")["recomputed"]
    assert again["documents new or changed"] == 1 and again["texts new"] == 1
    assert again["documents elected"] < workspace.metadata("duplicate_clusters")["documents"] / 2
    fresh = Workspace(Lake(Path(workspace.lake.root) / "fresh"), RECIPE)
    everything = {**SHARDS, "two/9": ["long4"]}
    fill(fresh, everything, frozenset({"page11"}))
    build(fresh, everything)
    for table in ("clusters", *dedup.state.SCHEMAS):
        assert fresh.output("duplicate_clusters").tables[table].hash == workspace.output("duplicate_clusters").tables[table].hash, table


def test_paragraphs_are_compared_by_meaning_where_the_recipe_says_so(tmp_path: Path) -> None:
    levels = Dedup(levels=["exact", "semantic", "semantic_paragraphs"], semantic=Semantic(threshold=0.99, paragraph_words=5))
    workspace = Workspace(Lake(tmp_path), RECIPE.model_copy(update={"dedup": levels}))
    shards = {"one/0": ["page5", "page1"], "two/0": ["semantic5", "page2"]}
    fill(workspace, shards)
    build(workspace, shards)
    store(workspace, "duplicate_clusters", None, Made({"clusters": CONTRACTS["clusters"].empty()}))
    for shard in shards:
        store(workspace, "deduplicated_shards", shard, dedup.make_deduplicated_shards(workspace, shard))
        store(workspace, "paragraph_embeddings", shard, repeated.make_paragraph_embeddings(workspace, shard, Words()))
    text_level(workspace, list(shards))
    cut = pl.concat([workspace.read("repeated_spans", shard) for shard in shards])
    assert cut.select("doc_id", "rule", "twin").rows() == [
        (hashlib.md5(b"semantic5").hexdigest(), "dedup.semantic_paragraph", hashlib.md5(b"page5").hexdigest())
    ]
    recipe = workspace.recipe
    made = {key.path[-1] for asset in repeated.repeated_assets(recipe, dg.DynamicPartitionsDefinition(name="s")) for key in asset.keys}
    assert made == {"text_keys", "repeated_text", "repeated_spans", "paragraph_embeddings"}
