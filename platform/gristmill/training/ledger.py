"""What a run saw and what it was made of: the exact sequences of every step, their documents, its code and configuration."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.lake.contracts import CONTRACTS
from gristmill.training.schedule import Schedule

PACKAGES = ("accelerate", "gristmill", "numpy", "safetensors", "tokenizers", "torch", "transformers")
ROOMS = ("model", "training")


def batches(model: str, schedule: Schedule) -> pl.DataFrame:
    """The batches table: which sequence of which phase lay in which slot of every step."""
    rows = []
    for step in range(schedule.steps):
        phase, sequences = schedule.batch(step)
        rows += [(model, step, slot, phase, sequence) for slot, sequence in enumerate(sequences)]
    return pl.DataFrame(rows, schema=CONTRACTS["batches"].schema, orient="row")


def documents_of_step(batches: pl.DataFrame, provenance: pl.DataFrame, step: int) -> pl.DataFrame:
    """The documents of one step and the token range of each: slot, position, doc_id, origin, start, end, epoch."""
    return (
        batches.filter(pl.col("step") == step)
        .join(provenance, on=["phase", "sequence"])
        .select("slot", "position", "doc_id", "origin", "start", "end", "epoch")
        .sort("slot", "position")
    )


def steps_that_saw(batches: pl.DataFrame, provenance: pl.DataFrame, doc_id: str) -> pl.DataFrame:
    """The steps in which a document, or part of it, was trained on: model, step, phase, sequence, start, end, epoch."""
    return (
        provenance.filter(pl.col("doc_id") == doc_id)
        .join(batches, on=["phase", "sequence"])
        .select("model", "step", "phase", "sequence", "start", "end", "epoch")
        .sort("model", "step", "sequence", "start")
    )


def source_hash() -> str:
    """16 hex digits over the source files that a run is executed by."""
    digest = hashlib.blake2b(digest_size=8)
    for path in source_files():
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def source_files() -> list[Path]:
    engine = Path(__file__).parent.parent
    return [path for room in ROOMS for path in sorted((engine / room).glob("*.py"))]


def write_record(folder: Path, configuration: dict[str, Any]) -> None:
    """Writes run.json (configuration, package versions, source hash) and code/ (the sources themselves) into `folder`."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # gristmill itself, run from its source tree
            versions[package] = "not installed"
    record = {
        "configuration": configuration,
        "packages": versions,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "source_hash": source_hash(),
    }
    shutil.rmtree(folder, ignore_errors=True)
    for path in source_files():
        target = folder / "code" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "run.json").write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
