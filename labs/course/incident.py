"""Figures of an incident: its time line with the blows, and when each alarm spoke (lab 05)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labs.course import figures
from labs.course.palette import BLACK

BLOWS = ("load test", "1st blow", "2nd blow")
MARKS = "sov^D"
SILENT = "silent all the time"


def draw_time_line(seen: pd.DataFrame, times: Sequence[datetime], title: str) -> tuple[Figure, list[Axes]]:
    """Error rate, latency and healthy targets over the minutes since the first of ``times``, which are marked.

    ``seen`` has the columns error_percent, p50, p99, mean (in seconds) and healthy.
    """
    zero = times[0]
    made, axes = figures.figure(3, title)
    errors, latency, hosts = axes
    figures.draw_error_rate(errors, seen["error_percent"], zero)
    figures.limit_line(errors, 5, "alarm: 5 %")
    figures.draw_latency(latency, seen[["p50", "p99", "mean"]].rename(columns={"mean": "average"}), zero)
    figures.limit_line(latency, 1, "alarm: 1 s")
    figures.draw_minutes(hosts, seen, {"healthy": ("healthy", BLACK, "-")}, zero)
    figures.name_panel(hosts, "Healthy targets of the load balancer", "pods")
    _mark_blows(axes, times)
    figures.label_minutes(axes, "minutes since the load test began")
    return made, axes


def draw_alarms(
    error_percent: pd.Series[float],
    limits: Mapping[str, float],
    spoke: Mapping[str, Sequence[datetime]],
    times: Sequence[datetime],
    title: str,
) -> tuple[Figure, list[Axes]]:
    """The error rate with its ``limits`` (text -> percent); below it a lane for each alarm: a mark when it spoke."""
    zero = times[0]
    made, axes = figures.figure(2, title, row_height=2.3)
    rate, lanes = axes
    figures.draw_error_rate(rate, error_percent, zero)
    for text, percent in limits.items():
        figures.limit_line(rate, percent, text)
    for lane, (when, mark) in enumerate(zip(spoke.values(), MARKS, strict=False)):
        minutes: list[float] = figures.minutes_since(when, zero).tolist() if when else []
        lanes.plot(minutes, [lane] * len(minutes), mark, color=BLACK, markersize=8)
        for minute in minutes:
            lanes.text(minute, lane + 0.32, f"{minute:.1f} min", ha="center", fontsize=8.5, backgroundcolor="white")
        if not when:
            lanes.text(rate.get_xlim()[0], lane, f"  {SILENT}", va="center", fontsize=8.5)
    lanes.set_yticks(range(len(spoke)), list(spoke))
    lanes.set_ylim(-0.6, len(spoke) - 0.2)
    lanes.set_title("When each alarm spoke", loc="left", fontsize=10, fontweight="bold")
    _mark_blows(axes, times)
    figures.label_minutes(axes, "minutes since the load test began")
    return made, axes


def _mark_blows(axes: Sequence[Axes], times: Sequence[datetime]) -> None:
    """A line in each panel for each time; the first panel names them."""
    for ax in axes:
        for minute, text in zip(figures.minutes_since(times, times[0]), BLOWS, strict=True):
            figures.shade(ax, minute, minute, text if ax is axes[0] else "", is_left=text == BLOWS[0])
