"""Figures: one style, a palette that colour-blind readers can tell apart, units, and alt text that states the finding.

Drawing functions take data and an axes and return the axes; ``show`` puts a figure into the notebook and, when
asked, into the run's folder. Times are minutes since ``zero``, the fault, since that is what is asked. Legends
stand beside their panel, so that they never cover data.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import IPython.display
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labs.course.observe import LEAVING, NOT_READY, READY, STARTING, count_ready
from labs.course.palette import (
    AFTER,
    BEFORE,
    BLACK,
    FAULT,
    FAULT_TEXT,
    GREY,
    MEDIAN,
    NODES,
    PODS,
    STACK,
    STATE_COLOURS,
    TAIL,
    lightness,
)
from labs.errors import UsageError

Minutes = np.ndarray[Any, np.dtype[np.float64]]
STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same bytes on every machine
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "hatch.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "chaos-crunch",
}
STATES = ((READY, ""), (STARTING, "//"), (NOT_READY, "xx"), (LEAVING, ".."))
"""State and hatch, from the bottom of a stack: no meaning by colour alone."""
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
ALT_LENGTH_MIN = 40
HEADROOM = 1.15
"""Top of an axis above its highest value, times; twice where the fault's name stands."""
TITLE_CHARACTERS_PER_INCH = 10
LIGHT = 80
"""From this lightness on a white hatch cannot be seen."""


