"""The filter assets on a lake of three shards: contracts, checks that fail, and what is computed again when something moves."""

import weakref
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from assets import filters
from gristmill import views
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe
from gristmill.signals.registry import VERSIONS

SHARDS = ("docs/0000", "docs/0001", "stdlib/0000")
REPEATS = {"gopher.duplicate_*": ["web", "code"], "gopher.top_*": ["web", "code"]}  # the texts below say one sentence five times
EXCEPT = {"gopher.*": ["code"], **REPEATS}
GROUPS = {"web": {"crawls": ["docs"]}, "code": {"crawls": ["stdlib"]}}
PROSE = "The {n} mills of the town have been ground to dust, and that is what the miller of {n} told me with a sigh. "


def recipe(**sections: object) -> Recipe:
    return Recipe.model_validate({"sources": {"groups": GROUPS}, "policy": {"except_sources": EXCEPT}, **sections})


def text(shard: str, n: int) -> str:
    if shard.startswith("stdlib"):
        return f"def function_{n}(argument):\n    return argument + {n}\n" * 20
    return "too short" if n == 0 else PROSE.format(n=n) * 5 + f" Ask miller{n}@mail.mill.org." * (n == 1)


def documents(shard: str, size: int = 8) -> pl.DataFrame:
    texts = [text(shard, n) for n in range(size)]
    rows = {
        "doc_id": [text_hash(f"{shard} {n}") for n in range(size)], "captures": [[f"{shard}:{n}"] for n in range(size)],
        "url": [f"https://mill.org/{shard}/{n}" for n in range(size)], "host": "mill.org",
        "text": texts, "text_hash": [text_hash(t) for t in texts],
        "language": "en", "language_score": 1.0, "extractor": "test", "fetched_at": None,
        "n_bytes": [len(t.encode()) for t in texts], "n_chars": [len(t) for t in texts],
    }  # fmt: skip
    return pl.DataFrame(rows, schema_overrides=CONTRACTS["documents"].schema)


def workspace(root: Path, settings: Recipe | None = None) -> Workspace:
    made = Workspace(Lake(str(root)), settings or recipe())
    for shard in SHARDS:
        made.store("documents", shard, Made({"documents": documents(shard)}, metadata={"documents": 8}), "1")
    return made


def build(workspace: Workspace, *names: str) -> None:
    for name in names or ("edits", "token_distribution", "signals", "filtered_shards"):
        make: Callable[..., Made] = getattr(filters, f"make_{name}")
        for partition in (None,) if name == "token_distribution" else SHARDS:
            workspace.store(name, partition, make(workspace, partition), "1")


CHECKS = [
    filters.masks_are_sound, filters.distribution_is_one, filters.signals_are_whole, filters.funnel, filters.no_rule_dominates,
]  # fmt: skip


def computed(workspace: Workspace, shard: str = SHARDS[0]) -> list[str]:
    return sorted(row["family"] for row in workspace.metadata("signals", shard)["families"] if row["computed now"])


def test_from_documents_to_verdicts(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill)
    assert mill.read("edits", SHARDS[0])["rule"].to_list() == ["pii.email"]
    assert set(mill.read("token_distribution")["source"]) == {"web", "code"}
    assert mill.output("signals", SHARDS[0]).tables.keys() == {
        "pages",
        "signals.gopher",
        "signals.kl",
        "signals.language",
        "signals.repetition",
    }
    about = mill.metadata("filtered_shards", SHARDS[0])
    assert (about["documents"], about["kept"]) == (8, 7)
    assert about["policy"] == f"default@1:{mill.recipe.fingerprint('policy')}"
    assert set(mill.read("filtered_shards", SHARDS[0])["policy"]) == {"default@1"}
    assert mill.metadata("filtered_shards", SHARDS[2])["kept"] == 8
    dropped = mill.read("filtered_shards", SHARDS[0]).filter(~pl.col("kept"))
    assert dropped["first_rule"].to_list() == ["gopher.word_count_min"]
    assert [look(mill).passed for look in CHECKS] == [True] * 5
    silent = filters.every_rule_fires(mill)
    assert not silent.passed and silent.severity == "warn" and "kl.outlier" in silent.metadata["never fired"]


