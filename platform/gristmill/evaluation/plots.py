"""Draws the report's figures as SVG text that goes into the page: equal data gives equal bytes (no dates, a fixed id salt)."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2a33", "#66727c", "#e3e6e8"
BLUE, RED, OCHRE, GREEN, GREY = "#2f5d8a", "#a8443e", "#b98a2f", "#4f7f62", "#b6bec5"
SERIES = (BLUE, OCHRE, GREEN, "#7a5c8e", "#5a8f99", RED)
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "gristmill",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.edgecolor": GREY,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "figure.constrained_layout.use": True,
}
WIDE, SMALL = 5.4, (2.75, 1.7)  # inches, at 72 units an inch
BINS = 40
POINT = 1.6  # pixels a point on the page


def funnel(stages: Sequence[str], by_source: Mapping[str, Sequence[int]]) -> str:
    """Documents per stage as bars, stacked by source."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 0.5 + 0.31 * len(stages)))
        at, left = np.arange(len(stages)), np.zeros(len(stages))
        for n, (source, counts) in enumerate(by_source.items()):
            axes.barh(at, counts, left=left, height=0.66, color=SERIES[n % len(SERIES)], label=source)
            left += np.asarray(counts)
        for y, total in zip(at, left, strict=True):
            axes.annotate(f"{int(total):,}", (total, y), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_yticks(at, stages)
        axes.invert_yaxis()
        axes.set_xlim(0, max(left.max(initial=0), 1) * 1.1)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        if len(by_source) > 1:
            axes.legend(loc="lower right", fontsize=7.5)
        axes.xaxis.set_major_formatter(_thousands)
        return svg(figure, "Documents per stage and source")


def histogram(values: np.ndarray, thresholds: Sequence[tuple[str, float]], label: str) -> str:
    """How a signal is distributed; `thresholds` are (drop when this comparison, value). A long tail is cut at its 99.5th percentile."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes(SMALL)
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, [0.5, 99.5]) if len(finite) else (0.0, 1.0)
        shown = [value for _, value in thresholds if value <= high * 20 or value <= low * 20]
        low, high = min([float(low), *shown]), max([float(high), *shown])
        logarithmic = low >= 0 and high > 200
        low, high = (max(low, 1.0), max(high, 10.0)) if logarithmic else (low, high if high > low else low + 1)
        pad = 0 if logarithmic else 0.04 * (high - low)
        edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low - pad * (low > 0), high + pad, BINS + 1)
        axes.hist(np.clip(finite, edges[0], edges[-1]), bins=edges.tolist(), color=BLUE, alpha=0.85)
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
            axes.xaxis.set_minor_formatter(lambda x, _: "")
        for comparison, value in thresholds:
            if edges[0] <= value <= edges[-1]:
                axes.axvline(value, color=RED, linewidth=1.3)
                edge = edges[0] if "<" in comparison else edges[-1]
                axes.axvspan(min(edge, value), max(edge, value), color=RED, alpha=0.08, linewidth=0)
        axes.set_xlim(float(edges[0]), float(edges[-1]))
        axes.set_xlabel(label)
        axes.yaxis.set_major_formatter(_thousands)
        axes.locator_params(axis="y", nbins=4)
        axes.grid(axis="x", visible=False)
        return svg(figure, f"Histogram: {label}")


def bars(labels: Sequence[str], counts: Sequence[int], title: str) -> str:
    """Counts by name, the largest on top."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((3.9, 0.4 + 0.21 * len(labels)))
        axes.barh(np.arange(len(labels)), counts, height=0.68, color=BLUE, alpha=0.85)
        for y, count in enumerate(counts):
            axes.annotate(f"{count:,}", (count, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7.5)
        axes.set_yticks(np.arange(len(labels)), labels)
        axes.invert_yaxis()
        axes.set_xlim(0, max([*counts, 1]) * 1.14)
        axes.grid(visible=False)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        return svg(figure, title)


def loss(tokens: np.ndarray, losses: np.ndarray, rates: np.ndarray, phases: Sequence[str], unigram: float | None) -> str:
    """A run's loss over tokens, smoothed over the raw one, and its learning rate below; `phases` names each step's phase."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, 3.1))
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        width = max(1, len(losses) // 40)
        smooth = np.convolve(np.pad(losses, (width - 1, 0), mode="edge"), np.ones(width) / width, mode="valid")
        top.plot(tokens, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        top.plot(tokens, smooth, color=BLUE)
        top.set_ylabel("loss, nats per token")
        top.set_ylim(top=losses.max(initial=0) * 1.1)  # room for the names of the phases
        if unigram is not None:
            top.axhline(unigram, color=OCHRE, linewidth=1.2, linestyle=(0, (4, 3)))
            top.annotate(
                "unigram model",
                (1, unigram),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                color=OCHRE,
                fontsize=7.5,
            )
        for n, phase in enumerate(phases):
            if n == 0 or phase != phases[n - 1]:
                for axes in (top, bottom):
                    axes.axvline(tokens[n], color=GREY, linewidth=0.8)
                top.annotate(
                    phase,
                    (tokens[n], 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(3, -9),
                    textcoords="offset points",
                    color=MUTED,
                    fontsize=7.5,
                )
        bottom.plot(tokens, rates, color=GREEN)
        bottom.set_ylabel("rate")
        bottom.set_ylim(bottom=0)
        bottom.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        bottom.set_xlabel("tokens")
        bottom.xaxis.set_major_formatter(_thousands)
        return svg(figure, "Training loss and learning rate")


def bits_per_byte(
    domains: Sequence[str],
    variants: Mapping[str, Sequence[tuple[float, float | None, float | None] | None]],
    baselines: Mapping[str, Sequence[float | None]],
) -> str:
    """Points with intervals: one row per domain, one colour per variant; baselines as ticks. Values are (value, low, high)."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 0.9 + 0.5 * len(domains)))
        steps = np.linspace(-0.28, 0.28, max(len(variants), 2)) if len(variants) > 1 else np.zeros(1)
        for n, (name, values) in enumerate(variants.items()):
            known = [(y, value) for y, value in enumerate(values) if value is not None]
            at = [y + steps[n] for y, _ in known]
            points = [value[0] for _, value in known]
            low = [value[0] - (value[0] if value[1] is None else value[1]) for _, value in known]
            high = [(value[0] if value[2] is None else value[2]) - value[0] for _, value in known]
            axes.errorbar(
                points,
                at,
                xerr=np.maximum([low, high], 0),
                fmt="o",
                markersize=4.5,
                color=SERIES[n % len(SERIES)],
                elinewidth=1.1,
                label=name,
            )
        for n, (name, ticks) in enumerate(baselines.items()):
            drawn = [(value, y) for y, value in enumerate(ticks) if value is not None]
            axes.scatter(
                [value for value, _ in drawn],
                [y for _, y in drawn],
                marker="|",
                s=260,
                color=(MUTED, GREY)[n % 2],
                linewidths=1.6,
                label=name,
            )
        axes.set_yticks(range(len(domains)), domains)
        axes.set_ylim(len(domains) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_xlim(left=0)
        axes.set_xlabel("bits per byte, lower is better; bars are 95% intervals")
        axes.grid(axis="y", visible=False)
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.75 / (0.9 + 0.5 * len(domains))),
            ncols=6,
            fontsize=7.5,
            columnspacing=1.2,
            handletextpad=0.4,
        )
        return svg(figure, "Bits per byte by domain and variant")


def new_axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size)
    return figure, figure.subplots()


def _thousands(value: float, _: Any) -> str:
    return f"{value:,.0f}" if value == int(value) else ""


def svg(figure: Figure, title: str) -> str:
    """The figure as an <svg> element with a title for screen readers; it scales to its column."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # several figures share a page; only hashed ids are referred to
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    viewbox = re.search(r'viewBox="([^"]+)"', text).group(1)  # type: ignore[union-attr]
    opening = f'<svg role="img" style="max-width:{float(viewbox.split()[2]) * POINT:.0f}px" viewBox="{viewbox}" '
    opening += f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><title>{escape(title)}</title>'
    return opening + text[text.index(">") + 1 :].strip()
