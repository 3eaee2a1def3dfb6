"""`gopher`: the quality and repetition rules of Rae et al. 2021 ("Scaling Language Models", Gopher), Appendix A1.1 and table A1."""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

_QUALITY = "Rae et al. 2021, Gopher, Appendix A1.1"
_TABLE = "Rae et al. 2021, Gopher, Appendix A1.1, table A1"

QUALITY = (
    Rule(name="gopher.word_count_min", signal="gopher.word_count", when="<", threshold=50, source=_QUALITY),
    Rule(name="gopher.word_count_max", signal="gopher.word_count", when=">", threshold=100_000, source=_QUALITY),
    Rule(name="gopher.mean_word_length_min", signal="gopher.mean_word_length", when="<", threshold=3, source=_QUALITY),
    Rule(name="gopher.mean_word_length_max", signal="gopher.mean_word_length", when=">", threshold=10, source=_QUALITY),
    Rule(name="gopher.hash_to_word", signal="gopher.hash_to_word", when=">", threshold=0.1, source=_QUALITY),
    Rule(name="gopher.ellipsis_to_word", signal="gopher.ellipsis_to_word", when=">", threshold=0.1, source=_QUALITY),
    Rule(name="gopher.bullet_lines", signal="gopher.bullet_line_share", when=">", threshold=0.9, source=_QUALITY),
    Rule(name="gopher.ellipsis_lines", signal="gopher.ellipsis_line_share", when=">", threshold=0.3, source=_QUALITY),
    Rule(name="gopher.alphabetic_words", signal="gopher.alphabetic_word_share", when="<", threshold=0.8, source=_QUALITY),
    Rule(name="gopher.stop_words", signal="gopher.stop_word_count", when="<", threshold=2, source=_QUALITY),
)

REPETITION = tuple(
    Rule(name=f"gopher.{name}", signal=f"repetition.{signal}", when=">", threshold=threshold, source=_TABLE)
    for name, signal, threshold in (
        ("duplicate_lines", "duplicate_line_share", 0.3),
        ("duplicate_paragraphs", "duplicate_paragraph_share", 0.3),
        ("duplicate_line_chars", "duplicate_line_char_share", 0.2),
        ("duplicate_paragraph_chars", "duplicate_paragraph_char_share", 0.2),
        ("top_2gram", "top_2gram_char_share", 0.2),
        ("top_3gram", "top_3gram_char_share", 0.18),
        ("top_4gram", "top_4gram_char_share", 0.16),
        ("duplicate_5grams", "duplicate_5gram_char_share", 0.15),
        ("duplicate_6grams", "duplicate_6gram_char_share", 0.14),
        ("duplicate_7grams", "duplicate_7gram_char_share", 0.13),
        ("duplicate_8grams", "duplicate_8gram_char_share", 0.12),
        ("duplicate_9grams", "duplicate_9gram_char_share", 0.11),
        ("duplicate_10grams", "duplicate_10gram_char_share", 0.1),
    )
)

PROFILE = Profile(
    rules=(*QUALITY, *REPETITION),
    differences="The paper says neither what a word, a line or a paragraph is nor what of a repetition counts; `signals.gopher` and "
    "`signals.repetition` say what they are here: words stand between white space and keep their punctuation (letters of scripts without "
    "spaces are words), only what was there before is a duplicate, and shares are of the characters of the text. The paper's stop words "
    "and word lengths are English's; here they are asked of every language unless the recipe excepts it.",
)
