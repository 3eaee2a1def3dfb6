"""A lake of a few documents of every fate, and what `why` says of each."""

import datetime as dt
import io
import json
from collections.abc import Callable

import polars as pl
import pytest
from rich.console import Console

from assets import lineage
from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Tombstone
from gristmill.crawl.urls import doc_id
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.why import page as why_page
from gristmill.lineage.why import terminal as why_terminal
from gristmill.lineage.why import training as why_training
from gristmill.lineage.why.find import Keyed
from gristmill.lineage.why.why import why
from gristmill.recipe import Recipe
from resources.lake import LakeResource, open_lake

RECIPE = Recipe.model_validate(
    {
        "sources": {"groups": {"web": {"crawls": ["docs-*"]}}},
        "policy": {"profiles": ["gopher"]},
        "models": {"small": {"hidden": 16, "layers": 1, "heads": 2, "kv_heads": 1, "ffn": 32}},
    }
)
FIRST, SECOND = "docs-1/a", "docs-2/a"
HOST = "http://mill.example"
JANUARY, MARCH = dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
TEXTS = {
    "wheel": "The old wheel turns slowly while the water runs under the bridge and the miller counts his sacks of flour.",
    "mirror": "The old wheel turns slowly while the water runs under the bridge and the miller counts his bags of flour.",
    "short": "Buy flour now.",
    "held": "Nobody may learn from this page since it is held out for the exam of the miller’s apprentice.",
    "dull": "A page of little use that says the same thing as any other page about grain and stones.",
    "letter": "Write to anna@mill.example when the grain is dry, and bring the sacks <b>before</b> noon.",
    "idle": "This page was kept by everybody and drawn by nobody, like bread that nobody eats.",
    "石": "水車は古い橋の下でゆっくりと回り、粉屋は袋を数えている。",
}
URLS = {name: f"{HOST}/pages/{name}.html" for name in TEXTS} | {"石": f"{HOST}/pages/suisha.html"}
IDS = {name: doc_id(URLS[name], name) for name in TEXTS}
NEWER = doc_id(URLS["wheel"], "another payload")  # a later version of the page `wheel`
EMPTY = doc_id(f"{HOST}/pages/empty.html", "empty")
EXERCISE, FAILED = "e" * 31 + "1", "e" * 31 + "2"


def _verdict(
    name: str, kept: bool, rule: str | None = None, value: float | None = None, threshold: float | None = None, *also: str
) -> dict:
    fired = [rule, *also] if rule else []
    told = {"first_rule": rule, "value": value, "threshold": threshold, "fired": fired, "weight": 1.0, "policy": "web@1"}
    return {"doc_id": name if len(name) == 32 else IDS[name], "kept": kept, **told}


def _table(name: str, rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CONTRACTS[name.split(".")[0]].schema)


def _record(doc: str, url: str, shard: str, when: dt.datetime, n: int) -> dict:
    return {
        "doc_id": doc, "capture": f"{shard} {n}", "url": url, "host": "mill.example", "warc": f"/crawls/{shard}.warc.gz",
        "offset": 1000 * n,
        "length": 900, "kind": "response", "payload_digest": f"sha256:{doc}", "fetched_at": when, "status": 200, "mime": "text/html",
    }  # fmt: skip


def _document(doc: str, url: str, text: str, when: dt.datetime) -> dict:
    return {
        "doc_id": doc, "captures": ["x"], "url": url, "host": "mill.example", "text": text, "text_hash": text_hash(text), "language": "en",
        "language_score": 0.9, "extractor": "resiliparse-1", "fetched_at": when, "n_bytes": len(text.encode()), "n_chars": len(text),
    }  # fmt: skip


def _quarantine(capture: str, stage: str, url: str, error: str) -> dict:
    return {"capture": capture, "stage": stage, "url": url, "warc": "/crawls/a.warc.gz", "offset": 7, "error": error, "message": "no text"}


