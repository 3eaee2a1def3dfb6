"""The check `up_to_date`: told when the plan says something else, and not again."""

from collections.abc import Sequence

import dagster as dg
import pytest

from gristmill.lineage.plan.plan import Node, Plan, Recorded
from gristmill.lineage.plan.reasons import Reason, gone_reason
from resources.up_to_date import LISTED, UP_TO_DATE, after_run, report

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
        reasons={"signals": {shard: [why if why.kind != "gone" else gone_reason([f"tables/{shard}"])] for shard in stale}},
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


def test_more_stale_partitions_than_are_listed_are_counted(instance):
    many = [f"web/{i:05d}" for i in range(3 * LISTED)]
    assert told(instance, planned(many)) and not told(instance, planned(many[LISTED:]))
    some = after_run(instance, KEY, many[:LISTED], many)
    assert (some.passed, some.description) == (False, "2,000 of 3,000 partitions are stale")
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(asset_key=KEY, check_name=UP_TO_DATE, passed=False, metadata=some.metadata))
    assert not told(instance, planned(many[LISTED:])), "its run said so"
    more = after_run(instance, KEY, many[LISTED : 2 * LISTED], many)
    assert (more.passed, more.metadata["stale partitions"].value) == (False, LISTED)
    assert after_run(instance, KEY, many, many).passed


def test_files_that_are_gone_are_one_reason(instance):
    assert told(instance, planned(SHARDS, gone_reason(["tables/x"])))
    assert shown(instance).description == "4 of 4 partitions are stale: files gone"
    assert not told(instance, planned(SHARDS[2:], gone_reason(["tables/x"])))
