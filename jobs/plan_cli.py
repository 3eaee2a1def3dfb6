"""`gristmill plan` and `gristmill rebuild`: what is stale, why and at what cost; and making exactly that."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gristmill.counting import counted
from gristmill.naming import named
from jobs import deployment

if TYPE_CHECKING:
    from jobs.driver import Driver, Outcome

MANY = 1_000  # shards from which what a policy edit flips is only told when asked for
ERROR_LINES = 12  # of a partition's error that are printed
OURS = "gristmill.errors."  # with which the last line of a traceback of ours begins

until_option = click.option("--until", multiple=True, metavar="ASSET", help="Only this asset and what is upstream of it; may be repeated.")
select_option = click.option(
    "--select", multiple=True, metavar="ASSET[GLOB]", help="Only this asset, and of it the partitions that match; may be repeated."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")


@click.command()
@deployment.namespace_option
@until_option
@select_option
@click.option("--flips/--no-flips", default=None, help=f"What a policy edit flips; by itself told for up to {MANY:,} shards.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Also write a page that needs nothing else.")
@json_option
def plan(
    namespace: str | None, until: tuple[str, ...], select: tuple[str, ...], flips: bool | None, html: Path | None, as_json: bool
) -> None:
    """What is stale, why, what it costs, and what waits for it. JSON: one object; docs/plan.md has its keys."""
    show_plan(deployment.driver(deployment.recipe(namespace)), until, select, flips, html, as_json)


@click.command()
@deployment.namespace_option
@until_option
@select_option
@click.option("--dry-run", is_flag=True, help="Show what would be made, and make nothing.")
@json_option
def rebuild(namespace: str | None, until: tuple[str, ...], select: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Make what the plan calls stale, in dependency order. An interrupted rebuild is simply started again."""
    from jobs.cli import log_to_terminal

    driver = deployment.driver(deployment.recipe(namespace))
    if dry_run:
        show_plan(driver, until, select, None, None, as_json)
        return
    log_to_terminal()
    with terminated_is_interrupted():
        outcome = driver.drive(until, select=select)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), ensure_ascii=False))
    else:
        print_outcome(outcome)
    sys.exit(130 if outcome.interrupted else 0 if outcome.succeeded else 1)


def show_plan(
    driver: Driver, until: tuple[str, ...], select: tuple[str, ...], flips: bool | None, html: Path | None, as_json: bool
) -> None:
    from rich.console import Console

    from gristmill.lineage.plan import flips as policy
    from gristmill.lineage.plan.cost import total
    from gristmill.lineage.plan.terminal import print_plan
    from jobs.selection import waits_outside

    chosen = driver.select(until, select)
    result = driver.plan()
    steps = driver.steps(result, chosen)
    told = len(driver.workspace.partitions("signals")) <= MANY if flips is None else flips
    found = policy.policy_flips(driver.workspace, result, chosen.takes) if told else None
    only = {
        name: {partition for partition in result.nodes[name].partitions if chosen.takes(name, partition)}
        for name, patterns in chosen.patterns.items()
        if name in chosen.assets and patterns != ["*"]
    }
    kept_waiting = waits_outside(driver.graph(), result, chosen) if select else {}
    makeable = [
        step.of([each for each in step.partitions if each not in kept_waiting[step.asset][0]]) if step.asset in kept_waiting else step
        for step in steps
    ]
    if html:
        from gristmill.lineage.plan.page import plan_page  # loads what draws plots
        from gristmill.policy import page

        page.write(html, plan_page(driver.workspace, result, steps, found))
    if as_json:
        answer = {
            "assets": {name: count for name, count in result.counts(only).items() if name in chosen.assets},
            "held_back": {name: moved for name, moved in result.held_back.items() if name in chosen.assets},
            "partitions": [row for row in result.rows() if chosen.takes(row["asset"], row["partition"] or None)],
            "steps": [step.as_json() for step in steps],
            "to_make": total(makeable, certain=True).as_json(),
            "perhaps_to_make": total(makeable, certain=False).as_json(),
            "waits_for_unselected": {name: len(waiting) for name, (waiting, _) in kept_waiting.items()},
            "flips": policy.as_json(found),
        }
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    print_plan(result, steps, found, Console(), chosen.assets, only, makeable)
    for name, (waiting, upstream) in kept_waiting.items():
        waits = f"{counted(len(waiting), 'partition')} of {name} {'waits' if len(waiting) == 1 else 'wait'} for {', '.join(upstream)}"
        fix = "".join(f" --select {each}" for each in upstream)
        click.secho(f"{waits}, which is not selected: nothing is made of it here. Add{fix}, or use --until {name}.", fg="yellow")
    if html:
        click.echo(str(html))


