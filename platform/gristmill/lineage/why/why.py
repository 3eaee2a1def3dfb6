"""Why a document is, or is not, in a corpus and a model: found by URL, doc_id or a sentence that it holds, then told from the tables.

doc_id      32 hex digits, or at least eight of them      document_index
URL         in any spelling; of several versions the last document_index
sentence    anything with a space in it                   search_index, then the text of the documents that it names
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from gristmill.counting import counted
from gristmill.crawl import tombstones
from gristmill.crawl.urls import canonical_url, host_of
from gristmill.errors import LakeError
from gristmill.lake.workspace import Workspace
from gristmill.lineage.index import search
from gristmill.lineage.why import document, training
from gristmill.lineage.why.document import Facts
from gristmill.lineage.why.find import Between, Keyed

MATCHES = 20  # documents that hold a sentence, or share the digits of a doc_id: what is listed
OFFERED = 50  # of one index, documents that hold the words of a sentence in its order
CONTEXT = 90  # characters before and after a quotation
THREADS = 16  # search indices asked at a time
INDICES = ("search_index", "synthetic_search_index")


@dataclass(frozen=True)
class Answer:
    """What is known of what was asked for: one document's life, several documents that it may be, or why it is none."""

    kind: Literal["document", "matches", "unknown"]
    by: Literal["doc_id", "url", "sentence"]
    asked: str
    says: str
    document: Facts | None = None
    matches: list[Facts] = field(default_factory=list)
    more: bool = False  # whether there are more matches than are listed
    near: list[str] = field(default_factory=list)
    refused: list[Facts] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def why(workspace: Workspace, asked: str) -> Answer:
    """The answer on a URL, doc_id or sentence; LakeError while the index that it needs was not made."""
    asked, keyed = asked.strip().strip('"“”„'), Keyed(workspace)
    if re.fullmatch("[0-9a-fA-F]{8,32}", asked):
        return _by_id(keyed, asked.lower())
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$", asked):
        return _by_url(keyed, asked, [asked])
    if re.fullmatch(r"[^\s/]+\.[^\s/.]+(/\S*)?", asked):
        return _by_url(keyed, asked, [f"{scheme}://{asked}" for scheme in ("https", "http")])
    return _by_sentence(keyed, asked)


def life(keyed: Keyed, doc_id: str) -> Facts | None:
    """All that is known of a document, and in one sentence what became of it; None when the lake does not know it."""
    found = keyed.documents([doc_id]).sort("shard")
    if found.is_empty():
        return _synthetic_life(keyed, doc_id)
    url = found["url"][0]
    shards = [document.in_shard(keyed, doc_id, shard) for shard in found["shard"].unique().sort()]
    versions = keyed.pages([url]).filter((pl.col("doc_id") != doc_id) & (pl.col("doc_id") != ""))
    facts: Facts = {
        "doc_id": doc_id,
        "url": url,
        "origin": "crawl",
        "quoted": [],
        "shards": shards,
        "other_versions": _versions(versions),
        "tombstones": _tombstones(keyed, doc_id, [shard["shard"] for shard in shards]),
        **_trained(keyed, doc_id),
    }
    return facts | {"fate": _with_takedown(_fate(facts), facts)}


def _by_id(keyed: Keyed, asked: str) -> Answer:
    if len(asked) == 32:
        document = life(keyed, asked)
        return _told("doc_id", asked, document) if document else _unknown_id(keyed, asked)
    found = keyed.documents(Between.starting_with(asked))
    ids = found["doc_id"].unique().sort().to_list()
    if len(ids) == 1:
        return _told("doc_id", asked, life(keyed, ids[0]))
    if not ids:
        return _unknown_id(keyed, asked)
    rows = found.unique("doc_id").sort("doc_id").head(MATCHES)
    matches = [_listed(keyed, row) for row in rows.iter_rows(named=True)]
    return Answer(
        "matches",
        "doc_id",
        asked,
        f"{counted(len(ids), 'document')} {'has' if len(ids) == 1 else 'have'} an id that begins so.",
        matches=matches,
        more=len(ids) > MATCHES,
    )


