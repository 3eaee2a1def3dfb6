"""`gristmill plan` and `gristmill rebuild` as a user types them, in a copy of the small real deployment."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds.builds import all_builds
from jobs import deployment
from jobs.cli import main


@pytest.fixture(scope="module")
def copied(built, tmp_path_factory):
    """A copy that may be changed; without what another test's namespace put beside it."""
    original, _, _ = built
    folder = tmp_path_factory.mktemp("plan") / "mill"
    shutil.copytree(original.folder, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "160")
        yield type(original)(folder, patch)


@pytest.fixture
def edit(copied) -> Callable[[str, str], None]:
    """Changes the recipe's text; it is put back after the test, and so is what hangs on it."""
    copied.recipe()

    def edited(old: str, new: str) -> None:
        path = copied.folder / "recipe.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    yield edited
    copied.recipe()
    assert run("rebuild")[0] == 0


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def printed(*arguments: object) -> str:
    """What a command that succeeds prints, its lines' blanks made one."""
    code, output = run(*arguments)
    assert code == 0, output
    return re.sub(r"\s+", " ", output)


def rows(*arguments: object) -> list[dict]:
    code, output = run(*arguments, "--json")
    assert code == 0, output
    return json.loads(output)["partitions"]


def workspace() -> Workspace:
    return deployment.workspace(deployment.recipe(None))


def test_where_nothing_is_stale_both_say_so(copied, tmp_path):
    copied.recipe()
    assert printed("plan", "--html", tmp_path / "plan.html") == f"Everything is fresh. {tmp_path / 'plan.html'} "
    assert "Everything is fresh." in (tmp_path / "plan.html").read_text()
    assert rows("plan") == []
    assert printed("rebuild", "--dry-run") == "Everything is fresh. "
    runs = copied.instance.get_runs_count()
    assert re.match(r"Everything is fresh; nothing was made. This is the build recipe/\d+\.", printed("rebuild"))
    stood = all_builds(workspace().lake)
    assert json.loads(run("rebuild", "--json")[1])["assets"] == []
    assert copied.instance.get_runs_count() == runs and all_builds(workspace().lake) == stood


def test_the_plan_of_an_edit_in_the_terminal_as_json_and_on_a_page(copied, edit, tmp_path):
    edit('"gopher.word_count_min" = 50', '"gopher.word_count_min" = 300')
    shards = workspace().partitions("filtered_shards")
    said = printed("plan", "--html", tmp_path / "plan.html")
    assert f"filtered_shards {len(shards)} stale policy.thresholds.gopher.word_count_min 50 -> 300" in said
    assert "waiting may change with filtered_shards" in said and f"To make: {len(shards)} partitions, about " in said
    assert "early cutoff spares those whose inputs come out the same" in said
    assert re.search(r"gopher.word_count.* drops \d+ documents that are kept and keeps 0 that are dropped, of \d+", said)
    page = (tmp_path / "plan.html").read_text()
    assert "policy.thresholds.gopher.word_count_min 50 -&gt; 300" in page and "What the policy's edit would flip" in page
    stale = [row for row in rows("plan") if row["state"] == "stale"]
    assert sorted((row["asset"], row["partition"]) for row in stale) == [("filtered_shards", shard) for shard in shards]
    assert stale[0]["why"] == [
        {"kind": "recipe", "text": stale[0]["reasons"][0], "key": "policy.thresholds.gopher.word_count_min", "old": 50.0, "new": 300.0}
    ]
    assert all(row["waits_for"] and not row["reasons"] for row in rows("plan") if row["state"] == "waiting")
    whole = json.loads(run("plan", "--json")[1])
    assert whole["assets"]["filtered_shards"] == {"partitions": len(shards), "fresh": 0, "stale": len(shards), "waiting": 0}
    assert whole["assets"]["edits"]["fresh"] == len(shards)
    assert whole["to_make"]["partitions"] == len(shards) == whole["steps"][0]["cost"]["partitions"]
    assert whole["perhaps_to_make"]["partitions"] == len([row for row in rows("plan") if row["state"] == "waiting"])
    assert whole["flips"]["asset"] == "filtered_shards" and whole["flips"]["lost_documents"] > 0
    assert f"Fresh: {sum(count['fresh'] for count in whole['assets'].values())} of " in said
    selected = [json.loads(run("plan", "--json", "--select", f"filtered_shards[{shard}]")[1])["flips"] for shard in shards]
    assert sum(each["documents"] for each in selected) >= whole["flips"]["documents"]  # a copy counts in each selection that holds it
    for shard, flips in zip(shards, selected, strict=True):
        assert flips["documents"] <= workspace().output("signals", shard).tables["pages"].rows
        assert {row["source"] for row in flips["sources"] if row["documents"]} <= {workspace().recipe.source_of(shard)}
    code = [row["partition"] for row in rows("plan", "--select", "filtered_shards[code/*]")]
    assert sorted(code) == [shard for shard in shards if shard.startswith("code/")]
    assert {row["asset"] for row in rows("plan", "--until", "document_embeddings")} == {"filtered_shards", "document_embeddings"}
    assert "What is selected is fresh. Other assets are stale" in printed("plan", "--until", "signals")
    assert "flips" not in printed("plan", "--no-flips") and "drops" not in printed("plan", "--no-flips")