def store_lake(workspace: Workspace) -> None:
    """Everything up to `checkpoints`, as its assets would have made it; see FATES."""

    def store(asset: str, partition: str | None, metadata: dict | None = None, **tables: pl.DataFrame) -> None:
        named = {name.replace("__", "."): frame for name, frame in tables.items()}
        workspace.store(asset, partition, Made(named, metadata=metadata or {}), "1")

    here = {FIRST: [n for n in TEXTS if n != "idle"], SECOND: ["wheel", "idle"]}
    for shard, names in here.items():
        when = JANUARY if shard == FIRST else MARCH
        documents = [_document(IDS[n], URLS[n], TEXTS[n], when) for n in names]
        records = [_record(IDS[n], URLS[n], shard, when, i) for i, n in enumerate(names)]
        refused, broken = [], []
        if shard == SECOND:
            documents.append(_document(NEWER, URLS["wheel"], "A newer page about the wheel, which is made of iron now.", when))
            records += [
                _record(NEWER, URLS["wheel"], shard, when + dt.timedelta(days=2), 70),
                _record(EMPTY, f"{HOST}/pages/empty.html", shard, when, 71),
            ]
            records.append(_record(IDS["wheel"], URLS["wheel"], shard, when + dt.timedelta(days=1), 72))  # captured twice
            refused = [_quarantine(f"{shard} 71", "extract", f"{HOST}/pages/empty.html", "NoText")]
            broken = [_quarantine("docs-2/a 99", "record", f"{HOST}/torn.html", "BrokenRecord")]
        store("raw_crawl", shard, records=_table("records", records), quarantine=_table("quarantine", broken))
        store("documents", shard, documents=_table("documents", documents), quarantine=_table("quarantine", refused))
        mask = {"doc_id": IDS["letter"], "start": 9, "end": 26, "replacement": "<email>", "rule": "pii.email"}
        store("edits", shard, edits=_table("edits", [mask] if shard == FIRST else []))
        ids = [row["doc_id"] for row in documents]
        words = [float(len(row["text"].split())) for row in documents]
        gopher = pl.DataFrame({"doc_id": ids, "gopher.word_count": words, "gopher.stop_word_count": [2.0] * len(ids)})
        pages = [
            {"doc_id": r["doc_id"], "url": r["url"], "host": r["host"], "language": "en", "n_bytes": 1, "n_chars": 1} for r in documents
        ]
        store("signals", shard, pages=_table("pages", pages), signals__gopher=gopher)
        filtered = [_verdict(doc, True) for doc in ids]
        if shard == FIRST:
            short = _verdict("short", False, "gopher.word_count_min", 3.0, 50.0, "gopher.stop_words")
            filtered = [short if row["doc_id"] == IDS["short"] else row for row in filtered]
        store("filtered_shards", shard, verdicts=_table("verdicts", filtered))
        lost = {IDS["mirror"]: _verdict("mirror", False, "dedup.near", 0.83, 0.8)} if shard == FIRST else {}
        if shard == SECOND:
            lost = {IDS["wheel"]: _verdict("wheel", False, "dedup.same")}
        deduplicated = [lost.get(row["doc_id"], row) for row in filtered]
        splits = [
            {"doc_id": row["doc_id"], "cluster": row["doc_id"], "split": "test" if row["doc_id"] == IDS["held"] else "train"}
            for row in deduplicated
            if row["kept"]
        ]
        store("deduplicated_shards", shard, verdicts=_table("verdicts", deduplicated), splits=_table("splits", splits))
        scores = [
            {
                "doc_id": row["doc_id"],
                "quality": 0.5 if row["doc_id"] == IDS["dull"] else 2.5,
                "quality_version": "v",
                "topic": "crafts",
                "topic_score": 0.7,
            }
            for row in deduplicated
            if row["kept"]
        ]
        store("quality_scores", shard, scores=_table("scores", scores))
        dull = {IDS["dull"]: _verdict("dull", False, "quality.score", 0.5, 1.25)}
        curated = [dull.get(row["doc_id"], row) for row in deduplicated]
        store("curated_shards", shard, {"cutoff": 1.25}, verdicts=_table("verdicts", curated))

    def member(name: str, shard: str, kind: str, similarity: float) -> dict:
        told = {"cluster": IDS["mirror"], "survivor": IDS["wheel"], "survivor_shard": FIRST}
        return {"doc_id": IDS[name], "shard": shard, "kind": kind, **told, "similarity": similarity}

    store(
        "duplicate_clusters",
        None,
        clusters=_table(
            "clusters",
            [member("wheel", FIRST, "survivor", 1.0), member("wheel", SECOND, "same", 1.0), member("mirror", FIRST, "near", 0.83)],
        ),
    )
    made = {"set": "exercises", "plan": '{"sum": 1}', "teacher": "program", "seed": 1, "verification": "evaluated", "attempts": 1}
    exercises = [
        {"doc_id": EXERCISE, "text": "What is two sacks of flour and three more?", "verified": True, **made},
        {"doc_id": FAILED, "text": "What is two sacks of flour and no more?", "verified": False, **made},
    ]
    store("synthetic_sets", "exercises", synthetic=_table("synthetic", exercises))

    def run(sequence: int, position: int, doc: str, start: int, end: int, origin: str = "crawl", epoch: int = 0) -> dict:
        source, topic = ("web", "crafts") if origin == "crawl" else ("synthetic", "exercises")
        told = {"origin": origin, "source": source, "topic": topic, "start": start, "end": end, "epoch": epoch}
        return {"phase": "general", "sequence": sequence, "position": position, "doc_id": doc, **told}

    placed = [
        run(0, 0, IDS["wheel"], 0, 33),
        run(1, 0, IDS["wheel"], 33, 40),
        run(1, 7, EXERCISE, 0, 26, "synthetic/exercises"),
        run(2, 0, IDS["letter"], 0, 33),
        run(3, 0, IDS["wheel"], 0, 33, epoch=1),
    ]
    store("mixed_corpus", "general", {"sequences": 4}, provenance=_table("provenance", placed))
    order = [2, 0, 3, 1]
    steps = [{"model": "small", "step": s, "slot": 0, "phase": "general", "sequence": n} for s, n in enumerate(order)]
    log = [
        {"model": "small", "step": s, "phase": "general", "loss": 3.0 - 0.1 * s, "learning_rate": 0.1, "grad_norm": 1.0, "tokens": 33}
        for s in range(4)
    ]
    store(
        "checkpoints", "small", {"steps": 4, "parameters": 1234}, training_log=_table("training_log", log), batches=_table("batches", steps)
    )