def test_a_family_is_computed_again_only_when_what_it_reads_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mill = workspace(tmp_path)
    build(mill)
    assert computed(mill) == ["gopher", "kl", "language", "repetition"]
    build(mill, "signals")
    assert computed(mill) == []

    monkeypatch.setitem(VERSIONS, "gopher", "another")
    build(mill, "signals")
    assert computed(mill) == ["gopher"]

    distribution = mill.read("token_distribution")
    moved = distribution.filter((pl.col("source") == "code") | (pl.col("count") > 5))
    mill.store("token_distribution", None, Made({"token_distribution": moved}), "1")
    build(mill, "signals")
    assert (computed(mill), computed(mill, SHARDS[2])) == (["kl"], [])  # the code source's distribution stayed as it was

    unmasked = Workspace(mill.lake, recipe(edits={"mask": ["ip"]}))
    build(unmasked, "edits", "signals")
    assert computed(unmasked) == []  # masks are not in the view that signals see


def test_a_family_that_is_added_is_computed_alone(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill)
    more = Workspace(mill.lake, recipe(signals={"families": ["compression", "gopher", "kl", "language", "redpajama", "repetition"]}))
    build(more, "signals")
    assert computed(more) == ["compression", "redpajama"]
    build(mill, "signals")
    assert computed(mill) == []


def test_a_list_that_changes_computes_the_families_that_read_it(tmp_path: Path) -> None:
    families = ["dirty_words", "gopher", "kl", "language", "repetition", "url"]
    (tmp_path / "domains.txt").write_text("# mine\nmill.org\n")

    def with_lists(**lists: dict) -> Recipe:
        return recipe(signals={"families": families, "lists": lists})

    mill = workspace(tmp_path, with_lists(domains={"path": str(tmp_path / "domains.txt")}))
    build(mill, "edits", "token_distribution", "signals")
    assert mill.read("signals", SHARDS[0], "signals.url")["url.banned_domain"].to_list() == [1.0] * 8
    dirty = Workspace(mill.lake, with_lists(domains={"path": str(tmp_path / "domains.txt")}, dirty_words={"entries": ["dust"]}))
    build(dirty, "signals")
    assert computed(dirty) == ["dirty_words"]
    assert dirty.read("signals", SHARDS[0], "signals.dirty_words")["dirty_words.count"].max() == 5
    (tmp_path / "domains.txt").write_text("other.org\n")
    edited = Workspace(mill.lake, with_lists(domains={"path": str(tmp_path / "domains.txt")}))
    assert edited.recipe.fingerprint("lists") != mill.recipe.fingerprint("lists")
    build(edited, "signals")
    assert computed(edited) == ["url"]


def test_line_rules_change_the_view_that_signals_see_and_the_extracted_one_stays(tmp_path: Path) -> None:
    settings = {"off": ["kl.outlier"], "except_sources": EXCEPT}
    rule = {
        "name": "my.short_line",
        "signal": "line.word_count",
        "when": "<",
        "threshold": 40.0,
        "action": "edit",
        "except_sources": ["code"],
    }
    plain = workspace(tmp_path, recipe(policy=settings))
    build(plain)
    lines = Workspace(plain.lake, recipe(policy={**settings, "rules": [rule]}))
    assert lines.recipe.fingerprint("policy") == plain.recipe.fingerprint("policy")
    build(lines)
    assert set(lines.read("edits", SHARDS[0])["rule"]) == {"my.short_line", "pii.email"}
    assert lines.version("edits", SHARDS[2]) == plain.version("edits", SHARDS[2])
    words = lines.read("signals", SHARDS[0], "signals.gopher").sort("doc_id")["gopher.word_count"].to_list()
    assert sorted(words)[0] == 0 and sorted(words)[1] > 40  # the short document lost its only line
    seen = Workspace(plain.lake, recipe(policy={**settings, "rules": [rule]}, signals={"views": {"gopher": "extracted"}}))
    build(seen, "signals")
    assert sorted(seen.read("signals", SHARDS[0], "signals.gopher")["gopher.word_count"])[0] == 2


