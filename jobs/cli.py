"""The `gristmill` command line. What it does lives in the engine; heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gristmill.counting import counted
from jobs import deployment
from jobs.audit_cli import audit
from jobs.builds_cli import builds, diff
from jobs.duplicates_cli import duplicates
from jobs.plan_cli import plan, rebuild
from jobs.policy_cli import policy
from jobs.takedown_cli import takedown
from jobs.why_cli import why as why_command

if TYPE_CHECKING:
    from gristmill.errors import GristmillError


class Commands(click.Group):
    """Prints an error of ours as its message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        from gristmill.errors import GristmillError

        try:
            return super().invoke(ctx)
        except GristmillError as error:
            told: GristmillError | None = error
        except Exception as error:  # a library's words for a full or read-only disk, or for a damaged table
            told = _of_the_disk(error) or _of_the_lake(error)
            if told is None:
                raise
        click.secho(f"error: {told}", fg="red", err=True)
        sys.exit(1)


def _of_the_disk(error: Exception) -> GristmillError | None:
    from gristmill.lake import disk
    from jobs import settings

    lake = [] if "://" in settings.lake_root() else [settings.lake_root()]
    return disk.explained(error, [settings.dagster_home_path(), *lake, settings.home()])


def _of_the_lake(error: Exception) -> GristmillError | None:
    from gristmill.lake import damage

    return damage.explained(error, deployment.lake())


@click.group(cls=Commands)
def main() -> None:
    """A build system for language models: crawls in; corpora, checkpoints and reports out, with lineage."""


main.add_command(audit)
main.add_command(builds)
main.add_command(diff)
main.add_command(duplicates)
main.add_command(plan)
main.add_command(rebuild)
main.add_command(policy)
main.add_command(takedown)
main.add_command(why_command)


@main.group()
def crawl() -> None:
    """Register what is to be read, or crawl a site."""


@crawl.command("add")
@click.argument("name")
@click.argument("sources", nargs=-1, required=True)
def crawl_add(name: str, sources: tuple[str, ...]) -> None:
    """Register WARC or WET files (local, http(s), s3://), or a folder of source code or text, as the crawl NAME."""
    from gristmill.crawl.sources import register
    from gristmill.errors import RecipeError

    recipes, lake, instance = deployment.recipes(), deployment.lake(), deployment.instance()
    takers = [recipe for recipe in recipes if recipe.takes(name)]
    if not takers:
        groups = {group: source.crawls for recipe in recipes for group, source in recipe.sources.groups.items()}
        raise RecipeError(
            f"no recipe takes a crawl named {name!r}",
            where="sources.groups",
            fix=f"The groups' patterns: {groups}. Choose a name that fits one, or add a pattern.",
        )
    shards = register(lake, takers[0], name, list(sources))
    from jobs.shards import sync_shards

    for recipe in takers:
        sync_shards(instance, lake, recipe)
    click.echo(
        f"{name}: {counted(len(shards), 'shard')} registered or replaced. "
        "`gristmill plan` shows what they make stale; `gristmill rebuild` makes it."
    )


@crawl.command("list")
def crawl_list() -> None:
    """The registered crawls and their shards."""
    from gristmill.crawl.sources import shards

    counts: dict[str, int] = {}
    for shard in shards(deployment.lake()):
        counts[shard.split("/")[0]] = counts.get(shard.split("/")[0], 0) + 1
    for name, count in counts.items():
        click.echo(f"{name}\t{counted(count, 'shard')}")


@crawl.command("site")
@click.argument("urls", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The WARC 1.1 file to write (.warc.gz).")
@click.option("--max-pages", default=500, show_default=True)
@click.option("--max-bytes", default=200_000_000, show_default=True, help="Of bodies, in all.")
@click.option("--delay", default=1.0, show_default=True, help="Seconds between two requests to a host.")
@click.option("--remote", is_flag=True, help="Allow hosts beyond this machine.")
def crawl_site_command(urls: tuple[str, ...], out: Path, max_pages: int, max_bytes: int, delay: float, remote: bool) -> None:
    """Crawl sites politely, breadth-first and bounded, into a WARC file."""
    from gristmill.crawl.site import crawl_site

    log_to_terminal()
    report = crawl_site(list(urls), out, max_pages=max_pages, max_bytes=max_bytes, delay_seconds=delay, allow_remote=remote)
    click.echo(f"{report}\n{out}\nNext: gristmill crawl add NAME {out}")


@main.command()
@deployment.namespace_option
def funnel(namespace: str | None) -> None:
    """Documents and words kept per stage, and why the others went."""
    from gristmill.lineage.funnel import format_funnel

    format_funnel(deployment.workspace(deployment.recipe(namespace)))


@main.command()
@deployment.namespace_option
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Default: report.html in GRISTMILL_HOME.")
def report(namespace: str | None, out: Path | None) -> None:
    """Write the self-contained HTML report of what stands now."""
    from gristmill.evaluation.report import write_report
    from jobs import settings

    recipe = deployment.recipe(namespace)
    path = out or settings.home() / (f"report-{recipe.namespace}.html" if recipe.namespace else "report.html")
    write_report(deployment.workspace(recipe), path)
    click.echo(str(path))


@main.command()
@deployment.namespace_option
def performance(namespace: str | None) -> None:
    """Each stage's rows per second, and the demo's wall time and peak memory, as Markdown."""
    from jobs import settings
    from jobs.performance import performance_markdown

    click.echo(performance_markdown(deployment.workspace(deployment.recipe(namespace)), settings.home() / "run.json"))


@main.command()
def demo() -> None:
    """Real sites, crawled and taken through the whole graph to an evaluated model."""
    log_to_terminal()
    from jobs.demo import run_demo

    sys.exit(run_demo())


def log_to_terminal() -> None:
    """What gristmill says while it works, with the time; nothing of the libraries."""
    import logging

    class Plain(logging.Formatter):
        """The message as it was said: inside a run Dagster puts job, run and step before it."""

        def format(self, record: logging.LogRecord) -> str:
            said = getattr(record, "dagster_meta", {}).get("orig_message", record.getMessage())
            return f"{self.formatTime(record, '%H:%M:%S')}  {said}"

    handler = logging.StreamHandler()
    handler.setFormatter(Plain())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("gristmill").setLevel(logging.INFO)


if __name__ == "__main__":
    main()
