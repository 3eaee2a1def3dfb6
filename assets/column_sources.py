"""Where every column comes from: for each table that an asset makes, the columns and files from which its columns are made.

Written down here, and held by `tests/jobs/test_columns.py`: an asset that is given no other columns than these makes the same
tables, and without any one of them it does not. Columns that choose the rows, or by which tables are joined, are named with the
keys (`doc_id`); columns that end up in metadata alone stand in NOTED. What a program makes of nothing, or of the recipe, has no source.
"""

from collections.abc import Mapping, Sequence

from gristmill.lake.contracts import CONTRACTS
from gristmill.policy import verdicts as policy
from gristmill.policy.rules import Rule
from gristmill.recipe import Recipe
from gristmill.signals.registry import FAMILIES, MODULES

Sources = Mapping[str, Mapping[str, str]]
"""Table, or "" for files -> columns, apart by spaces -> `asset/table: column column; asset/file`."""

DOCUMENTS = "documents/documents:"
EXTRACTED = f"{DOCUMENTS} doc_id text text_hash"
CLEAN = f"{EXTRACTED}; edits/edits: doc_id start end replacement rule"
FINAL = f"{CLEAN}; repeated_spans/cuts: doc_id start end rule"
FILTERED, SURVIVES, CURATED = (f"{asset}/verdicts: doc_id kept" for asset in ("filtered_shards", "deduplicated_shards", "curated_shards"))
SPLIT = "deduplicated_shards/splits: doc_id split"
RECORD = f"raw_crawl/records: {' '.join(CONTRACTS['records'].schema)}"  # a page is found by its whole record
VECTOR = "document_embeddings/embeddings: doc_id text_hash model"
CLUSTERS = "duplicate_clusters/clusters:"
JUDGED = "curated_shards/verdicts:"
SCORED = f"{FINAL}; {CURATED}; {SPLIT}"

LOOKED_UP = (
    f"{DOCUMENTS} doc_id url fetched_at; raw_crawl/records: doc_id payload_digest; "
    "minhash_signatures/signatures: doc_id normal_hash text_hash n_shingles n_chars"
)
NEAR = "minhash_signatures/signatures: normal_hash bands shingles n_shingles"
MEANT = f"{VECTOR}; {DOCUMENTS} doc_id language; semantic_centroids/centroids: block vector; {FILTERED}"

