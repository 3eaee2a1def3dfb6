"""`dolma@1.7`: what Dolma's Common Crawl part was filtered by (Soldaini et al. 2024, "Dolma", on content quality).

Dolma 1.7 starts from the documents that the mixer of 1.5 and 1.6 left (`configs/dolma-v1_6/mixing/cc-*.yaml` in Dolma's
repository); the rules are that file's, in its order.
"""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

_GOPHER = "Dolma's mixer configuration of 1.6 (cc-head.yaml), on the tagger gopher_v1; after Rae et al. 2021, Appendix A1.1"
_REPEATS = "Dolma's mixer configuration of 1.6 (cc-head.yaml), on the tagger tokenizer_repetitions_v2r2"

GOPHER = (
    Rule(name="dolma.word_count_min", signal="dolma.word_count", when="<", threshold=50, source=_GOPHER),
    Rule(name="dolma.word_count_max", signal="dolma.word_count", when=">", threshold=100_000, source=_GOPHER),
    Rule(name="dolma.median_word_length_min", signal="dolma.median_word_length", when="<", threshold=3, source=_GOPHER),
    Rule(name="dolma.median_word_length_max", signal="dolma.median_word_length", when=">", threshold=10, source=_GOPHER),
    Rule(name="dolma.symbol_words", signal="dolma.symbol_word_share", when=">", threshold=0.1, source=_GOPHER),
    Rule(name="dolma.alphabetic_words", signal="dolma.alphabetic_word_share", when="<", threshold=0.8, source=_GOPHER),
    Rule(name="dolma.required_words", signal="dolma.required_word_count", when="<", threshold=2, source=_GOPHER),
    Rule(name="dolma.bullet_lines", signal="dolma.bullet_line_share", when=">", threshold=0.9, source=_GOPHER),
    Rule(name="dolma.ellipsis_lines", signal="dolma.ellipsis_line_share", when=">", threshold=0.3, source=_GOPHER),
    Rule(name="dolma.duplicate_lines", signal="dolma.duplicate_line_share", when=">", threshold=0.3, source=_GOPHER),
    Rule(name="dolma.duplicate_line_chars", signal="dolma.duplicate_line_char_share", when=">", threshold=0.3, source=_GOPHER),
    *(
        Rule(name=f"dolma.duplicate_{n}grams", signal=f"dolma.duplicate_{n}gram_char_share", when=">", threshold=threshold, source=_GOPHER)
        for n, threshold in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    ),
)

REPEATS = (Rule(name="periodicity.repeats", signal="periodicity.most_repeats", when=">=", threshold=100, source=_REPEATS),)

PROFILE = Profile(
    rules=(*GOPHER, *REPEATS),
    differences="The configuration's rules on the most frequent 2-, 3- and 4-gram name attributes that the tagger never wrote, so they "
    "drop nothing there and are not here (`dolma.top_2gram_char_share` and its like with 0.2, 0.18 and 0.16 would be them). Repeated "
    "sequences are of our words, not of GPT-NeoX's tokens. A word is at most 255 characters long to the median. Not here: dropping pages "
    "with more than five pieces of personal data, which the recipe's edits mask; removing toxic sentences; duplicates of pages, URLs and "
    "paragraphs, which are dedup's; the C4 line rules and CCNet's language filter, which ran before. The paper's limit for characters in "
    "duplicate lines is 0.2, the configuration's 0.3, which stands here.",
    views={"dolma": "extracted", "periodicity": "extracted"},
)
