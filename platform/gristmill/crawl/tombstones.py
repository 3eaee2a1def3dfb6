"""Tombstones: which pages were taken down, by whom and why, and which pages of a shard that comes to.

The list is a journal in the lake, `tombstones/<number>.json`, shared by all recipes: each entry is written once and never
changed, and its number is the list's version. An entry takes something down, takes such an entry back, or says what was purged.

A tombstone names pages: one URL, a host with all below it, or one doc_id. Unless it is `exactly` these, it also knows their
text: the same words at another URL, or in a later crawl, are caught too, and with `near` every text whose shingles are alike
(Broder's resemblance; true Jaccard over all documents of a shard, no banding, so that nothing at the threshold is missed). It
holds hashes of five-word shingles, not the text. They cannot be read back, though who has a text can tell that it is the one.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from gristmill.crawl.urls import VERSION as URLS_VERSION
from gristmill.crawl.urls import canonical_url
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Lake

VERSION = f"1.{URLS_VERSION}"

FOLDER = "tombstones/"
SHINGLES = {"shingle_words": 5, "bands": 1, "rows": 1}
"""How tombstones are sketched, whatever a recipe compares with: the list outlives recipes."""
THRESHOLD = 0.7  # of the Jaccard similarity, as dedup.minhash.threshold
DOCUMENTS_AT_ONCE = 20_000  # whose shingles are compared at a time

Kind = Literal["url", "domain", "doc", "near"]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Sketch:
    """A text without its text: the hash of its normalised words, and the hashes of its shingles."""

    normal_hash: str
    shingles: tuple[int, ...]


@dataclass(frozen=True)
class Tombstone:
    """One entry that takes something down. `found` and `seen_by` say what it came to when it was made (see lineage.takedown)."""

    id: str
    kind: Kind
    pattern: str  # a canonical URL, a host, a doc_id
    who: str
    why: str
    when: str
    exactly: bool = False
    threshold: float | None = None  # of `near`
    sketched: str = ""  # version of the sketches
    texts: tuple[Sketch, ...] = ()
    found: tuple[Facts, ...] = ()
    seen_by: tuple[Facts, ...] = ()
    undone: Facts | None = None  # who, why, when
    purges: tuple[Facts, ...] = ()

    def as_json(self) -> Facts:
        """Without sketches and what was found."""
        names = ("id", "kind", "pattern", "who", "why", "when", "exactly", "threshold", "undone")
        return {name: getattr(self, name) for name in names} | {"texts": len(self.texts), "purged": [each["when"] for each in self.purges]}

    @property
    def by_text(self) -> bool:
        return bool(self.texts) and not self.exactly


def normal(kind: Kind, pattern: str) -> str:
    """The pattern in canonical form; LakeError when it cannot be one of its kind."""
    pattern = pattern.strip()
    if kind == "near":
        kind = "doc" if re.fullmatch("[0-9a-fA-F]{32}", pattern) else "url"
    if kind == "doc":
        if not re.fullmatch("[0-9a-fA-F]{32}", pattern):
            raise LakeError(f"{pattern!r} is no doc_id", where="takedown", fix="It has 32 hex digits; `gristmill why URL` shows it.")
        return pattern.lower()
    if kind == "domain":
        host = pattern.lower().rstrip(".").removeprefix("*.")
        if not re.fullmatch(r"[^\s/:?#@]+", host):
            raise LakeError(f"{pattern!r} is no host name", where="takedown", fix="Give one such as example.org; --url takes a page.")
        try:
            return host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            raise LakeError(f"{pattern!r} is no host name", where="takedown") from None
    if pattern.startswith("file://"):
        return pattern
    try:
        return canonical_url(pattern)
    except ValueError as error:
        raise LakeError(str(error), where="takedown", fix="Give the whole URL, as in https://example.org/page.") from None


# the journal


def add(lake: Lake, entry: Mapping[str, Any]) -> str:
    """Appends an entry; its id, `t<number>`. Of two who append at once each gets a number of its own."""
    number = max(_numbers(lake), default=0)
    while True:
        number += 1
        value = {"id": f"t{number}", **entry}
        if lake.create(f"{FOLDER}{number:06d}.json", json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")):
            return str(value["id"])


def take_down(lake: Lake, tombstone: Tombstone) -> Tombstone:
    """Puts a tombstone on the list, under an id of its own."""
    value = {name: getattr(tombstone, name) for name in _FIELDS if name != "id"}
    value["texts"] = [{"normal_hash": each.normal_hash, "shingles": list(each.shingles)} for each in tombstone.texts]
    return find(lake, add(lake, {"action": "takedown", **value, "found": list(tombstone.found), "seen_by": list(tombstone.seen_by)}))


def undo(lake: Lake, tombstone_id: str, who: str, why: str) -> Tombstone:
    """Takes a tombstone back. The entry stays; LakeError when it was taken back before."""
    tombstone = find(lake, tombstone_id)
    if tombstone.undone:
        raise LakeError(f"was undone {tombstone.undone['when']} by {tombstone.undone['who']}", where=f"tombstone {tombstone.id}")
    add(lake, {"action": "undo", "of": tombstone.id, "who": who, "why": why, "when": now()})
    return find(lake, tombstone.id)


def tombstones(lake: Lake) -> list[Tombstone]:
    """Every tombstone, oldest first, those that were undone too."""
    found: dict[str, Tombstone] = {}
    for key in sorted(lake.keys(FOLDER)):
        value = lake.get_json(key)
        action = value.pop("action")
        if action == "takedown":
            texts = tuple(Sketch(each["normal_hash"], tuple(each["shingles"])) for each in value.pop("texts"))
            rows, seen_by = tuple(value.pop("found")), tuple(value.pop("seen_by"))
            found[value["id"]] = Tombstone(**value, found=rows, seen_by=seen_by, texts=texts)
        else:
            was = found[value["of"]]
            told = {name: each for name, each in value.items() if name not in ("id", "of")}
            changed = {"undone": told} if action == "undo" else {"purges": (*was.purges, told)}
            found[was.id] = Tombstone(**{**_values(was), **changed})
    return list(found.values())


def active(lake: Lake) -> list[Tombstone]:
    return [each for each in tombstones(lake) if not each.undone]


def find(lake: Lake, tombstone_id: str) -> Tombstone:
    known = {each.id: each for each in tombstones(lake)}
    if tombstone_id not in known:
        raise LakeError(
            f"no tombstone {tombstone_id!r}",
            where=f"{lake.root}/{FOLDER}",
            fix=f"There are: {', '.join(known) or 'none'}.",
        )
    return known[tombstone_id]


def list_version(lake: Lake) -> str:
    """What is in force: it moves with every takedown and every one taken back."""
    return mapping_hash({each.id: each.pattern for each in active(lake)})


# what they come to


def hits(records: pl.DataFrame, listed: Iterable[Tombstone], sketches: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    """The contract `tombstones` of a shard: its documents that are taken down, by each tombstone that does so.

    `sketches` gives (doc_id, normal_hash, shingles) of the documents in a part of `records`. It is asked only where a tombstone
    knows a text, and never for what is taken down by name: that is not to be extracted again.
    """
    listed = list(listed)
    parts = [_rows(records.filter(_named(each)), each, _by_name(each)) for each in listed]
    if by_text := [each for each in listed if each.by_text]:
        named = pl.concat([part.select("doc_id") for part in parts])
        rest = records.join(named, on="doc_id", how="anti")
        if rest.height:
            parts += _alike(records, sketches(rest), by_text)
    found = pl.concat([CONTRACTS["tombstones"].empty(), *parts])
    return found.sort("doc_id", "tombstone", pl.col("similarity") * -1, "by").unique(
        ["doc_id", "tombstone"], keep="first", maintain_order=True
    )


def compare(sketches: pl.DataFrame, tombstone: Tombstone) -> pl.DataFrame:
    """doc_id, by (text or near) and similarity of the documents (doc_id, normal_hash, shingles) whose text the tombstone knows."""
    _same_version(tombstone)
    hashes = [each.normal_hash for each in tombstone.texts]
    same = sketches.filter(pl.col("normal_hash").is_in(hashes)).select("doc_id", by=pl.lit("text"), similarity=pl.lit(1.0))
    if tombstone.threshold is None:
        return same
    rest = sketches.join(same, on="doc_id", how="anti").with_columns(size=pl.col("shingles").list.len())
    found = [same]
    for text in tombstone.texts:
        wanted = pl.DataFrame({"shingles": text.shingles}, schema={"shingles": pl.UInt32}).unique()
        for part in rest.iter_slices(DOCUMENTS_AT_ONCE):
            shared = part.select("doc_id", "size", "shingles").explode("shingles").join(wanted, on="shingles", how="semi")
            counted = shared.group_by("doc_id", "size").agg(both=pl.len())
            alike = counted.with_columns(similarity=(pl.col("both") / (pl.col("size") + wanted.height - pl.col("both"))).round(6))
            near = alike.filter(pl.col("similarity") >= tombstone.threshold)
            found.append(near.select("doc_id", by=pl.lit("near"), similarity="similarity"))
    return pl.concat(found).sort("doc_id", pl.col("similarity") * -1).unique("doc_id", keep="first", maintain_order=True)


def sketched(texts: pl.DataFrame) -> pl.DataFrame:
    """(doc_id, text, text_hash) -> doc_id, normal_hash, shingles (distinct, sorted). A text without a word has none and is left out."""
    from gristmill.dedup import minhash
    from gristmill.recipe.dedup import MinHash

    settings = MinHash(**SHINGLES)
    wordless = minhash.sign(pl.DataFrame({"doc_id": [""], "text": [""], "text_hash": [""]}), settings)["normal_hash"][0]
    signed = minhash.sign(texts, settings).filter(pl.col("normal_hash") != wordless)
    return signed.select("doc_id", "normal_hash", pl.col("shingles").list.unique().list.sort())


def sketch_version() -> str:
    from gristmill.dedup import minhash

    return f"{minhash.VERSION}/{SHINGLES['shingle_words']}"


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


_FIELDS = ("id", "kind", "pattern", "who", "why", "when", "exactly", "threshold", "sketched", "texts")


def _values(tombstone: Tombstone) -> Facts:
    return {name: getattr(tombstone, name) for name in tombstone.__dataclass_fields__}


def _numbers(lake: Lake) -> Iterator[int]:
    return (int(key.removeprefix(FOLDER).removesuffix(".json")) for key in lake.keys(FOLDER))


def _by_name(tombstone: Tombstone) -> str:
    if tombstone.kind == "near":
        return "url" if "://" in tombstone.pattern else "doc"
    return tombstone.kind


def _named(tombstone: Tombstone) -> pl.Expr:
    by, pattern = _by_name(tombstone), tombstone.pattern
    if by == "domain":
        return (pl.col("host") == pattern) | pl.col("host").str.ends_with(f".{pattern}")
    return pl.col("url" if by == "url" else "doc_id") == pattern


def _rows(records: pl.DataFrame, tombstone: Tombstone, by: str) -> pl.DataFrame:
    found = records.group_by("doc_id").agg(captures=pl.col("capture").sort())
    return found.select("doc_id", tombstone=pl.lit(tombstone.id), by=pl.lit(by), similarity=pl.lit(1.0), captures="captures")


def _alike(records: pl.DataFrame, sketches: pl.DataFrame, listed: Iterable[Tombstone]) -> Iterator[pl.DataFrame]:
    captures = records.group_by("doc_id").agg(captures=pl.col("capture").sort())
    for tombstone in listed:
        found = compare(sketches, tombstone).join(captures, on="doc_id")
        yield found.select("doc_id", pl.lit(tombstone.id).alias("tombstone"), "by", "similarity", "captures")


def _same_version(tombstone: Tombstone) -> None:
    if tombstone.sketched != sketch_version():
        raise LakeError(
            f"knows its texts as version {tombstone.sketched} sketches them, this is version {sketch_version()}",
            where=f"tombstone {tombstone.id}",
            fix="Their text is gone, so they cannot be sketched again: undo it, and take the page down anew while it is in the lake, "
            "or with --exactly.",
        )