def make_indices(workspace: Workspace) -> None:
    def make(asset: str, partition: str | None, maker: Callable) -> None:
        read = {"raw_crawl": {shard: workspace.version("raw_crawl", shard) for shard in workspace.partitions("raw_crawl")}}
        workspace.store(asset, partition, maker(workspace, partition), "1", Inputs(read))

    make("document_index", None, lineage.make_document_index)
    for shard in workspace.partitions("documents"):
        make("search_index", shard, lineage.make_search_index)
    make("synthetic_search_index", "exercises", lineage.make_synthetic_search_index)
    make("signal_quantiles", None, lineage.make_signal_quantiles)
    make("duplicate_twins", None, lineage.make_duplicate_twins)
    make("corpus_placements", "general", lineage.make_corpus_placements)
    make("training_steps", "small", lineage.make_training_steps)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    found = Workspace(Lake(tmp_path_factory.mktemp("told") / "lake"), RECIPE)
    store_lake(found)
    make_indices(found)
    return found


FATES = {
    "wheel": ("trained on", "small saw 73 of its tokens in 3 steps"),
    "mirror": ("dropped", f"A copy outlived it (near, 83.0% alike): {URLS['wheel']}"),
    "short": ("dropped", "by gopher.word_count_min"),
    "held": ("held out", "held out for test"),
    "dull": ("dropped", "by quality.score"),
    "letter": ("trained on", "in 1 step."),
    "idle": ("not drawn", "no phase of the mix drew it"),
}


