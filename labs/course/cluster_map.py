"""A map of the cluster: nodes as frames by zone, pods as tiles in them, some moments side by side (lab 00)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle

from labs.course.figures import LIGHT, STATES, STYLE
from labs.course.palette import BLACK, DARK, GREY, STATE_COLOURS, lightness

WIDTH_IN = 8.6
TILE, GAP, HEAD = 1.0, 0.18, 0.75
PER_ROW = 3
FRAME_WIDTH = PER_ROW * (TILE + GAP) + GAP
MARGIN_IN = 1.0
"""Height of title and legend."""
LIGHT_FROM = 60
"""From this lightness on a tile's text is black."""

Node = tuple[str, str]
"""Zone and name."""


def draw_maps(moments: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """One map for each moment, by its label; each frame holds the rows of one time of an Observer's ``pods``.

    A pod is named by its program's first letter and a number, and keeps name and place from map to map. A pod that
    was not in the first map has a thick edge; one that is gone leaves an empty place; one without a node is not shown.
    """
    moments = {label: frame[frame["node"] != ""] for label, frame in moments.items()}
    frames = list(moments.values())
    names = tile_names(name for frame in frames for name in sorted(frame["pod"]))
    places = _places(frames)
    unit_in = WIDTH_IN / len(frames) / (FRAME_WIDTH + 0.2)
    height_in = unit_in * sum(_height(len(tiles)) for tiles in places.values()) + MARGIN_IN
    with mpl.rc_context(STYLE):
        made, grid = plt.subplots(1, len(frames), figsize=(WIDTH_IN, height_in), squeeze=False)
    plt.close(made)
    seen: set[str] = set()
    for ax, (label, frame) in zip(grid[0], moments.items(), strict=True):
        seen |= set(frame["pod"])
        _draw_map(ax, frame, places, {name: names[name] for name in sorted(seen)}, set(frames[0]["pod"]))
        ax.set_title(label, loc="left", fontsize=10, fontweight="bold")
    made.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    marks = _marks({state for frame in frames for state in frame["state"]})
    programs = dict(sorted((names[name][0], program_of(name)) for name in names))
    text = ", ".join(f"{letter} {program}" for letter, program in programs.items())
    made.legend(
        handles=marks,
        loc="outside lower left",
        ncols=len(marks),
        frameon=False,
        fontsize=8.5,
        title=text,
        alignment="left",
        title_fontsize=8.5,
    )
    return made


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


def _places(frames: Sequence[pd.DataFrame]) -> dict[Node, list[str]]:
    """Which pods ever lay on each node, in the order of their tiles."""
    every = pd.concat(frames)
    places: dict[Node, list[str]] = {node: [] for node in sorted(set(zip(every["zone"], every["node"], strict=True)))}
    for frame in frames:
        placed = frame.sort_values("pod")
        for zone, node, pod in zip(placed["zone"], placed["node"], placed["pod"], strict=True):
            if pod not in places[zone, node]:
                places[zone, node].append(pod)
    return places


def _height(tiles: int) -> float:
    """Height of a node's frame."""
    return HEAD + max(1, -(-tiles // PER_ROW)) * (TILE + GAP) + GAP


def _draw_map(
    ax: Axes, frame: pd.DataFrame, places: Mapping[Node, Sequence[str]], names: Mapping[str, str], first: set[str]
) -> None:
    states = dict(zip(frame["pod"], frame["state"], strict=True))
    top = 0.0
    for number, ((zone, _), tiles) in enumerate(places.items(), 1):
        height = _height(len(tiles))
        look: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=0.12", "facecolor": "#f4f4f4", "edgecolor": GREY}
        ax.add_patch(FancyBboxPatch((0, top + 0.1), FRAME_WIDTH, height - 0.2, linewidth=1, **look))
        ax.text(GAP, top + HEAD / 2 + 0.1, f"node {number} · {zone}", fontsize=8, va="center", color=DARK)
        for place, pod in enumerate(tiles):
            row, column = divmod(place, PER_ROW)
            corner = (GAP + column * (TILE + GAP), top + HEAD + row * (TILE + GAP))
            if pod in names:
                _draw_tile(ax, corner, states.get(pod), names[pod], is_new=pod not in first)
        top += height
    ax.set_xlim(-0.1, FRAME_WIDTH + 0.1)
    ax.set_ylim(top + 0.05, -0.05)
    ax.set_aspect("equal")
    ax.axis("off")


def _draw_tile(ax: Axes, corner: tuple[float, float], state: str | None, name: str, *, is_new: bool) -> None:
    if state is None:
        ax.add_patch(Rectangle(corner, TILE, TILE, facecolor="none", edgecolor=GREY, linestyle=":"))
        return
    colour = STATE_COLOURS[state]
    edge, width = (BLACK, 2.2) if is_new else ("white", 0)
    ax.add_patch(Rectangle(corner, TILE, TILE, linewidth=0, hatch=dict(STATES)[state], **_fill(colour)))
    ax.add_patch(Rectangle(corner, TILE, TILE, facecolor="none", edgecolor=edge, linewidth=width))
    look = {"boxstyle": "round,pad=0.15", "facecolor": colour, "edgecolor": "none"}
    text = BLACK if lightness(colour) > LIGHT_FROM else "white"
    middle = (corner[0] + TILE / 2, corner[1] + TILE / 2)
    ax.text(*middle, name, ha="center", va="center", color=text, fontsize=9, bbox=look)


def _fill(colour: str) -> dict[str, Any]:
    """A colour and one for the hatch on it."""
    return {"facecolor": colour, "edgecolor": GREY if lightness(colour) > LIGHT else "white"}


def _marks(states: set[str]) -> list[Patch]:
    found = [(state, hatch) for state, hatch in STATES if state in states]
    marks = [Patch(hatch=hatch, label=state, **_fill(STATE_COLOURS[state])) for state, hatch in found]
    marks.append(Patch(facecolor="white", edgecolor=BLACK, linewidth=2, label="new"))
    marks.append(Patch(facecolor="none", edgecolor=GREY, linestyle=":", label="gone"))
    return marks
