"""What `signals` holds of a shard, a few columns at a time. No text is among it.

All tables of one partition of `signals` were made of the same documents and are sorted by `doc_id` (their contracts), so
that row n of each is the same document and no join is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import polars as pl

from gristmill.errors import LakeError, RecipeError
from gristmill.lake.workspace import Workspace
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import columns_read
from gristmill.policy.wording import nearest

PAGES = "pages"
Read = TypeVar("Read")


def shards(workspace: Workspace) -> list[str]:
    """The shards whose signals are stored; LakeError when there are none."""
    if found := workspace.partitions("signals"):
        return found
    raise LakeError("signals has not been made yet", where=workspace.lake.root, fix="Run `gristmill rebuild --until signals` first.")


def ahead(read: Callable[[str], Read], shards: Sequence[str]) -> Iterator[tuple[str, Read]]:
    """Every shard and what is read of it, in order; the next one is read while the caller counts."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, shards[0]) if shards else None
        for shard, following in zip(shards, [*shards[1:], None], strict=True):
            assert coming is not None
            found = coming.result()
            coming = reader.submit(read, following) if following else None
            yield shard, found


def signals(workspace: Workspace, shard: str, rules: Iterable[Rule], pages: Iterable[str] = ()) -> pl.DataFrame:
    """The columns of a shard that the rules read, and `pages` of its pages; `language` where a rule speaks of languages."""
    rules = list(rules)
    wanted = list(dict.fromkeys([*pages, *(["language"] if any(rule.by_language or rule.except_languages for rule in rules) else [])]))
    scans = [_table(workspace, shard, PAGES).select(wanted or ["n_bytes"])]
    for family, columns in columns_read(rules).items():
        table = _family(workspace, shard, family, next(rule.name for rule in rules if rule.signal in columns))
        stored = table.collect_schema().names()
        for column in columns:
            if column not in stored:
                raise RecipeError(f"no signal {column!r} is stored", where=f"signals[{shard}]", fix=nearest(column, stored[1:]))
        scans.append(table.select(columns))
    frames = pl.collect_all(scans)
    if len({frame.height for frame in frames}) != 1:
        raise LakeError("its tables differ in the number of rows", where=f"signals[{shard}]", fix="Materialize the partition anew.")
    return pl.concat(frames, how="horizontal")


def doc_ids(workspace: Workspace, shard: str) -> pl.Series:
    """The shard's documents, in the order of its rows."""
    return _table(workspace, shard, PAGES).select("doc_id").collect().to_series()


def rows(workspace: Workspace, shard: str, at: Sequence[int], columns: Iterable[str]) -> pl.DataFrame:
    """The named columns of the shard's pages in the rows `at`, in their order."""
    first, last = (min(at), max(at)) if len(at) else (0, -1)
    part = _table(workspace, shard, PAGES).select(*columns).slice(first, last - first + 1).collect()
    return part[[row - first for row in at]]


def topics(workspace: Workspace, shard: str, doc_ids: pl.Series) -> pl.Series | None:
    """Each document's topic, null where it has none (what was dropped before was never scored); None when the shard has no scores."""
    if not workspace.has("quality_scores", shard):
        return None
    wanted = pl.DataFrame({"doc_id": doc_ids})
    scored = workspace.scan("quality_scores", shard, "scores").select("doc_id", "topic").unique("doc_id")
    found = scored.join(wanted.lazy(), on="doc_id", how="semi").collect()
    return wanted.join(found, on="doc_id", how="left", maintain_order="left")["topic"]


def _table(workspace: Workspace, shard: str, name: str) -> pl.LazyFrame:
    output = workspace.output("signals", shard)
    if name not in output.tables:
        raise LakeError(
            f"holds no table {name!r}", where=f"signals[{shard}]", fix="Another version made it: run `gristmill rebuild --until signals`."
        )
    return workspace.lake.scan(output.tables[name])


def _family(workspace: Workspace, shard: str, family: str, rule: str) -> pl.LazyFrame:
    output = workspace.output("signals", shard)
    if f"signals.{family}" not in output.tables:
        families = sorted({*workspace.recipe.families, family})
        named = "" if family in workspace.recipe.families else f"Set signals.families = {families} in the recipe, then run "
        raise RecipeError(
            f"the rule {rule} reads the family {family!r}, which is not stored",
            where=f"signals[{shard}]",
            fix=f"{named or 'Run '}`gristmill rebuild --until signals`: it computes that family alone.",
        )
    return workspace.lake.scan(output.tables[f"signals.{family}"])