_SOURCES: dict[str, Sources] = {
    "raw_crawl": {"records": {}, "quarantine": {}},
    "tombstones": {
        "tombstones": {
            "doc_id tombstone by similarity": RECORD,
            "captures": "raw_crawl/records: doc_id capture",
        }
    },
    "documents": {
        "documents": {
            "doc_id": "raw_crawl/records: doc_id; tombstones/tombstones: doc_id",
            "captures": "raw_crawl/records: doc_id capture",
            "url host fetched_at": "raw_crawl/records: =",
            "text text_hash language language_score extractor n_bytes n_chars": RECORD,
        },
        "quarantine": {
            "capture": "raw_crawl/records: doc_id capture; tombstones/tombstones: doc_id",
            "url warc offset": "raw_crawl/records: =",
            "stage error": RECORD,
            "message": f"{RECORD}; tombstones/tombstones: tombstone by",
        },
    },
    "edits": {"edits": {"doc_id start end replacement rule": f"{DOCUMENTS} doc_id text language"}},
    "token_distribution": {"token_distribution": {"source": "", "token count probability": CLEAN}},
    "minhash_signatures": {
        "signatures": {"doc_id": f"{DOCUMENTS} doc_id", "text_hash normal_hash n_chars n_shingles bands shingles": CLEAN},
    },
    "document_embeddings": {"embeddings": {"doc_id": FILTERED, "text_hash model vector_hash": CLEAN}},
    "semantic_centroids": {"centroids": {"block vector": VECTOR}},
    "duplicate_clusters": {
        "clusters": {
            "doc_id shard": FILTERED,
            "kind cluster survivor survivor_shard similarity": f"{LOOKED_UP}; {NEAR}; {MEANT}",
        },
        "clustered": {"doc_id shard": FILTERED, "digest": LOOKED_UP, "component": f"{LOOKED_UP}; {NEAR}; {MEANT}"},
        "near_edges": {"left right key similarity": f"{NEAR}; {FILTERED}"},
        "band_groups": {"key normal_hash": f"{NEAR}; {FILTERED}"},
        "semantic_edges": {"left right similarity": MEANT},
        "searched_blocks": {"block key texts": MEANT},
        "block_pairs": {"key left right similarity": MEANT},
    },
    "deduplicated_shards": {
        "verdicts": {
            "doc_id": f"filtered_shards/verdicts: doc_id; {CLUSTERS} doc_id shard",
            "kept first_rule fired": f"filtered_shards/verdicts: =; {CLUSTERS} kind",
            "value": f"filtered_shards/verdicts: value; {CLUSTERS} kind similarity",
            "threshold": f"{CLUSTERS} kind",
            "weight policy": "filtered_shards/verdicts: =",
        },
        "splits": {"doc_id": f"{FILTERED}; {CLUSTERS} doc_id shard kind", "cluster split": f"{CLUSTERS} cluster"},
    },
    "text_keys": {
        "text_counts": {"unit": "", "bucket key documents": f"{CLEAN}; {SURVIVES}"},
        "fingerprints": {"doc_id": SURVIVES, "key places": CLEAN},
    },
    "repeated_text": {
        "text_counts.repeated": {"unit bucket key": "text_keys/text_counts: =", "documents": "text_keys/text_counts: documents"},
        "cuts.found": {
            "doc_id twin": f"{SURVIVES}; minhash_signatures/signatures: doc_id n_chars; {DOCUMENTS} doc_id fetched_at",
            "start end documents": f"text_keys/fingerprints: doc_id key places; {CLEAN}",
            "rule similarity": "",
        },
    },
    "repeated_spans": {
        "cuts": {
            "doc_id": f"{SURVIVES}; repeated_text/cuts.found: doc_id",
            "start end documents": f"repeated_text/cuts.found: =; {CLEAN}; text_keys/text_counts: unit bucket key; "
            "repeated_text/text_counts.repeated: unit bucket key documents",
            "rule": "repeated_text/cuts.found: rule; repeated_text/text_counts.repeated: unit",
            "twin similarity": "repeated_text/cuts.found: =",
        }
    },
    "reference_ngrams": {"reference_ngrams": {"item": f"{SPLIT}", "key": FINAL}},
    "contamination": {
        "contamination": {
            "doc_id": SURVIVES,
            "item": "reference_ngrams/reference_ngrams: item",
            "ngrams overlap start end": f"{FINAL}; reference_ngrams/reference_ngrams: item key",
        },
        "final_sizes": {"doc_id": SURVIVES, "n_bytes n_chars": FINAL},
    },
    "quality_annotations": {
        "annotations": {
            "doc_id": f"{SURVIVES}; {SPLIT}",
            "shard source grader": "",
            "split": "deduplicated_shards/splits: split",
            "teacher_grade rubric_grade grade": CLEAN,
            "weight": SURVIVES,
        }
    },
    "quality_classifier": {
        "": {"model metrics": f"quality_annotations/annotations: doc_id shard source split grade weight grader; {VECTOR}"}
    },
    "topic_classifier": {
        "topic_labels": {
            "doc_id": "quality_annotations/annotations: doc_id shard",
            "split": "quality_annotations/annotations: split",
            "topic similarity margin confident predicted probability": f"{VECTOR}; quality_annotations/annotations: split source weight",
        },
        "": {"model metrics": f"{VECTOR}; quality_annotations/annotations: doc_id shard split source weight"},
    },
    "quality_scores": {
        "scores": {
            "doc_id": SURVIVES,
            "quality": f"{VECTOR}; quality_classifier/model",
            "quality_version": "quality_classifier/model",
            "topic topic_score": f"{VECTOR}; topic_classifier/model",
        }
    },
    "curated_shards": {
        "verdicts": {
            "doc_id": "deduplicated_shards/verdicts: doc_id",
            "kept first_rule value threshold fired": "deduplicated_shards/verdicts: = kept; quality_scores/scores: doc_id quality; "
            "quality_classifier/metrics; contamination/contamination: doc_id item overlap; contamination/final_sizes: doc_id n_chars; "
            f"{SPLIT}",
            "weight policy": "deduplicated_shards/verdicts: =",
        }
    },
    "synthetic_sets": {"synthetic": {}},
    "tokenizer": {"": {"model": SCORED}},
    "mixed_corpus": {
        "provenance": {
            "phase": "",
            "doc_id sequence epoch": f"{CURATED} weight; {SPLIT}; quality_scores/scores: doc_id topic; "
            f"{DOCUMENTS} doc_id n_bytes; synthetic_sets/synthetic: doc_id verified; tokenizer/model",
            "position start end": f"{FINAL}; synthetic_sets/synthetic: text; tokenizer/model",
            "origin source": "",
            "topic": "quality_scores/scores: topic",
        },
        "": {"tokens": f"{SCORED}; synthetic_sets/synthetic: doc_id text verified; tokenizer/model"},
    },
    "checkpoints": {
        "training_log": {
            "model step phase learning_rate": "",
            "loss grad_norm": "mixed_corpus/tokens; tokenizer/model",
            "tokens": "mixed_corpus/tokens",
        },
        "batches": {"model step slot phase": "", "sequence": "mixed_corpus/tokens"},
        "": {"model run throughput": "mixed_corpus/tokens; tokenizer/model"},
    },
    "quantized_variants": {"": {"model": "checkpoints/model"}},
    "eval_reports": {
        "eval_scores": {
            "model scheme metric domain": "",
            "value low high": f"checkpoints/model; quantized_variants/model; tokenizer/model; mixed_corpus/tokens; {SCORED}",
            "documents n_bytes": SCORED,
        },
        "document_scores": {
            "model scheme domain": "",
            "doc_id": f"{CURATED}; {SPLIT}",
            "text_hash n_bytes": FINAL,
            "nats": f"checkpoints/model; quantized_variants/model; tokenizer/model; {FINAL}",
        },
        "samples": {"model scheme prompt": "", "text": "checkpoints/model; quantized_variants/model; tokenizer/model"},
    },
    "document_index": {"": {"index": "raw_crawl/records: doc_id capture url fetched_at; raw_crawl/quarantine: capture url"}},
    "search_index": {"search_keys": {"doc_id": f"{DOCUMENTS} doc_id", "text_hash": CLEAN}, "": {"index": CLEAN}},
    "synthetic_search_index": {
        "search_keys": {"doc_id": "synthetic_sets/synthetic: doc_id", "text_hash": "synthetic_sets/synthetic: text"},
        "": {"index": "synthetic_sets/synthetic: doc_id text"},
    },
    "duplicate_twins": {
        "twins": {"doc_id": f"{CLUSTERS} doc_id kind", "survivor shard kind similarity": f"{CLUSTERS} ="},
    },
    "corpus_placements": {
        "placements": {"doc_id phase sequence position origin source topic start end epoch": "mixed_corpus/provenance: ="},
    },
    "training_steps": {"steps": {"phase sequence model step slot": "checkpoints/batches: ="}},
}