@pytest.mark.parametrize(("name", "fate"), FATES.items())
def test_every_fate_is_told_by_id_by_url_and_by_sentence(workspace, name, fate):
    by_id = why(workspace, IDS[name])
    assert (by_id.kind, by_id.document["doc_id"], by_id.document["url"]) == ("document", IDS[name], URLS[name])
    assert by_id.document["fate"]["word"] == fate[0]
    assert fate[1] in by_id.says
    if name != "wheel":  # of which there is a later version
        assert why(workspace, URLS[name]).document == by_id.document
    words = TEXTS[name].split()
    sentence = " ".join(words[:3] if name == "short" else words[-6:])
    if name != "letter":
        assert IDS[name] in [row["doc_id"] for row in _found(why(workspace, sentence))]


def _found(answer) -> list[dict]:
    return answer.matches or ([answer.document] if answer.document else [])


def test_a_drop_names_value_threshold_and_margin_and_what_else_fired(workspace):
    (shard,) = why(workspace, IDS["short"]).document["shards"]
    (verdict,) = [v for v in shard["verdicts"] if v["dropped_here"]]
    assert [verdict[name] for name in ("stage", "first_rule", "value", "threshold", "margin")] == [
        "filters",
        "gopher.word_count_min",
        3,
        50,
        47,
    ]
    first, second = verdict["fired"]
    assert (first["rule"], first["signal"], first["when"], first["margin"]) == ("gopher.word_count_min", "gopher.word_count", "<", 47)
    assert second["rule"] == "gopher.stop_words"


def test_the_policy_is_not_blamed_for_what_a_later_stage_did(workspace):
    (shard,) = why(workspace, IDS["dull"]).document["shards"]
    assert [(v["stage"], v["kept"], v["dropped_here"]) for v in shard["verdicts"]] == [
        ("filters", True, False),
        ("deduplication", True, False),
        ("curation", False, True),
    ]
    assert (shard["score"]["cutoff"], shard["score"]["margin"]) == (1.25, -0.75)


def test_a_signal_has_its_percentile_among_its_sources_documents(workspace):
    (shard,) = why(workspace, IDS["short"]).document["shards"]
    by_name = {row["signal"]: row for row in shard["signals"]}
    words = by_name["gopher.word_count"]
    assert words["value"] == 3 and words["below"] <= 0.15 and words["among"] == 9  # of ten rows, one of them a copy
    assert (by_name["gopher.stop_word_count"]["below"], by_name["gopher.stop_word_count"]["at_most"]) == (0, 1)


def test_a_survivor_lists_what_it_outlived_and_a_loser_its_survivor(workspace):
    first, second = why(workspace, IDS["wheel"]).document["shards"]
    assert [(row["doc_id"], row["kind"]) for row in first["duplicates"]["outlived"]] == [(IDS["mirror"], "near"), (IDS["wheel"], "same")]
    assert first["duplicates"]["copies"] == 2
    assert (second["duplicates"]["kind"], second["duplicates"]["survivor_shard"]) == ("same", FIRST)


def printed(workspace: Workspace, asked: str) -> str:
    out = io.StringIO()
    why_terminal.print_answer(why(workspace, asked), Console(file=out, width=300))
    return out.getvalue()


def test_what_follows_from_the_text_is_said_once_though_a_recrawl_was_fetched_later(workspace):
    first, second = why(workspace, IDS["wheel"]).document["shards"]
    assert first["extraction"]["fetched_at"] != second["extraction"]["fetched_at"]
    said = printed(workspace, IDS["wheel"])
    assert f"text, edits, signals as in {FIRST}" in said and said.count("with their percentile") == 1 and said.count("resiliparse-1") == 1
    assert "2, with their percentile among 9 different documents of web" in said
    assert "as in" not in printed(workspace, NEWER)


