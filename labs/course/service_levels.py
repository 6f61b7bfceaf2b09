"""Figures of service levels: how long visits take, and what visitors and operators see of one outage (lab 02)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from labs.course.figures import minutes_since, name_panel
from labs.course.palette import BLACK, BLUE, GREY, NAVY, VERMILION

BARS = 40
MARKS = ((NAVY, "-"), (BLACK, ":"), (VERMILION, "--"))


def draw_durations(ax: Axes, durations_ms: pd.Series[float], marks: Mapping[str, float]) -> Axes:
    """How many visits took how long, in milliseconds, with up to three values marked by their labels."""
    highest = float(durations_ms.max())
    ax.hist(durations_ms, bins=np.linspace(0, highest, BARS), color=GREY, edgecolor="white", linewidth=0.5)
    for (label, value), (colour, dashes) in zip(marks.items(), MARKS, strict=False):
        ax.axvline(value, color=colour, linestyle=dashes, label=f"{label}: {value:.0f} ms")
    ax.set_xlim(0, highest * 1.02)
    ax.set_xlabel("milliseconds until the answer")
    ax.legend(frameon=False)
    return name_panel(ax, "One visit a second", "visits")


def draw_seconds(ax: Axes, success_percent: pd.Series[float], zero: datetime) -> Axes:
    """Each second's visit: dark where it succeeded, hatched where it failed; a second without data stays white."""
    minutes = minutes_since([*success_percent.index, success_percent.index[-1] + timedelta(seconds=1)], zero)
    good = np.append(success_percent.to_numpy() == 100, False)
    bad = np.append(success_percent.to_numpy() < 100, False)
    ax.fill_between(minutes, 0, 1, where=good, step="post", facecolor=BLUE, linewidth=0, label="answered")
    look = {"facecolor": "white", "edgecolor": VERMILION, "hatch": "////"}
    ax.fill_between(minutes, 0, 1, where=bad, step="post", label="failed", **look)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, frameon=False, fontsize=8.5)
    return name_panel(ax, "What a visitor sees: the canary, each second", "")