def _unknown_id(keyed: Keyed, asked: str) -> Answer:
    return Answer("unknown", "doc_id", asked, f"No document has this id.{_behind(keyed)}")


def _by_url(keyed: Keyed, asked: str, spellings: list[str]) -> Answer:
    urls = list(dict.fromkeys(each for spelling in spellings for each in canonical_forms(spelling)))
    found = keyed.pages(urls)
    documents = found.filter(pl.col("doc_id") != "").sort("fetched_at", "doc_id", nulls_last=False)
    if documents.height:
        return _told("url", asked, life(keyed, documents["doc_id"][-1]))
    rows = found.iter_rows(named=True)
    refused = [each for row in rows for each in document.refusals(keyed, row["shard"], [row["capture"]])]
    if refused:
        return Answer("unknown", "url", asked, "The page was crawled and refused before it became a document.", refused=refused)
    near = [each for url in urls for each in keyed.similar_urls(url)]
    host = host_of(urls[0]) if urls else ""
    says = f"No such page was crawled, though others of {host} were." if near else f"No page of {host or 'that address'} was crawled."
    return Answer("unknown", "url", asked, says + _behind(keyed), near=list(dict.fromkeys(near)))


def canonical_forms(url: str) -> list[str]:
    """The canonical form, also under the other of http and https and with or without www; what is none is left as it is."""
    try:
        plain = canonical_url(url)
    except ValueError:
        return [url]
    scheme, _, rest = plain.partition("://")
    other = {"http": "https", "https": "http"}.get(scheme, scheme)
    bare = rest.removeprefix("www.") if rest.startswith("www.") else f"www.{rest}"
    return [f"{each}://{host}" for host in (rest, bare) for each in (scheme, other)]


def _by_sentence(keyed: Keyed, phrase: str) -> Answer:
    found, more = holders(keyed, phrase)
    if not found:
        made = [asset for asset in INDICES for _ in keyed.workspace.partitions(asset)]
        return Answer(
            "unknown", "sentence", phrase, f"No document's clean view holds these words in this order; {len(made):,} indices were asked."
        )
    ids = list(dict.fromkeys(row["doc_id"] for row in found))
    if len(ids) == 1:
        document = life(keyed, ids[0])
        if document:
            return _told("sentence", phrase, document | {"quoted": [row["quoted"] for row in found]})
    known = {row["doc_id"]: row for row in keyed.documents(ids).iter_rows(named=True)}
    matches = [
        {**row, "url": known.get(row["doc_id"], {}).get("url"), "state": _state(keyed, row["doc_id"], row["shard"])} for row in found
    ]
    says = f"{len(ids):,} or more documents hold it." if more else f"{counted(len(ids), 'document holds', 'documents hold')} it."
    return Answer("matches", "sentence", phrase, says, matches=matches[:MATCHES], more=more or len(matches) > MATCHES)


def holders(keyed: Keyed, phrase: str) -> tuple[list[Facts], bool]:
    """doc_id, shard, places (characters of the clean view) and quoted (of the final view, None where that lacks it) of the documents
    that hold the phrase, at most MATCHES, and whether there may be more. Their text is read, one row group each; LakeError while no
    index was made."""
    workspace = keyed.workspace
    parts = [(asset, part) for asset in INDICES for part in workspace.partitions(asset)]
    if not parts:
        raise LakeError(
            "search_index has not been made yet",
            where=workspace.lake.root,
            fix="Run `gristmill rebuild --until search_index`: sentences are found through it.",
        )

    def ask(part: tuple[str, str]) -> list[str]:
        stored = workspace.output(*part).files["index"]
        return search.candidates(f"{workspace.lake.root}/{stored.key}", workspace.lake.storage_options or None, phrase, OFFERED)

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, parts))
    found: list[Facts] = []
    offered = [
        (part if asset == INDICES[0] else f"synthetic/{part}", doc_id)
        for (asset, part), ids in zip(parts, answers, strict=True)
        for doc_id in ids
    ]
    for n, (shard, doc_id) in enumerate(offered):
        if len(found) == MATCHES:
            return found, n < len(offered)
        text = _text(keyed, doc_id, shard, document.clean_text)
        if text is not None and (places := search.places(text, phrase)):
            quoted = _quoted(_text(keyed, doc_id, shard, document.final_text), phrase)
            found.append({"doc_id": doc_id, "shard": shard, "places": [list(place) for place in places], "quoted": quoted})
    return found, any(len(ids) == OFFERED for ids in answers)