def clustered(workspace: Workspace, kind: str) -> None:
    """The newer version of the page outlives the older one in the first shard."""
    told = {"cluster": NEWER, "survivor": NEWER, "survivor_shard": SECOND, "similarity": 1.0}
    rows = [{"doc_id": NEWER, "shard": SECOND, "kind": "survivor", **told}, {"doc_id": IDS["wheel"], "shard": FIRST, "kind": kind, **told}]
    workspace.store("duplicate_clusters", None, Made({"clusters": _table("clusters", rows)}), "2")
    for shard in (FIRST, SECOND):
        verdicts = workspace.read("deduplicated_shards", shard, "verdicts")
        kept = pl.when(pl.col("doc_id") == IDS["wheel"]).then(False).otherwise("kept")
        rule = pl.when(pl.col("doc_id") == IDS["wheel"]).then(pl.lit(f"dedup.{kind}")).otherwise("first_rule")
        made = verdicts.with_columns(kept=kept, first_rule=rule)
        for asset in ("deduplicated_shards", "curated_shards"):
            workspace.store(asset, shard, Made({"verdicts": made}), "2")
    workspace.store("mixed_corpus", "general", Made({"provenance": _table("provenance", [])}), "2")
    make_indices(workspace)


def test_two_versions_of_a_page_have_no_similarity(own):
    clustered(own, "url")
    answer = why(own, IDS["wheel"])
    assert answer.document["shards"][0]["duplicates"]["similarity"] is None
    assert answer.says == f"Another version of the page outlived it (same URL): {NEWER}."
    said = printed(own, IDS["wheel"])
    assert "same URL, another version of the page, in docs-2/a" in said and "similarity" not in said
    (shard,) = why(own, NEWER).document["shards"]
    assert [row["similarity"] for row in shard["duplicates"]["outlived"]] == [None]
    said = printed(own, NEWER)
    assert "outlived 1 copy" in said and "same URL, another version of the page" in said and "similarity" not in said
    clustered(own, "exact")
    assert "exact, similarity 1" in printed(own, IDS["wheel"]) and "exact, similarity 1" in printed(own, NEWER)


def test_a_takedown_is_told_before_the_rebuild_and_after_it(own):
    found = ({"doc_id": IDS["letter"], "shard": FIRST, "url": URLS["letter"]},)
    listed = Tombstone("", "url", URLS["letter"], "Anna", "I wrote it", "2026-04-05T06:07:08", found=found)
    assert why(own, IDS["letter"]).document["tombstones"] == []
    stone = tombstones.take_down(own.lake, listed)
    before = why(own, IDS["letter"])
    assert before.document["fate"]["word"] == "trained on" and before.says.endswith(
        "It is taken down (t1, 2026-04-05, asked for by Anna: I wrote it), and goes at the next rebuild."
    )
    said = printed(own, IDS["letter"])
    assert said.index("taken down t1, 2026-04-05, asked for by Anna: I wrote it") < said.index("capture")
    assert "Anna" in why_page.answer_page(own, before) and why(own, IDS["idle"]).document["tombstones"] == []

    rebuilt_without(own, "letter")
    after = why(own, IDS["letter"])
    assert after.document["fate"] == {"word": "taken down", "says": "Taken down (t1, 2026-04-05, asked for by Anna: I wrote it)."}
    said = printed(own, IDS["letter"])
    assert "refused takedown, TakenDown: t1 (url)" in said and "as in" not in said and "edits" not in said
    tombstones.undo(own.lake, stone.id, "Bob", "a mistake")
    assert "undone" in printed(own, IDS["letter"]) and why(own, IDS["letter"]).document["fate"]["word"] == "refused"


