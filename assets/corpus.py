"""tokenizer and mixed_corpus: from curated documents to packed sequences with their provenance."""

import dagster as dg
import numpy as np
import polars as pl

from assets.kept import kept
from assets.materialize import made_asset
from gristmill.corpus import mixture, packing, provenance, tokenizer
from gristmill.errors import ContractError
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import PHASES, Recipe
from gristmill.texts import final_texts
from gristmill.views import VERSION as VIEWS

HELD_OUT_DOCUMENTS = 200  # on which a tokenizer is measured
MIX_BOUND = 0.02  # points by which a share of the mix may be missed
MIN_BUDGET = 0.98  # share of a phase's tokens that its documents must fill
MIN_BYTES_PER_TOKEN = 1.2  # bytes alone give 1
FROM_A_SET = pl.col("origin").str.starts_with("synthetic/")
REBUILT_SEQUENCES = 5  # of each phase, in the check


def make_tokenizer(workspace: Workspace, partition: Partition) -> Made:
    section = workspace.recipe.tokenizer
    chosen = _sample(workspace, "train", section.sample_documents)
    documents = pl.concat([_texts(workspace, shard, chosen) for shard in _shards(workspace)] or [_no_text()])
    trained = tokenizer.train(documents, section.vocab_size)
    folder = workspace.scratch("tokenizer") / "tokenizer"
    trained.save(folder)
    compression = tokenizer.bytes_per_token(trained, _held_out(workspace))
    return Made(
        files={"model": folder},
        metadata={
            "vocabulary": trained.vocab_size,
            "documents": documents.height,
            "bytes": int(documents["text"].str.len_bytes().sum()),
            "bytes per token": _overall(compression),
            "held-out bytes per token": compression.to_dicts(),
        },
    )


def make_mixed_corpus(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    recipe, phase = workspace.recipe, workspace.recipe.corpus.phases[partition]  # type: ignore[index]
    reader = tokenizer.load(workspace.path("tokenizer"))
    candidates = _candidates(workspace)
    streams = _Streams(workspace, reader, candidates)
    tokens = packing.whole_sequences(phase.tokens, recipe.corpus.sequence_length)
    pieces = mixture.choose(candidates, partition, phase, tokens, recipe.corpus.seed, streams.count)
    sequences, rows = packing.pack(pieces, partition, streams, recipe.corpus.sequence_length, reader.vocab_size)
    rows = rows.with_columns(origin=pl.when(FROM_A_SET).then("origin").otherwise(pl.lit("crawl")))
    path = workspace.scratch("mixed_corpus", partition) / "tokens.npy"
    packing.save(sequences, path)
    return Made(
        {"provenance": rows},
        {"tokens": path},
        metadata={
            "sequences": len(sequences),
            "tokens": int(sequences.size),
            "tokens asked": phase.tokens,
            "documents": rows["doc_id"].n_unique(),
            "mix": mixture.realised_mix(rows, partition, phase),
        },
    )


class _Streams:
    """Token streams of documents (doc_id, origin): read shard by shard when counted, kept until the phase is packed."""

    def __init__(self, workspace: Workspace, reader: tokenizer.Tokenizer, documents: pl.DataFrame):
        self.workspace, self.reader = workspace, reader
        self.origins = dict(documents.select("doc_id", "origin").iter_rows())
        self.read: dict[str, np.ndarray] = {}

    def count(self, doc_ids: list[str]) -> dict[str, int]:
        by_origin: dict[str, list[str]] = {}
        for doc_id in doc_ids:
            by_origin.setdefault(self.origins[doc_id], []).append(doc_id)
        for origin in sorted(by_origin):
            texts = _texts(self.workspace, origin, by_origin[origin])
            for doc_id, ids in zip(texts["doc_id"], self.reader.encode_batch(texts["text"].to_list()), strict=True):
                self.read[doc_id] = packing.stream(ids, self.reader.end_of_text)
        return {doc_id: len(self.read[doc_id]) for doc_id in doc_ids}

    def __call__(self, doc_id: str) -> np.ndarray:
        return self.read[doc_id]


def _candidates(workspace: Workspace) -> pl.DataFrame:
    """Every document that may enter a corpus: curated ones of the train split, and verified synthetic ones."""
    frames = [pl.DataFrame(schema=mixture.CANDIDATE)]
    for shard in _shards(workspace):
        sizes = workspace.read("documents", shard, "documents", columns=["doc_id", "n_bytes"])
        topics = workspace.read("quality_scores", shard, columns=["doc_id", "topic"])
        frames.append(
            pl.DataFrame({"doc_id": _curated(workspace, shard, "train")}, schema={"doc_id": pl.String})
            .join(sizes, on="doc_id")
            .join(workspace.read("curated_shards", shard, "verdicts", ["doc_id", "weight"]), on="doc_id")
            .join(topics, on="doc_id", how="left")
            .with_columns(pl.col("topic").fill_null(""), origin=pl.lit(shard), source=pl.lit(workspace.recipe.source_of(shard)))
            .select(*mixture.CANDIDATE)
        )
    for name in workspace.partitions("synthetic_sets"):
        frames.append(
            workspace.scan("synthetic_sets", name)
            .filter("verified")
            .with_columns(
                origin=pl.lit(f"synthetic/{name}"),
                source=pl.lit("synthetic"),
                topic=pl.lit(name),
                n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64),
                weight=pl.lit(1.0),
            )
            .select(*mixture.CANDIDATE)
            .collect()
        )
    return pl.concat(frames)


