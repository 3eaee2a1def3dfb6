"""The check `up_to_date`: told when the plan says something else, and not again."""

from collections.abc import Sequence

import dagster as dg
import pytest

from gristmill.lineage.plan.plan import Node, Plan, Recorded
from gristmill.lineage.plan.reasons import Reason
from resources.up_to_date import UP_TO_DATE, after_run, report

KEY = dg.AssetKey("signals")
SHARDS = [f"web/{i:04d}" for i in range(4)]
EDIT, OTHER = (
    Reason("recipe", "policy.a 1 -> 2", key="policy.a", old=1, new=2),
    Reason("recipe", "policy.a 1 -> 3", key="policy.a", old=1, new=3),
)


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def planned(stale: Sequence[str] = (), why: Reason = EDIT, made: bool = True) -> Plan:
    recorded = {shard: Recorded("v", "c", {}) for shard in SHARDS} if made else {}
    return Plan(
        reasons={"signals": {shard: [why] for shard in stale}},
        waiting={"signals": {}},
        nodes={"signals": Node("signals", "c", SHARDS, [])},
        recorded={"signals": recorded},
    )


def told(instance: dg.DagsterInstance, plan: Plan) -> bool:
    return bool(report(instance, plan, lambda name: KEY))


def shown(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, UP_TO_DATE), limit=1)
    return history[0].event.dagster_event.event_specific_data


def test_it_says_what_is_stale_and_why(instance):
    assert told(instance, planned(SHARDS[:2]))
    assert (shown(instance).passed, shown(instance).description) == (False, "2 of 4 partitions are stale: policy.a 1 -> 2")
    assert shown(instance).metadata["stale partitions"].value == 2
    assert "| policy.a 1 -> 2 | 2 | web/0000, web/0001 |" in shown(instance).metadata["why"].value
    assert shown(instance).severity == dg.AssetCheckSeverity.WARN


def test_only_news_is_told(instance):
    assert not told(instance, planned(SHARDS, made=False)), "Dagster says itself that it was never made"
    assert told(instance, planned()) and not told(instance, planned())
    assert told(instance, planned(SHARDS[:3])) and not told(instance, planned(SHARDS[:3]))
    assert not told(instance, planned(SHARDS[:1])), "a rebuild is at work"
    assert told(instance, planned(SHARDS[1:])), "another shard"
    assert told(instance, planned(SHARDS[1:], OTHER)), "another edit"
    assert told(instance, planned()) and shown(instance).passed


def test_a_run_takes_what_it_made_from_what_was_stale(instance):
    first = after_run(instance, KEY, SHARDS[:2], SHARDS)
    assert first.passed and first.description == "2 of 4 partitions were made; the others have not been looked at yet"
    told(instance, planned(SHARDS[:3]))
    some, rest = after_run(instance, KEY, SHARDS[:2], SHARDS), after_run(instance, KEY, SHARDS, SHARDS)
    assert (some.passed, some.description) == (False, "1 of 4 partitions are stale")
    assert (rest.passed, rest.description) == (True, "up to date")
