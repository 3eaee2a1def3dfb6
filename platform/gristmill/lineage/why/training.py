"""Which training saw what: a document's places in the corpus and the steps that saw them, and the way back from a step to its documents.

Keyed look-ups in `provenance`, `batches` and their tables under another key (`placements`, `steps`). A training log is read whole: it
has a row a step.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from gristmill.errors import LakeError
from gristmill.lineage.why.find import Keyed
from gristmill.policy.wording import nearest
from gristmill.recipe import PHASES

Facts = dict[str, Any]

WINDOW = 33  # steps before one, over which its loss is compared with the median
LEAST = 8
AROUND = 1  # steps before a spike whose documents are listed too: their update may be what the spike shows
SHOWN_SEQUENCES = 50


def in_corpus(keyed: Keyed, doc_id: str) -> list[Facts] | None:
    """By phase: the document's tokens, epochs, sequences with offsets, and the steps of each model that saw them. None: not made yet."""
    made = keyed.workspace.partitions("corpus_placements")
    if not made:
        return None
    phases = [phase for phase in PHASES if phase in made]
    models, found = keyed.workspace.partitions("training_steps"), []
    for phase in phases:
        rows = keyed.rows("corpus_placements", phase, "placements", {"doc_id": [doc_id]})
        if rows is None or rows.is_empty():
            continue
        rows = rows.sort("sequence", "position")
        sequences = rows["sequence"].unique().to_list()
        seen = []
        for model in models:
            steps = keyed.rows("training_steps", model, "steps", {"phase": [phase], "sequence": sequences})
            if steps is not None and steps.height:
                by_step = rows.join(steps, on=["phase", "sequence"]).select("step", "slot", "sequence", "position", "start", "end", "epoch")
                numbers = by_step["step"].unique().sort().to_list()
                seen.append(
                    {
                        "model": model,
                        "steps": len(numbers),
                        "first": numbers[0],
                        "last": numbers[-1],
                        "tokens": int((by_step["end"] - by_step["start"]).sum()),
                        "epochs": by_step["epoch"].unique().sort().to_list(),
                        "at": by_step.sort("sequence", "position", "step").head(SHOWN_SEQUENCES).to_dicts(),
                    }
                )
        found.append(
            {
                "phase": phase,
                "source": rows["source"][0],
                "topic": rows["topic"][0],
                "origin": rows["origin"][0],
                "tokens": int((rows["end"] - rows["start"]).sum()),
                "epochs": int(rows["epoch"].n_unique()),
                "sequences": len(sequences),
                "at": rows.select("sequence", "position", "start", "end", "epoch").head(SHOWN_SEQUENCES).to_dicts(),
                "models": seen,
            }
        )
    return found


def downstream(keyed: Keyed, models: list[str]) -> list[Facts]:
    """The checkpoints of these models, their variants, and the reports on each."""
    workspace = keyed.workspace
    variants, reports = workspace.partitions("quantized_variants"), workspace.partitions("eval_reports")
    found = []
    for model in models:
        head = keyed.head("checkpoints", model)
        if head is None:
            continue
        files = {name: stored.key for name, stored in head.files.items() if name not in head.unhashed}
        schemes = sorted({key.partition("/")[2] for key in (*variants, *reports) if key.startswith(f"{model}/")}, key=_scheme_order)
        found.append(
            {
                "model": model,
                "checkpoint": head.data_version,
                "files": files,
                **{name.replace(" ", "_"): head.metadata.get(name) for name in ("parameters", "steps", "tokens", "final loss")},
                "variants": [
                    {
                        "scheme": scheme,
                        "stored": next((s.key for s in _files(keyed, f"{model}/{scheme}")), None),
                        "report": f"{model}/{scheme}" in reports,
                        "bits_per_byte": _bits(keyed, model, scheme),
                    }
                    for scheme in schemes
                ],
            }
        )
    return found


def step(keyed: Keyed, model: str, number: int, limit: int) -> Facts:
    """The documents of one step of a model's training; LakeError when there is no such step."""
    _known(keyed, model)
    batch = keyed.rows("checkpoints", model, "batches", {"step": [number]})
    assert batch is not None
    if batch.is_empty():
        head = keyed.head("checkpoints", model)
        steps = head.metadata.get("steps") if head else None
        raise LakeError(f"has no step {number}", where=f"model {model}", fix=f"Its steps are 0 to {steps - 1}." if steps else None)
    phase = batch["phase"][0]
    rows = _of_sequences(keyed, phase, batch["sequence"].to_list()).join(batch.select("sequence", "slot"), on="sequence")
    log = keyed.rows("checkpoints", model, "training_log", {"step": [number]})
    told = log.select("loss", "learning_rate", "grad_norm", "tokens").row(0, named=True) if log is not None and log.height else {}
    return {"model": model, "step": number, "phase": phase, **told, **_documents(keyed, rows, ["slot", "position"], limit)}


