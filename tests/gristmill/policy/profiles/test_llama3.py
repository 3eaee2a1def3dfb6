"""The profile `llama3`: what it drops, with the user's lists and without."""

import polars as pl
import pytest
from annotated_types import Ge

from gristmill.policy.profiles import PROFILES
from gristmill.recipe.dedup import Dedup
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import SIGNALS

PROFILE = PROFILES["llama3"]
DISTRIBUTION = pl.DataFrame({"token": ["the", "mill"], "count": [9, 1], "probability": [0.85, 0.1]})
LISTS = {"domains": frozenset({"dust.org"}), "dirty_words": frozenset({"dust"})}
PROSE = "A wheel turns when water falls on its boards, and what it turns grinds the grain. "


def fired(text: str, url: str = "http://mill.org/", **lists: frozenset[str]) -> set[str]:
    documents = pl.DataFrame({"doc_id": ["a"], "url": [url], "text": [text]})
    values: dict[str, float] = {}
    families = sorted({rule.signal.split(".")[0] for rule in PROFILE.rules})
    for table in compute_families(families, documents, References(distribution=DISTRIBUTION, lists=lists)).values():
        values |= table.row(0, named=True)
    return {
        rule.name
        for rule in PROFILE.rules
        if (values[rule.signal] > rule.threshold or (rule.when == ">=" and values[rule.signal] == rule.threshold))
    }


def test_every_rule_reads_a_signal_and_says_its_source() -> None:
    assert all(rule.signal in SIGNALS and rule.when in (">", ">=") and "Grattafiori" in rule.source for rule in PROFILE.rules)
    assert PROFILE.strips == ("markdown",) and "threshold" in PROFILE.differences


@pytest.mark.parametrize("text", ["", "\0" * 1_000, "_" * 100_000, "Click here."])
def test_it_has_no_rule_on_length(text: str) -> None:
    """Its differences say so; an empty page is no document, and `dedup.min_chars` is the build's own rule."""
    assert fired(text) == set() and "no rule on length" in PROFILE.differences
    assert Dedup.model_fields["min_chars"].metadata == [Ge(1)]


def test_what_fires() -> None:
    assert fired("") == fired(PROSE) == set()
    assert fired(PROSE * 9) >= {f"llama3.duplicate_{n}grams" for n in range(5, 11)}
    assert fired("dust and more", **LISTS) == {"llama3.dirty_words"}
    assert fired(PROSE + "dust", **LISTS) == {"llama3.dirty_words"} and fired(PROSE * 2 + "dust", **LISTS) - {"llama3.dirty_words"}
    assert fired("dust", "http://www.dust.org/") == set()
    assert fired(PROSE, "http://www.dust.org/", **LISTS) == {"llama3.banned_domain"}
    assert fired("the mill " * 4 + " ".join(f"zq{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(60))) == {"kl.outlier"}
