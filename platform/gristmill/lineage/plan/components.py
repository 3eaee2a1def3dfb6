"""What the version of an asset's algorithm is made of, and which part of it differs between two versions.

A version is written as those of its parts, one after the other: `1.1-1-1.14.0.0.4.3`. Nobody can read that, so the parts are named
here, in their order, and a version of before is laid beside today's, number by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

SHORT = 24  # characters of a version that are shown where its parts have no names
SEPARATORS = re.compile(r"[.+/-]")


class Part(NamedTuple):
    name: str
    version: str


class Moved(NamedTuple):
    """A part and what it was and is; without those, a part that came or went; without a name, the whole version."""

    name: str
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.old} -> {self.new}".strip() if self.old else self.name


def parts(asset: str, algorithm: str) -> list[Part]:
    """The parts of an asset's algorithm as it is in this code, in the order in which its version has them; [] where `algorithm` is
    not made of them, or has no parts."""
    if asset == "signals":
        return _families(algorithm)
    return next((found for found in _known().get(asset, []) if _numbers(part.version for part in found) == _numbers([algorithm])), [])


def difference(asset: str, old: str, new: str) -> list[Moved]:
    """What differs between two versions of an asset's algorithm, by its parts; the versions themselves, short, where they have none, or
    are not put together alike."""
    if asset == "signals":
        found = _of_families(*({part.name: part.version for part in _families(each)} for each in (old, new)))
    else:
        before, after = _numbers([old]), _numbers([new])
        names = [part.name for part in parts(asset, new) for _ in _numbers([part.version])]
        known = len(before) == len(after) and len(set(names)) > 1
        moved = [each for each in zip(names, before, after, strict=True) if each[1] != each[2]] if known else []
        found = [_moved(name, [each[1:] for each in of_part]) for name, of_part in groupby(moved, key=lambda each: each[0])]
    return found or [Moved("", _short(old), _short(new))]


def said(moves: Iterable[Moved]) -> str:
    """`clean rules 1 -> 2, personal data 3 -> 4`."""
    return ", ".join(map(str, moves))


def _moved(name: str, numbers: Iterable[Sequence[str]]) -> Moved:
    return Moved(name, *(".".join(side) for side in zip(*numbers, strict=True)))


def _of_families(old: dict[str, str], new: dict[str, str]) -> list[Moved]:
    found = []
    for name in dict.fromkeys([*new, *old]):
        if name not in old or name not in new:
            found.append(Moved(f"{'with' if name in new else 'without'} {name}"))
        elif old[name] != new[name]:
            before, after = _numbers([old[name]]), _numbers([new[name]])
            alike = len(before) == len(after)
            pairs = [each for each in zip(before, after, strict=alike) if each[0] != each[1]] if alike else [(old[name], new[name])]
            found.append(_moved(name, pairs))
    return found


def _numbers(versions: Iterable[str]) -> list[str]:
    return [number for version in versions for number in SEPARATORS.split(version)]


def _short(version: str) -> str:
    return version if len(version) <= SHORT else f"{version[: SHORT - 1]}…"


def _families(algorithm: str) -> list[Part]:
    """Those that the version of the signals names, since a recipe chooses them, and the views."""
    from gristmill.signals.registry import VERSIONS

    families, _, views = algorithm.rpartition(".")
    found = []
    for each in families.split("+"):
        family = max((name for name in VERSIONS if each.startswith(name)), key=len, default=each.rstrip("0123456789.-"))
        found.append(Part(f"signals {family}", each.removeprefix(family)))
    return [*found, Part("views", views)]


def _known() -> dict[str, list[list[Part]]]:
    """Of each asset whose algorithm has parts the ways in which they are put together: a recipe may ask for more of them."""
    from gristmill import views
    from gristmill.corpus import mixture, packing, tokenizer
    from gristmill.crawl import archive, content, documents, extract, folders, language, responses, tombstones, urls, warc
    from gristmill.dedup import (
        centroids,
        clusters,
        contamination,
        cuts,
        election,
        last_verdicts,
        lines,
        minhash,
        near,
        semantic,
        semantic_paragraphs,
        splits,
        substrings,
        survival,
        vectors,
        verdicts,
        words,
    )
    from gristmill.edits import citations, clean, markdown, personal
    from gristmill.edits import lines as line_edits
    from gristmill.lineage.index import search
    from gristmill.model import config
    from gristmill.quality import annotate, contrasts, curation, heads, rubric, sample, scores, taxonomy, topics
    from gristmill.signals import kl
    from gristmill.synthesis import arithmetic, coding, exercises, sandbox, stories
    from gristmill.training import schedule

    seen = ("views", views.VERSION)
    reading = [
        ("WARC reader", warc.VERSION),
        ("archives", archive.VERSION),
        ("responses", responses.VERSION),
        ("addresses", urls.VERSION),
        ("folders", folders.VERSION),
    ]
    pages = [
        ("documents", _first(documents.VERSION)),
        ("page content", content.VERSION),
        ("extraction", extract.VERSION),
        ("language identification", language.VERSION),
    ]
    shingles = [("shingles", _first(minhash.VERSION)), ("words of shingles", words.VERSION)]
    topic = [("topics", _first(topics.VERSION)), ("taxonomy", taxonomy.VERSION)]
    found = {
        "raw_crawl": reading,
        "documents": [*pages, *reading],
        "tombstones": [
            ("takedowns", _first(tombstones.VERSION)),
            ("addresses", urls.VERSION),
            *pages,
            *shingles,
            ("words in a shingle", str(tombstones.SHINGLES["shingle_words"])),
        ],
        "edits": [
            ("clean rules", _first(clean.VERSION)),
            ("line rules", line_edits.VERSION),
            ("Markdown", markdown.VERSION),
            ("citations", citations.VERSION),
            ("personal data", personal.VERSION),
            seen,
        ],
        "token_distribution": [("token distribution", kl.DISTRIBUTION_VERSION), seen],
        "minhash_signatures": [*shingles, seen],
        "document_embeddings": [("vectors", vectors.VERSION), seen],
        "duplicate_clusters": [
            ("clusters", _first(clusters.VERSION)),
            ("near duplicates", near.VERSION),
            ("election of survivors", election.VERSION),
            *shingles,
            ("duplicates in meaning", semantic.VERSION),
            ("centroids", centroids.VERSION),
        ],
        "deduplicated_shards": [("verdicts", verdicts.VERSION), ("splits", splits.VERSION)],
        "text_keys": [("repeated lines", lines.VERSION), ("substrings", substrings.VERSION), seen],
        "repeated_text": [("repeated lines", lines.VERSION), ("substrings", substrings.VERSION), ("survival", survival.VERSION), seen],
        "repeated_spans": [("repeated lines", lines.VERSION), ("cuts", cuts.VERSION), seen],
        "paragraph_embeddings": [
            ("paragraphs by meaning", semantic_paragraphs.VERSION),
            ("duplicates in meaning", semantic.VERSION),
            ("vectors", vectors.VERSION),
            seen,
        ],
        "reference_ngrams": [("contamination", contamination.VERSION), seen],
        "contamination": [("contamination", contamination.VERSION), seen],
        "quality_annotations": [
            ("sample", sample.VERSION),
            ("annotations", _first(annotate.VERSION)),
            ("contrasts", contrasts.VERSION),
            ("rubric", rubric.VERSION),
            seen,
        ],
        "topic_classifier": topic,
        "quality_scores": [("scores", _first(scores.VERSION)), ("classifiers", heads.VERSION), *topic],
        "curated_shards": [("curation", curation.VERSION), ("last verdicts", last_verdicts.VERSION)],
        "synthetic_sets": [
            ("stories", stories.VERSION),
            ("exercises", exercises.VERSION),
            ("arithmetic", arithmetic.VERSION),
            ("coding", coding.VERSION),
            ("sandbox", sandbox.VERSION),
        ],
        "search_index": [("search index", search.VERSION), seen],
        "tokenizer": [("tokenizer", tokenizer.VERSION), seen],
        "mixed_corpus": [("mixture", mixture.VERSION), ("packing", packing.VERSION), seen],
        "checkpoints": [("network", config.VERSION), ("training", schedule.VERSION)],
    }
    ways = {asset: [[Part(*each) for each in parts]] for asset, parts in found.items()}
    by_meaning = [("paragraphs by meaning", semantic_paragraphs), ("duplicates in meaning", semantic), ("centroids", centroids)]
    ways["repeated_text"].append([*ways["repeated_text"][0], *(Part(name, module.VERSION) for name, module in by_meaning)])
    return ways


def _first(version: str) -> str:
    """A module's own number, which stands before those of what it calls."""
    return SEPARATORS.split(version)[0]
