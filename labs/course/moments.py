"""The cluster at some moments, side by side: which pod is on which node, in which zone, and in which state.

A film strip instead of a film: it steps through a run without a script, and can be read on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from labs.course import figures
from labs.course.figures import LIGHT, STATES
from labs.course.observe import READY
from labs.course.palette import DARK, GREY, STATE_COLOURS, lightness

COLUMNS = 3
WAITING = ""
"""The place of pods that have no node yet."""
NARROW = 0.7


def draw_moments(
    pods: pd.DataFrame, nodes: pd.DataFrame, seconds: Sequence[int], zero: datetime, title: str
) -> tuple[Figure, list[Axes]]:
    """A strip of panels, one for each of ``seconds`` since ``zero``: a column for each node, a box for each pod.

    ``pods`` and ``nodes`` are an Observer's; each panel shows the last look at or before its moment.
    """
    looks = [_at(pods, zero, second) for second in seconds]
    fleets = [_at(nodes, zero, second) for second in seconds]
    places = _places(looks, fleets)
    highest = max(int(look.groupby("node").size().max()) for look in looks)
    rows = -(-len(seconds) // COLUMNS)
    made, axes = figures.figure(rows, title, columns=COLUMNS, row_height=2.2)
    for ax, second, look, fleet in zip(axes, seconds, looks, fleets, strict=False):
        _draw(ax, places, look, fleet)
        ax.set_title(_said(second, look, fleet), loc="left", fontsize=9, fontweight="bold")
        ax.set_ylim(0, highest + 0.6)
    for ax in axes[len(seconds) :]:
        ax.set_visible(False)
    for ax in axes[::COLUMNS]:
        ax.set_ylabel("pods")
    for ax in axes[-COLUMNS:]:
        ax.set_xlabel("node, zone us-east-...", fontsize=8.5)
    made.legend(handles=_legend(looks), loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    return made, axes


def _at(frame: pd.DataFrame, zero: datetime, second: int) -> pd.DataFrame:
    """The rows of the last look at or before a moment."""
    before = frame[frame["time"] <= zero + timedelta(seconds=second)]
    latest: pd.DataFrame = before[before["time"] == before["time"].max()]
    return latest


def _places(looks: Sequence[pd.DataFrame], fleets: Sequence[pd.DataFrame]) -> dict[str, str]:
    """Node -> zone in the order in which the nodes came, and the place of those that wait if any does."""
    fleet = pd.concat(fleets).sort_values(["time", "zone", "node"], kind="stable").drop_duplicates("node")
    places = dict(zip(fleet["node"], fleet["zone"], strict=True))
    return places | ({WAITING: ""} if any((look["node"] == WAITING).any() for look in looks) else {})


def _draw(ax: Axes, places: dict[str, str], look: pd.DataFrame, fleet: pd.DataFrame) -> None:
    ready = set(fleet["node"][fleet["ready"]])
    order = [state for state, _ in STATES]
    hatches = dict(STATES)
    for column, node in enumerate(places):
        states = sorted(look["state"][look["node"] == node], key=order.index)
        for height, state in enumerate(states):
            colour = STATE_COLOURS[state]
            edge = DARK if lightness(colour) > LIGHT else "white"
            box: dict[str, Any] = {"facecolor": colour, "edgecolor": edge, "hatch": hatches[state], "linewidth": 0.8}
            ax.add_patch(Rectangle((column - NARROW / 2, height + 0.06), NARROW, 0.88, **box))
        if node == WAITING or node in ready or states:
            continue
        text = "joins" if node in set(fleet["node"]) else "not there"
        ax.text(column, 0.15, text, ha="center", va="bottom", fontsize=8, color=GREY, rotation=90)
    names = [
        f"{place + 1}\n{zone.rsplit('-', 1)[-1]}" if node else "no\nnode"
        for place, (node, zone) in enumerate(places.items())
    ]
    ax.set_xticks(range(len(places)), names, fontsize=8)
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.grid(visible=False, axis="x")
    plt.setp(ax.xaxis.get_ticklines(), visible=False)


def _said(second: int, look: pd.DataFrame, fleet: pd.DataFrame) -> str:
    when = f"{abs(second)} s{' before' if second < 0 else ''}"
    ready, nodes = int((look["state"] == READY).sum()), int(fleet["ready"].sum())
    return f"{when}: {ready} ready, {nodes} node{'s' if nodes != 1 else ''}"


def _legend(looks: Sequence[pd.DataFrame]) -> list[Patch]:
    seen = set(pd.concat(looks)["state"])
    return [
        Patch(facecolor=STATE_COLOURS[state], edgecolor=DARK, hatch=hatch, label=state)
        for state, hatch in STATES
        if state in seen
    ]
