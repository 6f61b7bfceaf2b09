"""Figures of service levels: how long visits take, and what visitors and operators see of one outage (lab 02)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labs.course import figures
from labs.course.figures import Minutes, minutes_since, name_panel
from labs.course.palette import BLACK, BLUE, GREY, NAVY, VERMILION

BARS = 40
SECOND = 1 / 60
"""In minutes."""
MARKS = ((NAVY, "-"), (BLACK, ":"), (VERMILION, "--"))


def draw_durations(ax: Axes, durations_ms: pd.Series[float], marks: Mapping[str, float]) -> Axes:
    """How many visits took how long, in milliseconds, with up to three values marked by their labels."""
    highest = float(durations_ms.max())
    ax.hist(durations_ms, bins=np.linspace(0, highest, BARS).tolist(), color=GREY, edgecolor="white", linewidth=0.5)
    for (label, value), (colour, dashes) in zip(marks.items(), MARKS, strict=False):
        ax.axvline(value, color=colour, linestyle=dashes, label=f"{label}: {value:.0f} ms")
    ax.set_xlim(0, highest * 1.02)
    ax.set_xlabel("milliseconds until the answer")
    ax.legend(frameon=False)
    return name_panel(ax, "One visit a second", "visits")


def draw_seconds(ax: Axes, success_percent: pd.Series[float], zero: datetime) -> Axes:
    """Each second's visit: filled where it was answered, hatched where it failed; seconds without data stay white."""
    answered: dict[str, Any] = {"facecolor": BLUE, "linewidth": 0, "label": "answered"}
    failed: dict[str, Any] = {"facecolor": "white", "edgecolor": VERMILION, "hatch": "////", "label": "failed"}
    for is_good, look in ((True, answered), (False, failed)):
        times = success_percent.index[(success_percent == 100) == is_good]
        ax.broken_barh(stretches(minutes_since(times, zero)), (0, 1), **look)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, frameon=False, fontsize=8.5)
    return name_panel(ax, "What a visitor sees: the canary, each second", "")


def draw_two_views(
    seconds: pd.Series[float], minutes: pd.DataFrame, closed_at: datetime, outage_s: int, title: str
) -> tuple[Figure, list[Axes]]:
    """The canary's ``seconds`` (success in percent) above the balancer's error rate and requests, minute by minute."""
    made, axes = figures.figure(3, title, row_height=1.7)
    visitor, errors, requests = axes
    draw_seconds(visitor, seconds, closed_at)
    figures.draw_error_rate(errors, minutes["error_percent"], closed_at)
    errors.set_ylim(0, max(10.0, errors.get_ylim()[1]))
    name_panel(errors, "What the operator sees: the balancer's error rate", "% of requests")
    figures.draw_minutes(requests, minutes, {"requests": ("requests", NAVY, "-")}, closed_at)
    name_panel(requests, "... and its requests, which nobody watched", "a minute")
    for ax in (errors, requests):
        figures.shade(ax, 0, outage_s / 60, "road closed" if ax is errors else "")
    figures.label_minutes(axes, "minutes since the road was closed")
    return made, axes


def stretches(minutes: Minutes) -> list[tuple[float, float]]:
    """Begin and length of each unbroken stretch of seconds, both in minutes."""
    if not len(minutes):
        return []
    parts = np.split(minutes, np.flatnonzero(np.diff(minutes) > 1.5 * SECOND) + 1)
    return [(float(part[0]), float(part[-1] - part[0]) + SECOND) for part in parts]
