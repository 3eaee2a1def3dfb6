"""`gristmill duplicates`: the largest clusters with their differences, what each source lost, what was cut, what quotes a reference."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jobs import deployment


@click.group()
def duplicates() -> None:
    """See what deduplication found: clusters, losses, cut parts, contaminated documents."""


@duplicates.command("show")
@click.option("--top", type=click.IntRange(1, 1000), default=20, show_default=True, help="Clusters, twins, cut texts and documents shown.")
@click.option("--source", default=None, help="Only the clusters in which this source lost documents.")
@click.option("--cluster", "name", default=None, help="One cluster, by its name, with all differences.")
@click.option("--doc", "doc_id", default=None, help="One document: its cluster, what was cut out of it, the items that it quotes.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Also write a page that needs nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@deployment.namespace_option
def show_command(
    top: int, source: str | None, name: str | None, doc_id: str | None, html: Path | None, as_json: bool, namespace: str | None
) -> None:
    """The largest clusters side by side with their survivors, and the sources that lose most.

    Reads the text of the documents that it shows, and of no others; personal data in it is masked.
    """
    if sum(each is not None for each in (source, name, doc_id)) > 1:
        raise click.UsageError("Give one of --source, --cluster and --doc.")
    if html and (name or doc_id):
        raise click.UsageError("--html is a page of all clusters, or of those of a --source.")
    from rich.console import Console

    from gristmill.dedup.shown import page, show, terminal

    workspace = deployment.workspace(deployment.recipe(namespace))
    console = Console()
    if name:
        cluster = show.cluster(workspace, name, top)
        if as_json:
            click.echo(json.dumps(show.plain(cluster), ensure_ascii=False))
        else:
            terminal.print_cluster(cluster, console)
    elif doc_id:
        document = show.document(workspace, doc_id, top)
        if as_json:
            click.echo(json.dumps(show.plain(document), ensure_ascii=False))
        else:
            terminal.print_document(document, console)
    else:
        found = show.duplicates(workspace, top, source)
        if html:
            page.write(html, page.duplicates_page(workspace, found))
        if as_json:
            click.echo(json.dumps(show.plain(found), ensure_ascii=False))
            return
        terminal.print_duplicates(found, console)
        if html:
            click.echo(str(html))