def rebuilt_without(workspace: Workspace, name: str) -> None:
    """Its document leaves the first shard and the corpus, and a row in quarantine says why."""
    rest, where = pl.col("doc_id") != IDS[name], workspace.read("raw_crawl", FIRST, "records").filter(pl.col("doc_id") == IDS[name])
    refused = {**_quarantine(where["capture"][0], "takedown", URLS[name], "TakenDown"), "message": "t1 (url)"}
    documents = workspace.read("documents", FIRST, "documents").filter(rest)
    workspace.store("documents", FIRST, Made({"documents": documents, "quarantine": _table("quarantine", [refused])}), "2")
    hits = [{"doc_id": IDS[name], "tombstone": "t1", "by": "url", "similarity": 1.0, "captures": where["capture"].to_list()}]
    workspace.store("tombstones", FIRST, Made({"tombstones": _table("tombstones", hits)}), "2")
    for asset in ("filtered_shards", "deduplicated_shards", "curated_shards"):
        workspace.store(asset, FIRST, Made({"verdicts": workspace.read(asset, FIRST, "verdicts").filter(rest)}), "2")
    make_indices(workspace)
    assert why(workspace, IDS[name]).document["fate"]["word"] == "trained on"  # the corpus holds it still
    workspace.store("mixed_corpus", "general", Made({"provenance": _table("provenance", [])}), "2")
    make_indices(workspace)


@pytest.fixture
def own(tmp_path) -> Workspace:
    """A lake that the test may change."""
    workspace = Workspace(Lake(tmp_path / "lake"), RECIPE)
    store_lake(workspace)
    make_indices(workspace)
    return workspace


def test_captures_of_one_document_in_several_shards(workspace):
    first, second = why(workspace, IDS["wheel"]).document["shards"]
    assert len(first["captures"]) == 1 and len(second["captures"]) == 2
    assert second["captures"][0]["offset"] == 0 and first["captures"][0]["warc"] == "/crawls/docs-1/a.warc.gz"


def test_training_is_told_with_offsets_and_steps(workspace):
    document = why(workspace, IDS["wheel"]).document
    (phase,) = document["corpus"]
    assert (phase["tokens"], phase["epochs"], phase["sequences"]) == (73, 2, 3)
    assert [(row["sequence"], row["start"], row["end"]) for row in phase["at"]] == [(0, 0, 33), (1, 33, 40), (3, 0, 33)]
    assert [(row["sequence"], row["step"]) for row in phase["models"][0]["at"]] == [(0, 1), (1, 3), (3, 2)]
    (model,) = document["downstream"]
    assert (model["model"], model["parameters"]) == ("small", 1234)


def test_an_url_in_several_versions_tells_the_last_and_lists_the_others(workspace):
    answer = why(workspace, URLS["wheel"])
    assert answer.document["doc_id"] == NEWER
    assert [row["doc_id"] for row in answer.document["other_versions"]] == [IDS["wheel"]]


@pytest.mark.parametrize(
    "spelling",
    ["HTTP://Mill.Example:80/pages/idle.html?utm_source=x", "mill.example/pages/idle.html", "https://mill.example/pages/idle.html"],
)
def test_other_spellings_of_an_url_are_known(workspace, spelling):
    assert why(workspace, spelling).document["doc_id"] == IDS["idle"]


def test_refused_pages_say_where_and_why(workspace):
    empty = why(workspace, f"{HOST}/pages/empty.html")
    assert empty.document["fate"] == {"word": "refused", "says": "No text could be had of it: NoText: no text."}
    torn = why(workspace, f"{HOST}/torn.html")
    assert torn.kind == "unknown" and [(row["stage"], row["error"]) for row in torn.refused] == [("record", "BrokenRecord")]