def _text(keyed: Keyed, doc_id: str, shard: str, view: Callable[[Keyed, str, str], str | None]) -> str | None:
    if not shard.startswith("synthetic/"):
        return view(keyed, doc_id, shard)
    rows = keyed.rows("synthetic_sets", shard.removeprefix("synthetic/"), "synthetic", {"doc_id": [doc_id]})
    return str(rows["text"][0]) if rows is not None and rows.height else None


def _quoted(text: str | None, phrase: str) -> Facts | None:
    """The phrase in the final view, where personal data is masked, with what stands before and after; None where that view lacks it."""
    if text is None or not (places := search.places(text, phrase)):
        return None
    start, end = places[0]
    before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
    return {"before": before, "phrase": text[start:end], "after": after, "start": start, "end": end}


def _synthetic_life(keyed: Keyed, doc_id: str) -> Facts | None:
    for name in keyed.workspace.partitions("synthetic_sets"):
        rows = keyed.rows("synthetic_sets", name, "synthetic", {"doc_id": [doc_id]})
        if rows is not None and rows.height:
            row = rows.row(0, named=True)
            made = {**{key: value for key, value in row.items() if key != "text"}, "n_chars": len(row["text"])}
            facts: Facts = {
                "doc_id": doc_id,
                "url": None,
                "quoted": [],
                "origin": f"synthetic/{name}",
                "shards": [],
                "other_versions": [],
                "tombstones": [],
                "synthetic": {**made, "excerpt": document.excerpt(row["text"])},
                **_trained(keyed, doc_id),
            }
            return facts | {"fate": _fate(facts)}
    return None


def _trained(keyed: Keyed, doc_id: str) -> Facts:
    corpus = training.in_corpus(keyed, doc_id)
    models = sorted({seen["model"] for phase in corpus or [] for seen in phase["models"]})
    return {"corpus": corpus, "downstream": training.downstream(keyed, models)}


def _fate(facts: Facts) -> Facts:
    """What became of the document, in a word and a sentence."""
    models = [each["model"] for each in facts["downstream"]]
    if models:
        steps = sum(seen["steps"] for phase in facts["corpus"] for seen in phase["models"])
        tokens = sum(seen["tokens"] for phase in facts["corpus"] for seen in phase["models"])
        return _word("trained on", f"In the corpus; {', '.join(models)} saw {tokens:,} of its tokens in {counted(steps, 'step')}.")
    if facts["corpus"]:
        return _word(
            "in the corpus", f"In the corpus ({', '.join(phase['phase'] for phase in facts['corpus'])}); no model has been trained on it."
        )
    if "synthetic" in facts:
        verified = facts["synthetic"]["verified"]
        return (
            _word("not drawn", "Verified, but no phase of the mix drew it.") if verified else _word("refused", "Its verification failed.")
        )
    return _undrawn(facts)


def _with_takedown(fate: Facts, facts: Facts) -> Facts:
    """With the takedown that is to come, or was: a page that is on the list stands until the next rebuild."""
    listed = [each for each in facts["tombstones"] if not each["undone"]]
    if not listed:
        return fate
    said = "; ".join(map(document.asked_for, listed))
    if not facts["corpus"] and all(shard["extraction"] is None for shard in facts["shards"]):
        return _word("taken down", f"Taken down ({said}).")
    return _word(fate["word"], f"{fate['says']} It is taken down ({said}), and goes at the next rebuild.")


