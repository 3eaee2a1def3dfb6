"""`gristmill why`: a document's life, by its URL, doc_id or a sentence; and the documents behind a step, a sequence or a loss spike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from jobs import deployment
from jobs.policy_cli import html_option, json_option

Facts = dict[str, Any]


@click.command()
@click.argument("asked", metavar="[URL | DOC_ID | SENTENCE]", required=False)
@click.option("--step", "step_", metavar="MODEL:N", help="The documents of a step's batch.")
@click.option("--sequence", "sequence_", metavar="PHASE:N", help="The documents of a sequence of the corpus, and who saw it.")
@click.option("--spike", metavar="MODEL", help="The documents around the largest loss spikes of a model's training.")
@click.option("--limit", default=40, show_default=True, type=click.IntRange(1), help="Documents of a batch that are listed.")
@html_option
@json_option
@deployment.namespace_option
def why(
    asked: str | None,
    step_: str | None,
    sequence_: str | None,
    spike: str | None,
    limit: int,
    html: Path | None,
    as_json: bool,
    namespace: str | None,
) -> None:
    """A document's life: where it was captured, what was decided about it and why, and what was trained on it.

    A SENTENCE is anything with a space in it, in quotes for the shell: the documents that hold it are found through the full-text index.
    """
    given = [each for each in (asked, step_, sequence_, spike) if each]
    if len(given) != 1:
        raise click.UsageError('Ask for one thing: a URL, a doc_id, "a sentence", --step, --sequence or --spike.')
    from gristmill.lineage.why import terminal as why_terminal
    from gristmill.lineage.why import training as why_training
    from gristmill.lineage.why import why as life
    from gristmill.lineage.why.find import Keyed

    workspace = deployment.workspace(deployment.recipe(namespace))
    found: Any
    show: Callable[[Any, Any], None]
    if asked:
        found = life.why(workspace, asked)
        show, facts = why_terminal.print_answer, found.as_json()
    else:
        keyed = Keyed(workspace)
        if step_:
            found, show = why_training.step(keyed, *_split("--step", step_), limit), why_terminal.print_batch
        elif sequence_:
            found, show = why_training.sequence(keyed, *_split("--sequence", sequence_), limit), why_terminal.print_sequence
        else:
            assert spike
            found, show = why_training.spikes(keyed, spike, SPIKES, limit), why_terminal.print_spikes
        facts = found
    if html:
        from gristmill.lineage.why import page
        from gristmill.policy.page import write

        write(html, page.answer_page(workspace, found) if asked else page.batch_page(workspace, found))
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, default=str))
    else:
        from rich.console import Console

        show(found, Console())
        if html:
            click.echo(str(html))


SPIKES = 5


def _split(option: str, value: str) -> tuple[str, int]:
    """`small:1234` as its two parts."""
    name, _, number = value.rpartition(":")
    if not name or not number.isdigit():
        raise click.BadParameter(f"{value!r} is not NAME:NUMBER, as in small:1234", param_hint=option)
    return name, int(number)
