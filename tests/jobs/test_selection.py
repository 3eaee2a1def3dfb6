"""What `--until` and `--select` choose."""

import pytest

from gristmill.errors import RecipeError
from gristmill.lineage.plan.plan import Node
from jobs.automation import CAP, RANGES, capped
from jobs.selection import selection

NODES = [
    Node("raw", "1", ["web/0", "web/1", "code/0"], []),
    Node("kept", "1", ["web/0", "web/1", "code/0"], ["raw"]),
    Node("model", "1", [None], ["kept"]),
    Node("other", "1", [None], ["raw"]),
]


def test_everything_or_up_to_an_asset():
    assert selection(NODES).assets == ["raw", "kept", "model", "other"]
    assert selection(NODES, until=["kept"]).assets == ["raw", "kept"]


def test_only_these_partitions():
    chosen = selection(NODES, select=["kept[web/*]", "model"])
    assert chosen.assets == ["kept", "model"]
    assert [p for p in NODES[1].partitions if chosen.takes("kept", p)] == ["web/0", "web/1"]
    assert chosen.takes("model", None) and not chosen.takes("raw", "web/0")
    assert selection(NODES, until=["kept"], select=["kept", "model"]).assets == ["kept"]


@pytest.mark.parametrize(
    ("until", "select", "message"),
    [
        (["kpet"], [], "Did you mean kept"),
        ([], ["kept[web/9]"], "no partition of kept matches 'web/9'"),
        ([], ["kept[web/0"], "no closing bracket"),
        ([], ["model[x]"], "It has none: write model"),
    ],
)
def test_what_cannot_be_meant_is_refused(until, select, message):
    with pytest.raises(RecipeError, match=message):
        selection(NODES, until, select)


def test_a_tick_asks_for_a_bounded_number_of_partitions_and_ranges():
    order = [f"{i:05d}" for i in range(3 * CAP)]
    assert capped(order, set(order)) == order[:CAP]
    assert capped(order, set(order[::2])) == order[: 2 * RANGES : 2]
    assert capped([None], [None]) == [None] and capped(order, set()) == []
