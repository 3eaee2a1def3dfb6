"""`gristmill builds` and `gristmill diff`: what was built, kept and collected; and what differs between two builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gristmill.counting import counted
from jobs import deployment
from jobs.policy_cli import html_option, json_option

if TYPE_CHECKING:
    from gristmill.lake.workspace import Workspace
    from gristmill.lineage.diff.diff import Side


@click.group()
def builds() -> None:
    """The named states of the whole graph: listed, shown, pinned, garbage-collected."""


@builds.command("list")
@json_option
@deployment.namespace_option
def list_command(as_json: bool, namespace: str | None) -> None:
    """Every build of the recipe's namespace, the newest first. JSON: one object per build, without recipe and heads."""
    from rich.console import Console

    from gristmill.lineage.builds import builds as recorded
    from gristmill.lineage.diff.terminal import print_builds

    workspace = deployment.workspace(deployment.recipe(namespace))
    found, pins = recorded.builds(workspace.lake, workspace.namespace), recorded.pins(workspace.lake, workspace.namespace)
    if not as_json:
        print_builds(found, pins, Console())
        return
    for build in reversed(found):
        about = {name: getattr(build, name) for name in ("name", "made_at", "content")}
        origin = {"by": build.origin.by, "commit": build.origin.commit}
        partitions = sum(heads.partitions for heads in build.heads.values())
        pinned = pins[build.number].why if build.number in pins else None
        click.echo(json.dumps({**about, **origin, "partitions": partitions, "pinned": pinned}, ensure_ascii=False))


@builds.command("show")
@click.argument("build")
@click.option("--recipe", is_flag=True, help="Print the recipe as it was written, and nothing else.")
@json_option
@deployment.namespace_option
def show_command(build: str, recipe: bool, as_json: bool, namespace: str | None) -> None:
    """A build's manifest: who made it, when, with what, the heads of every asset, and the runs that led to it. JSON: all of it."""
    from rich.console import Console

    from gristmill.lineage.builds import builds as recorded
    from gristmill.lineage.diff.terminal import print_build
    from jobs.runs import print_runs, runs_of

    workspace = deployment.workspace(deployment.recipe(namespace))
    found = recorded.find(workspace.lake, workspace.namespace, build)
    if recipe:
        click.echo(found.recipe_text, nl=False)
    elif as_json:
        click.echo(json.dumps({**found.as_json(), "runs": runs_of(deployment.instance(), found.name)}, ensure_ascii=False))
    else:
        print_build(found, recorded.pins(workspace.lake, workspace.namespace).get(found.number), Console())
        print_runs(runs_of(deployment.instance(), found.name), Console())


@builds.command("pin")
@click.argument("build")
@click.option("--why", required=True, help="Kept with the pin, for whoever asks later.")
@deployment.namespace_option
def pin_command(build: str, why: str, namespace: str | None) -> None:
    """Keep BUILD, however old it gets."""
    from gristmill.lineage.builds import builds as recorded
    from jobs.origin import whoever

    workspace = deployment.workspace(deployment.recipe(namespace))
    found = recorded.find(workspace.lake, workspace.namespace, build)
    recorded.pin(workspace.lake, found, whoever(), why)
    click.echo(f"{found.name} is kept until `gristmill builds unpin {found.name}`.")


@builds.command("unpin")
@click.argument("build")
@deployment.namespace_option
def unpin_command(build: str, namespace: str | None) -> None:
    """Let BUILD go when it is old."""
    from gristmill.lineage.builds import builds as recorded

    workspace = deployment.workspace(deployment.recipe(namespace))
    found = recorded.find(workspace.lake, workspace.namespace, build)
    recorded.unpin(workspace.lake, found)
    click.echo(f"{found.name} goes with the others of its age.")