def figure(
    rows: int,
    title: str = "",
    *,
    columns: int = 1,
    width: float = 8.0,
    row_height: float = 2.1,
    sharex: bool = True,
) -> tuple[Figure, list[Axes]]:
    """A figure in the course's style with ``rows`` of panels, row by row; ``title`` states the finding.

    Panels of one row share their axis of values, so that small multiples compare at a glance.
    """
    size = (width, row_height * rows + 0.6)
    with mpl.rc_context(STYLE):
        made, grid = plt.subplots(rows, columns, figsize=size, sharex=sharex, sharey="row", squeeze=False)
    plt.close(made)  # a figure is shown by ``show``, not by whichever cell happens to end next
    axes = [ax for row in grid for ax in row]
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if title:
        whole = re.sub(r"(?<=\d) ", "\N{NO-BREAK SPACE}", title)  # a number stays with its unit
        lines = textwrap.fill(whole, round(width * TITLE_CHARACTERS_PER_INCH))
        made.suptitle(lines, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return made, axes


def minutes_since(times: Any, zero: datetime) -> Minutes:
    """Times as minutes since ``zero``."""
    return np.asarray((pd.DatetimeIndex(times) - pd.Timestamp(zero)).total_seconds() / 60.0, dtype=np.float64)


def name_panel(ax: Axes, title: str, unit: str) -> Axes:
    """Set a panel's title and the unit of its axis."""
    ax.set_title(title, loc="left", fontsize=10, fontweight="bold")
    ax.set_ylabel(unit)
    return ax


def shade(ax: Axes, start_minute: float, end_minute: float, text: str = "", *, is_left: bool = False) -> None:
    """Shade the time of the fault and name it, on its left when another one follows soon; a moment is a line."""
    if end_minute > start_minute:
        ax.axvspan(start_minute, end_minute, color=FAULT, alpha=0.16, linewidth=0, zorder=0.5)
    ax.axvline(start_minute, color=FAULT_TEXT, linewidth=1.2, zorder=2.5)
    if text:
        ax.set_ylim(top=ax.get_ylim()[1] * HEADROOM)
    look = {"va": "top", "ha": "right" if is_left else "left", "color": FAULT_TEXT}
    _note(ax, text, (start_minute, 1.0), ("data", "axes fraction"), (-4 if is_left else 4, -3), **look)


def limit_line(ax: Axes, value: float, text: str) -> None:
    """A dashed line for an SLO or an alarm's threshold; the axis is stretched until the line and its text fit."""
    ax.axhline(value, color=BLACK, linestyle=(0, (5, 3)), linewidth=1)
    ax.set_ylim(top=max(ax.get_ylim()[1], value * HEADROOM))
    _note(ax, text, (1.0, value), ("axes fraction", "data"), (-2, 2), ha="right", va="bottom", color=BLACK)


def point_at(ax: Axes, minute: float, value: float, text: str, *, beside: tuple[int, int] = (24, 14)) -> None:
    """Name a cause or an effect where it is: a text with an arrow, ``beside`` the point by so many points."""
    right, up = beside
    look: dict[str, Any] = {"ha": "left" if right >= 0 else "right", "va": "bottom" if up >= 0 else "top"}
    arrow = {"arrowstyle": "->", "color": BLACK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 2}
    _note(ax, text, (minute, value), "data", beside, color=BLACK, arrowprops=arrow, **look)


def _note(
    ax: Axes, text: str, place: tuple[float, float], coordinates: Any, offset_points: tuple[int, int], **look: Any
) -> None:
    """A small text on a pale ground, so that a line behind it does not strike it out."""
    if text:
        ground = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
        ax.annotate(
            text,
            place,
            xycoords=coordinates,
            xytext=offset_points,
            textcoords="offset points",
            fontsize=8,
            bbox=ground,
            zorder=5,
            **look,
        )


def draw_pod_states(ax: Axes, pods: pd.DataFrame, zero: datetime) -> Axes:
    """Pods by state over time, stacked; ``pods`` is an Observer's."""
    counts = pods.groupby(["time", "state"]).size().unstack(fill_value=0)
    layers = [(state, counts[state], STATE_COLOURS[state], hatch) for state, hatch in STATES if state in counts.columns]
    return name_panel(_draw_stack(ax, minutes_since(counts.index, zero), layers), "Pods by state", "pods")


def draw_pods_by_node(ax: Axes, pods: pd.DataFrame, zero: datetime) -> Axes:
    """Ready pods by node over time, stacked in the order in which nodes came; the legend names each node's zone."""
    ready = pods[(pods["state"] == READY) & (pods["node"] != "")]
    counts = ready.groupby(["time", "node"]).size().unstack(fill_value=0)
    counts = counts.reindex(sorted(pods["time"].unique()), fill_value=0)
    first = ready.sort_values(["time", "zone", "node"]).drop_duplicates("node")
    layers = []
    for place, (node, zone) in enumerate(zip(first["node"], first["zone"], strict=True)):
        look = place % len(STACK)
        layers.append((f"node {place + 1} ({zone})", counts[node], STACK[look], HATCHES[look]))
    return name_panel(_draw_stack(ax, minutes_since(counts.index, zero), layers), "Ready pods by node", "pods")


def _draw_stack(ax: Axes, minutes: Minutes, layers: Sequence[tuple[str, pd.Series[Any], str, str]]) -> Axes:
    """Steps on top of one another: (label, counts, colour, hatch) from the bottom."""
    bottom = np.zeros(len(minutes))
    for label, counts, colour, hatch in layers:
        top = bottom + counts.to_numpy(dtype=float)
        edge = GREY if lightness(colour) > LIGHT else "white"
        look: dict[str, Any] = {"facecolor": colour, "edgecolor": edge, "linewidth": 0.6, "hatch": hatch}
        ax.fill_between(minutes, bottom, top, step="post", label=label, **look)
        bottom = top
    _count_axis(ax, bottom.max() if len(bottom) else 1)
    _legend(ax, is_stacked=True)
    return ax


def draw_replicas_and_nodes(ax: Axes, pods: pd.DataFrame, nodes: pd.DataFrame, zero: datetime) -> Axes:
    """Ready pods and ready nodes over time."""
    ready_pods = count_ready(pods, nodes)
    ready_nodes = nodes.groupby("time")["ready"].sum()
    for counts, colour, dashes, label in (
        (ready_pods, PODS, "-", "ready pods"),
        (ready_nodes, NODES, "--", "ready nodes"),
    ):
        values = counts.to_numpy(dtype=float)
        ax.step(minutes_since(counts.index, zero), values, where="post", color=colour, linestyle=dashes, label=label)
    _count_axis(ax, max(ready_pods.max(), ready_nodes.max()))
    _legend(ax)
    return name_panel(ax, "Replicas and nodes", "count")


def draw_minutes(
    ax: Axes, frame: pd.DataFrame, lines: Mapping[str, tuple[str, str, Any]], zero: datetime, *, factor: float = 1.0
) -> Axes:
    """One-minute data as steps over the minute that each point stands for; a minute without data is a gap.

    ``lines``: column of ``frame`` -> (label, colour, line style). ``factor`` turns the data's unit into the axis'.
    """
    for column, (label, colour, dashes) in lines.items():
        minutes, values = _with_gaps(frame[column].dropna(), zero)
        ax.step(minutes, values * factor, where="post", color=colour, linestyle=dashes, label=label)
    # A call before this one has fixed the axis to its own lines.
    ax.autoscale(axis="y")
    ax.margins(y=0.1)
    ax.set_ylim(bottom=0)
    _legend(ax)
    return ax


def draw_latency(ax: Axes, frame: pd.DataFrame, zero: datetime, *, factor: float = 1.0) -> Axes:
    """Latency percentiles in seconds, one line for each column of ``frame``, the lowest percentile first."""
    looks = ((MEDIAN, "--"), (TAIL, "-"), (BLACK, ":"))
    lines = {column: (column, *look) for column, look in zip(frame.columns, looks, strict=False)}
    return name_panel(draw_minutes(ax, frame, lines, zero, factor=factor), "Latency", "seconds")


def draw_error_rate(ax: Axes, rate_percent: pd.Series[float], zero: datetime) -> Axes:
    """Failed requests in percent of all, minute by minute."""
    frame = rate_percent.to_frame("rate")
    minutes, values = _with_gaps(frame["rate"].dropna(), zero)
    ax.fill_between(minutes, 0, values, step="post", facecolor="none", edgecolor=TAIL, hatch="////", linewidth=0)
    return name_panel(draw_minutes(ax, frame, {"rate": ("error rate", TAIL, "-")}, zero), "Error rate", "% of requests")


def draw_before_after(
    ax: Axes,
    before: pd.Series[float],
    after: pd.Series[float],
    before_zero: datetime,
    after_zero: datetime,
    *,
    labels: tuple[str, str] = ("before the fix", "after the fix"),
    factor: float = 1.0,
) -> Axes:
    """The same one-minute metric of two runs over minutes since each run's own fault."""
    looks = ((before, before_zero, BEFORE, (0, (4, 1.5))), (after, after_zero, AFTER, "-"))
    for label, (series, zero, colour, dashes) in zip(labels, looks, strict=True):
        draw_minutes(ax, series.to_frame("value"), {"value": (label, colour, dashes)}, zero, factor=factor)
    return ax


def _with_gaps(series: pd.Series[float], zero: datetime) -> tuple[Minutes, Minutes]:
    """Minutes and values for a step plot: each value lasts a minute, and a missing minute is nan."""
    minutes, values = minutes_since(series.index, zero), series.to_numpy(dtype=float)
    points: list[tuple[float, float]] = []
    for place, (minute, value) in enumerate(zip(minutes.tolist(), values.tolist(), strict=True)):
        points.append((minute, value))
        is_last = place + 1 == len(minutes)
        if is_last or minutes[place + 1] - minute > 1.5:
            points += [(minute + 1, value), (minute + 1, np.nan)]
    table = np.asarray(points[:-1], dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _count_axis(ax: Axes, highest: float) -> None:
    ax.set_ylim(0, max(highest, 1) * HEADROOM)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(ax: Axes, *, is_stacked: bool = False) -> None:
    """Beside the panel; of a stack in the order of the stack, from the top."""
    handles, labels = ax.get_legend_handles_labels()
    if is_stacked:
        handles, labels = handles[::-1], labels[::-1]
    if len(labels) > 1 or (labels and is_stacked):  # one line is named by its panel's title
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0}
        ax.legend(handles, labels, frameon=False, fontsize=8.5, **place)


def label_minutes(axes: Sequence[Axes], text: str = "minutes since the fault") -> None:
    """Name the time axis of the lowest panels."""
    for ax in axes:
        place = ax.get_subplotspec()
        if place is not None and place.is_last_row():
            ax.set_xlabel(text)


def show(made: Figure, alt: str, *, name: str = "", directory: Path | None = None) -> None:
    """Put a figure into the notebook with its alt text, and into ``directory/name.png``. Raises UsageError."""
    if len(alt) < ALT_LENGTH_MIN:
        raise UsageError(f"The alt text must say what the figure shows, in {ALT_LENGTH_MIN} characters or more.")
    if directory is not None and name:
        try:
            made.savefig(directory / f"{name}.png", metadata={"Software": None, "Description": alt})
        except OSError as error:
            raise UsageError(
                f"{directory / name}.png cannot be written ({error.strerror}); set run_directory to another folder."
            ) from None
    IPython.display.display(made, metadata={"image/png": {"alt": alt}})
    plt.close(made)