def print_outcome(outcome: Outcome) -> None:
    from rich.console import Console

    from gristmill.lineage.plan.cost import duration
    from gristmill.tables import Column, Row, print_table

    if rows := outcome.rows():
        columns = [Column(name, right=name not in ("asset", "result"), long=name == "result") for name in rows[0]]
        told = [{**row, "seconds": f"{row['seconds']:,.1f}", "result": row["result"].partition(" The first: ")[0]} for row in rows]
        print_table(columns, [Row([str(cell) for cell in row.values()]) for row in told], Console())
    if outcome.saved.partitions:
        about = f", about {duration(outcome.saved.total_seconds)} of work" if outcome.saved.total_seconds >= 1 else ""
        click.echo(f"Early cutoff spared {counted(outcome.saved.partitions, 'partition')}{about}: what they read came out the same.")
    for check in outcome.failed_checks:
        found = f" ({check['found']})" if check["found"] else ""
        click.secho(
            f"check {check['asset']}.{check['check']} failed ({check['severity'].lower()}): {check['description']}{found}",
            fg="yellow" if check["severity"] == "WARN" else "red",
        )
    for asset, errors in outcome.errors.items():
        for partition, error in errors.items():
            click.secho(f"{named(asset, partition)} failed:", fg="red")
            click.echo("\n".join(f"  {line}" for line in error_lines(error)))
    left = outcome.left.rows()
    wanted = [row for row in left if outcome.chosen.takes(row["asset"], row["partition"] or None)]
    if not outcome.rows() and not outcome.interrupted and not wanted:
        click.echo("Everything is fresh; nothing was made." if outcome.left.is_fresh else "What was selected is fresh; nothing was made.")
    if outcome.build:
        click.echo(f"This is the build {outcome.build}. `gristmill diff` says how it differs from the one before.")
    stale: dict[tuple[str, str], list[str]] = {}
    for row in wanted:
        if row["state"] == "stale":
            stale.setdefault((row["asset"], "; ".join(row["reasons"])), []).append(row["partition"])
    for (asset, why), partitions in stale.items():
        these = f"[{', '.join(partitions[:3])}{', …' if len(partitions) > 3 else ''}]" if partitions != [""] else ""
        click.secho(f"still stale: {asset}{these}: {why}", fg="red")
    waiting = [row for row in wanted if row["state"] == "waiting"]
    if waiting and not outcome.interrupted:
        upstream, stale_now = dict.fromkeys(row["waits_for"] for row in waiting), {row["asset"] for row in left if row["state"] == "stale"}
        names = ", ".join([name for name in upstream if name in stale_now] or upstream)
        wait = "waits" if len(waiting) == 1 else "wait"
        click.secho(f"{counted(len(waiting), 'partition')} of what was selected {wait} for {names}.", fg="yellow")
    if beside := [row for row in left if row["reasons"] and row not in wanted]:
        click.echo(f"Stale beside what was selected: {counted(len(beside), 'partition')}. `gristmill plan` names them.")
    if outcome.interrupted:
        click.secho("Interrupted. What was made stays; run the same command again to make the rest.", fg="yellow")


def error_lines(error: str) -> list[str]:
    """The end of a partition's error: of one of ours its message, of another the last lines of its traceback."""
    lines = error.strip().splitlines()
    ours = next((n for n in reversed(range(len(lines))) if lines[n].startswith(OURS)), None)
    if ours is None:
        return lines[-ERROR_LINES:]
    return [lines[ours].partition(": ")[2], *lines[ours + 1 :]]


@contextmanager
def terminated_is_interrupted() -> Iterator[None]:
    """A polite kill ends a rebuild as Ctrl-C does: the run is marked, and the summary printed."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