@builds.command("record")
@deployment.namespace_option
def record_command(namespace: str | None) -> None:
    """Name what stands now, where everything is fresh. `gristmill rebuild` does so by itself, and so does the daemon, every half minute."""
    from gristmill.errors import LakeError
    from jobs.origin import record

    driver = deployment.driver(deployment.recipe(namespace))
    planned = driver.plan()
    if not planned.is_fresh:
        stale = sum(map(len, planned.reasons.values()))
        raise LakeError(
            f"{counted(stale, 'partition')} {'is' if stale == 1 else 'are'} stale: this is no state to name",
            where=driver.workspace.lake.root,
            fix="Run `gristmill rebuild`; it records the build.",
        )
    click.echo(record(driver.workspace, planned).name)


@builds.command("gc")
@click.option("--keep", default=5, show_default=True, type=click.IntRange(1), help="Builds of each namespace that stay without a pin.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@json_option
def gc_command(keep: int, dry_run: bool, as_json: bool) -> None:
    """Delete what neither stands now, nor in a pinned build, nor in one of the last few. Of all namespaces: the lake is shared."""
    from assets.graph import recipe_assets
    from gristmill.lineage.builds.collect import collect
    from gristmill.policy.terminal import size

    assets = [(recipe.namespace or "default", asset.key.path[-1]) for recipe in deployment.recipes() for asset in recipe_assets(recipe)]
    done = collect(deployment.lake(), assets, keep, dry_run, say=lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(done.as_json(), ensure_ascii=False))
        return
    goes = "would go" if dry_run else "went"
    names = f": {', '.join(done.builds)}" if done.builds else ""
    click.echo(f"{counted(len(done.builds), 'build')} {goes}{names}; {counted(len(done.kept), 'stays', 'stay')}.")
    for kind, count in done.objects.items():
        click.echo(f"{count:8,} {kind} {goes}{', ' + size(done.bytes[kind]) if count else ''}")


@click.command()
@click.argument("old", required=False)
@click.argument("new", required=False)
@html_option
@json_option
@deployment.namespace_option
def diff(old: str | None, new: str | None, html: Path | None, as_json: bool, namespace: str | None) -> None:
    """What differs between the builds OLD and NEW: recipe, documents, tokens, mix, training and scores, and whether it is noise.

    Without names the last two; with one, that build and what stands now, which is called `current`.
    """
    from rich.console import Console

    from gristmill.lineage.diff.diff import CURRENT, Diff
    from gristmill.lineage.diff.page import diff_page
    from gristmill.lineage.diff.terminal import print_diff
    from gristmill.policy.page import write

    recipe = deployment.recipe(namespace)
    workspace = deployment.workspace(recipe)
    names = (old, new or CURRENT) if old else _last_two(workspace)
    found = Diff(*(_side(workspace, name) for name in names))
    if CURRENT in names:
        _warn_of_stale(namespace)
    if html:
        write(html, diff_page(found))
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    print_diff(found, Console())
    if html:
        click.echo(str(html))


def _side(workspace: Workspace, name: str) -> Side:
    from gristmill.lineage.builds.builds import find
    from gristmill.lineage.diff.diff import CURRENT, Side

    if name == CURRENT:
        return Side.of_present(workspace)
    return Side.of_build(workspace.lake, find(workspace.lake, workspace.namespace, name))


def _last_two(workspace: Workspace) -> tuple[str, str]:
    from gristmill.errors import LakeError
    from gristmill.lineage.builds.builds import builds as recorded

    found = recorded(workspace.lake, workspace.namespace)
    if len(found) < 2:
        raise LakeError(
            f"there {'is one build' if found else 'is no build'}, and a diff needs two",
            where=f"{workspace.lake.root}/builds/{workspace.namespace}",
            fix="`gristmill rebuild` records one when it ends with everything fresh; `gristmill diff BUILD` compares one with what stands.",
        )
    return found[-2].name, found[-1].name


def _warn_of_stale(namespace: str | None) -> None:
    """What stands now may be half of one build and half of the next."""
    stale = sum(map(len, deployment.driver(deployment.recipe(namespace)).plan().reasons.values()))
    if stale:
        click.secho(f"current: {counted(stale, 'partition')} stale; what they hold was made under other keys.", fg="yellow", err=True)
