"""`language`: how sure the identifier must be, as in FineWeb."""

from __future__ import annotations

from gristmill.policy.rules import Profile, Rule

RULES = (
    Rule(
        name="language.confidence",
        signal="language.score",
        when="<",
        threshold=0.65,
        source="Penedo et al. 2024, FineWeb, section 3.2",
    ),
)

PROFILE = Profile(
    rules=RULES,
    differences="FineWeb keeps English alone; here every language that is recognised surely enough stays, and the recipe's sources say "
    "which languages they hold. The identifier is fastText's lid.176 in its compressed form, over the first 4,000 characters.",
)
