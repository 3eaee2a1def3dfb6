"""A real webserver and daemon, driven in headless Chromium: the graph, a partition, a materialisation's metadata, and a policy edit
from the asset's page to the finished rebuild."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import httpx
import pytest

from gristmill.lineage.builds.builds import builds, next_name
from gristmill.recipe import load_recipe
from jobs.runs import runs_of

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120  # seconds that a start, or a page, may take on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true, seconds: float = PATIENCE) -> bool:
    """Asks until the answer is true."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.5)):
        if true():
            return True
        pause.wait(0.5)
    return False


@pytest.fixture(scope="module")
def ui(built):
    """`dagster dev` over the built graph: webserver, code server and daemon."""
    mill, _, _ = built
    port = free_port()
    (Path(mill.env["DAGSTER_HOME"]) / "dagster.yaml").write_text((ROOT / "infra" / "dagster.yaml").read_text())
    log = (mill.folder / "dagster-dev.log").open("w")
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "dagster"), "dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | mill.env,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"

    def is_loaded() -> bool:
        try:
            answer = httpx.post(
                f"{url}/graphql",
                json={"query": "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"},
                timeout=10,
            )
            return "LOADED" in answer.text
        except httpx.HTTPError:
            return False

    try:
        assert wait_until(is_loaded), Path(log.name).read_text()[-3000:]
        yield mill, url
    finally:
        process.terminate()  # it ends its webserver, daemon and code servers itself; now and then one of them does not hear it
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def runs(url: str) -> list[dict]:
    query = "{ runsOrError(limit: 50) { ... on Runs { results { runId jobName status tags { key value } } } } }"
    return httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()["data"]["runsOrError"]["results"]


