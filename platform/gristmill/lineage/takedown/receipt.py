"""A takedown's receipt: recomputed proof that a page is absent from what stands, and what still holds it elsewhere.

`stands` are claims about every current artefact: they pass when the graph was rebuilt. `left` are claims about old copies (earlier
builds, the vectors' earlier versions, caches): they pass after `gristmill takedown purge`. Nothing is taken from the records of the
rebuild: tables, indices and vectors are read, texts are sketched again.

The receipt is JSON; `hash` is over everything else in it. With a key it is signed (Ed25519, RFC 8032) over the same bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.counting import counted
from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Tombstone
from gristmill.errors import GristmillError, LakeError
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.workspace import Output, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.lineage.takedown import takedown
from gristmill.lineage.takedown.quotes import Quotes, strings
from gristmill.lineage.takedown.takedown import MANIFESTS, Facts, naming, table_at
from gristmill.naming import named

FORMAT = 1
MAKE_KEY = "`openssl genpkey -algorithm ed25519 -out key.pem` makes one."
KEY_BYTES = 32  # of an Ed25519 public key
SHOWN = 5
INDICES = ("search_index", "synthetic_search_index")

MANIFEST_TABLES = ("records", "tombstones", "heads", "quarantine")

ABSENT, LEFT, PRESENT = "absent", "absent from what stands; old copies are left", "present"


def receipt(workspace: Workspace, tombstone: Tombstone, pages: Iterable[Path] = ()) -> Facts:
    """The receipt as JSON, unsigned. `pages`: HTML reports outside of the lake. LakeError when the tombstone was undone."""
    if tombstone.undone:
        raise LakeError(f"was undone {tombstone.undone['when']}", where=f"tombstone {tombstone.id}", fix="It takes nothing down.")
    ids = _ids(workspace, tombstone)
    outputs = workspace.outputs()
    stands = [
        _resolved(workspace),
        _documents(workspace, tombstone, ids),
        _rows(workspace, outputs, ids),
        _sentences(workspace, outputs, ids),
        _quotes(workspace, tombstone, outputs, pages),
        _checkpoints(workspace, tombstone),
    ]
    left = [_old_tables(workspace, outputs, ids), _builds(workspace, ids), _vectors(workspace, tombstone), _caches(workspace, tombstone)]
    heads = {named(each.asset, each.partition): each.data_version for each in outputs}
    current = {each.data_version for each in outputs if each.asset == "checkpoints"}
    gone = all(claim["passed"] for claim in stands)
    value: Facts = {
        "format": FORMAT,
        "tombstone": tombstone.as_json() | {"sketches": _digest([each.normal_hash for each in tombstone.texts])},
        "made_at": tombstones.now(),
        "namespace": workspace.namespace,
        "list_version": tombstones.list_version(workspace.lake),
        "status": PRESENT if not gone else ABSENT if all(claim["passed"] for claim in left) else LEFT,
        "documents": sorted(ids),
        "stands": stands,
        "left": left,
        "artefacts": len(heads),
        "artefacts_hash": mapping_hash(heads),
        "older_checkpoints": [seen | {"stands": seen["checkpoint"] in current} for seen in _seen_by(workspace, tombstone, ids)],
        "held": _learned_before(workspace, outputs),
        "not_covered": [
            "the source files of the crawls, which are not gristmill's",
            "copies that were taken out of the lake: exported models, pages, backups",
            "weights of the older checkpoints named here, and what held models learned of single words",
        ],
    }
    return value | {"hash": _digest(value)}


def signed(value: Facts, key: Path) -> Facts:
    """The receipt with an Ed25519 signature by the private key in a PEM file. LakeError where that is none."""
    ed25519, serialization = _cryptography()
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise LakeError(
            f"is no readable private key: {error}", where=str(key), fix="`openssl genpkey -algorithm ed25519` makes one."
        ) from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise LakeError("is no Ed25519 key", where=str(key), fix=MAKE_KEY)
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    told = {
        "algorithm": "ed25519",
        "public_key": base64.b64encode(private.public_key().public_bytes(*raw)).decode(),
        "value": base64.b64encode(private.sign(_canonical(value))).decode(),
    }
    return value | {"signature": told}


def verified(value: Facts, public_key: str | None = None) -> str:
    """What a receipt's hash and signature prove, as a sentence; LakeError where it was changed, or signed by another key."""
    wanted = public_key_of(public_key) if public_key else None
    plain = {name: each for name, each in value.items() if name not in ("hash", "signature")}
    if value.get("hash") != _digest(plain):
        raise LakeError("was changed after it was made: its hash does not fit", where="receipt")
    signature = value.get("signature")
    if signature is None:
        if wanted:
            raise LakeError("carries no signature", where="receipt")
        return "The hash fits. It is not signed, so that anybody may have made it."
    if wanted and signature["public_key"] != wanted:
        raise LakeError(f"was signed by the key {signature['public_key']}, not by {wanted}", where="receipt")
    from cryptography.exceptions import InvalidSignature

    ed25519, _ = _cryptography()
    key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(signature["public_key"]))
    try:
        key.verify(base64.b64decode(signature["value"]), _canonical(plain | {"hash": value["hash"]}))
    except InvalidSignature:
        raise LakeError("its signature does not fit", where="receipt") from None
    return f"The hash fits, and it was signed by the key {signature['public_key']}."


