"""The demo: real documentation sites, sources and prose through the whole graph, and a look at what came out."""

from __future__ import annotations

import logging

from rich.console import Console

from gristmill.crawl.sources import register
from gristmill.evaluation.report import write_report
from gristmill.lineage.funnel import format_funnel
from jobs import deployment, plan_cli, settings
from jobs.demo_sources import prepare
from jobs.performance import Footprint

log = logging.getLogger("gristmill")


def run_demo() -> int:
    """Exit status 0 when everything was made, or was there already."""
    home = settings.home()
    recipe = settings.recipes()[0]
    lake = deployment.lake()
    log.info("The demo makes everything under %s", home)
    with Footprint() as footprint:
        for name, path in prepare(home).items():
            paths = path if isinstance(path, list) else [path]
            register(lake, recipe, name, [str(each) for each in paths])
        driver = deployment.driver(recipe)
        outcome = driver.drive()
    workspace = driver.workspace
    report = home / "report.html"
    if outcome.seconds or not report.exists():
        write_report(workspace, report)
    if len(outcome.seconds) == len(driver.graph().nodes()):
        footprint.save(home / "run.json")
    console = Console()
    console.print()
    format_funnel(workspace, console)
    plan_cli.print_outcome(outcome)
    console.print(
        f"\n{'Done' if outcome.succeeded else 'Stopped'} in {footprint.seconds:,.0f} s. The report: [bold]{report}[/bold]\n",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        "Three commands to try next:\n"
        "  make ui                      the graph, its partitions and every number, in Dagster on http://127.0.0.1:3000\n"
        "  .venv/bin/gristmill plan     after editing a threshold in recipes/quickstart.toml: what it makes stale, and why\n"
        "  .venv/bin/gristmill rebuild  makes exactly that, and stops where the content comes out the same\n",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0 if outcome.succeeded else 1