def _texts(workspace: Workspace, origin: str, doc_ids: list[str]) -> pl.DataFrame:
    """Final text (doc_id, text) of those documents of a shard, or of synthetic/<set>, that are named."""
    if origin.startswith("synthetic/"):
        wanted = pl.LazyFrame({"doc_id": doc_ids}, schema={"doc_id": pl.String})
        made = workspace.scan("synthetic_sets", origin.removeprefix("synthetic/"))
        return made.join(wanted, on="doc_id", how="semi").select("doc_id", "text").collect()
    return final_texts(workspace, origin, doc_ids).select("doc_id", "text")


def _curated(workspace: Workspace, shard: str, split: str) -> list[str]:
    """Documents of a shard that curation kept and that belong to `split`, sorted."""
    splits = workspace.scan("deduplicated_shards", shard, "splits").filter(pl.col("split") == split).select("doc_id")
    return kept(workspace, "curated_shards", shard).join(splits, on="doc_id", how="semi").collect()["doc_id"].sort().to_list()


def _sample(workspace: Workspace, split: str, documents: int) -> list[str]:
    return tokenizer.sample((doc_id for shard in _shards(workspace) for doc_id in _curated(workspace, shard, split)), documents)


def _held_out(workspace: Workspace) -> pl.DataFrame:
    """Some validation documents of each source: source, doc_id, text."""
    frames = [_no_text().with_columns(pl.lit("").alias("source"))]
    chosen = _sample(workspace, "validation", HELD_OUT_DOCUMENTS)
    for shard in _shards(workspace):
        frames.append(_texts(workspace, shard, chosen).with_columns(pl.lit(workspace.recipe.source_of(shard)).alias("source")))
    return pl.concat(frames)


def _shards(workspace: Workspace) -> list[str]:
    return sorted(workspace.partitions("curated_shards"))


def _no_text() -> pl.DataFrame:
    return pl.DataFrame(schema={"doc_id": pl.String, "text": pl.String})


def _overall(compression: pl.DataFrame) -> float:
    return round(int(compression["n_bytes"].sum()) / max(1, int(compression["tokens"].sum())), 3)


def compresses_and_round_trips(workspace: Workspace) -> Check:
    held_out, reader = _held_out(workspace), tokenizer.load(workspace.path("tokenizer"))
    changed = sum(reader.decode(reader.encode(text)) != text for text in held_out["text"])
    overall = _overall(tokenizer.bytes_per_token(reader, held_out))
    passed = changed == 0 and (held_out.is_empty() or overall >= MIN_BYTES_PER_TOKEN)
    found = {"held-out documents": held_out.height, "changed": changed, "bytes per token": overall, "bound": MIN_BYTES_PER_TOKEN}
    return Check(passed, found, "held-out text comes back unchanged, in fewer tokens than bytes")


