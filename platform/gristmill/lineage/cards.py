"""A data card and a card of each model, in Markdown, filled from what is stored; and the corpus's Croissant metadata beside them.

After Gebru et al. (Datasheets for Datasets, 2018) and Mitchell et al. (Model Cards for Model Reporting, 2019), as far as artefacts can
answer their questions. What cannot be known from them is said to be unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.lake.hashing import mapping_hash
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.audit import failures
from gristmill.lineage.croissant import croissant
from gristmill.lineage.funnel import funnel, reasons, with_totals
from gristmill.lineage.openness import of_model, openness, score
from gristmill.recipe import PHASES

DATA, CROISSANT = "DATA.md", "croissant.json"
TOP = 8  # rows of a table of counts
LANGUAGES = 6


def write_cards(workspace: Workspace, claims: pl.DataFrame, folder: Path) -> Path:
    """DATA.md, croissant.json and MODEL-<name>.md of what stands; `claims` is the audit's table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DATA).write_text(data_card(workspace, claims), encoding="utf-8")
    (folder / CROISSANT).write_text(json.dumps(croissant(workspace), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for model in _models(workspace):
        (folder / f"MODEL-{model}.md").write_text(model_card(workspace, model, claims), encoding="utf-8")
    return folder


def data_card(workspace: Workspace, claims: pl.DataFrame) -> str:
    recipe = workspace.recipe
    rows = list(with_totals(funnel(workspace)))
    parts = [
        f"# Data card: the corpus of `{workspace.namespace}`",
        f"Content `{content(workspace)}`. Filled from the lake by `gristmill audit`; nothing here was written by hand.",
        "## What it is",
        _table(("phase", "sequences", "tokens", "documents", "asked"), _phases(workspace)),
        "## Where it comes from",
        _table(("source", "crawls", "shards", "pages", "hosts", "fetched"), _sources(workspace)),
        "**Licences: unknown.** No page's licence is recorded. Whoever publishes this corpus has to establish that they may.",
        "## What was left out, and why",
        _table(
            ("stage", "source", "documents", "of the stage before", "most frequent reasons"),
            [
                (row["stage"], row["source"], row["documents"], "" if row["share"] is None else f"{row['share']:.0%}",
                 reasons(row["dropped_by"], TOP))
                for row in rows
            ],
        ),
        f"Policy `{recipe.policy.name}@{recipe.policy.version}`: {len(recipe.policy.document_rules())} rules about documents, "
        f"{len(recipe.policy.line_rules())} about lines. Deduplicated at: {', '.join(recipe.dedup.levels)}.",
        "## Languages",
        _table(("language", "documents"), _counted(workspace, "documents", "documents", "language", LANGUAGES)),
        "## Personal data",
        f"Masked in the final view: {', '.join(recipe.edits.mask) or 'nothing'}. Names, addresses and whatever else tells who somebody is "
        "are not looked for.",
        _table(("rule", "edits"), [row for row in _counted(workspace, "edits", "edits", "rule", TOP) if str(row[0]).startswith("pii.")]),
        "## Written by a machine",
        _table(("set", "records", "verified", "teacher"), _synthetic(workspace)),
        "## Held out",
        f"{recipe.split.validation:.0%} of the documents for validation and {recipe.split.test:.0%} for tests, by the hash of their "
        f"duplicate cluster. Training documents that hold {recipe.decontamination.min_overlap:.0%} of an evaluation item's "
        f"{recipe.decontamination.ngram_words}-word sequences are dropped; items: "
        f"{', '.join(['held-out documents'] * recipe.decontamination.held_out + sorted(recipe.decontamination.items)) or 'none'}.",
        "## Audit",
        _audit(claims),
    ]  # fmt: skip
    return _joined(parts)


def model_card(workspace: Workspace, model: str, claims: pl.DataFrame) -> str:
    output = workspace.output("checkpoints", model)
    about, run = output.metadata, _run(workspace, model)
    shapes, packages = run.get("configuration", {}).get("shapes", {}), run.get("packages", {})
    columns = openness(workspace, model, claims)
    parts = [
        f"# Model card: `{model}`",
        f"Weights `{output.files['model'].hash}`, trained on the corpus `{content(workspace)}` (DATA.md). Filled from the lake by "
        "`gristmill audit`; nothing here was written by hand.",
        "## What it is",
        _table(
            ("", ""),
            [
                ("kind", "decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, tied embeddings"),
                ("parameters", about.get("parameters", "unknown")),
                ("layers", len(shapes.get("heads", [])) or "unknown"),
                ("width", shapes.get("hidden", "unknown")),
                ("context", f"{shapes['context']} tokens" if "context" in shapes else "unknown"),
                ("vocabulary", shapes.get("vocab_size", "unknown")),
                ("loads in transformers", about.get("loads in transformers", "unknown")),
            ],
        ),
        "## How it was trained",
        _table(
            ("", ""),
            [
                ("steps", about.get("steps", "unknown")),
                ("tokens", about.get("tokens", "unknown")),
                ("phases begin at step", about.get("phases begin at", "unknown")),
                ("final loss", f"{about['final loss']:g} nats per token" if "final loss" in about else "unknown"),
                ("token frequencies alone give", about.get("unigram loss", "unknown")),
                ("device", about.get("device", "unknown")),
                ("sources' hash", run.get("source_hash", "unknown")),
                ("packages", ", ".join(f"{name} {version}" for name, version in sorted(packages.items())) or "unknown"),
            ],
        ),
        "## How good it is",
        "Bits per byte on held-out documents, lower is better, with 95% bootstrap intervals over documents.",
        _table(("variant", "domain", "bits per byte", "interval", "documents"), _scores(workspace, model)),
        "## What it is not",
        "It was not aligned, not filtered for what it says, and not tested for bias, safety or memorised text. It repeats what its sources "
        "say, in the languages of DATA.md. It is not fit for advice of any kind.",
        "## Openness",
        f"**{score(columns):g} of {len(columns)}**, by what is in the lake.",
        _table(("", "open", "why"), columns),
        "## Audit",
        _audit(claims.filter(of_model(model))),
    ]
    return _joined(parts)


def content(workspace: Workspace) -> str:
    """12 digits over the phases' data versions."""
    return mapping_hash({phase: workspace.version("mixed_corpus", phase) for phase in workspace.partitions("mixed_corpus")})[:12]


def _models(workspace: Workspace) -> list[str]:
    return workspace.partitions("checkpoints")


def _phases(workspace: Workspace) -> list[tuple[Any, ...]]:
    made = workspace.partitions("mixed_corpus")
    rows = []
    for phase in [phase for phase in PHASES if phase in made]:
        about = workspace.metadata("mixed_corpus", phase)
        provenance = workspace.scan("mixed_corpus", phase, "provenance")
        counted = provenance.select(
            pl.col("sequence").n_unique(), (pl.col("end") - pl.col("start")).sum().alias("tokens"), pl.col("doc_id").n_unique()
        ).collect()
        rows.append((phase, *counted.row(0), about.get("tokens asked", "unknown")))
    return rows


def _sources(workspace: Workspace) -> list[tuple[Any, ...]]:
    recipe, rows = workspace.recipe, []
    shards = workspace.partitions("raw_crawl")
    for source in recipe.sources.groups:
        mine = [shard for shard in shards if recipe.source_of(shard) == source]
        if not mine:
            continue
        tables = [workspace.scan("raw_crawl", shard, "records").select("doc_id", "host", "fetched_at") for shard in mine]
        pages, hosts, first, last = (
            pl.concat(tables)
            .select(pl.len(), pl.col("host").n_unique(), pl.col("fetched_at").min().alias("a"), pl.col("fetched_at").max().alias("b"))
            .collect()
            .row(0)
        )
        crawls = sorted({shard.split("/")[0] for shard in mine})
        rows.append((source, ", ".join(crawls), len(mine), pages, hosts, f"{first:%Y-%m-%d} to {last:%Y-%m-%d}" if first else "unknown"))
    return rows


def _counted(workspace: Workspace, asset: str, table: str, column: str, most: int) -> list[tuple[Any, ...]]:
    scans = [workspace.scan(asset, shard, table).select(column) for shard in workspace.partitions(asset)]
    if not scans:
        return []
    return pl.concat(scans).group_by(column).len().sort("len", column, descending=[True, False]).head(most).collect().rows()


def _synthetic(workspace: Workspace) -> list[tuple[Any, ...]]:
    rows = []
    for name in workspace.partitions("synthetic_sets"):
        made = workspace.read("synthetic_sets", name, columns=["verified", "teacher"])
        rows.append((name, made.height, int(made["verified"].sum()), ", ".join(made["teacher"].unique().sort())))
    return rows


def _scores(workspace: Workspace, model: str) -> list[tuple[Any, ...]]:
    rows = []
    for key in [key for key in workspace.partitions("eval_reports") if key.rsplit("/", 1)[0] == model]:
        found = workspace.read("eval_reports", key, "eval_scores").filter(pl.col("metric") == "bits_per_byte")
        for row in found.sort(pl.col("domain") != "all", "domain").iter_rows(named=True):
            interval = "" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
            rows.append((row["scheme"], row["domain"], f"{row['value']:.3f}", interval, row["documents"]))
    return rows


def _run(workspace: Workspace, model: str) -> dict[str, Any]:
    if "run" not in workspace.output("checkpoints", model).files:
        return {}
    found: dict[str, Any] = json.loads((workspace.path("checkpoints", model, "run") / "run.json").read_text())
    return found


def _audit(claims: pl.DataFrame) -> str:
    failed = failures(claims)
    text = f"{claims['claim'].n_unique()} claims on {claims.height:,} subjects were recomputed; {failed.height or 'none'} failed."
    return "\n".join([text, "", *(f"- **{row[0]}**, `{row[1]}`: {_cell(row[3])}" for row in failed.head(TOP).iter_rows())]).strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) if lines else "(none)"


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(parts) + "\n"
