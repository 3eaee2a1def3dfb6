"""`fineweb` and `fineweb@0.3`: the filters of FineWeb (Penedo et al. 2024), in the order of datatrove's `examples/fineweb.py`.

URL, language, Gopher repetition, Gopher quality, C4, FineWeb's own. PROFILE follows datatrove 0.10, PROFILE_0_3 the release
0.3, the nearest on the package index to what made FineWeb. What changed between: the words (NLTK's, then spaCy's), stop
words (occurrences, then different ones), marks (terminals of other scripts, from 0.4 on, are none), and FineWeb's rules
(blank lines and quotation marks, then without; `<=` and `>=`, then `<` and `>`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from gristmill.policy.profiles import c4, gopher, url
from gristmill.policy.rules import Profile, Rule
from gristmill.signals import datatrove_0_3

_LANGUAGE = "Penedo et al. 2024, FineWeb, section 3.2"
_TABLE = "Rae et al. 2021, Gopher, table A1, as datatrove's GopherRepetitionFilter"
_QUALITY = "Rae et al. 2021, Gopher, Appendix A1.1, as datatrove's GopherQualityFilter"
_OWN = "datatrove's FineWebQualityFilter, after Penedo et al. 2024, FineWeb, section 3.6"

LANGUAGE = (Rule(name="language.english", signal="language.score", when="<=", threshold=1, by_language={"en": 0.65}, source=_LANGUAGE),)


def _as_datatrove(rules: Iterable[Rule], source: str) -> tuple[Rule, ...]:
    """Gopher's rules with the paper's thresholds, over the signals as datatrove computes them."""
    return tuple(
        rule.model_copy(
            update={
                "name": f"datatrove.{rule.name.split('.')[1]}",
                "signal": f"datatrove.{rule.signal.split('.')[1]}",
                "source": source,
            }
        )
        for rule in rules
    )


# paragraphs are asked before lines here, lines before words as in the paper's table
REPETITION = _as_datatrove(sorted(gopher.REPETITION, key=lambda rule: "paragraph" not in rule.name), _TABLE)
EMPTY = Rule(name="datatrove.empty", signal="datatrove.char_count", when="<", threshold=1, source="datatrove's GopherRepetitionFilter")

QUALITY = _as_datatrove(gopher.QUALITY, _QUALITY)
REPETITION_0_3, QUALITY_0_3 = (
    tuple(
        rule.model_copy(update={"signal": f"datatrove_0_3.{name}"}) if name in datatrove_0_3.SIGNALS else rule
        for rule in rules
        for name in [rule.signal.split(".")[1]]
    )
    for rules in (REPETITION, QUALITY)
)

OWN = (
    Rule(name="fineweb.line_punctuation", signal="fineweb.line_punctuation_share", when="<", threshold=0.12, source=_OWN),
    Rule(name="fineweb.short_lines", signal="fineweb.short_line_share", when=">", threshold=0.67, source=_OWN),
    Rule(name="fineweb.duplicate_line_chars", signal="fineweb.duplicate_line_char_share", when=">", threshold=0.01, source=_OWN),
    Rule(name="fineweb.newlines", signal="fineweb.newline_to_word", when=">", threshold=0.3, source=_OWN),
)
OWN_0_3 = (
    Rule(name="fineweb.line_punctuation", signal="fineweb.all_line_quoted_punctuation_share", when="<=", threshold=0.12, source=_OWN),
    Rule(name="fineweb.short_lines", signal="fineweb.all_short_line_share", when=">=", threshold=0.67, source=_OWN),
    Rule(name="fineweb.duplicate_line_chars", signal="fineweb.duplicate_line_char_share", when=">=", threshold=0.01, source=_OWN),
    Rule(name="fineweb.newlines", signal="fineweb.newline_to_word", when=">", threshold=0.3, source=_OWN),
)

_VIEWS: dict[str, Literal["extracted", "clean"]] = {"datatrove": "extracted", "c4": "extracted"}  # before C4's line rules
_DIFFERENCES = (
    "Every rule is asked, where datatrove stops at the first that drops a page. English alone stays, as in the paper; the example passes "
    "no language since 0.3 and keeps every one that is recognised surely enough. The identifier is fastText's lid.176 in its compressed "
    "form, over the first 4,000 characters. Sentences are our own (`signals.c4`). The paper's limit for characters in duplicated lines is "
    "0.1, the code's 0.01, which stands here. Pages are extracted by our extractor, not by Trafilatura under a time limit. "
    f"{url.DIFFERENCES} Signals are rounded to six digits before a rule reads them."
)

PROFILE = Profile(
    rules=(*url.RULES, *LANGUAGE, EMPTY, *REPETITION, *QUALITY, *c4.ANY_END_LINE_RULES, *c4.ANY_END_DOCUMENT_RULES, *OWN),
    differences="Tokens are our own, made after spaCy's English tokenizer (`signals.tokens` says where they part). " + _DIFFERENCES,
    strips=("citations",),
    views=_VIEWS,
)

PROFILE_0_3 = Profile(
    rules=(*url.RULES, *LANGUAGE, *REPETITION_0_3, *QUALITY_0_3, *c4.ANY_END_LINE_RULES, *c4.ANY_END_DOCUMENT_RULES, *OWN_0_3),
    differences="Tokens are our own, made after NLTK's (`signals.treebank` says where they part); FineWeb's rule on newlines per word has "
    "those made after spaCy's. An empty page, at which 0.3 raised an error, has too few words. " + _DIFFERENCES,
    strips=("citations",),
    views={**_VIEWS, "datatrove_0_3": "extracted"},
)
