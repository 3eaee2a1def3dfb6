"""Run by Dolma's own interpreter: the attributes of its tagger gopher_v1 and what the published mix makes of them.

    python peer_dolma.py decide texts.jsonl decisions.jsonl

Dolma 1.7's Common Crawl starts from the documents of olmo-mix v1_5r2 (`configs/dolma-v1_7/sources/cc_ngram_dedupe_pd_mix.yaml`),
which `configs/dolma-v1_6/mixing/cc-head.yaml` filters; RULES are that file's exclusions on gopher_v1, in its order, its
attribute names as spelled there. Three of them name an attribute that the tagger has never written
(`most_common_2gram`, for `…2grams`) and so match nothing. Its other exclusions (PII counts, token periodicity,
duplicates) need models or other documents and are no part of the comparison.
"""

from __future__ import annotations

import json
import operator
import sys

from dolma.core.data_types import Document
from dolma.taggers.gopher import GopherTagger

TAGGER = GopherTagger()
RULES = [
    ("word_count", "<", 50),
    ("word_count", ">", 100000),
    ("median_word_length", "<", 3),
    ("median_word_length", ">", 10),
    ("symbol_to_word_ratio", ">", 0.1),
    ("fraction_of_words_with_alpha_character", "<", 0.8),
    ("required_word_count", "<", 2),
    ("fraction_of_lines_starting_with_bullet_point", ">", 0.9),
    ("fraction_of_lines_ending_with_ellipsis", ">", 0.3),
    ("fraction_of_duplicate_lines", ">", 0.3),
    ("fraction_of_characters_in_duplicate_lines", ">", 0.3),
    ("fraction_of_characters_in_most_common_2gram", ">", 0.2),
    ("fraction_of_characters_in_most_common_3gram", ">", 0.18),
    ("fraction_of_characters_in_most_common_4gram", ">", 0.16),
    *((f"fraction_of_characters_in_duplicate_{n}grams", ">", round(0.2 - n / 100, 2)) for n in range(5, 11)),
]
HOLDS = {"<": operator.lt, ">": operator.gt}


def decide(text: str) -> dict[str, object]:
    spans = TAGGER.predict(Document(source="", version="", id="", text=text)).spans
    attributes = {span.type: float(span.score) for span in spans}
    fired = [
        f"{name} {sign} {threshold}" for name, sign, threshold in RULES if name in attributes and HOLDS[sign](attributes[name], threshold)
    ]
    return {
        "attributes": attributes,
        "chain": fired[0] if fired else None,
        "filters": {"gopher_v1": fired[0] if fired else None},
        "fired": fired,
    }


def main(mode: str, source: str, target: str) -> None:
    assert mode == "decide"
    with open(source, encoding="utf-8") as stream, open(target, "w", encoding="utf-8") as out:
        for line in stream:
            row = json.loads(line)
            out.write(json.dumps({"id": row["id"], "words": row["text"].split(), **decide(row["text"])}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
