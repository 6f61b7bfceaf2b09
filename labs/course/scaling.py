"""Figures of one autoscaler: its rule as a staircase, and what it read and wanted over time (lab 01)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from labs.course.figures import limit_line, minutes_since, name_panel
from labs.course.palette import BLACK, FAULT, FAULT_TEXT, NAVY, VERMILION

LOOKS = ((VERMILION, (0, (4, 1.5))), (NAVY, "-"))
BAND: dict[str, Any] = {"color": FAULT, "alpha": 0.16, "linewidth": 0}


def draw_staircase(
    ax: Axes, percents: Sequence[int], wanted: Mapping[str, Sequence[int]], band: tuple[int, int], target: int
) -> Axes:
    """Pods wanted against use in percent; ``wanted``: label -> a number for each percent, drawn in this order.

    ``band``: the percents between which nothing happens; ``target``: the percent that the autoscaler keeps to.
    """
    ax.axvspan(*band, **BAND)
    for (label, pods), (colour, dashes) in zip(wanted.items(), LOOKS, strict=True):
        ax.step(percents, pods, where="post", color=colour, linestyle=dashes, label=label)
    ax.axvline(target, color=BLACK, linewidth=1)
    lowest = min(min(pods) for pods in wanted.values())
    ax.text(target, lowest, f" target {target} %", fontsize=8, color=BLACK)
    ax.text(band[0], max(max(pods) for pods in wanted.values()), " tolerance", fontsize=8, va="top", color=FAULT_TEXT)
    ax.legend(loc="upper left", frameon=False)
    ax.set_xlabel("CPU use in % of the request")
    return ax


def draw_reading(ax: Axes, seen: pd.DataFrame, zero: datetime, band: tuple[int, int], target: int) -> Axes:
    """What the autoscaler read, over minutes since ``zero``; ``seen`` has the columns time and percent."""
    ax.axhspan(*band, **BAND)
    ax.step(minutes_since(seen["time"], zero), seen["percent"], where="post", color=NAVY)
    ax.set_ylim(bottom=0)
    limit_line(ax, target, f"target {target} %")
    return name_panel(ax, "CPU use as the HPA reads it; the band is its tolerance", "% of the request")


def draw_wishes(ax: Axes, seen: pd.DataFrame, zero: datetime, held: tuple[datetime, datetime]) -> Axes:
    """Pods by the rule alone and by the autoscaler; ``seen`` has the columns time, rule and hpa.

    ``held``: the last wish for more pods, and the moment in which the autoscaler gave them up.
    """
    minutes = minutes_since(seen["time"], zero)
    for column, label, (colour, dashes) in zip(("rule", "hpa"), ("the rule alone", "the HPA"), LOOKS, strict=True):
        ax.step(minutes, seen[column], where="post", color=colour, linestyle=dashes, label=label)
    ax.set_ylim(0, seen["hpa"].max() * 1.25)
    begin, end = minutes_since(held, zero).tolist()
    height = float(seen["hpa"].max()) * 1.08
    arrow = {"arrowstyle": "<->", "color": FAULT_TEXT}
    ax.annotate("", (begin, height), (end, height), arrowprops=arrow)
    length_s = (held[1] - held[0]).total_seconds()
    ax.text((begin + end) / 2, height, f"held for {length_s:.0f} s", ha="center", va="bottom", color=FAULT_TEXT)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, frameon=False, fontsize=8.5)
    return name_panel(ax, "Pods wanted", "pods")
