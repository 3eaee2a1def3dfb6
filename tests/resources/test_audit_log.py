"""The audit's view of a log: the last event of each partition, which run wrote it, and what was written by hand."""

import dagster as dg

from gristmill.lake.workspace import Workspace
from resources.audit_log import AuditLog, AuditLogResource
from resources.plan_cache import DATA_VERSION, INPUTS, PlanCache

SHARDS = dg.StaticPartitionsDefinition(["web/0", "web/1", "web/2"])


@dg.asset(key=["trial", "edits"], partitions_def=SHARDS)
def edits(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    tags = {f"{INPUTS}documents": f"of-{context.partition_key.removeprefix('web/')}"}
    return dg.MaterializeResult(data_version=dg.DataVersion(context.partition_key), tags=tags)


@dg.asset(key="alone")
def alone() -> dg.MaterializeResult:
    return dg.MaterializeResult(data_version=dg.DataVersion("v"))


def everything(partitions):
    return list(partitions)


def test_runs_and_hands(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        runs = [dg.materialize([edits], instance=instance, partition_key=key).run_id for key in ("web/0", "web/1")]
        whole = dg.materialize([alone], instance=instance).run_id
        told = {DATA_VERSION: "by hand"}
        for key in ("web/1", "web/2"):
            instance.report_runless_asset_event(dg.AssetMaterialization(["trial", "edits"], partition=key, tags=told))
        log, other = AuditLog(instance, "trial"), AuditLog(instance, "")
        assert log.assets() == ["edits"] and other.assets() == ["alone"]
        events = log.events("edits", everything)
        assert {key: (event.run, event.run_known) for key, event in events.items()} == {
            "web/0": (runs[0], True),
            "web/1": ("", False),
            "web/2": ("", False),
        }
        assert events["web/0"].recorded.data_version == "web/0" and events["web/0"].recorded.inputs == {"documents": "of-0"}
        assert other.events("alone", everything)[None].run == whole
        assert set(log.events("edits", lambda keys: [key for key in keys if key == "web/2"])) == {"web/2"}

        cache = PlanCache(instance, tmp_path / "cache")  # the plan reads the same
        key = dg.AssetKey(["trial", "edits"])
        cache.look([key])
        assert cache.records(key) == {partition: event.recorded for partition, event in events.items()}
        instance.wipe_assets([key])
        assert log.events("edits", everything) == {} and log.assets() == []


def test_a_run_that_was_deleted_is_not_known(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = dg.materialize([alone], instance=instance).run_id
        instance.run_storage.delete_run(run)  # the event stays
        assert not AuditLog(instance, "").events("alone", everything)[None].run_known


def test_the_resource_gives_the_log_of_the_instance_that_it_runs_under(tmp_path):
    seen = []

    @dg.asset
    def looks(log: AuditLogResource) -> None:
        from gristmill.lake.store import Lake
        from gristmill.recipe import Recipe

        opened = log.open(Workspace(Lake(tmp_path / "lake"), Recipe()))
        assert opened is not None
        seen.append(opened.assets())

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        dg.materialize([alone], instance=instance)
        assert dg.materialize([looks], instance=instance, resources={"log": AuditLogResource()}).success
    assert seen == [["alone"]]
