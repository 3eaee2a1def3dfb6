"""`gristmill takedown`: takes pages down, shows what that touches, proves that they are gone, and deletes what is left of them."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gristmill.counting import counted
from jobs import deployment
from jobs.policy_cli import json_option

if TYPE_CHECKING:
    from gristmill.crawl.tombstones import Kind, Tombstone
    from gristmill.lake.workspace import Workspace

html_option = click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Also write a page that needs nothing else."
)
dry_option = click.option("--dry-run", is_flag=True, help="Show what it touches, and change nothing.")


@click.group(invoke_without_command=True)
@click.option("--url", multiple=True, help="A page, in any spelling of its address; may be repeated.")
@click.option("--domain", multiple=True, help="A host and all hosts below it; may be repeated.")
@click.option("--doc", multiple=True, metavar="DOC_ID", help="A document; may be repeated.")
@click.option("--near", multiple=True, metavar="DOC", help="A document (doc_id or URL) and all that is like it; may be repeated.")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True), default=None, help="Of --near: Jaccard similarity. Default: 0.7.")
@click.option("--exactly", is_flag=True, help="Only what is named: the same words under another address may stay, and come.")
@click.option("--who", default="", help="Who asked for it, or decided it; not needed with --dry-run.")
@click.option("--why", default="", help="Why; not needed with --dry-run.")
@dry_option
@html_option
@json_option
@deployment.namespace_option
@click.pass_context
def takedown(
    context: click.Context,
    url: tuple[str, ...],
    domain: tuple[str, ...],
    doc: tuple[str, ...],
    near: tuple[str, ...],
    threshold: float | None,
    exactly: bool,
    who: str,
    why: str,
    dry_run: bool,
    html: Path | None,
    as_json: bool,
    namespace: str | None,
) -> None:
    """Take pages down. They leave every table at the next rebuild, and are caught when they come back.

    The text of a --url or --doc is remembered as hashes, so that the same words under another address are taken down too; --exactly
    leaves that out.
    """
    asked: list[tuple[Kind, str]] = [("url", each) for each in url]
    asked += [("domain", each) for each in domain]
    asked += [("doc", each) for each in doc]
    asked += [("near", each) for each in near]
    if context.invoked_subcommand:
        if asked:
            raise click.UsageError("--url, --domain, --doc and --near go without a further command.")
        return
    if not asked:
        raise click.UsageError("Name what is to be taken down: --url, --domain, --doc or --near; or a command: list, undo, receipt, purge.")
    if threshold is not None and not near:
        raise click.UsageError("--threshold belongs to --near.")
    from rich.console import Console

    from gristmill.crawl import tombstones
    from gristmill.lineage.takedown import takedown as taken
    from gristmill.lineage.takedown.page import takedown_page
    from gristmill.lineage.takedown.rebuild import caused
    from gristmill.lineage.takedown.terminal import print_rebuild, print_touched
    from gristmill.policy import page

    recipe = deployment.recipe(namespace)
    workspace = deployment.workspace(recipe)
    proposed = [taken.propose(workspace, kind, pattern, who, why, exactly, threshold, draft=dry_run) for kind, pattern in asked]
    answers = [taken.touched(workspace, each, reports(workspace)) for each in proposed]
    for answer in answers if not dry_run else ():
        answer.tombstone = tombstones.take_down(workspace.lake, answer.tombstone)
        taken.release_held(workspace, answer)
    if not dry_run:  # now, so that the plan names the shards that are touched, and no others
        driver = deployment.driver(recipe)
        driver.drive(select=("tombstones",), say=lambda text: None)
        released = [each for answer in answers for each in answer.held]
        ours = caused(driver.graph(), driver.plan(), released)
        steps = driver.steps(ours.plan, driver.select())
    if html:
        page.write(html, takedown_page(workspace.namespace, answers, *((None, 0) if dry_run else (steps, ours.others))))
    if as_json:
        plan = None if dry_run else {"steps": [step.as_json() for step in steps], "stale_beside": ours.others}
        click.echo(json.dumps({"takedowns": [answer.as_json() for answer in answers], "rebuild": plan}, ensure_ascii=False))
        return
    for answer in answers:
        print_touched(answer, Console())
    if dry_run:
        stale = sorted({row["shard"] for answer in answers for row in answer.tombstone.found})
        them = "it" if len(stale) == 1 else "them"
        click.echo(f"Nothing was taken down (--dry-run). It would make {counted(len(stale), 'shard')} stale, and what reads {them}.")
        if html:
            click.echo(str(html))
        return
    click.echo(f"On the list as {', '.join(answer.tombstone.id for answer in answers)}. What `gristmill rebuild` makes for it:")
    print_rebuild(steps, ours.others, Console())
    if html:
        click.echo(str(html))


@takedown.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Every tombstone, with who, why and when, those that were undone too."""
    from rich.console import Console

    from gristmill.crawl.tombstones import tombstones
    from gristmill.lineage.takedown.terminal import print_list

    listed = tombstones(deployment.lake())
    if as_json:
        click.echo(json.dumps([each.as_json() for each in listed], ensure_ascii=False))
    else:
        print_list(listed, Console())