_MEANT_PARAGRAPHS = "paragraph_embeddings/paragraphs: doc_id start end text_hash model; semantic_centroids/centroids: block vector"
_PARAGRAPHS: Sources = {
    "paragraphs": {"doc_id": f"{SURVIVES}; {DOCUMENTS} doc_id language", "start end text_hash": CLEAN, "model": ""},
}

NOTED: Mapping[str, str] = {
    "filtered_shards": "signals/pages: language; signals/signals.gopher: gopher.word_count",
    "contamination": f"{DOCUMENTS} url",
    "curated_shards": f"{DOCUMENTS} doc_id url; quality_scores/scores: topic",
}
"""What is read for metadata alone."""

_OF_DOCUMENTS = {  # what a family that READS `documents` uses beside the text
    "code": "language url",
    "language": "language_score",
    "paragraph_language": "language",
    "reasoning": "language",
    "redpajama": "language",
    "url": "url",
}


def sources(recipe: Recipe, asset: str) -> Sources:
    """Of the asset under the recipe; {} for one that is not written down: `lineage_audit`, which reads everything."""
    if asset == "signals":
        pages = {"doc_id url host language": f"{DOCUMENTS} =", "n_bytes n_chars": CLEAN}
        return {"pages": pages, **{f"signals.{family}": _of_family(recipe, family) for family in recipe.families}}
    every = [f"signals/signals.{family}: {' '.join(_columns(family))}" for family in recipe.families]
    if asset == "filtered_shards":
        rules = recipe.policy.document_rules()
        dropping, weighing = ([rule for rule in rules if rule.action == action] for action in ("drop", "down_weight"))
        return {
            "verdicts": {
                "doc_id": "signals/pages: doc_id",
                "kept first_rule value threshold": _of_rules(dropping),
                "fired": _of_rules(rules),
                "weight": _of_rules(weighing),
                "policy": "",
            }
        }
    if asset == "signal_quantiles":
        counted = {"source signal": "", "documents sampled": "signals/pages: doc_id", "quantiles": "; ".join(every)}
        return {"signal_quantiles": counted}
    if "semantic_paragraphs" in recipe.dedup.levels:
        if asset == "paragraph_embeddings":
            return _PARAGRAPHS
        if asset == "repeated_text":
            own = dict(_SOURCES[asset])
            meant = {columns: f"{read}; {_MEANT_PARAGRAPHS}".removeprefix("; ") for columns, read in own["cuts.found"].items()}
            blocks = {
                "searched_blocks": {"block key texts": _MEANT_PARAGRAPHS},
                "block_pairs": {"key left right similarity": _MEANT_PARAGRAPHS},
            }
            return {**own, "cuts.found": meant, **blocks}
    return _SOURCES.get(asset, {})


def _of_rules(rules: Sequence[Rule]) -> str:
    speak = any(rule.except_languages or rule.by_language for rule in rules)
    read = policy.columns_read(rules)
    return "; ".join(
        ["signals/pages: language"] * speak + [f"signals/signals.{family}: {' '.join(names)}" for family, names in read.items()]
    )


def _columns(family: str) -> list[str]:
    return [f"{family}.{name}" for name in FAMILIES[family]]


def _of_family(recipe: Recipe, family: str) -> dict[str, str]:
    reads = MODULES[family].READS
    found = []
    if "text" in reads:
        found.append(CLEAN if recipe.views[family] == "clean" else EXTRACTED)
    if "documents" in reads:
        found.append(f"{DOCUMENTS} {_OF_DOCUMENTS[family]}")
    if "distribution" in reads:
        found.append("token_distribution/token_distribution: source token probability")
    if "edits" in reads:
        found.append("edits/edits: doc_id start end replacement rule")
    return {" ".join(_columns(family)): "; ".join(found)}
