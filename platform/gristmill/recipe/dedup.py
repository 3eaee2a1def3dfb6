"""`[dedup]` and `[decontamination]`: which copies go, at which level, and which of them stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from gristmill.recipe.section import Section, content_digest

Level = Literal["url", "exact", "near", "semantic", "lines", "paragraphs", "substrings", "semantic_paragraphs"]
"""The first four drop whole documents, the others cut parts from the final view. One `doc_id` in two shards is always one document."""

Preference = Literal["priority", "longest", "earliest", "latest"]


class MinHash(Section):
    shingle_words: int = Field(default=5, ge=1)
    bands: int = Field(default=14, ge=1)
    rows: int = Field(default=8, ge=1)  # permutations = bands x rows
    seed: int = 1
    threshold: float = Field(default=0.7, ge=0, le=1)  # true Jaccard of the shingle sets


class Semantic(Section):
    threshold: float = Field(default=0.95, ge=-1, le=1)  # cosine, of documents and of paragraphs
    documents_per_block: int = Field(default=256, ge=1)  # sizes k of SemDeDup's k-means when the centroids are learned
    sample: int = Field(default=100_000, ge=1)  # documents that centroids are learned from, by doc_id hash
    probes: int = Field(default=2, ge=1)  # nearest blocks in which a text is compared
    seed: int = 1
    refresh: Literal["manual", "always"] = "manual"
    paragraph_words: int = Field(default=30, ge=1)  # shorter paragraphs are not compared by meaning


class Lines(Section):
    """Repeated lines and paragraphs (CCNet; Llama 3, section 3.1.1)."""

    max_documents: int = Field(default=6, ge=1)  # of a bucket; what more documents than this hold goes from all of them
    min_words: int = Field(default=6, ge=1)  # of a line, or of a paragraph in all; shorter ones ("else:", a speaker's name) stay
    buckets: int = Field(default=1, ge=1)  # documents are spread over them by the hash of doc_id; Llama 3: 30 million documents each
    except_sources: list[str] = []  # neither counted nor cut


class Substrings(Section):
    words: int = Field(default=50, ge=5)  # Lee et al. 2022: 50 tokens
    except_sources: list[str] = []


class Dedup(Section):
    levels: list[Level] = ["url", "exact", "near", "semantic", "lines", "paragraphs", "substrings"]
    survivor: list[Preference] = ["priority", "longest", "earliest"]  # then the smallest doc_id
    max_source_loss: float = Field(default=0.5, gt=0, le=1)  # of a source's distinct texts, to inexact copies; more fails a check
    minhash: MinHash = MinHash()
    semantic: Semantic = Semantic()
    lines: Lines = Lines()
    substrings: Substrings = Substrings()
    min_chars: int = Field(default=50, ge=1)  # of the final view; a document left with less is dropped, an empty one always

    @model_validator(mode="after")
    def _makes_sense(self) -> Dedup:
        named: dict[str, list[str]] = {"levels": [*self.levels], "survivor": [*self.survivor]}
        for name, values in named.items():
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ValueError(f"{name}: named twice: {', '.join(twice)}")
        if {"earliest", "latest"} <= set(self.survivor):
            raise ValueError("survivor: `earliest` and `latest` contradict each other; name one of them")
        return self


class ItemFile(Section):
    """Evaluation items, one JSON object per line with `id` and `text`."""

    path: str
    digest: str = ""  # of the file's content, filled in at load: other content is another reference

    @model_validator(mode="before")
    @classmethod
    def _look(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(path := value.get("path"), str):
            return value
        if value.get("digest"):
            raise ValueError("`digest` is computed from the file at `path`; leave it out")
        try:
            return {**value, "digest": content_digest(Path(path).read_bytes())}
        except OSError as error:
            raise ValueError(f"the items {path} cannot be read: {error.strerror}") from None


class Decontamination(Section):
    """What may not be trained on: the held-out documents, and evaluation items."""

    ngram_words: int = Field(default=13, ge=3)  # GPT-3, appendix C
    min_overlap: float = Field(default=0.5, gt=0, le=1)  # share of an item's n-grams that a training document may not reach
    held_out: bool = True  # validation and test documents are items
    items: dict[str, ItemFile] = {}

    @field_validator("items")
    @classmethod
    def _names_are_free(cls, items: dict[str, ItemFile]) -> dict[str, ItemFile]:
        for name in items:
            if name in ("", "held_out") or "/" in name:
                raise ValueError(f"items: a file cannot be called {name!r}: `held_out` is the held-out documents' name, `/` ends a name")
        return items