def public_key_of(given: str) -> str:
    """An Ed25519 public key in Base64, given so or as the path of a PEM file; LakeError where it is neither."""
    given = given.strip()
    with suppress(ValueError):  # no Base64
        if len(base64.b64decode(given, validate=True)) == KEY_BYTES:
            return given
    wanted = "Give a PEM file with an Ed25519 public key (`openssl pkey -in key.pem -pubout`), or the key's 32 bytes in Base64."
    try:
        data = Path(given).read_bytes()
    except (OSError, ValueError):
        raise LakeError(f"{given} is no file and no Ed25519 key in Base64", where="--public-key", fix=wanted) from None
    ed25519, serialization = _cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise LakeError("holds no public key in PEM", where=given, fix=wanted) from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise LakeError("holds a public key, but no Ed25519 one", where=given, fix=wanted)
    return base64.b64encode(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)).decode()


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise LakeError(f"signatures need the package cryptography: {error}", where="receipt", fix="Install it.") from None
    return ed25519, serialization


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _digest(value: Any) -> str:
    return hashlib.blake2b(_canonical(value), digest_size=32).hexdigest()


def _claim(claim: str, looked_at: int, problems: Iterable[str], fix: str = "") -> Facts:
    found = list(problems)
    shown = found[:SHOWN] + ([f"and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else [])
    return {"claim": claim, "passed": not found, "looked_at": looked_at, "found": shown, **({"fix": fix} if found and fix else {})}


def _name(output: Output) -> str:
    return named(output.asset, output.partition)


def _ids(workspace: Workspace, tombstone: Tombstone) -> set[str]:
    """What it found when it was made, and what was caught since."""
    ids = {row["doc_id"] for row in tombstone.found}
    for shard in workspace.partitions("tombstones"):
        ids |= set(workspace.scan("tombstones", shard).filter(pl.col("tombstone") == tombstone.id).select("doc_id").collect()["doc_id"])
    return ids


# what stands


def _resolved(workspace: Workspace) -> Facts:
    version, shards = tombstones.list_version(workspace.lake), workspace.partitions("raw_crawl")

    def behind() -> Iterator[str]:
        for shard in shards:
            head = workspace.head("tombstones", shard)
            if head is None or head.inputs.get(SOURCE) != version:
                yield f"{shard}: not held against the present list"
            elif head.read.get("raw_crawl", {}).get(shard) != workspace.version("raw_crawl", shard):
                yield f"{shard}: its records moved since"

    return _claim("every shard was held against the present list", len(shards), behind(), "gristmill rebuild")


def _documents(workspace: Workspace, tombstone: Tombstone, ids: set[str]) -> Facts:
    shards = workspace.partitions("documents")

    def held() -> Iterator[str]:
        for shard in shards:
            texts = workspace.read("documents", shard, "documents", ["doc_id", "text", "text_hash"])
            found = set(texts["doc_id"]) & ids
            if tombstone.by_text:
                found |= set(tombstones.compare(tombstones.sketched(texts), tombstone)["doc_id"])
            yield from (f"{shard}: {doc_id}" for doc_id in sorted(found))

    by = "its id nor its words" if tombstone.by_text else "its id"
    count = sum(workspace.output("documents", s).tables["documents"].rows for s in shards)
    return _claim(f"no document has {by}", count, held(), "gristmill rebuild")


def _rows(workspace: Workspace, outputs: Sequence[Output], ids: set[str]) -> Facts:
    """`quarantine` says that a page was taken down; it names a capture."""
    tables = [(each, name, stored) for each in outputs if each.asset not in MANIFESTS for name, stored in each.tables.items()]

    def named() -> Iterator[str]:
        for output, name, stored in tables:
            if n := naming(workspace.lake, stored, ids).height:
                yield f"{_name(output)}, {name}: {counted(n, 'row')}" + (" (held: materialise it anew)" if output.held else "")

    claim = "no row of any table names it (manifests of what was crawled apart): signals, verdicts, scores, corpus, provenance, splits"
    return _claim(claim, len(tables), named(), "gristmill rebuild; a held asset is made anew when it is materialised by hand")


def _sentences(workspace: Workspace, outputs: Sequence[Output], ids: set[str]) -> Facts:
    import lancedb

    lake, indices = workspace.lake, [each for each in outputs if each.asset in INDICES]
    among = f"doc_id IN ({', '.join(repr(each) for each in sorted(ids))})"

    def held() -> Iterator[str]:
        for output in indices if ids else ():
            uri = f"{lake.root}/{output.files['index'].key}"
            table = lancedb.connect(uri, storage_options=lake.storage_options or None).open_table("text")
            if n := table.count_rows(among):
                yield f"{_name(output)}: {counted(n, 'row')}"

    return _claim("no sentence index holds it", len(indices), held(), "gristmill rebuild")


def _quotes(workspace: Workspace, tombstone: Tombstone, outputs: Sequence[Output], pages: Iterable[Path]) -> Facts:
    quotes, existing = Quotes(tombstone.texts), [page for page in pages if page.exists()]

    def quoted() -> Iterator[str]:
        for output in outputs:
            said = list(strings(output.metadata))
            for name, stored in output.tables.items():
                if name == "samples":
                    said += workspace.lake.scan(stored).select("text").collect()["text"].to_list()
            if n := quotes.among(said):
                yield f"{_name(output)}: {counted(n, 'excerpt')}" + (" (held: materialise it anew)" if output.held else "")
        for page in existing:
            if n := quotes.among(takedown.html_lines(page)):
                yield f"{page}: {counted(n, 'excerpt')}; `gristmill report` writes it anew"

    claim = "no metadata, sample or report quotes it" if tombstone.texts else "quotes were not looked for: its words are not known"
    return _claim(claim, len(outputs) + len(existing), quoted())


def _checkpoints(workspace: Workspace, tombstone: Tombstone) -> Facts:
    models = workspace.partitions("checkpoints")
    saw = {seen["checkpoint"] for seen in tombstone.seen_by}
    found = (f"{model}: {version}" for model in models if (version := workspace.version("checkpoints", model)) in saw)
    return _claim("no checkpoint that stands was trained on it", len(models), found, "gristmill rebuild")


# old copies


def _old_tables(workspace: Workspace, outputs: Sequence[Output], ids: set[str]) -> Facts:
    """Not read again: what `_rows` has looked at."""
    lake = workspace.lake
    stands = {stored.key for each in outputs for stored in each.tables.values()}
    keys = [
        key
        for key in lake.names("tables/")
        if key not in stands and key.split("/")[1] not in ("records", "tombstones", "heads", "quarantine")
    ]
    found = (f"{key}" for key in sorted(keys) if naming(lake, table_at(key), ids).height)
    return _claim("no table of an earlier state names it", len(keys), found, "gristmill takedown purge")


def _builds(workspace: Workspace, ids: set[str]) -> Facts:
    lake = workspace.lake
    tables = {key for key in lake.names("tables/documents/") if naming(lake, table_at(key), ids).height}
    holders = takedown.holding_builds(lake, tables) if tables else []
    return _claim("no build holds its text", len(tables), (build.name for build in holders), "gristmill takedown purge")


def _vectors(workspace: Workspace, tombstone: Tombstone) -> Facts:
    import lancedb

    lake, wanted = workspace.lake, sorted(purgeable_hashes(workspace, tombstone))
    looked, found = 0, []
    if wanted and any(lake.names("vectors/")):
        database = lancedb.connect(lake.vectors_uri, storage_options=lake.storage_options or None)
        for name in database.table_names():
            table = database.open_table(name)
            for version in [each["version"] for each in table.list_versions()]:
                table.checkout(version)
                looked += 1
                if n := table.count_rows(f"text_hash IN ({', '.join(repr(each) for each in wanted)})"):
                    found.append(f"{name}, version {version}: {counted(n, 'vector')}")
    return _claim("no version of the vectors has one of its texts", looked, found, "gristmill takedown purge")


def purgeable_hashes(workspace: Workspace, tombstone: Tombstone) -> set[str]:
    """Hashes of its texts that no other document which stands shares."""
    ids = {row["doc_id"] for row in tombstone.found}
    known = {text_hash for row in tombstone.found for text_hash in row["text_hashes"]}
    known |= {text_hash for purge in tombstone.purges for text_hash in purge["text_hashes"]}
    for hashes in takedown.text_hashes(workspace.lake, ids).values():
        known |= hashes
    current = [
        stored.key
        for asset in ("document_embeddings", "repeated_text")
        for output in _standing(workspace, asset)
        for stored in output.tables.values()
    ]
    shared = takedown.text_hashes(workspace.lake, ids, current, others=True)
    return known - {text_hash for hashes in shared.values() for text_hash in hashes}


def _standing(workspace: Workspace, asset: str) -> Iterator[Output]:
    """In every namespace of the lake."""
    for key in sorted(workspace.lake.names("heads/")):
        if key.split("/")[2] == asset and (value := workspace.lake.get_json(key)) is not None:
            yield Output.from_json(value)


def _caches(workspace: Workspace, tombstone: Tombstone) -> Facts:
    looks: list[Callable[[], list[str]]] = [
        lambda: [f"{name}: {key}" for name, key in takedown.cached_extractions(workspace, tombstone)],
        lambda: [f"teacher: {key}" for key in quoting_answers(workspace, tombstone)],
        lambda: [f"work in progress: {path}" for path in scratch_copies(workspace, tombstone)],
    ]
    return _claim("no cache holds it", len(looks), [each for look in looks for each in look()], "gristmill takedown purge")


def quoting_answers(workspace: Workspace, tombstone: Tombstone) -> list[str]:
    """Keys of what the teacher answered that quotes the text. Prompts are kept as hashes only."""
    quotes = Quotes(tombstone.texts)
    return [key for key, value in workspace.cache("teacher").items() if quotes.among([value.decode("utf-8", "replace")])]


def scratch_copies(workspace: Workspace, tombstone: Tombstone) -> list[Path]:
    """Folders of work in progress with a file from before the takedown: copies of what was published then. What they hold is not
    looked at, since they cost only time."""
    top, before = workspace.lake.cache_folder / "scratch", dt.datetime.fromisoformat(tombstone.when).timestamp()
    now = time.time() + 1  # later than that: the clock was moved back since, and nobody can say
    return sorted(
        path
        for path in top.glob("*/*/*")
        if path.is_dir() and any(each.is_file() and not before < each.stat().st_mtime <= now for each in path.rglob("*"))
    )


def _seen_by(workspace: Workspace, tombstone: Tombstone, ids: set[str]) -> list[Facts]:
    found = {seen["checkpoint"]: seen for seen in (*tombstone.seen_by, *takedown.seen_by(workspace.lake, ids))}
    return [found[key] for key in sorted(found)]


def _learned_before(workspace: Workspace, outputs: Sequence[Output]) -> list[Facts]:
    """Held partitions made of inputs that have moved since: aggregates (counts of words, merges, heads) that may have learned from it."""
    versions = {(each.asset, each.partition or ""): each.data_version for each in outputs}
    return [
        {"asset": _name(each), "data_version": each.data_version}
        for each in outputs
        if each.held and any(versions.get((asset, part), was) != was for asset, parts in each.read.items() for part, was in parts.items())
    ]


def read_receipt(path: Path) -> Facts:
    try:
        value: Facts = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise GristmillError(f"is no receipt: {error}", where=str(path)) from None
    return value
