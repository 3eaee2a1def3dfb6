"""Prints a plan: what is stale and why, what it costs, what may turn out fresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from gristmill.counting import counted
from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.cost import WAITING, Cost, Step, duration, total
from gristmill.lineage.plan.flips import Flips
from gristmill.lineage.plan.plan import Plan
from gristmill.naming import named
from gristmill.tables import Column, Row, print_table

NAMED = 3  # partitions named in a line
REASONS = 6  # of one step that are printed
FAILED = 10  # failed partitions named
ROWS = 80
FRESH = "Everything is fresh."
SELECTED_FRESH = "What is selected is fresh. Other assets are stale: `gristmill plan` names them."


def follow(plan: Plan, held: str) -> str:
    """How a held asset comes to follow its inputs."""
    return f'`{plan.nodes[held].held} = "always"` makes it follow; materialised in the UI it is made anew once.'


def print_plan(
    plan: Plan,
    steps: Sequence[Step],
    flips: Flips | None,
    console: Console,
    assets: Collection[str],
    only: Mapping[str, Set[Partition]] | None = None,
    makeable: Sequence[Step] | None = None,
) -> None:
    """`only`: the partitions that are selected, of assets of which not all are. `makeable`: the steps without what cannot be made
    under the selection; by default all of them."""
    if not steps:
        console.print(FRESH if plan.is_fresh else SELECTED_FRESH)
    else:
        print_steps(steps, console)
        if totals := summary(steps if makeable is None else makeable):
            console.print(Text(totals), soft_wrap=True)
        counts = [count for name, count in plan.counts(only).items() if name in assets]
        fresh, every = (sum(count[what] for count in counts) for what in ("fresh", "partitions"))
        console.print(Text(f"Fresh: {fresh:,} of {counted(every, 'partition')}.", "dim"))
    for name, moved in plan.held_back.items():
        if name in assets:
            console.print(Text(f"{name} is held though {', '.join(moved)} moved. {follow(plan, name)}", "dim"), soft_wrap=True)
    failed = [(step.asset, partition, text) for step in steps for partition, text in step.failed.items()]
    for asset, partition, text in failed[:FAILED]:
        console.print(Text(f"! {named(asset, partition)} {text}", "red"), soft_wrap=True)
    if len(failed) > FAILED:
        console.print(Text(f"! and {counted(len(failed) - FAILED, 'other')} that failed; --json lists all.", "red"))
    if flips:
        console.print()
        print_flips(flips, console)


def print_steps(steps: Sequence[Step], console: Console) -> None:
    """What is made and why, without a word on the rest."""
    columns = [
        Column("asset"),
        Column("", right=True),
        Column("state"),
        Column("why", long=True),
        Column("cost", right=True),
    ]
    rows, last = [], ""
    for step in steps[:ROWS]:
        shown, last = step.asset if step.asset != last else "", step.asset
        rows.append(Row([shown, f"{len(step.partitions):,}", _state(step), _why(step), _cost(step.cost)], _style(step)))
    print_table(columns, rows, console)
    if len(steps) > ROWS:
        console.print(Text(f"and {counted(len(steps) - ROWS, 'more row')}; --html and --json have all of them.", "dim"))


def print_flips(flips: Flips, console: Console) -> None:
    if flips.answer is None:
        console.print(Text(f"What the policy's edit would flip is not known: {flips.problem}", "yellow"), soft_wrap=True)
        return
    console.print(Text(flips_summary(flips)), soft_wrap=True)
    for source in flips.answer.flips.filter(flips.answer.flips["by"] == "source").iter_rows(named=True):
        console.print(f"  {escape(source['name'])}: {source['lost_documents']:,} lost, {source['gained_documents']:,} gained")


def flips_summary(flips: Flips) -> str:
    answer = flips.answer
    assert answer is not None
    lost, gained = answer.flipped("lost_documents"), answer.flipped("gained_documents")
    edits = "; ".join(str(change) for change in answer.changes) or "the rules are the same"
    if not lost and not gained:
        return f"The policy's edit ({edits}) flips none of {counted(answer.total('documents'), 'document')}."
    return (
        f"The policy's edit ({edits}) drops {counted(lost or 0, 'document that is', 'documents that are')} kept "
        f"and keeps {counted(gained or 0, 'that is', 'that are')} dropped, "
        f"of {answer.total('documents'):,}: {answer.total('kept_before'):,} kept, then {answer.total('kept_after'):,}."
    )


def summary(steps: Sequence[Step]) -> str:
    """Totals in a sentence or two."""
    certain, possible = total(steps, certain=True), total(steps, certain=False)
    parts = []
    if certain.partitions:
        parts.append(f"To make: {_many(certain)}.")
    if possible.partitions:
        parts.append(f"Perhaps to make: {_many(possible)}; early cutoff spares those whose inputs come out the same.")
    return " ".join(parts)


def _many(cost: Cost) -> str:
    text = counted(cost.partitions, "partition")
    if cost.seconds:
        text += f", about {_work(cost)} of work by earlier runs"
    if cost.again:
        text += f", {cost.again:,} made before and only looked up"
    if cost.unknown:
        text += f", {cost.unknown:,} that nothing is known of yet"
    return text


def _work(cost: Cost) -> str:
    devices = {device: seconds for device, seconds in cost.seconds.items() if seconds}
    if set(devices) <= {"cpu"}:
        return duration(cost.total_seconds)
    return " and ".join(f"{duration(seconds)} on {device}" for device, seconds in devices.items())


def cost(of: Cost) -> str:
    """A step's cost in a cell."""
    parts = [_work(of)] if of.total_seconds else ["a look-up" if of.again else "?" if of.unknown else "0 s"]
    if of.tokens:
        parts.append(counted(of.tokens, "token"))
    elif of.rows:
        parts.append(counted(of.rows, "row"))
    return ", ".join(parts)


def partitions(step: Step, named: int = NAMED) -> str:
    keys = [each for each in step.partitions if each is not None]
    if not keys:
        return ""
    more = f", … {len(keys) - named:,} more" if len(keys) > named else ""
    return ", ".join(keys[:named]) + more


def _style(step: Step) -> str:
    return "dim" if step.state == WAITING else ""


def _state(step: Step) -> Text:
    return Text("waiting") if step.state == WAITING else Text("stale", "yellow" if not step.waits_for else "")


def _why(step: Step) -> Text:
    if step.state == WAITING:
        return Text(f"may change with {step.waits_for}")
    reasons = [_reason(step, at) for at in range(len(step.reasons[:REASONS]))]
    if len(step.reasons) > REASONS:
        reasons.append(f"and {len(step.reasons) - REASONS} more")
    if step.waits_for:
        reasons.append(f"waits for {step.waits_for}")
    return Text.assemble("\n".join(reasons), (f"\n{partitions(step)}" if partitions(step) else "", "dim"))


def _reason(step: Step, at: int) -> str:
    return step.why[at].text if step.why[at].kind == "gone" and len(step.partitions) == 1 else step.reasons[at]


def _cost(of: Cost) -> Text:
    time, _, amount = cost(of).partition(", ")
    return Text.assemble(time, (f"\n{amount}" if amount else "", "dim"))
