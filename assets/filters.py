"""Filters: masks as edits, the token distribution, signals by family, and the policy's verdicts on them."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import dagster as dg
import polars as pl
import polars.selectors as cs

from assets.materialize import made_asset
from gristmill import views
from gristmill.edits import clean as clean_rules
from gristmill.edits import personal
from gristmill.edits.clean import find_clean_edits
from gristmill.edits.personal import find_masks
from gristmill.edits.spans import in_order
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.table_hash import table_hash
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.policy import verdicts as policy
from gristmill.policy.verdicts import MIN_DOCUMENTS
from gristmill.progress import Progress
from gristmill.recipe import Recipe
from gristmill.signals import kl
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.kl import DISTRIBUTION_VERSION
from gristmill.signals.registry import MODULES, VERSIONS
from gristmill.texts import clean_texts

MIN_KEPT, MAX_ALONE = 0.05, 0.5  # of a source's documents: the least that is kept, the most that one rule may drop by itself
MAX_MASKED = 0.1  # of the characters; more means that a pattern matches what it should not


def make_edits(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    recipe, source = workspace.recipe, workspace.recipe.source_of(partition)
    documents = workspace.read("documents", partition, "documents", ["doc_id", "text", "language"])
    rules = [rule for rule in recipe.policy.line_rules() if source not in rule.except_sources]
    strips = [] if source in recipe.edits.except_sources else recipe.strips
    clean_edits = find_clean_edits(documents, rules, strips)
    found, masks = clean_edits, clean_edits.clear()
    if recipe.edits.mask:
        masks = find_masks(views.clean(documents.select("doc_id", "text"), clean_edits), recipe.edits.mask)
        found = in_order([clean_edits, masks])
    length = (pl.col("end") - pl.col("start")).sum()
    characters, removed = int(documents["text"].str.len_chars().sum()), int(clean_edits.select(length).item())
    return Made(
        {"edits": found},
        metadata={
            "documents": documents.height,
            "documents edited": found["doc_id"].n_unique(),
            "characters": characters,
            "characters removed": removed,
            "characters of the clean view": characters - removed + int(clean_edits["replacement"].str.len_chars().sum()),
            "characters masked": int(masks.select(length).item()),
            "by rule": found.group_by("rule")
            .agg(edits=pl.len(), documents=pl.col("doc_id").n_unique(), characters=length)
            .sort("rule")
            .to_dicts(),
        },
    )


def make_token_distribution(workspace: Workspace, partition: Partition) -> Made:
    shards = workspace.partitions("documents")
    size = workspace.recipe.signals.distribution_documents
    tables: list[pl.DataFrame] = [CONTRACTS["token_distribution"].empty()]
    rows: list[dict[str, Any]] = []
    with Progress("token distribution", len(shards), "shards") as progress:
        for source in sorted({workspace.recipe.source_of(shard) for shard in shards}):
            of_source = [shard for shard in shards if workspace.recipe.source_of(shard) == source]
            left = set(kl.sample((doc_id for shard in of_source for doc_id in _ids(workspace, shard)), size))
            documents, counts = len(left), kl.count(pl.Series([], dtype=pl.String))
            for shard in of_source:
                clean = clean_texts(workspace, shard, left)
                left -= set(clean["doc_id"])  # one document in two shards counts once
                counts = kl.add([counts, kl.count(clean["text"])])
                progress.advance()
            table, terms = kl.distribution(counts), int(counts["count"].sum())
            tables.append(table.select(pl.lit(source).alias("source"), "token", "count", "probability"))
            rows.append(
                {
                    "source": source,
                    "documents": documents,
                    "terms": terms,
                    "distinct terms": counts.height,
                    "terms kept": table.height,
                    "share covered": round(int(table["count"].sum()) / max(terms, 1), 4),
                }
            )
    return Made({"token_distribution": pl.concat(tables)}, metadata={"documents": sum(row["documents"] for row in rows), "by source": rows})


def make_signals(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    recipe = workspace.recipe
    families, view_of = recipe.families, recipe.views
    source = _Shard(workspace, partition)
    keys = {f"signals.{family}": f"{family} {VERSIONS[family]} {source.digest(family)}" for family in families}
    keys["pages"] = f"{views.VERSION} {source.text_version('clean')}"
    seconds: dict[str, float] = {}

    def make(missing: list[str]) -> dict[str, pl.DataFrame]:
        made = {"pages": source.pages()} if "pages" in missing else {}
        for view in ("extracted", "clean"):
            of_view = [table.removeprefix("signals.") for table in missing if view_of.get(table.removeprefix("signals.")) == view]
            if of_view:
                found = compute_families(of_view, source.documents(view), source.references(of_view), seconds)
                made |= {f"signals.{family}": table for family, table in found.items()}
        return made

    tables = workspace.memo(keys, make)
    rows = [
        {
            "family": family,
            "version": VERSIONS[family],
            "view": view_of[family],
            "columns": tables[f"signals.{family}"].width - 1,
            "computed now": family in seconds,
            "seconds": round(seconds.get(family, 0.0), 3),
        }
        for family in families
    ]
    metadata: dict[str, Any] = {"documents": tables["pages"].height, "bytes": int(tables["pages"]["n_bytes"].sum()), "families": rows}
    if "signals.gopher" in tables:
        metadata["words"] = int(tables["signals.gopher"]["gopher.word_count"].sum())
    return Made(tables, metadata=metadata)


class _Shard:
    """What the families of one shard read, opened when a family asks for it."""

    def __init__(self, workspace: Workspace, partition: str) -> None:
        self._workspace, self._partition = workspace, partition
        self._edits, self._edits_hash = workspace.read("edits", partition), workspace.output("edits", partition).tables["edits"].hash
        self._source = workspace.recipe.source_of(partition)
        self._version = workspace.version("documents", partition)

    @cached_property
    def _extracted(self) -> pl.DataFrame:
        return self._workspace.read("documents", self._partition, "documents")

    @cached_property
    def _clean(self) -> pl.DataFrame:
        text = views.clean(self._extracted.select("doc_id", "text"), self._edits)
        return self._extracted.drop("text").join(text, on="doc_id", how="left", maintain_order="left")

    @cached_property
    def _distribution(self) -> pl.DataFrame:
        found = self._workspace.scan("token_distribution").filter(pl.col("source") == self._source).sort("token").collect()
        if found.is_empty() and not kl.count(self._clean["text"]).is_empty():  # every word would be unknown, every page an outlier
            raise LakeError(
                f"the held token distribution knows no source {self._source!r}",
                where=f"signals of {self._partition}",
                fix='Materialise `token_distribution` again, or set signals.distribution_refresh = "always".',
            )
        return found

    def documents(self, view: str) -> pl.DataFrame:
        """The documents' table with the text of `view`, in order."""
        return self._extracted if view == "extracted" else self._clean

    def pages(self) -> pl.DataFrame:
        n_bytes, n_chars = pl.col("text").str.len_bytes().cast(pl.Int64), pl.col("text").str.len_chars().cast(pl.Int64)
        return self.documents("clean").select("doc_id", "url", "host", "language", n_bytes=n_bytes, n_chars=n_chars)

    @cached_property
    def _clean_version(self) -> str:
        of_view = views.of_view(self._edits, "clean")
        content = self._edits_hash if of_view.height == self._edits.height else table_hash("edits", of_view)
        return f"{self._version} {views.VERSION}-{content}"

    def text_version(self, view: str) -> str:
        return self._version if view == "extracted" else self._clean_version

    def digest(self, family: str) -> str:
        """What the family's values depend on beside its version."""
        recipe, reads = self._workspace.recipe, MODULES[family].READS
        parts = []
        if "text" in reads:
            parts.append(self.text_version(recipe.views[family]))
        if "documents" in reads:
            parts.append(self._version)
        if "distribution" in reads:
            parts.append(table_hash("token_distribution", self._distribution))
        if "edits" in reads:
            parts.append(self._edits_hash)
        parts += [f"{name} {digest}" for name, digest in recipe.lists.items() if f"lists.{name}" in reads]
        return " ".join(parts)

    def references(self, families: list[str]) -> References:
        reads = frozenset().union(*(MODULES[family].READS for family in families))
        return References(
            distribution=self._distribution if "distribution" in reads else None,
            lists={name: words.read() for name, words in self._workspace.recipe.signals.lists.items() if f"lists.{name}" in reads},
            edits=self._edits if "edits" in reads else None,
        )


