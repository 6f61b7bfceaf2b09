"""The cluster at some moments, side by side: which pod is on which node, in which zone, and in which state.

A film strip instead of a film: it steps through a run without a script, and can be read on paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from labs.course.palette import BLACK, GREY, STATE_COLOURS, lightness

WAITING = ""
"""The place of pods that have no node yet."""
COLUMNS_MAX = 3
SIDE = 0.84
"""Width and height of a pod's box, of those of its place."""
PLACE_IN, HEAD_IN = 0.27, 0.62
"""Heights: of one pod's place, and of what is above and below the places of a panel."""
LIGHT_FROM = 60
"""From this lightness on a box's text is black."""
GONE: dict[str, Any] = {"facecolor": "none", "edgecolor": GREY, "linestyle": ":"}
NEW: dict[str, Any] = {"facecolor": "none", "edgecolor": BLACK, "linewidth": 2.2}


def draw_moments(
    pods: pd.DataFrame, nodes: pd.DataFrame, seconds: Sequence[int], zero: datetime, title: str
) -> tuple[Figure, list[Axes]]:
    """A strip of panels, one for each of ``seconds`` since ``zero``: a column for each node, a box for each pod.

    ``pods`` and ``nodes`` are an Observer's; each panel shows the last look at or before its moment. A pod is named by
    its program's first letter and a number, and keeps name and place from panel to panel. One that was not in the
    first panel has a thick edge, and one that is gone leaves an empty place.
    """
    times = [nodes["time"][nodes["time"] <= zero + timedelta(seconds=second)].max() for second in seconds]
    looks, fleets = ([frame[frame["time"] == time] for time in times] for frame in (pods, nodes))
    names = tile_names(name for look in looks for name in sorted(look["pod"]))
    places = _places(looks, fleets)
    columns = min(len(seconds) if len(seconds) <= COLUMNS_MAX else -(-len(seconds) // 2), COLUMNS_MAX)
    waiting = [int((look["node"] == WAITING).sum()) for look in looks]
    height = max(1, *(len(found) for found in places.values()), *waiting)
    rows = -(-len(seconds) // columns)
    made, axes = figures.figure(rows, title, columns=columns, row_height=PLACE_IN * height + HEAD_IN)
    new = set(names) - set(looks[0]["pod"])
    been: set[tuple[str, str]] = set()
    for ax, second, look, fleet in zip(axes, seconds, looks, fleets, strict=False):
        been |= set(zip(look["node"], look["pod"], strict=True))
        _draw_pods(ax, places, look, names, been, new)
        _draw_nodes(ax, places, look, fleet)
        ax.set_title(_said(second, look, fleet), loc="left", fontsize=9, fontweight="bold")
        ax.set_ylim(0, height + 0.1)
    for ax in axes[len(seconds) :]:
        ax.set_visible(False)
    for ax in axes[-columns:]:
        ax.set_xlabel("node, zone us-east-...", fontsize=8.5)
    _add_legend(made, looks, names)
    return made, axes


def program_of(pod: str) -> str:
    """The Deployment of a pod, from the pod's name."""
    return pod.rsplit("-", 2)[0]


def tile_names(pods: Iterable[str]) -> dict[str, str]:
    """A short name for each pod, in the order in which they come: F1, F2 for the first two of ``frontend``."""
    counts: Counter[str] = Counter()
    names: dict[str, str] = {}
    for pod in pods:
        if pod not in names:
            letter = pod[0].upper()
            counts[letter] += 1
            names[pod] = f"{letter}{counts[letter]}"
    return names


def _places(looks: Sequence[pd.DataFrame], fleets: Sequence[pd.DataFrame]) -> dict[tuple[str, str], list[str]]:
    """(node, zone) in the order in which the nodes came -> the pods that ever lay there, from the bottom.

    Last comes the column of pods that wait, if any does; they keep no places there.
    """
    fleet = pd.concat(fleets).sort_values(["time", "zone", "node"], kind="stable").drop_duplicates("node")
    places: dict[tuple[str, str], list[str]] = {key: [] for key in zip(fleet["node"], fleet["zone"], strict=True)}
    column = {node: (node, zone) for node, zone in places}
    for look in looks:
        for node, pod in look[look["node"] != WAITING].sort_values("pod")[["node", "pod"]].itertuples(index=False):
            found = places.setdefault(column.get(node, (node, "")), [])
            if pod not in found:
                found.append(pod)
    is_waited = any((look["node"] == WAITING).any() for look in looks)
    return places | ({(WAITING, ""): []} if is_waited else {})


def _draw_pods(
    ax: Axes,
    places: Mapping[tuple[str, str], Sequence[str]],
    look: pd.DataFrame,
    names: Mapping[str, str],
    been: set[tuple[str, str]],
    new: set[str],
) -> None:
    """A box for each pod of a look; ``been`` are the (node, pod) up to then, so that what is gone can be told."""
    states = dict(zip(zip(look["node"], look["pod"], strict=True), look["state"], strict=True))
    waiting = sorted(look["pod"][look["node"] == WAITING])
    for column, ((node, _), pods) in enumerate(places.items()):
        for height, pod in enumerate(waiting if node == WAITING else pods):
            if (node, pod) in states:
                _draw_box(ax, (column, height), states[node, pod], names[pod], is_new=pod in new)
            elif (node, pod) in been:
                _add_box(ax, (column, height), **GONE)


def _draw_nodes(
    ax: Axes, places: Mapping[tuple[str, str], Sequence[str]], look: pd.DataFrame, fleet: pd.DataFrame
) -> None:
    """The columns' names, and a word in a column whose node is not there, or not ready."""
    ready, there = set(fleet["node"][fleet["ready"]]), set(fleet["node"])
    for column, (node, _) in enumerate(places):
        if node not in {WAITING, *ready, *look["node"]}:
            text = "joins" if node in there else "not there"
            ax.text(column, 0.15, text, ha="center", va="bottom", fontsize=8, color=GREY, rotation=90)
    zones = [zone.rsplit("-", 1)[-1] for _, zone in places]
    labels = [f"{number}\n{zone}" if zone else "no\nnode" for number, zone in enumerate(zones, 1)]
    ax.set_xticks(range(len(places)), labels, fontsize=8)
    ax.set_xlim(-0.6, len(places) - 0.4)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)
    plt.setp(ax.xaxis.get_ticklines(), visible=False)


def _draw_box(ax: Axes, place: tuple[int, int], state: str, name: str, *, is_new: bool) -> None:
    colour = STATE_COLOURS[state]
    _add_box(ax, place, **_fill(state), linewidth=0)
    if is_new:
        _add_box(ax, place, **NEW)
    look = {"boxstyle": "round,pad=0.12", "facecolor": colour, "edgecolor": "none"}
    text = BLACK if lightness(colour) > LIGHT_FROM else "white"
    ax.text(place[0], place[1] + 0.5, name, ha="center", va="center", color=text, fontsize=8, bbox=look)


def _add_box(ax: Axes, place: tuple[int, int], **look: Any) -> None:
    column, height = place
    gap = (1 - SIDE) / 2
    ax.add_patch(Rectangle((column - SIDE / 2, height + gap), SIDE, SIDE, **look))


def _fill(state: str) -> dict[str, Any]:
    """A state's colour and hatch, and a colour for the hatch that can be seen on it."""
    colour = STATE_COLOURS[state]
    edge = GREY if lightness(colour) > LIGHT else "white"
    return {"facecolor": colour, "edgecolor": edge, "hatch": dict(STATES)[state]}


def _said(second: int, look: pd.DataFrame, fleet: pd.DataFrame) -> str:
    when = f"{abs(second)} s{' before' if second < 0 else ''}"
    ready, nodes = int((look["state"] == READY).sum()), int(fleet["ready"].sum())
    return f"{when}: {ready} ready, {nodes} node{'s' if nodes != 1 else ''}"


def _add_legend(made: Figure, looks: Sequence[pd.DataFrame], names: Mapping[str, str]) -> None:
    """What states, edges and, where there are several programs, letters mean."""
    found = set(pd.concat(looks)["state"])
    marks = [Patch(label=state, **_fill(state)) for state, _ in STATES if state in found]
    first, last = set(looks[0]["pod"]), set(looks[-1]["pod"])
    marks += [Patch(label="new", **NEW)] if set(names) - first else []
    marks += [Patch(label="gone", **GONE)] if set(names) - last else []
    programs = {name[0]: program_of(pod) for pod, name in sorted(names.items())}
    text = ", ".join(f"{letter} {program}" for letter, program in sorted(programs.items()))
    made.legend(
        handles=marks,
        loc="outside lower center",
        ncols=len(marks),
        frameon=False,
        fontsize=8.5,
        title=text if len(programs) > 1 else None,
        title_fontsize=8.5,
    )
