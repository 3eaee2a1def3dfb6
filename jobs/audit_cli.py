"""`gristmill audit`: recomputes what the lake claims, and says it for people, programs and other catalogues."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path

import click

from jobs import deployment
from jobs.policy_cli import html_option, json_option


@click.command()
@click.option(
    "--sample", type=click.IntRange(1), default=None, metavar="N", help="Documents to look at; the recipe's `[audit] sample` by default."
)
@click.option("--full", is_flag=True, help="Look at everything.")
@click.option("--openlineage", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Write OpenLineage events, one a line.")
@click.option(
    "--cards", type=click.Path(path_type=Path, file_okay=False), default=None, help="Write the cards and Croissant metadata here."
)
@html_option
@json_option
@deployment.namespace_option
def audit(
    sample: int | None, full: bool, openlineage: Path | None, cards: Path | None, html: Path | None, as_json: bool, namespace: str | None
) -> None:
    """Recompute what the lake claims: files, heads, the event log, and sampled texts, verdicts, copies, sequences, weights and scores.

    Ends with 1 when something does not hold. --cards writes DATA.md, MODEL-<name>.md and croissant.json.
    """
    if sample and full:
        raise click.UsageError("--sample looks at some documents, --full at all: give one of them.")
    from rich.console import Console

    from assets.graph import recipe_assets
    from gristmill.lineage.audit import audit as audited
    from gristmill.lineage.audit.page import audit_page
    from gristmill.lineage.audit.terminal import print_audit
    from gristmill.lineage.cards import write_cards
    from gristmill.lineage.openlineage import as_lines
    from gristmill.lineage.openlineage import openlineage as events
    from gristmill.policy.page import write
    from resources.audit_log import AuditLog

    recipe = deployment.recipe(namespace)
    workspace, log, at = deployment.workspace(recipe), AuditLog(deployment.instance(), recipe.namespace), dt.datetime.now(dt.UTC)
    codes = {asset.key.path[-1]: str(asset.code_versions_by_key[asset.key]) for asset in recipe_assets(recipe)}
    scope = audited.scoped(workspace, None if full else sample or 0, codes, log)
    claims = audited.claims_of(scope)
    written = []
    if html:
        write(html, audit_page(workspace, claims, at, scope.looked))
        written.append(html)
    if openlineage:
        write(openlineage, as_lines(events(workspace, claims, log, at)))
        written.append(openlineage)
    if cards:
        write_cards(workspace, claims, cards)
        written.append(cards)
    if as_json:
        click.echo(
            json.dumps(
                {"namespace": workspace.namespace, "at": at.isoformat(), **audited.as_json(claims, scope.looked)}, ensure_ascii=False
            )
        )
    else:
        print_audit(claims, scope.looked, Console())
        for path in written:
            click.echo(str(path))
    sys.exit(0 if audited.failures(claims).is_empty() else 1)