@pytest.fixture(scope="module")
def page(ui):
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: install Debian's package chromium (make test does so where it may)")
        pytest.skip("Chromium is not installed, and this machine's packages may not be installed by the tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(PATIENCE * 1000)
        page.add_locator_handler(page.get_by_text("Join the Dagster community"), lambda: page.get_by_role("button", name="Skip").click())
        yield page
        browser.close()


def test_the_graph_a_partition_and_a_materialisation_can_be_seen(ui, page):
    mill, url = ui
    shard = mill.driver(mill.recipe()).workspace.partitions("documents")[0]
    page.goto(f"{url}/asset-groups")
    page.wait_for_load_state("networkidle")
    for group in ("crawl", "filters", "dedup", "quality", "synthetic", "corpus", "models", "evaluation", "lineage"):
        page.get_by_text(group, exact=True).first.wait_for()
    page.screenshot(path=str(mill.folder / "graph.png"))
    page.goto(f"{url}/locations/gristmill/asset-groups/filters/lineage")
    for name in ("edits", "token_distribution", "signals", "filtered_shards"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.screenshot(path=str(mill.folder / "group.png"))

    page.goto(f"{url}/assets/documents?view=partitions&partition={shard}")
    page.get_by_text(shard, exact=True).first.wait_for()
    page.get_by_text("dagster/partition_row_count").first.wait_for()
    page.screenshot(path=str(mill.folder / "partition.png"))

    page.goto(f"{url}/assets/checkpoints?view=events")
    page.get_by_text("final loss", exact=True).first.wait_for()
    page.get_by_text("data version", exact=True).first.wait_for()
    page.screenshot(path=str(mill.folder / "materialization.png"))


def test_a_launched_job_runs_through_the_daemon(ui):
    mill, url = ui
    command = [str(Path(sys.executable).parent / "dagster"), "job", "launch", "-w", "workspace.yaml", "-j", "everything"]
    launched = subprocess.run(command, cwd=ROOT, env=os.environ | mill.env, capture_output=True, text=True)
    assert launched.returncode == 0, launched.stderr

    def is_over() -> bool:
        return any(run["jobName"] == "everything" and run["status"] in ("SUCCESS", "FAILURE") for run in runs(url))

    assert wait_until(is_over)
    assert [run["status"] for run in runs(url) if run["jobName"] == "everything"] == ["SUCCESS"]


def sensor(url: str, name: str, verb: str) -> None:
    """`verb`: start or stop."""
    where = f'{{repositoryName: "__repository__", repositoryLocationName: "gristmill", sensorName: "{name}"}}'
    query = f"{{ sensorOrError(sensorSelector: {where}) {{ ... on Sensor {{ sensorState {{ id }} }} }} }}"
    found = httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()["data"]["sensorOrError"]
    how = f"startSensor(sensorSelector: {where})" if verb == "start" else f'stopSensor(id: "{found["sensorState"]["id"]}")'
    answer = httpx.post(f"{url}/graphql", json={"query": f"mutation {{ {how} {{ __typename }} }}"}, timeout=30)
    assert "Error" not in answer.text, answer.text


def reload(url: str, page) -> None:
    """Tells Dagster's page that the recipe was edited."""
    page.goto(f"{url}/locations")
    page.get_by_text("Reload", exact=True).click()
    page.get_by_text("reloaded!").first.wait_for()


def test_a_policy_edit_from_the_assets_page_to_the_finished_rebuild(ui, page):
    """The page says why the shards are stale, the daemon rebuilds them and nothing else, and the page says so."""
    mill, url = ui
    sensor(url, "rebuild_when_stale", "stop")  # nothing is rebuilt until it has been seen that it should be
    before = {run.run_id for run in mill.instance.get_runs()}
    workspace = mill.driver(mill.recipe()).workspace
    shards = workspace.partitions("filtered_shards")
    recipe = mill.folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"gopher.word_count_min"', '"gopher.word_count_max" = 98000\n"gopher.word_count_min"'))
    edited, edit = load_recipe(recipe), "policy.thresholds.gopher.word_count_max 100000 -> 98000"
    build = next_name(workspace, "recipe")

    reload(url, page)
    page.goto(f"{url}/assets/filtered_shards?view=checks&checkDetail=up_to_date")
    page.get_by_text(f"{len(shards)} of {len(shards)} partitions are stale: {edit}").first.wait_for()
    page.screenshot(path=str(mill.folder / "stale.png"))
    assert {run.run_id for run in mill.instance.get_runs()} == before

    sensor(url, "rebuild_when_stale", "start")
    page.get_by_text("up to date", exact=True).first.wait_for()
    assert wait_until(lambda: mill.driver(edited).plan().is_fresh)
    made = [run for run in mill.instance.get_runs() if run.run_id not in before]
    assert {key.to_user_string() for run in made for key in run.asset_selection or ()} == {"filtered_shards"}
    events = mill.instance.fetch_materializations(dg.AssetKey("filtered_shards"), limit=len(shards)).records
    assert {record.partition_key for record in events} == set(shards)
    assert {record.run_id for record in events} <= {run.run_id for run in made}

    page.goto(f"{url}/assets/filtered_shards?view=partitions&partition={quote(shards[0], safe='')}")
    for text in (edit, "equal to before: what reads it is not made again", "dagster/partition_row_count", "made from"):
        page.get_by_text(text, exact=True).first.wait_for()
    page.screenshot(path=str(mill.folder / "rebuilt.png"))
    page.goto(url + page.get_by_role("link", name=build).first.get_attribute("href"))  # a click opens another tab
    page.get_by_text("Show runs within backfills").click()
    page.get_by_text(made[0].run_id[:8]).first.wait_for()
    page.screenshot(path=str(mill.folder / "runs.png"))
    page.goto(f"{url}/assets/filtered_shards")
    page.get_by_text("verdicts.value", exact=True).first.wait_for()
    page.screenshot(path=str(mill.folder / "asset.png"))

    assert wait_until(lambda: build in [each.name for each in builds(workspace.lake, workspace.namespace)]), "the daemon records the build"
    assert {run["run"] for run in runs_of(mill.instance, build)} >= {run.run_id for run in made}

    # the edit is taken back, and this time somebody presses the button
    sensor(url, "rebuild_when_stale", "stop")
    before = {run.run_id for run in mill.instance.get_runs()}
    reverted = mill.recipe()
    reload(url, page)
    page.goto(f"{url}/assets/filtered_shards?view=checks&checkDetail=up_to_date")
    page.get_by_text(f"{len(shards)} of {len(shards)} partitions are stale: ").first.wait_for()
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_text(f"{len(shards)} partitions", exact=True).first.wait_for()
    page.get_by_role("button", name="Launch backfill").click()
    page.get_by_text("Created backfill").first.wait_for()
    page.get_by_text("View", exact=True).click()
    page.get_by_text("100% completed").first.wait_for()
    page.screenshot(path=str(mill.folder / "launched.png"))
    [launched] = [run for run in mill.instance.get_runs() if run.run_id not in before]
    assert launched.asset_selection == {dg.AssetKey("filtered_shards")}
    assert wait_until(lambda: mill.instance.get_run_by_id(launched.run_id).status == dg.DagsterRunStatus.SUCCESS)
    page.goto(f"{url}/assets/filtered_shards?view=checks&checkDetail=up_to_date")
    page.get_by_text("up to date", exact=True).first.wait_for()
    assert mill.driver(reverted).plan().is_fresh
