"""Rules on a page's URL by the user's lists, as RefinedWeb (Penedo et al. 2023, section 3.1, appendix G.1) and datatrove's URLFilter ask.

No profile of its own: `refinedweb`, `fineweb` and `fineweb@0.3` begin with them. Without a list its rule never fires.
"""

from __future__ import annotations

from gristmill.policy.rules import Rule

_SOURCE = "Penedo et al. 2023, RefinedWeb, section 3.1 and appendix G.1, as datatrove's URLFilter"

RULES = (
    Rule(name="url.banned_domain", signal="url.banned_domain", when=">=", threshold=1, source=_SOURCE),
    Rule(name="url.banned_url", signal="url.banned_url", when=">=", threshold=1, source=_SOURCE),
    Rule(name="url.banned_words", signal="url.banned_words", when=">=", threshold=1, source=_SOURCE),
    Rule(name="url.soft_words", signal="url.soft_words", when=">=", threshold=2, source=_SOURCE),
    Rule(name="url.banned_substring", signal="url.banned_substring", when=">=", threshold=1, source=_SOURCE),
)

DIFFERENCES = (
    "The lists of domains, URLs, words and substrings are the user's (`[signals.lists]`), and without a list its rule fires on nothing; "
    "`signals.url` says where its matching parts from datatrove's."
)
