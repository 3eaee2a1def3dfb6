"""`c4`: the cleaning of Raffel et al. 2020 (T5, "Colossal Clean Crawled Corpus"), section 2.2, as its code and datatrove have it.

LINE_RULES remove lines from the clean view, in the order in which C4 asks; DOCUMENT_RULES judge what C4 looks at. A
profile that lets lines end as they like (FineWeb) takes ANY_END_LINE_RULES and ANY_END_DOCUMENT_RULES.
"""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

_PAPER = "Raffel et al. 2020, T5, section 2.2"
_CODE = "C4's code (TensorFlow Datasets, c4_utils) and datatrove's C4QualityFilter"

LINE_RULES = (
    Rule(name="c4.long_word", signal="line.longest_word", when=">", threshold=1_000, action="edit", source=_CODE),
    Rule(name="c4.terminal_punctuation", signal="line.terminal_punctuation", when="<", threshold=1, action="edit", source=_PAPER),
    Rule(name="c4.line_words", signal="line.word_count", when="<", threshold=3, action="edit", source=_PAPER),
    Rule(name="c4.javascript", signal="line.javascript", when=">=", threshold=1, action="edit", source=_PAPER),
    Rule(name="c4.policy_phrase", signal="line.policy_phrase", when=">=", threshold=1, action="edit", source=_CODE),
)

ANY_END_LINE_RULES = tuple(rule for rule in LINE_RULES if rule.name != "c4.terminal_punctuation")

DOCUMENT_RULES = (
    Rule(name="c4.lorem_ipsum", signal="c4.lorem_ipsum", when=">=", threshold=1, source=_PAPER),
    Rule(name="c4.curly_bracket", signal="c4.curly_bracket", when=">=", threshold=1, source=_PAPER),
    Rule(name="c4.later_lorem_ipsum", signal="c4.lorem_ipsum", when=">", threshold=0, source=_PAPER),  # below a curly bracket
    Rule(name="c4.sentence_count", signal="c4.sentence_count", when="<", threshold=5, source=_PAPER),
)

ANY_END_DOCUMENT_RULES = (
    Rule(name="c4.any_end_lorem_ipsum", signal="c4.any_end_lorem_ipsum", when=">=", threshold=1, source=_PAPER),
    Rule(name="c4.any_end_curly_bracket", signal="c4.any_end_curly_bracket", when=">=", threshold=1, source=_PAPER),
    Rule(name="c4.any_end_later_lorem_ipsum", signal="c4.any_end_lorem_ipsum", when=">", threshold=0, source=_PAPER),
    Rule(name="c4.any_end_sentence_count", signal="c4.any_end_sentence_count", when="<", threshold=5, source=_PAPER),
)

PROFILE = Profile(
    rules=(*LINE_RULES, *DOCUMENT_RULES),
    differences="Sentences are cut by our rules (`signals.c4`), not by NLTK's or spaCy's. Lines keep the white space around them and "
    "their own line ends, where C4's code strips them and joins them by newlines. The paper's rule on bad words is the family "
    "`dirty_words`, since the list is the user's; the language is the profile `language`; the repeated spans of three sentences that "
    "C4 removes are no matter of one document.",
    strips=("citations",),
    views={"c4": "extracted"},
)
