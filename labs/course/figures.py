"""Figures: one style, a palette that colour-blind readers can tell apart, units, and alt text that states the finding.

Drawing functions take data and an axes and return the axes; ``show`` puts a figure into the notebook and, when
asked, into the run's folder. Times are shown in minutes since the fault, since that is what is asked.
"""

from __future__ import annotations

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

from labs.course.observe import LEAVING, NOT_READY, READY, STARTING
from labs.errors import UsageError

# Okabe and Ito's palette (2008): distinct for the common forms of colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#767676"
STYLE: dict[str, Any] = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "chaos-crunch",
}
STATES = ((READY, GREEN, ""), (STARTING, SKY, "//"), (NOT_READY, ORANGE, "xx"), (LEAVING, GREY, ".."))
"""State, colour and hatch: no meaning by colour alone."""
ALT_LENGTH_MIN = 40


def figure(rows: int, *, width: float = 8.0, row_height: float = 2.1, sharex: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure with ``rows`` panels below one another in the course's style."""
    with mpl.rc_context(STYLE):
        made, axes = plt.subplots(rows, 1, figsize=(width, row_height * rows + 0.4), sharex=sharex, squeeze=False)
    return made, [axes[row][0] for row in range(rows)]


def minutes_since(times: Any, zero: datetime) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Times as minutes since ``zero``."""
    return np.asarray((pd.DatetimeIndex(times) - pd.Timestamp(zero)).total_seconds() / 60.0, dtype=np.float64)


def shade(ax: Axes, start_minute: float, end_minute: float, text: str) -> None:
    """Shade the time of the fault and name it."""
    ax.axvspan(start_minute, max(end_minute, start_minute + 0.08), color=VERMILION, alpha=0.13, linewidth=0)
    ax.annotate(
        text,
        (start_minute, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color="#8a3a00",
    )


def limit_line(ax: Axes, value: float, text: str) -> None:
    """A dashed line for an SLO or an alarm's threshold."""
    ax.axhline(value, color=BLACK, linestyle=(0, (5, 3)), linewidth=1)
    ax.annotate(
        text,
        (1.0, value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=8,
    )


def draw_pod_states(ax: Axes, pods: pd.DataFrame, zero: datetime) -> Axes:
    """Pods by state over time, stacked."""
    counts = pods.groupby(["time", "state"]).size().unstack(fill_value=0)
    minutes = minutes_since(counts.index, zero)
    bottom = np.zeros(len(counts))
    for state, colour, hatch in STATES:
        if state in counts.columns:
            heights = counts[state].to_numpy(dtype=float)
            ax.fill_between(
                minutes,
                bottom,
                bottom + heights,
                step="post",
                facecolor=colour,
                edgecolor="white",
                hatch=hatch,
                label=state,
            )
            bottom += heights
    ax.set_ylabel("pods")
    ax.set_ylim(0, bottom.max() * 1.18 if len(bottom) else 1)
    ax.legend(ncols=4, loc="upper right")
    return ax


def draw_pods_by_node(ax: Axes, pods: pd.DataFrame, zero: datetime) -> Axes:
    """Ready pods by node over time, stacked; the legend names the node's zone."""
    ready = pods[pods["state"] == READY]
    counts = ready.groupby(["time", "node"]).size().unstack(fill_value=0)
    counts = counts.reindex(sorted(pods["time"].unique()), fill_value=0)
    zones = dict(zip(pods["node"], pods["zone"], strict=True))
    order = sorted(counts.columns, key=lambda node: (zones[node], node))
    minutes = minutes_since(counts.index, zero)
    bottom = np.zeros(len(counts))
    hatches = ("", "//", "..", "xx", "\\\\", "++")
    for place, node in enumerate(order):
        heights = counts[node].to_numpy(dtype=float)
        colour = (BLUE, ORANGE, SKY, GREEN, PURPLE, YELLOW)[place % 6]
        label = f"node {place + 1} ({zones[node]})"
        ax.fill_between(
            minutes,
            bottom,
            bottom + heights,
            step="post",
            facecolor=colour,
            edgecolor="white",
            hatch=hatches[place % 6],
            label=label,
        )
        bottom += heights
    ax.set_ylabel("ready pods")
    ax.set_ylim(0, max(bottom.max() * 1.25, 1))
    ax.legend(ncols=2, loc="upper right")
    return ax


def draw_replicas_and_nodes(ax: Axes, pods: pd.DataFrame, nodes: pd.DataFrame, zero: datetime) -> Axes:
    """Ready pods and ready nodes over time."""
    ready_pods = pods.groupby("time")["state"].apply(lambda states: int((states == READY).sum()))
    ready_nodes = nodes.groupby("time")["ready"].sum()
    ax.step(minutes_since(ready_pods.index, zero), ready_pods, where="post", color=BLUE, label="ready pods")
    ax.step(
        minutes_since(ready_nodes.index, zero),
        ready_nodes,
        where="post",
        color=VERMILION,
        linestyle="--",
        label="ready nodes",
    )
    ax.set_ylabel("count")
    ax.set_ylim(0, max(ready_pods.max(), ready_nodes.max()) * 1.2)
    ax.legend(ncols=2, loc="lower right")
    return ax


def draw_minutes(
    ax: Axes, frame: pd.DataFrame, lines: Mapping[str, tuple[str, str, str]], zero: datetime, *, factor: float = 1.0
) -> Axes:
    """One-minute data as steps over the minute that each point stands for.

    ``lines``: column of ``frame`` -> (label, colour, line style).
    """
    for column, (label, colour, dashes) in lines.items():
        series = frame[column].dropna()
        minutes = minutes_since(series.index, zero)
        values = series.to_numpy(dtype=float) * factor
        if len(values):
            ax.step(
                [*minutes, minutes[-1] + 1],
                [*values, values[-1]],
                where="post",
                color=colour,
                linestyle=dashes,
                label=label,
            )
    ax.legend(ncols=max(len(lines), 1), loc="upper right")
    return ax


def label_minutes(axes: Sequence[Axes], text: str) -> None:
    """Name the time axis of the lowest panel."""
    axes[-1].set_xlabel(text)


def show(made: Figure, alt: str, *, name: str = "", directory: Path | None = None) -> None:
    """Put a figure into the notebook with its alt text, and into ``directory/name.png``. Raises UsageError."""
    if len(alt) < ALT_LENGTH_MIN:
        raise UsageError(f"The alt text must say what the figure shows, in {ALT_LENGTH_MIN} characters or more.")
    if directory is not None and name:
        try:
            made.savefig(directory / f"{name}.png", metadata={"Software": None, "Description": alt})
        except OSError as error:
            raise UsageError(f"{directory / name}.png cannot be written ({error.strerror}).") from None
    IPython.display.display(made, metadata={"image/png": {"alt": alt}})
    plt.close(made)
