"""`refinedweb`: the filters of Penedo et al. 2023 ("The RefinedWeb Dataset for Falcon LLM"), section 3 and appendix G."""

from __future__ import annotations

from gristmill.policy.profiles import gopher, language, url
from gristmill.policy.rules import Profile, Rule

_LINES = "Penedo et al. 2023, RefinedWeb, appendix G.2, line-wise corrections"

LINE_RULES = (
    Rule(name="refinedweb.uppercase_lines", signal="line.uppercase_share", when=">", threshold=0.5, action="edit", source=_LINES),
    Rule(name="refinedweb.number_lines", signal="line.number_share", when=">=", threshold=1, action="edit", source=_LINES),
    Rule(name="refinedweb.counter_lines", signal="line.counter", when=">=", threshold=1, action="edit", source=_LINES),
    Rule(name="refinedweb.lone_words", signal="line.lone_word", when=">=", threshold=1, action="edit", source=_LINES),
    Rule(name="refinedweb.menu_lines", signal="line.menu_phrase", when=">=", threshold=1, action="edit", source=_LINES),
)

REMOVED = Rule(name="refinedweb.removed_words", signal="removed.word_share", when=">", threshold=0.05, source=_LINES)

PROFILE = Profile(
    rules=(*url.RULES, *language.RULES, *gopher.PROFILE.rules, *LINE_RULES, REMOVED),
    differences="The paper gives kinds of lines and one example each; the patterns are ours (`signals.lines`), after DCLM's reading, with "
    "more nouns and phrases. A line with a menu's phrase goes as a whole, where the paper cuts the phrase out. Mainly upper case is "
    "read as more than half of the characters that are no white space. Every language stays that is recognised surely enough. "
    + url.DIFFERENCES,
    views=dict.fromkeys(("removed", *sorted({rule.signal.split(".")[0] for rule in gopher.PROFILE.rules})), "extracted"),
)