@pytest.mark.parametrize("mask", [["email"], []])
def test_edits_say_how_long_the_clean_view_is(tmp_path: Path, mask: list[str]) -> None:
    rule = {"name": "my.short_line", "signal": "line.word_count", "when": "<", "threshold": 40.0, "action": "edit"}
    settings = {"off": ["kl.outlier"], "except_sources": EXCEPT, "rules": [rule]}
    mill = workspace(tmp_path, recipe(policy=settings, edits={"mask": mask, "strip": ["markdown"]}))
    build(mill, "edits")
    for shard in SHARDS:
        edits, about = mill.read("edits", shard), mill.metadata("edits", shard)
        clean = views.clean(mill.read("documents", shard, "documents"), edits)["text"]
        assert about["characters of the clean view"] == clean.str.len_chars().sum() < about["characters"]
        assert (about["characters masked"] > 0) == ("pii.email" in edits["rule"])
    assert ("pii.email" in mill.read("edits", SHARDS[0])["rule"]) == bool(mask)


def test_a_changed_threshold_opens_neither_a_text_nor_an_archive(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill)
    for asset in ("documents", "edits", "token_distribution"):
        for shard in SHARDS if asset != "token_distribution" else (None,):
            for stored in mill.output(asset, shard).tables.values():
                (tmp_path / stored.key).unlink(missing_ok=True)
    edited = Workspace(mill.lake, recipe(policy={"thresholds": {"gopher.word_count_min": 110}, "except_sources": EXCEPT}))
    build(edited, "filtered_shards")
    assert edited.metadata("filtered_shards", SHARDS[0])["kept"] < mill.metadata("filtered_shards", SHARDS[1])["documents"]
    with pytest.raises(LakeError, match="is gone"):
        mill.read("documents", SHARDS[0])


def test_source_code_keeps_its_hashes_where_markdown_is_stripped(tmp_path: Path) -> None:
    mill = workspace(tmp_path, recipe(edits={"strip": ["markdown"]}))
    marked = documents(SHARDS[0]).with_columns(text=pl.lit("# A heading\n\nSome **bold** words.\n"))
    mill.store("documents", SHARDS[0], Made({"documents": marked}), "1")
    mill.store("documents", SHARDS[2], Made({"documents": marked.with_columns(language=pl.lit("code"))}), "1")
    build(mill, "edits")
    assert set(mill.read("edits", SHARDS[0])["rule"]) == {"strip.markdown"}
    assert mill.read("edits", SHARDS[2]).is_empty()


def test_a_source_that_the_held_distribution_does_not_know_is_an_error(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill, "edits", "token_distribution")
    mill.store("token_distribution", None, Made({"token_distribution": mill.read("token_distribution").filter(source="web")}), "1")
    with pytest.raises(LakeError, match=r"knows no source 'code'\s.*token_distribution.*again"):
        filters.make_signals(mill, SHARDS[2])
    empty = documents(SHARDS[2]).with_columns(text=pl.lit(""))
    mill.store("documents", SHARDS[2], Made({"documents": empty}), "2")
    assert filters.make_signals(mill, SHARDS[2]).tables["signals.kl"]["kl.divergence"].to_list() == [0.0] * 8


def test_checks_on_line_rules(tmp_path: Path) -> None:
    rules = [
        {
            "name": f"my.{name}",
            "signal": "line.word_count",
            "when": "<",
            "threshold": t,
            "action": "edit",
            "except_sources": ["code"],
        }
        for name, t in (("none", 0.0), ("all", 1e6))
    ]
    mill = workspace(tmp_path, recipe(policy={"rules": rules, "except_sources": EXCEPT}))
    build(mill, "edits")
    silent, dominating = filters.every_line_rule_fires(mill), filters.no_line_rule_dominates(mill)
    assert not silent.passed and silent.metadata["never fired"] == "my.none" and silent.severity == "warn"
    assert not dominating.passed
    assert dominating.metadata["most"][0] == {"source": "web", "rule": "my.all", "share of the characters": 1.0}
    plain = workspace(tmp_path / "plain")
    build(plain, "edits")
    assert filters.every_line_rule_fires(plain).passed and filters.no_line_rule_dominates(plain).passed