def test_an_unknown_url_names_the_likest_known_ones(workspace):
    answer = why(workspace, f"{HOST}/pages/wheels.html")
    assert answer.kind == "unknown" and answer.near[0] == URLS["wheel"] and "others of mill.example" in answer.says
    assert why(workspace, "http://elsewhere.example/x").near == []


def test_an_index_that_is_behind_says_so(tmp_path):
    workspace = Workspace(Lake(tmp_path / "lake"), RECIPE)
    store_lake(workspace)
    make_indices(workspace)
    assert "older" not in why(workspace, "http://elsewhere.example/x").says
    record = _record("a" * 32, "http://elsewhere.example/x", "docs-3/a", MARCH, 1)
    tables = {"records": _table("records", [record]), "quarantine": _table("quarantine", [])}
    workspace.store("raw_crawl", "docs-3/a", Made(tables), "1")
    assert "older than 1 shard:" in why(workspace, "http://elsewhere.example/x").says


def test_the_beginning_of_an_id_is_enough_where_it_is_unique(workspace):
    assert why(workspace, IDS["idle"][:10]).document["doc_id"] == IDS["idle"]
    assert why(workspace, "0" * 10).kind == "unknown"


def test_a_sentence_in_several_documents_lists_them(workspace):
    answer = why(workspace, "the  water runs UNDER the bridge")
    assert answer.kind == "matches"
    assert {(row["doc_id"], row["shard"], row["state"]) for row in answer.matches} == {
        (IDS["wheel"], FIRST, "kept"),
        (IDS["wheel"], SECOND, "dropped: dedup.same"),
        (IDS["mirror"], FIRST, "dropped: dedup.near"),
    }
    assert all(row["quoted"]["phrase"] == "the water runs under the bridge" for row in answer.matches)


def test_a_sentence_is_quoted_from_the_masked_view(workspace):
    answer = why(workspace, "the grain is dry, and")
    (quoted,) = answer.document["quoted"]
    assert "<email>" in quoted["before"] and "anna" not in json.dumps(answer.as_json(), default=str)
    hidden = why(workspace, "Write to anna@mill.example when")
    assert hidden.document["doc_id"] == IDS["letter"] and hidden.document["quoted"] == [None]
    assert "anna" not in json.dumps(hidden.document, default=str)


def test_sentences_of_languages_without_spaces_and_with_typographic_signs(workspace):
    assert why(workspace, "水車は古い橋の下で ゆっくりと").kind == "unknown"  # a space where the page has none
    assert why(workspace, '"粉屋は袋を数えている"').document["doc_id"] == IDS["石"]
    assert why(workspace, "exam of the miller's apprentice").document["doc_id"] == IDS["held"]


def test_words_in_another_order_or_across_punctuation_are_no_quotation(workspace):
    assert why(workspace, "flour of sacks his").kind == "unknown"
    assert why(workspace, "drawn by nobody like bread").kind == "unknown"  # the page has a comma there
    assert why(workspace, "drawn by nobody, like bread").document["doc_id"] == IDS["idle"]


def test_synthetic_documents_have_lives_too(workspace):
    drawn, failed = why(workspace, EXERCISE), why(workspace, FAILED)
    assert drawn.document["synthetic"]["teacher"] == "program" and drawn.document["fate"]["word"] == "trained on"
    assert failed.document["fate"] == {"word": "refused", "says": "Its verification failed."}
    assert why(workspace, "two sacks of flour and three").document["doc_id"] == EXERCISE


def test_a_step_lists_its_documents(workspace):
    facts = why_training.step(Keyed(workspace), "small", 3, 10)
    assert [(row["position"], row["doc_id"], row["url"]) for row in facts["documents"]] == [
        (0, IDS["wheel"], URLS["wheel"]),
        (7, EXERCISE, None),
    ]
    assert (facts["phase"], facts["loss"], facts["different_documents"], facts["trained_tokens"]) == ("general", pytest.approx(2.7), 2, 33)
    assert why_training.step(Keyed(workspace), "small", 3, 1)["runs"] == 2
    with pytest.raises(LakeError, match="Its steps are 0 to 3"):
        why_training.step(Keyed(workspace), "small", 4, 10)
    with pytest.raises(LakeError, match="Did you mean small"):
        why_training.step(Keyed(workspace), "smal", 0, 10)