def make_filtered_shards(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    settings, rules = workspace.recipe.policy, workspace.recipe.policy.document_rules()
    signals = read_signals(workspace, partition, policy.columns_read(rules))
    name = f"{settings.name}@{settings.version}"  # without the fingerprint: an edit that flips no document of a shard stops there
    verdicts = policy.judge(signals, rules, workspace.recipe.source_of(partition), name)
    kept = int(verdicts["kept"].sum())
    metadata: dict[str, Any] = {
        "documents": verdicts.height,
        "kept": kept,
        "kept share": round(kept / max(verdicts.height, 1), 4),
        "policy": f"{name}:{workspace.recipe.fingerprint('policy')}",
    }
    if "gopher" in workspace.recipe.families:
        words = read_signals(workspace, partition, {"gopher": ["gopher.word_count"]}).join(verdicts.filter("kept"), on="doc_id", how="semi")
        metadata["words kept"] = int(words["gopher.word_count"].sum())
    metadata["by rule"] = policy.rule_counts(verdicts, rules).to_dicts()
    return Made({"verdicts": verdicts}, metadata=metadata)


def read_signals(workspace: Workspace, partition: str, columns: dict[str, list[str]]) -> pl.DataFrame:
    """doc_id, language and the named signal columns (family -> columns) of a shard; every document, whatever the columns."""
    table = workspace.scan("signals", partition, "pages").select("doc_id", "language")
    for family, names in columns.items():
        table = table.join(workspace.scan("signals", partition, f"signals.{family}").select("doc_id", *names), on="doc_id", how="left")
    return table.collect()


def _ids(workspace: Workspace, shard: str) -> Iterator[str]:
    yield from workspace.read("documents", shard, "documents", ["doc_id"])["doc_id"]


# checks


def masks_are_sound(workspace: Workspace) -> Check:
    """Edits of a view neither overlap nor are empty, and masks replace a small part of the text."""
    broken = documents = characters = replaced = 0
    for shard in workspace.partitions("edits"):
        for view in views.EDITED:
            spans = views.of_view(workspace.read("edits", shard), view).sort("doc_id", "start")
            overlaps = pl.col("start") < pl.col("end").shift(1).over("doc_id")
            broken += spans.filter(overlaps.fill_null(False) | (pl.col("end") <= pl.col("start")) | (pl.col("start") < 0)).height
        counted = workspace.metadata("edits", shard)
        documents, characters = documents + counted["documents"], characters + counted["characters of the clean view"]
        replaced += counted["characters masked"]
    share = replaced / max(characters, 1)
    return Check(
        not broken and share <= MAX_MASKED,
        {"overlapping or empty": broken, "share of the characters masked": round(share, 6), "documents": documents},
        f"Edits do not overlap, and masks replace at most {MAX_MASKED:.0%} of the characters.",
    )


def _lines_removed(workspace: Workspace) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Lines that each line rule removed, and its share of each source's characters, the largest first."""
    lines = {rule.name: 0 for rule in workspace.recipe.policy.line_rules()}
    characters, removed = Counter[str](), Counter[tuple[str, str]]()
    for shard in workspace.partitions("edits"):
        source, about = workspace.recipe.source_of(shard), workspace.metadata("edits", shard)
        characters[source] += about["characters"]
        for row in about["by rule"]:
            if row["rule"] in lines:
                lines[row["rule"]] += row["edits"]
                removed[source, row["rule"]] += row["characters"]
    shares = [
        {"source": source, "rule": rule, "share of the characters": round(n / max(characters[source], 1), 4)}
        for (source, rule), n in removed.items()
    ]
    return lines, sorted(shares, key=lambda row: (-row["share of the characters"], row["source"], row["rule"]))  # type: ignore[operator]


def every_line_rule_fires(workspace: Workspace) -> Check:
    """A line rule that removes nothing is a threshold nobody needs or a signal that is broken."""
    lines, _ = _lines_removed(workspace)
    silent = [rule for rule, n in lines.items() if not n]
    return Check(
        not silent,
        {"never fired": ", ".join(silent), "lines removed": [{"rule": rule, "lines": n} for rule, n in lines.items()]},
        "Every line rule of the policy removes at least one line.",
        severity="warn",
    )


def no_line_rule_dominates(workspace: Workspace) -> Check:
    """No line rule removes more than half of a source's characters."""
    _, shares = _lines_removed(workspace)
    return Check(
        not shares or shares[0]["share of the characters"] <= MAX_ALONE,
        {"most": shares[:10]},
        f"No line rule removes more than {MAX_ALONE:.0%} of the characters of a source.",
    )


def distribution_is_one(workspace: Workspace) -> Check:
    """Every source of the crawl has a distribution; its probabilities are positive and sum to at most one."""
    table = workspace.read("token_distribution")
    sums = table.group_by("source").agg(total=pl.col("probability").sum(), least=pl.col("probability").min()).sort("source")
    with_documents = {
        workspace.recipe.source_of(shard) for shard in workspace.partitions("documents") if workspace.metadata("edits", shard)["characters"]
    }
    missing = sorted(with_documents - set(sums["source"]))
    sound = sums.filter((pl.col("total") > 1 + 1e-6) | (pl.col("total") < 0.5) | (pl.col("least") <= 0)).is_empty()
    return Check(
        sound and not missing,
        {"by source": sums.to_dicts(), "sources without one": ", ".join(missing)},
        "Each source has a distribution whose probabilities are positive and sum to between a half and one.",
    )


def signals_are_whole(workspace: Workspace) -> Check:
    """Every family has a row for every document, and every value is finite."""
    wrong = []
    for shard in workspace.partitions("signals"):
        documents = workspace.output("documents", shard).tables["documents"].rows
        for name in workspace.output("signals", shard).tables:
            table = workspace.scan("signals", shard, name)
            finite = table.select(pl.all_horizontal(pl.lit(True), cs.float().is_finite().all())).collect().item()
            rows = workspace.output("signals", shard).tables[name].rows
            if rows != documents or not finite:
                wrong.append({"shard": shard, "table": name, "rows": rows, "documents": documents, "finite": bool(finite)})
    return Check(not wrong, {"wrong": wrong}, "One row per document in every family, every value finite.")


def funnel(workspace: Workspace) -> Check:
    """Each source keeps a sensible share of its documents."""
    rows: list[dict[str, Any]] = [
        {"source": source, "documents": table.height, "kept": kept, "share": round(kept / table.height, 4)}
        for source, table in _verdicts(workspace)
        for kept in [int(table["kept"].sum())]
    ]
    lost = [row["source"] for row in rows if row["documents"] >= MIN_DOCUMENTS and row["share"] < MIN_KEPT]
    return Check(
        not lost,
        {"by source": rows, "lost nearly everything": ", ".join(lost)},
        f"Every source of at least {MIN_DOCUMENTS} documents keeps at least {MIN_KEPT:.0%} of them.",
    )


def no_rule_dominates(workspace: Workspace) -> Check:
    """No rule by itself drops more than half of a source: that is a broken rule or signal, or a source it should except."""
    rules = workspace.recipe.policy.document_rules()
    rows = [
        {"source": source, "rule": rule, "dropped by it alone": alone, "share": round(alone / table.height, 4)}
        for source, table in _verdicts(workspace)
        if table.height >= MIN_DOCUMENTS
        for rule, alone in policy.rule_counts(table, rules).select("rule", "alone").iter_rows()
        if alone
    ]
    rows.sort(key=lambda row: (-row["share"], row["source"], row["rule"]))
    return Check(
        not rows or rows[0]["share"] <= MAX_ALONE,
        {"most": rows[:10]},
        f"No rule drops, as the only one, more than {MAX_ALONE:.0%} of a source of at least {MIN_DOCUMENTS} documents.",
    )


def every_rule_fires(workspace: Workspace) -> Check:
    """A rule that fires nowhere is a threshold nobody needs or a signal that is broken: worth a look, not a halt."""
    rules = workspace.recipe.policy.document_rules()
    tables = [table for _, table in _verdicts(workspace)]
    silent = policy.rule_counts(pl.concat(tables), rules).filter(pl.col("fired") == 0)["rule"].to_list() if tables else []
    return Check(
        not silent,
        {"never fired": ", ".join(silent), "rules": len(rules), "documents": sum(table.height for table in tables)},
        "Every rule of the policy fires on at least one document.",
        severity="warn",
    )


def _verdicts(workspace: Workspace) -> Iterator[tuple[str, pl.DataFrame]]:
    """Source and the verdicts (kept, first_rule, fired) of all its shards, by name; sources without a document are left out."""
    shards = workspace.partitions("filtered_shards")
    for source in sorted({workspace.recipe.source_of(shard) for shard in shards}):
        table = pl.concat(
            [
                workspace.read("filtered_shards", shard, "verdicts", ["kept", "first_rule", "fired"])
                for shard in shards
                if workspace.recipe.source_of(shard) == source
            ]
        )
        if table.height:
            yield source, table


def filter_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    versions = "+".join(f"{family}{VERSIONS[family]}" for family in recipe.families)
    return [
        made_asset(
            recipe, "edits", group="filters", make=make_edits, deps=["documents"], partitions=shards,
            version=f"{clean_rules.VERSION}.{personal.VERSION}.{views.VERSION}",
            sections=["edits", "strips", "policy.line_rules", "sources.groups"], kinds={"python", "parquet"}, pool="cpu", parallel=True,
            description="Document-local edits as spans: lines and marks that the clean view loses, personal data masked in the final one.",
            checks={
                "masks_are_sound": masks_are_sound,
                "every_line_rule_fires": every_line_rule_fires,
                "no_line_rule_dominates": no_line_rule_dominates,
            },
        ),
        made_asset(
            recipe, "token_distribution", group="filters", make=make_token_distribution, deps=["documents", "edits"],
            version=f"{DISTRIBUTION_VERSION}.{views.VERSION}", sections=["signals.distribution_documents", "sources.groups"],
            kinds={"polars", "parquet"}, pool="cpu", held="signals.distribution_refresh",
            description="Unigram distribution of each source, of a sample of documents chosen by the hash of doc_id. Held.",
            checks={"distribution_is_one": distribution_is_one},
        ),
        made_asset(
            recipe, "signals", group="filters", make=make_signals, deps=["documents", "edits", "token_distribution"], partitions=shards,
            version=f"{versions}.{views.VERSION}", sections=["families", "views", "lists", "sources.groups"],
            kinds={"polars", "parquet"}, pool="cpu", parallel=True, checks={"signals_are_whole": signals_are_whole},
            description="One row per document, a table per family, a column per signal. What did not move is not computed again.",
        ),
        made_asset(
            recipe, "filtered_shards", group="filters", make=make_filtered_shards, deps=["signals"], partitions=shards,
            version=policy.VERSION, sections=["policy", "sources.groups"], kinds={"polars", "parquet"}, pool="cpu",
            description="Verdicts under the recipe's policy, with every rule that fired. Reads signals, never text.",
            checks={"funnel": funnel, "no_rule_dominates": no_rule_dominates, "every_rule_fires": every_rule_fires},
        ),
    ]  # fmt: skip
