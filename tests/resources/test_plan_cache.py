"""The cache against Dagster's own functions: after any history of one log, by whoever wrote it, both say the same."""

import random
import threading
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_shared.serdes.errors import DeserializationError

from benchmarks.postgres import server
from resources.plan_cache import CODE_VERSION, DATA_VERSION, FILES, INPUTS, PlanCache, latest_records, parsed

KEYS = [dg.AssetKey("kept"), dg.AssetKey(["trial", "kept"]), dg.AssetKey("joined")]
SHARDS = [f"web/{i:04d}" for i in range(7)]


def report(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None, version: str) -> None:
    tags = {DATA_VERSION: version, CODE_VERSION: "1", **({f"{INPUTS}up": f"of-{version}"} if version[-1] != "3" else {})}
    metadata = {
        FILES: dg.MetadataValue.text(f'["tables/{version}"]'),
        "seconds": 1.5,
        "tokens": 12,
        "dagster/partition_row_count": 3,
        "by rule": dg.MetadataValue.md("| a |"),
    }
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags, metadata=metadata))


def delete_last(instance: dg.DagsterInstance, n: int) -> None:
    """The last events go, as when runs are deleted; SQLite gives their ids out again."""
    table = SqlEventLogStorageTable
    with instance.event_log_storage.index_connection() as connection:
        ids = [row[0] for row in connection.execute(sa.select(table.c.id).order_by(table.c.id.desc()).limit(n))]
        connection.execute(table.delete().where(table.c.id.in_(ids)))


def same(instance: dg.DagsterInstance, cache: PlanCache) -> None:
    cache.look(KEYS)
    for key in KEYS:
        assert cache.records(key) == latest_records(instance, key), key


def a_history(instance: dg.DagsterInstance, folder: Path, seed: int) -> None:
    """Forty random deeds, looked at through one cache that stays, others that begin, with memory or without, and a folder that is
    deleted or broken."""
    dice, cache, held = random.Random(seed), PlanCache(instance, folder), {}
    for step in range(40):
        key = dice.choice(KEYS)
        deed = dice.randrange(12)
        if deed < 7:
            for _ in range(dice.randrange(1, 4)):
                report(instance, key, None if key.path == ["joined"] else dice.choice(SHARDS), f"v{step}.{dice.randrange(4)}")
        elif deed == 7:
            instance.wipe_assets([key])
        elif deed == 8:
            delete_last(instance, dice.randrange(1, 5))
        elif deed == 9:
            for path in folder.rglob("*.json"):
                path.unlink() if dice.random() < 0.5 else path.write_text(path.read_text()[: dice.randrange(200)])
        elif deed == 10:
            cache = PlanCache(instance, folder)
        if dice.random() < 0.6:
            same(instance, dice.choice([cache, PlanCache(instance, folder), PlanCache(instance, folder, held)]))
    same(instance, cache)


@pytest.mark.parametrize("seed", range(4))
def test_cached_is_uncached_after_a_random_history(tmp_path, seed):
    with dg.DagsterInstance.ephemeral() as instance:
        a_history(instance, tmp_path, seed)


def test_a_folder_of_instances_that_have_files_of_their_own(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    with dg.DagsterInstance.local_temp(str(first)) as one, dg.DagsterInstance.local_temp(str(second)) as two:
        a_history(one, tmp_path / "plan", 100)
        a_history(two, tmp_path / "plan", 101)
        same(one, PlanCache(one, tmp_path / "plan"))


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory):
    with server() as config:
        if config is None:
            pytest.skip("no Postgres server, or no dagster-postgres, is installed")
        with dg.instance_for_test(temp_dir=str(tmp_path_factory.mktemp("dagster")), overrides={"storage": config}) as instance:
            yield instance


@pytest.mark.parametrize("seed", range(2))
def test_cached_is_uncached_on_postgres(on_postgres, tmp_path, seed):
    a_history(on_postgres, tmp_path, seed)


def test_an_event_that_is_committed_late_under_a_lower_id_is_seen(on_postgres, tmp_path):
    """Two processes write at once: the one with the lower id commits after a plan has read the higher one."""
    key, cache = KEYS[0], PlanCache(on_postgres, tmp_path)
    report(on_postgres, key, SHARDS[0], "v1")
    report(on_postgres, key, SHARDS[1], "v2")
    table = SqlEventLogStorageTable
    with on_postgres.event_log_storage.index_connection() as connection:
        late = connection.execute(table.select().order_by(table.c.id.desc()).limit(2)).mappings().all()[1]
        connection.execute(table.delete().where(table.c.id == late["id"]))
    same(on_postgres, cache)
    with on_postgres.event_log_storage.index_connection() as connection:
        connection.execute(table.insert().values(**late))
    same(on_postgres, cache)
    assert SHARDS[0] in cache.records(key)


def test_only_what_is_new_is_read(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        for shard in SHARDS:
            report(instance, KEYS[0], shard, "v1")
        first = PlanCache(instance, tmp_path)
        same(instance, first)
        report(instance, KEYS[0], SHARDS[2], "v2")
        second = PlanCache(instance, tmp_path)
        same(instance, second)
        third = PlanCache(instance, tmp_path)
        same(instance, third)
        assert (first.events_read, second.events_read, third.events_read) == (len(SHARDS), 1, 0)


def test_threads_that_share_what_was_read_each_see_the_log_as_it_was_at_some_moment(tmp_path):
    """As two sensors of a code server do, each with an instance of its own, while a run writes."""
    history, states = [(shard, f"v{i}") for i, shard in enumerate(SHARDS * 6)], [{}]
    for shard, version in history:
        states.append({**states[-1], shard: version})
    held, ended, wrong = {}, threading.Event(), []

    def tick() -> None:
        while not ended.is_set():
            with dg.DagsterInstance.from_ref(ref) as own:
                cache = PlanCache(own, tmp_path / "plan", held)
                cache.look(KEYS)
                answer = {shard: record.data_version for shard, record in cache.records(KEYS[0]).items()}
                if answer not in states:
                    wrong.append(answer)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        ref = instance.get_ref()
        threads = [threading.Thread(target=tick) for _ in range(3)]
        for thread in threads:
            thread.start()
        for shard, version in history:
            report(instance, KEYS[0], shard, version)
        ended.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        same(instance, PlanCache(instance, tmp_path / "plan", held))


def test_a_folder_that_cannot_be_written_costs_time_and_no_answer(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        report(instance, KEYS[0], SHARDS[0], "v1")
        (tmp_path / "file").write_text("in the way")
        same(instance, PlanCache(instance, tmp_path / "file"))


def test_an_event_of_another_form_goes_through_dagster():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("kept"))
        with instance.event_log_storage.index_connection() as connection:
            event = connection.execute(sa.select(SqlEventLogStorageTable.c.event)).scalar()
        assert parsed(event) == latest_records(instance, dg.AssetKey("kept"))[None]
        with pytest.raises(DeserializationError):
            parsed("{}")