def test_a_sequence_lists_its_documents_and_who_saw_it(workspace):
    facts = why_training.sequence(Keyed(workspace), "general", 1, 10)
    assert facts["seen"] == [{"model": "small", "step": 3, "slot": 0}] and facts["runs"] == 2
    with pytest.raises(LakeError, match="Its sequences are 0 to 3"):
        why_training.sequence(Keyed(workspace), "general", 9, 10)
    with pytest.raises(LakeError, match="no phase 'anealing'"):
        why_training.sequence(Keyed(workspace), "anealing", 0, 10)


def test_the_spikes_of_a_log_are_found_by_how_far_they_leave_what_came_before():
    loss = [5 - 0.01 * step + 0.02 * (step % 3) for step in range(200)]
    loss[60] += 0.8
    loss[61] += 0.5
    loss[150] += 0.4
    log = pl.DataFrame({"step": range(200), "phase": ["general"] * 200, "loss": loss})
    found = why_training.find_spikes(log, 2)
    assert found["step"].to_list() == [60, 150]
    assert found["above"][0] == pytest.approx(0.8, abs=0.25)
    assert why_training.find_spikes(log.head(5), 3).is_empty()


def test_a_lake_in_an_object_store_gives_the_same_answers(workspace, s3, tmp_path):
    lake = open_lake(LakeResource(root="s3://mill/why", s3=s3))
    lake.cache_folder = tmp_path
    there = Workspace(lake, RECIPE)
    store_lake(there)
    make_indices(there)
    for asked in (IDS["wheel"], URLS["idle"], "the water runs under the bridge", f"{HOST}/pages/wheels.html"):
        here = json.dumps(why(workspace, asked).as_json(), default=str, sort_keys=True)
        assert json.dumps(why(there, asked).as_json(), default=str, sort_keys=True) == here


def test_without_an_index_the_way_out_is_named(tmp_path):
    workspace = Workspace(Lake(tmp_path / "lake"), RECIPE)
    store_lake(workspace)
    for asked in (IDS["idle"], URLS["idle"]):
        with pytest.raises(LakeError, match="rebuild --until document_index"):
            why(workspace, asked)
    with pytest.raises(LakeError, match="rebuild --until search_index"):
        why(workspace, "bread that nobody eats")


@pytest.mark.parametrize(
    "asked", [*(IDS[n] for n in FATES), EXERCISE, "the water runs under the bridge", f"{HOST}/torn.html", f"{HOST}/pages/x"]
)
def test_every_answer_can_be_printed_and_is_a_page_and_json(workspace, asked):
    answer = why(workspace, asked)
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    why_terminal.print_answer(answer, console)
    assert answer.says in " ".join(console.export_text().split()) or answer.document
    page = why_page.answer_page(workspace, answer)
    assert "<b>before</b>" not in page  # what came from a page is escaped
    assert json.loads(json.dumps(answer.as_json(), default=str))["says"] == answer.says


def test_batches_and_spikes_can_be_printed_and_are_pages(workspace):
    keyed, console = Keyed(workspace), Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    step, sequence = why_training.step(keyed, "small", 3, 10), why_training.sequence(keyed, "general", 1, 10)
    why_terminal.print_batch(step, console)
    why_terminal.print_sequence(sequence, console)
    why_terminal.print_spikes(why_training.spikes(keyed, "small", 2, 5), console)
    text = console.export_text()
    assert "step 3 of small" in text and "seen by small in step 3" in text
    assert IDS["wheel"] in why_page.batch_page(workspace, step) and IDS["wheel"] in why_page.batch_page(workspace, sequence)
