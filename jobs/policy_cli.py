"""`gristmill policy`: what a rule's change would do, from stored signals; the curve of a threshold; the rules in force."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs import deployment

if TYPE_CHECKING:
    import polars as pl

html_option = click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Also write a page that needs nothing else."
)
recipe_option = click.option(
    "--recipe", "edited", type=click.Path(path_type=Path, dir_okay=False), help="An edited recipe, whose policy is taken."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


@click.group()
def policy() -> None:
    """Try a change of rules, sweep a threshold, show the rules: from stored signals, without touching text."""


@policy.command("try")
@click.argument("changes", metavar="RULE=VALUE…", nargs=-1)
@recipe_option
@click.option("--flips", type=click.Path(path_type=Path, dir_okay=False), help="Write every document that flips to this Parquet file.")
@click.option("--excerpts", is_flag=True, help="Quote the page's examples: reads the text of those documents, and of no others.")
@html_option
@json_option
@deployment.namespace_option
def try_command(
    changes: tuple[str, ...],
    edited: Path | None,
    flips: Path | None,
    excerpts: bool,
    html: Path | None,
    as_json: bool,
    namespace: str | None,
) -> None:
    """Which documents flip when rules change: RULE=VALUE sets a threshold, RULE[LANGUAGE]=VALUE one language's, RULE=off
    and RULE=on switch a rule, 'gopher.*=off' all of that name.

    A rule of a shipped profile that the policy does not use joins it. Quote brackets and stars against the shell.
    """
    from gristmill.policy import page, terminal, trial
    from gristmill.policy.what_if import what_if
    from gristmill.recipe import load_recipe

    if not changes and not edited:
        raise click.UsageError("Name a change, such as gopher.word_count_min=60, or an edited recipe with --recipe.")
    if excerpts and not html:
        raise click.UsageError("--excerpts are quoted on the page: give --html too.")
    recipe = deployment.recipe(namespace)
    tried = load_recipe(edited) if edited else recipe
    rules = trial.tried(tried, changes, recipe)
    trial.same_signals(recipe, tried, rules)
    workspace = deployment.workspace(recipe)
    with _Flips(flips) as found:
        answer = what_if(workspace, recipe.policy.resolved(), rules, on_flips=found.add if flips else None)
    if html:
        page.write(html, page.what_if_page(workspace, answer, excerpts))
    _print(as_json, answer, terminal.print_what_if, *(path for path in (html, flips) if path))


@policy.command("sweep")
@click.argument("signal")
@click.option("--when", type=click.Choice(["<", "<=", ">", ">="]), default=None, help="Default: as the rules on the signal compare.")
@recipe_option
@html_option
@json_option
@deployment.namespace_option
def sweep_command(signal: str, when: Any, edited: Path | None, html: Path | None, as_json: bool, namespace: str | None) -> None:
    """What every threshold on SIGNAL would drop, by itself and in addition to the other rules."""
    from gristmill.policy import page, terminal, trial
    from gristmill.policy.sweep import sweep
    from gristmill.recipe import load_recipe

    recipe = deployment.recipe(namespace)
    edits = load_recipe(edited) if edited else recipe
    rules = trial.tried(edits, [], recipe)
    trial.same_signals(recipe, edits, rules, signal)
    found = sweep(deployment.workspace(recipe), signal, rules, when)
    if html:
        page.write(html, page.sweep_page(found))
    _print(as_json, found, terminal.print_sweep, *([html] if html else []))


@policy.command("show")
@click.argument("profile", required=False)
@deployment.namespace_option
def show_command(profile: str | None, namespace: str | None) -> None:
    """The rules of the recipe's policy, or of a shipped PROFILE with its differences from its namesake."""
    from rich.console import Console

    from gristmill.errors import RecipeError
    from gristmill.policy import terminal
    from gristmill.policy.profiles import PROFILES
    from gristmill.policy.wording import nearest

    if profile is None:
        terminal.print_recipe_policy(deployment.recipe(namespace).policy, Console())
    elif profile in PROFILES:
        terminal.print_profile(profile, Console())
    else:
        raise RecipeError(f"no profile named {profile!r}", where="policy show", fix=nearest(profile, PROFILES))


class _Flips:
    """Writes the flips of one shard after the other to a Parquet file, all of it or nothing; no file where no path is given."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.writer: Any = None

    def __enter__(self) -> _Flips:
        import polars as pl

        from gristmill.policy.what_if import FLIPS

        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.add(pl.DataFrame(schema=FLIPS))
        return self

    def add(self, flips: pl.DataFrame) -> None:
        import polars as pl
        import pyarrow.parquet as pq

        table = flips.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self.writer is None:
            self.writer = pq.ParquetWriter(self._partial, table.schema)
        self.writer.write_table(table)

    @property
    def _partial(self) -> Path:
        assert self.path
        return self.path.with_name(f".{self.path.name}.part")

    def __exit__(self, failed: object, *_: object) -> None:
        if self.writer is not None and self.path:
            self.writer.close()
            self._partial.unlink() if failed else self._partial.replace(self.path)


def _print(as_json: bool, found: Any, printed: Callable[[Any, Any], None], *written: Path) -> None:
    from rich.console import Console

    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    printed(found, Console())
    for path in written:
        click.echo(str(path))