def sequence(keyed: Keyed, phase: str, number: int, limit: int) -> Facts:
    """The documents of one sequence of a phase, and the steps of each model that saw it; LakeError when there is no such sequence."""
    phases = keyed.workspace.partitions("mixed_corpus")
    if phase not in phases:
        raise LakeError(f"the corpus has no phase {phase!r}", where="--sequence", fix=nearest(phase, phases))
    rows = _of_sequences(keyed, phase, [number])
    if rows.is_empty():
        head = keyed.head("mixed_corpus", phase)
        count = head.metadata.get("sequences") if head else None
        raise LakeError(f"has no sequence {number}", where=f"phase {phase}", fix=f"Its sequences are 0 to {count - 1}." if count else None)
    seen = []
    for model in keyed.workspace.partitions("training_steps"):
        steps = keyed.rows("training_steps", model, "steps", {"phase": [phase], "sequence": [number]})
        seen += steps.select("model", "step", "slot").to_dicts() if steps is not None else []
    return {"phase": phase, "sequence": number, "seen": seen, **_documents(keyed, rows, ["position"], limit)}


def spikes(keyed: Keyed, model: str, count: int, limit: int) -> Facts:
    """The `count` largest loss spikes of a model's training, and the documents of each with those of the step before it.

    A spike is a step whose loss lies above the median of the WINDOW steps before it, in units of their median absolute
    deviation; of neighbouring steps the highest counts.
    """
    _known(keyed, model)
    log = keyed.workspace.read("checkpoints", model, "training_log").sort("step")
    found = find_spikes(log, count)
    told = []
    for row in found.iter_rows(named=True):
        steps = [number for number in range(row["step"] - AROUND, row["step"] + 1) if number >= 0]
        told.append({**row, "steps": [step(keyed, model, number, limit) for number in steps]})
    return {"model": model, "steps": log.height, "window": WINDOW, "spikes": told}


def find_spikes(log: pl.DataFrame, count: int) -> pl.DataFrame:
    """step, phase, loss, expected (median of the WINDOW steps before), above (their difference), deviations; the largest first.

    `log`: step, phase, loss, sorted by step. Steps with fewer than LEAST before them have nothing to be compared with.
    """
    residual = pl.col("loss") - pl.col("expected")
    measured = (
        log.select("step", "phase", "loss", expected=pl.col("loss").shift(1).rolling_median(WINDOW, min_samples=LEAST))
        .with_columns(above=residual, spread=residual.abs().shift(1).rolling_median(WINDOW, min_samples=LEAST))
        .with_columns(deviations=pl.col("above") / (pl.col("spread").fill_null(0) + 1e-6))
        .drop("spread")
    )
    rising = measured.filter(pl.col("above") > 0).sort("deviations", "step", descending=[True, False])
    chosen: list[dict[str, Any]] = []
    for row in rising.head(count * 8).iter_rows(named=True):
        if len(chosen) < count and all(abs(row["step"] - other["step"]) > AROUND for other in chosen):
            chosen.append(row)
    return pl.DataFrame(chosen, schema=measured.schema).with_columns(pl.col("expected", "above", "deviations").round(6))


def _of_sequences(keyed: Keyed, phase: str, sequences: list[int]) -> pl.DataFrame:
    rows = keyed.rows("mixed_corpus", phase, "provenance", {"sequence": sequences})
    if rows is None:
        raise LakeError(
            f"the phase {phase} is not in the lake any more", where="mixed_corpus", fix="Run `gristmill rebuild --until mixed_corpus`."
        )
    return rows


def _documents(keyed: Keyed, rows: pl.DataFrame, order: list[str], limit: int) -> Facts:
    """`documents`: the first `limit` runs of tokens with the URL of each document; with how many there are of each."""
    shown = rows.sort(order).head(limit)
    crawled = shown.filter(pl.col("origin") == "crawl")["doc_id"].unique().to_list()
    known = {row["doc_id"]: row for row in keyed.documents(crawled).sort("shard", descending=True).iter_rows(named=True)}
    columns = [*order, "sequence", "doc_id", "origin", "source", "topic", "start", "end", "epoch"]
    by_source = rows.group_by("source").agg(documents=pl.col("doc_id").n_unique(), tokens=(pl.col("end") - pl.col("start")).sum())
    return {
        "runs": rows.height,
        "different_documents": rows["doc_id"].n_unique(),
        "trained_tokens": int((rows["end"] - rows["start"]).sum()),
        "by_source": by_source.sort("tokens", "source", descending=[True, False]).to_dicts(),
        "documents": [
            {**row, "url": known.get(row["doc_id"], {}).get("url"), "shard": known.get(row["doc_id"], {}).get("shard")}
            for row in shown.select(list(dict.fromkeys(columns))).iter_rows(named=True)
        ],
    }


def _known(keyed: Keyed, model: str) -> None:
    models = keyed.workspace.partitions("checkpoints")
    if model not in models:
        raise LakeError(
            f"no checkpoint of a model {model!r}", where="checkpoints", fix=nearest(model, models) if models else "None was made."
        )


def _files(keyed: Keyed, key: str) -> list[Any]:
    head = keyed.head("quantized_variants", key)
    return list(head.files.values()) if head else []


def _bits(keyed: Keyed, model: str, scheme: str) -> float | None:
    rows = keyed.rows("eval_reports", f"{model}/{scheme}", "eval_scores", {"metric": ["bits_per_byte"], "domain": ["all"]})
    return rows["value"][0] if rows is not None and rows.height else None


def _scheme_order(scheme: str) -> tuple[bool, str]:
    return scheme != "float", scheme