@takedown.command("undo")
@click.argument("tombstone")
@click.option("--who", required=True)
@click.option("--why", required=True)
def undo_command(tombstone: str, who: str, why: str) -> None:
    """Take a tombstone back. The page returns at the next rebuild, if its source still has it; the list keeps both entries."""
    from gristmill.crawl import tombstones

    undone = tombstones.undo(deployment.lake(), tombstone, who, why)
    click.echo(f"{undone.id} is undone: {undone.kind} {undone.pattern}. `gristmill rebuild` brings back what the sources still hold.")


@takedown.command("receipt")
@click.argument("tombstone", required=False)
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="A PEM file with an Ed25519 private key, to sign it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it, as JSON, to this file.")
@html_option
@json_option
@deployment.namespace_option
def receipt_command(
    tombstone: str | None, key: Path | None, out: Path | None, html: Path | None, as_json: bool, namespace: str | None
) -> None:
    """Prove, by reading everything that stands, that what TOMBSTONE (default: the last) takes down is gone. Exit status 1: it is not."""
    from rich.console import Console

    from gristmill.lineage.takedown import receipt
    from gristmill.lineage.takedown.page import receipt_page
    from gristmill.lineage.takedown.terminal import print_receipt
    from gristmill.policy import page

    workspace = deployment.workspace(deployment.recipe(namespace))
    value = receipt.receipt(workspace, chosen(workspace, tombstone), reports(workspace))
    if key:
        value = receipt.signed(value, key)
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if out:
        out.write_text(text + "\n")
    if html:
        page.write(html, receipt_page(value))
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False))
    else:
        print_receipt(value, Console())
        if html:
            click.echo(str(html))
    sys.exit(1 if value["status"] == receipt.PRESENT else 0)


@takedown.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--public-key", default=None, help="The Ed25519 key that must have signed it: a PEM file, or Base64.")
def verify_command(file: Path, public_key: str | None) -> None:
    """Check that a receipt was not changed, and who signed it."""
    from gristmill.lineage.takedown import receipt

    click.echo(receipt.verified(receipt.read_receipt(file), public_key))


@takedown.command("purge")
@click.argument("tombstone", required=False)
@click.option("--pinned", is_flag=True, help="Pinned builds that hold it go too.")
@dry_option
@json_option
@deployment.namespace_option
def purge_command(tombstone: str | None, pinned: bool, dry_run: bool, as_json: bool, namespace: str | None) -> None:
    """Delete what a rebuild leaves of TOMBSTONE (default: the last): builds that hold it, all files that nothing stands on any more,
    its vectors in every version, its entries in caches, and the events that quote it."""
    from rich.console import Console

    from gristmill.lineage.takedown.purge import purge
    from gristmill.lineage.takedown.terminal import print_purged
    from jobs.takedown_events import forget_events

    recipe = deployment.recipe(namespace)
    workspace, instance = deployment.workspace(recipe), deployment.instance()
    assets = [(each.namespace or "default", node.name) for each in deployment.recipes() for node in deployment.driver(each).graph().nodes()]
    done = purge(
        workspace,
        chosen(workspace, tombstone),
        getpass.getuser(),
        assets,
        pinned,
        dry_run,
        click.echo,
        lambda each, dry: forget_events(instance, each, dry),
    )
    if as_json:
        click.echo(json.dumps(done.as_json(), ensure_ascii=False))
    else:
        print_purged(done, Console())
    sys.exit(1 if done.kept else 0)


def chosen(workspace: Workspace, tombstone_id: str | None) -> Tombstone:
    """The tombstone of that id, or the last in force; LakeError when there is none."""
    from gristmill.crawl import tombstones
    from gristmill.errors import LakeError

    if tombstone_id:
        return tombstones.find(workspace.lake, tombstone_id)
    listed = tombstones.active(workspace.lake)
    if not listed:
        raise LakeError("nothing is taken down", where=f"{workspace.lake.root}/{tombstones.FOLDER}", fix="`gristmill takedown list`.")
    return listed[-1]


def reports(workspace: Any) -> list[Path]:
    """The HTML reports of the deployment."""
    from jobs import settings

    return sorted(settings.home().glob("*.html"))
