"""`phi-reasoning`: pages that fill a small model's memory make way for pages that explain, after Phi-3.

Thresholds of our own, from 395 English pages of at least 1,500 characters (manuals and plays). Factoids per 100 words: median
5.0, 95% below 11.6, at most 17.4 (a reference page of constants); reasoning less factoids: median -3.0, 95% above -10.3.
On such pages the first rule drops nothing; it is for tables of results, where every third word is a name or a number.
"""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

_PHI3 = "Abdin et al. 2024, Phi-3, section 2, Data Optimal Regime"

RULES = (
    Rule(name="reasoning.factoids", signal="reasoning.factoid_density", when=">", threshold=20, source=_PHI3),
    Rule(
        name="reasoning.balance",
        signal="reasoning.reasoning_minus_factoid",
        when="<",
        threshold=-10,
        action="down_weight",
        weight=0.5,
        source=_PHI3,
    ),
)

PROFILE = Profile(
    rules=RULES,
    differences="Phi-3 names the aim (leave out the result of a game, keep what raises the ability to reason) and neither method nor "
    "threshold; its filter is a model's judgement of educational level. Here words are counted: names and numbers against connectives, in "
    "English pages alone; pages in other languages and source code pass. Only pages that are little but names and numbers are dropped; "
    "those that lean that way count half.",
)
