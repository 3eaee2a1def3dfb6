"""Draws a diff's figures in the look of the report's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from gristmill.evaluation.plots import BLUE, GREY, INK, MUTED, OCHRE, STYLE, WIDE, new_axes, svg
from gristmill.lineage.diff.models import Curve, Trained

SMOOTH = 40  # the mean runs over the last 1/SMOOTH of the steps


def curves(model: Trained, names: tuple[str, str]) -> str:
    """Both builds' loss over tokens, smoothed over the raw one. Their corpora may differ, and with them what a loss means."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 2.6))
        for curve, color, name in ((model.old, OCHRE, names[0]), (model.new, BLUE, names[1])):
            if curve is None:
                continue
            axes.plot(curve.tokens, curve.losses, color=color, alpha=0.22, linewidth=0.8)
            axes.plot(curve.tokens, _smooth(curve), color=color, label=name)
        last = model.new or model.old
        for n, phase in enumerate(last.phases if last else ()):
            if last and n and phase != last.phases[n - 1]:
                axes.axvline(last.tokens[n], color=GREY, linewidth=0.8)
                axes.annotate(
                    phase,
                    (last.tokens[n], 1),
                    xycoords=("data", "axes fraction"),
                    xytext=(3, -9),
                    textcoords="offset points",
                    color=MUTED,
                    fontsize=7.5,
                )
        axes.set_ylabel("loss, nats per token")
        axes.set_xlabel("tokens")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, fontsize=7.5, handlelength=1.6)
        return svg(figure, f"Training loss of {model.model} in both builds")


def differences(rows: Sequence[dict[str, Any]], title: str) -> str:
    """Each score's difference with its interval, below zero better; what is more than the noise of the documents is drawn in ink."""
    with mpl.rc_context(STYLE):
        figure, axes = new_axes((WIDE, 0.7 + 0.2 * len(rows)))
        for y, row in enumerate(rows):
            color = INK if row["more"] else MUTED
            if row["low"] is not None:
                axes.plot([row["low"], row["high"]], [y, y], color=color, linewidth=1.1)
            axes.plot([row["difference"]], [y], marker="o", markersize=4.5, color=BLUE if row["more"] else GREY)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(rows)), [f"{row['model']} {row['scheme']}, {row['domain']}" for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"difference in {title}, less is better; bars are 95% intervals")
        return svg(figure, f"Differences in {title}")


def _smooth(curve: Curve) -> np.ndarray:
    width = max(1, len(curve.losses) // SMOOTH)
    return np.convolve(np.pad(curve.losses, (width - 1, 0), mode="edge"), np.ones(width) / width, mode="valid")