def realised_mix(workspace: Workspace) -> Check:
    rows, passed = [], True
    for name in _phases(workspace):
        phase = workspace.recipe.corpus.phases[name]  # type: ignore[index]
        frame = workspace.read("mixed_corpus", name, "provenance")
        mix = mixture.realised_mix(frame, name, phase)
        asked = packing.whole_sequences(phase.tokens, workspace.recipe.corpus.sequence_length)
        filled = sum(int(row["tokens"]) for row in mix) / asked
        passed &= filled >= MIN_BUDGET and all(abs(float(row["realised"]) - float(row["asked"])) <= MIX_BOUND for row in mix)
        rows += [{**row, "budget filled": round(filled, 4)} for row in mix]
    return Check(
        passed,
        {"mix": rows, "bound": MIX_BOUND},
        "every share within two points of the recipe's, every budget filled; short keys need documents or a higher max_epochs",
    )


def no_held_out_document(workspace: Workspace) -> Check:
    shards = _shards(workspace)
    splits = pl.concat([workspace.read("deduplicated_shards", shard, "splits", ["doc_id", "split"]) for shard in shards])
    used = pl.concat([workspace.read("mixed_corpus", name, "provenance") for name in _phases(workspace)])
    found = provenance.not_for_training(used, splits)
    return Check(
        found.is_empty(),
        {"documents": found.height, "examples": found.head(20).to_dicts()},
        "no validation or test document in any sequence",
    )


def rebuilds(workspace: Workspace) -> Check:
    """Every token is accounted for once, and a few sequences come out of their documents again, token by token."""
    reader = tokenizer.load(workspace.path("tokenizer"))
    wrong, uncovered, tried, candidates = [], 0, 0, _candidates(workspace)
    for name in _phases(workspace):
        frame, sequences = workspace.read("mixed_corpus", name, "provenance"), packing.load(workspace.path("mixed_corpus", name, "tokens"))
        uncovered += provenance.uncovered(frame, *sequences.shape)
        chosen = list(range(0, len(sequences), max(1, len(sequences) // REBUILT_SEQUENCES)))
        documents = candidates.join(frame.filter(pl.col("sequence").is_in(chosen)), on="doc_id", how="semi")
        streams = _Streams(workspace, reader, documents)
        streams.count(documents["doc_id"].to_list())
        tried += len(chosen)
        wrong += [{"phase": name, "sequence": i} for i in chosen if not _comes_out_again(frame, i, streams, sequences[i])]
    return Check(
        not wrong and not uncovered,
        {"sequences rebuilt": tried, "wrong": wrong, "tokens without one source": uncovered},
        "every token has one source, and sequences rebuilt from their documents are equal",
    )


def _comes_out_again(rows: pl.DataFrame, sequence: int, streams: _Streams, stored: np.ndarray) -> bool:
    try:
        return np.array_equal(provenance.rebuild(rows, sequence, streams), stored)
    except ContractError:
        return False


def _phases(workspace: Workspace) -> list[str]:
    return [name for name in phases(workspace.recipe) if workspace.has("mixed_corpus", name)]


def phases(recipe: Recipe) -> list[str]:
    """The recipe's phases in the order in which they are trained on."""
    return [name for name in PHASES if name in recipe.corpus.phases]


def corpus_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    curated = ["curated_shards", "deduplicated_shards", "documents", "edits", "repeated_spans"]
    everything = dg.AllPartitionMapping()
    return [
        made_asset(
            recipe,
            "tokenizer",
            group="corpus",
            make=make_tokenizer,
            deps=curated,
            version=f"{tokenizer.VERSION}.{VIEWS}",
            sections=["tokenizer"],
            held="tokenizer.refresh",
            kinds={"python", "huggingface"},
            checks={"compresses_and_round_trips": compresses_and_round_trips},
            description="Byte-level BPE, trained on a sample of the curated training text that a hash of doc_id chooses. "
            "Held: new documents do not move it unless the recipe says so.",
        ),
        made_asset(
            recipe,
            "mixed_corpus",
            group="corpus",
            make=make_mixed_corpus,
            partitions=dg.StaticPartitionsDefinition(phases(recipe)),
            deps=["tokenizer", *((name, everything) for name in (*curated, "quality_scores", "synthetic_sets"))],
            version=f"{mixture.VERSION}.{packing.VERSION}.{VIEWS}",
            sections=["corpus", "sources.groups"],
            kinds={"python", "parquet", "numpy"},
            checks={"realised_mix": realised_mix, "no_held_out_document": no_held_out_document, "rebuilds": rebuilds},
            description="A phase's sequences of tokens, mixed by source and topic as the recipe asks, with the provenance of every token.",
        ),
    ]
