"""Every signal that can be computed, by family, with what it means. Light: the recipe checks against it."""

from __future__ import annotations

FAMILIES: dict[str, dict[str, str]] = {
    "gopher": {
        "word_count": "words",
        "mean_word_length": "characters per word",
        "hash_to_word": "`#` signs per word",
        "ellipsis_to_word": "ellipses (... or U+2026) per word",
        "bullet_line_share": "share of lines that start with a bullet",
        "ellipsis_line_share": "share of lines that end in an ellipsis",
        "alphabetic_word_share": "share of words with an alphabetic character",
        "stop_word_count": "distinct words among the, be, to, of, and, that, have, with",
    },
    "language": {
        "score": "confidence of the identified language, 0 to 1",
    },
    "kl": {
        "divergence": "KL divergence in nats of the document's word distribution from the crawl's",
    },
}

SIGNALS: dict[str, str] = {f"{family}.{name}": meaning for family, signals in FAMILIES.items() for name, meaning in signals.items()}
