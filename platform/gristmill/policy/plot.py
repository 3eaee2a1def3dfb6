"""Draws sweeps in the look of the report's figures."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes

from gristmill.evaluation.plots import BLUE, GREY, INK, MUTED, RED, SERIES, STYLE, WIDE, new_axes, svg
from gristmill.policy.rules import Comparison
from gristmill.policy.sweep import Mark, Sweep

LABELS, ROW = 3, 0.08  # rows above the curve for the names of thresholds, so that near ones do not cover each other; a row's height


def curve(found: Sweep, when: Comparison) -> str:
    """Share of documents and bytes dropped by the comparison itself, and in addition to the other rules, over the threshold."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 2.9))
        part = found.of(when)
        x = part["threshold"].to_numpy()
        style = _drawn(found, when)
        axes.plot(x, part["share"], color=BLUE, label="documents", **style)
        axes.plot(x, part["bytes_share"], color=BLUE, linewidth=1, linestyle=(0, (4, 2)), label="bytes", **style)
        axes.plot(x, part["added_share"], color=RED, label="documents no other rule drops", **style)
        axes.plot(x, part["added_bytes_share"], color=RED, linewidth=1, linestyle=(0, (4, 2)), label="bytes no other rule drops", **style)
        axes.fill_between(x, part["added_share"].to_numpy(), color=RED, alpha=0.08, linewidth=0, step=_step(found, when))
        _scales(axes, found, when)
        _marks(axes, [mark for mark in found.marks if mark.when == when])
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4, fontsize=7.5, columnspacing=1.2, handlelength=1.6)
        return svg(figure, f"Dropped when {found.signal} {when} threshold")


def by_source(found: Sweep, when: Comparison) -> str:
    """Each source's share of documents dropped by the comparison; dashed what no other rule drops."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 2.5))
        for n, source in enumerate(found.sources["source"].to_list()[1:]):
            part = found.of(when, source)
            x, style, color = part["threshold"].to_numpy(), _drawn(found, when), SERIES[n % len(SERIES)]
            axes.plot(x, part["share"], color=color, label=source, **style)
            axes.plot(x, part["added_share"], color=color, linewidth=1, linestyle=(0, (4, 2)), **style)
        _scales(axes, found, when)
        for mark in found.marks:
            if mark.when == when and mark.in_force:
                axes.axvline(mark.threshold, color=INK, linewidth=1)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=6, fontsize=7.5, columnspacing=1.2, handlelength=1.6)
        return svg(figure, f"Dropped by source when {found.signal} {when} threshold")


def _step(found: Sweep, when: Comparison) -> Literal["pre", "post"] | None:
    """Between two values the share does not move: it has the upper one's with `<` and `>=`, the lower one's with the others."""
    if not found.exact:
        return None
    return "pre" if when in ("<", ">=") else "post"


def _drawn(found: Sweep, when: Comparison) -> dict[str, Any]:
    step = _step(found, when)
    return {"drawstyle": f"steps-{step}"} if step else {}


def _scales(axes: Axes, found: Sweep, when: Comparison) -> None:
    low, high = _range(found, when)
    if low >= 0 and high > 200:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.xaxis.set_minor_formatter(lambda x, _: "")
        low = max(low, 1.0)
    axes.set_xlim(low, high if high > low else low + 1)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    axes.set_xlabel(f"threshold on {found.signal}, dropped when {when}")


def _range(found: Sweep, when: Comparison) -> tuple[float, float]:
    """From where the curve leaves one end to where it reaches the other, with what is in force."""
    part = found.of(when)
    moving = part if found.exact else part.filter(pl.col("share").is_between(0.002, 0.998))
    marked = [mark.threshold for mark in found.marks if mark.when == when and mark.in_force]
    shown = [*(moving if moving.height else part)["threshold"].to_list(), *marked]
    return min(shown), max(shown)


def _marks(axes: Axes, marks: list[Mark]) -> None:
    """A line for each threshold in use, named: those in force in ink, those of shipped profiles alone dotted."""
    by_value: dict[float, list[Mark]] = {}
    for mark in marks:
        by_value.setdefault(mark.threshold, []).append(mark)
    low, high = axes.get_xlim()
    drawn = [(value, here) for value, here in sorted(by_value.items()) if low <= value <= high]
    axes.set_ylim(0, 1 + ROW * min(len(drawn), LABELS))
    for n, (value, here) in enumerate(drawn):
        in_force = any(mark.in_force for mark in here)
        axes.axvline(value, color=INK if in_force else GREY, linewidth=1.1, linestyle="-" if in_force else (0, (1, 1.5)))
        right = axes.transAxes.inverted().transform(axes.transData.transform((value, 0)))[0] > 0.6
        axes.annotate(
            ", ".join(mark.label for mark in here),
            (value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if right else 3, -8 - 11 * (n % LABELS)),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=7,
            color=INK if in_force else MUTED,
        )