def _undrawn(facts: Facts) -> Facts:
    """The fate of a crawled document that is in no corpus: by the shard in which it came furthest."""
    furthest = max(facts["shards"], key=lambda shard: (len(shard["verdicts"]), sum(verdict["kept"] for verdict in shard["verdicts"])))
    if furthest["extraction"] is None:
        reasons = "; ".join(f"{row['error']}: {row['message']}" for row in furthest["refused"])
        return _word("refused", f"No text could be had of it: {reasons or 'documents was not made yet'}.")
    verdicts = furthest["verdicts"]
    for verdict in verdicts:
        if verdict["dropped_here"]:
            twin = furthest["duplicates"] or {}
            if verdict["stage"] == "deduplication" and twin.get("survivor"):
                if twin["similarity"] is None:
                    return _word("dropped", f"Another version of the page outlived it (same URL): {twin['survivor']}.")
                alike = "" if twin["similarity"] == 1 else f", {twin['similarity']:.1%} alike"
                return _word("dropped", f"A copy outlived it ({twin['kind']}{alike}): {twin['survivor_url'] or twin['survivor']}.")
            return _word("dropped", f"Dropped in {verdict['stage']} by {verdict['first_rule']}.")
    if len(verdicts) < len(document.STAGES):
        return _word("undecided", f"Kept so far; judged by {len(verdicts)} of {len(document.STAGES)} stages.")
    if furthest["split"] not in (None, "train"):
        return _word("held out", f"Kept, and held out for {furthest['split']}: no model may train on it.")
    return _word(
        "not drawn", "Kept, but no phase of the mix drew it." if facts["corpus"] is not None else "Kept; the corpus is not indexed yet."
    )


def _word(word: str, says: str) -> Facts:
    return {"word": word, "says": says}


def _told(by: Literal["doc_id", "url", "sentence"], asked: str, document: Facts | None) -> Answer:
    assert document is not None
    return Answer("document", by, asked, document["fate"]["says"], document=document)


def _listed(keyed: Keyed, row: Facts) -> Facts:
    return {**{name: row[name] for name in ("doc_id", "shard", "url")}, "state": _state(keyed, row["doc_id"], row["shard"])}


def _state(keyed: Keyed, doc_id: str, shard: str) -> str:
    """The last that a shard's verdicts say of a document, in a few words."""
    if shard.startswith("synthetic/"):
        rows = keyed.rows("synthetic_sets", shard.removeprefix("synthetic/"), "synthetic", {"doc_id": [doc_id]}, ["verified"])
        return "verified" if rows is not None and rows["verified"].any() else "not verified"
    for _, asset in reversed(document.STAGES):
        rows = keyed.rows(asset, shard, "verdicts", {"doc_id": [doc_id]}, ["kept", "first_rule"])
        if rows is not None and rows.height:
            return "kept" if rows["kept"][0] else f"dropped: {rows['first_rule'][0]}"
    return "refused"


def _tombstones(keyed: Keyed, doc_id: str, shards: list[str]) -> list[Facts]:
    """Who took the document down, why and when. Those taken back are told only until a rebuild follows."""
    listed = tombstones.tombstones(keyed.workspace.lake)
    resolved: set[str] = set()
    for shard in shards if listed else ():
        rows = keyed.rows("tombstones", shard, "tombstones", {"doc_id": [doc_id]}, ["tombstone"])
        resolved |= set(rows["tombstone"]) if rows is not None else set()
    named = ("id", "kind", "pattern", "who", "why", "when", "undone")
    return [
        {name: getattr(each, name) for name in named}
        for each in listed
        if each.id in resolved or (not each.undone and any(row["doc_id"] == doc_id for row in each.found))
    ]


def _versions(rows: pl.DataFrame) -> list[Facts]:
    """Other documents at the same URL, the latest first."""
    latest = rows.sort("fetched_at", "shard", nulls_last=False).unique("doc_id", keep="last").sort("fetched_at", "doc_id", descending=True)
    return latest.select("doc_id", "shard", "fetched_at").to_dicts()


def _behind(keyed: Keyed) -> str:
    """A word of warning where the index does not know what was crawled since."""
    moved = keyed.moved_since_index()
    return f" The index is older than {counted(len(moved), 'shard')}: `gristmill rebuild --until document_index`." if moved else ""