def test_a_shard_is_let_go(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill, "edits", "token_distribution")
    shard = filters._Shard(mill, SHARDS[0])
    shard.documents("clean")
    seen = weakref.ref(shard)
    del shard
    assert seen() is None


def test_the_distribution_depends_neither_on_shards_nor_on_repeats(tmp_path: Path) -> None:
    mill, whole = workspace(tmp_path / "a"), Workspace(Lake(str(tmp_path / "b")), recipe())
    both = pl.concat([documents(SHARDS[0]), documents(SHARDS[1])])
    for shard, frame in {"docs/0009": both, "docs/0010": both.head(3), "stdlib/0000": documents(SHARDS[2])}.items():
        whole.store("documents", shard, Made({"documents": frame}), "1")
        whole.store("edits", shard, Made({"edits": CONTRACTS["edits"].empty()}), "1")
    build(mill, "edits", "token_distribution")
    whole.store("token_distribution", None, filters.make_token_distribution(whole, None), "1")
    assert whole.version("token_distribution") == mill.version("token_distribution")
    small = Workspace(mill.lake, recipe(signals={"distribution_documents": 3}))
    assert [row["documents"] for row in filters.make_token_distribution(small, None).metadata["by source"]] == [3, 3]


def test_checks_fail_on_a_policy_that_drops_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "MIN_DOCUMENTS", 5)
    mill = workspace(tmp_path, recipe(policy={"thresholds": {"gopher.word_count_min": 100_000}, "except_sources": REPEATS}))
    build(mill)
    funnel, dominating = filters.funnel(mill), filters.no_rule_dominates(mill)
    assert not funnel.passed and "web" in funnel.metadata["lost nearly everything"]
    assert not dominating.passed and dominating.metadata["most"][0]["rule"] == "gopher.word_count_min"


def test_checks_fail_on_broken_tables(tmp_path: Path) -> None:
    mill = workspace(tmp_path)
    build(mill)
    spans = pl.DataFrame([("a", 0, 5, "", "pii.ip"), ("a", 3, 6, "", "pii.ip")], schema=CONTRACTS["edits"].schema, orient="row")
    mill.store("edits", SHARDS[0], Made({"edits": spans}, metadata=mill.metadata("edits", SHARDS[0])), "1")
    assert not filters.masks_are_sound(mill).passed
    signals = {name: mill.read("signals", SHARDS[1], name) for name in mill.output("signals", SHARDS[1]).tables}
    signals["signals.kl"] = signals["signals.kl"].with_columns(pl.lit(float("nan")).alias("kl.divergence"))
    signals["signals.gopher"] = signals["signals.gopher"].head(3)
    mill.store("signals", SHARDS[1], Made(signals), "1")
    assert {row["table"] for row in filters.signals_are_whole(mill).metadata["wrong"]} == {"signals.kl", "signals.gopher"}
    mill.store("token_distribution", None, Made({"token_distribution": mill.read("token_distribution").filter(source="web")}), "1")
    assert filters.distribution_is_one(mill).metadata["sources without one"] == "code"


def test_a_policy_that_keeps_everything_and_an_empty_shard(tmp_path: Path) -> None:
    mill = workspace(tmp_path, recipe(policy={"off": ["kl.outlier"], "except_sources": REPEATS}))
    mill.store("documents", SHARDS[0], Made({"documents": CONTRACTS["documents"].empty()}, metadata={"documents": 0}), "1")
    build(mill)
    assert mill.read("filtered_shards", SHARDS[0]).is_empty()
    assert [look(mill).passed for look in CHECKS] == [True] * 5