def test_a_dry_run_makes_nothing_and_a_selection_only_itself(copied, edit):
    edit("[policy.thresholds]", '[policy.thresholds]\n"gopher.word_count_max" = 99_999')
    runs, planned = copied.instance.get_runs_count(), rows("plan")
    shards = sorted(row["partition"] for row in planned if row["asset"] == "filtered_shards")
    code = [shard for shard in shards if shard.startswith("code/")]
    assert rows("rebuild", "--dry-run") == planned
    said = printed("rebuild", "--select", "document_embeddings")
    assert f"{len(shards)} partitions of what was selected wait for filtered_shards." in said and "made" not in said
    assert f"Stale beside what was selected: {len(shards)} partitions." in said
    some = printed("rebuild", "--dry-run", "--select", "filtered_shards[code/*]")
    assert f"filtered_shards {len(code)} stale" in some and f"Fresh: 0 of {len(code)} partition" in some
    alone = printed("rebuild", "--dry-run", "--select", "duplicate_clusters")
    assert "1 partition of duplicate_clusters waits for filtered_shards, which is not selected: nothing is made of it here." in alone
    assert "to make" not in alone.lower()
    assert "which is not selected" not in printed("rebuild", "--dry-run", "--until", "duplicate_clusters")
    answer = json.loads(run("plan", "--json", "--select", "document_embeddings", "--select", "filtered_shards[code/*]")[1])
    assert answer["waits_for_unselected"] == {"document_embeddings": len(shards) - len(code)}
    assert answer["assets"]["filtered_shards"] == {"partitions": len(code), "fresh": 0, "stale": len(code), "waiting": 0}
    assert copied.instance.get_runs_count() == runs

    said = printed("rebuild", "--select", "filtered_shards[code/*]")
    assert re.search(rf"asset made made before cut off early seconds result .* filtered_shards {len(code)} 0 0 [\d.]+ ok ", said)
    assert f"Stale beside what was selected: {len(shards) - len(code)} partitions. `gristmill plan` names them." in said
    assert "still stale" not in said
    assert sorted(row["partition"] for row in rows("plan", "--select", "filtered_shards")) == [
        shard for shard in shards if shard not in code
    ]
    assert printed("rebuild", "--select", "filtered_shards[code/*]").startswith("What was selected is fresh; nothing was made.")
    assert copied.instance.get_runs_count() == runs + 1

    outcome = json.loads(run("rebuild", "--until", "deduplicated_shards", "--json")[1])
    made = {row["asset"]: row for row in outcome["assets"]}
    assert made["filtered_shards"]["made"] == len(shards) - len(code) and outcome["errors"] == {}
    assert made["document_embeddings"]["cut off early"] == len(shards) - len(code)  # no document flipped
    assert rows("plan", "--until", "deduplicated_shards") == []


def test_a_failed_partition_is_told_with_its_error_and_the_others_are_made(copied, edit):
    standing = workspace()
    shards = standing.partitions("documents")
    broken, others = shards[0], shards[1:]
    table = Path(standing.lake.root) / standing.output("documents", broken).tables["documents"].key
    text = table.read_bytes()
    edit("[dedup.minhash]", '[edits]\nmask = ["email"]\n[dedup.minhash]')
    table.write_bytes(b"PAR1 and then nothing of the kind")
    try:
        code, output = run("rebuild", "--until", "edits")
        said = re.sub(r"\s+", " ", output)
        assert code == 1, output
        assert re.search(rf" edits {len(others)} 0 0 [\d.]+ 1 of {len(shards)} partitions of edits failed: {broken}", said)
        error = output[output.index(f"edits[{broken}] failed:\n") :]
        assert f"  {table}: is damaged: its 33 bytes do not end" in error and "Traceback" not in error and " - dagster - " not in output
        assert f"still stale: edits[{broken}]: edits.mask" in said
        assert f"! edits[{broken}] failed once: " in printed("plan")
        [row] = rows("plan", "--select", "edits")
        assert row["partition"] == broken and row["failed"]["times"] == 1 and "Traceback" in row["failed"]["error"]
        assert "Traceback" not in printed("plan")
        outcome = json.loads(run("rebuild", "--select", "edits", "--json")[1])
        assert list(outcome["errors"]["edits"]) == [broken]
    finally:
        table.write_bytes(text)
    assert " edits 1 0 0 " in printed("rebuild", "--until", "edits")
    assert rows("plan", "--until", "edits") == [] and "failed" not in printed("plan")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan", "--until", "filtered_shrads"), "no asset named 'filtered_shrads'\n  Did you mean filtered_shards?"),
        (("rebuild", "--select", "edits[nobody/*]"), "no partition of edits matches 'nobody/*'"),
        (("rebuild", "--select", "edits[docs-1"), "'edits[docs-1' has no closing bracket"),
        (("plan", "--namespace", "nobody"), "no recipe has the namespace 'nobody'"),
    ],
)
def test_what_cannot_be_planned_says_why(copied, arguments, says):
    code, said = run(*arguments)
    assert code == 1 and says in said and "Traceback" not in said
