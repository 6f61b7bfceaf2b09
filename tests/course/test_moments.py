from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from labs.course.moments import draw_moments
from labs.course.observe import LEAVING, NOT_READY, READY, STARTING
from labs.course.palette import STATE_COLOURS

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OLD, NEW = ("ip-9", "us-east-1b"), ("ip-1", "us-east-1a")


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def pods_at(second: int, *pods: tuple[str, str]) -> list[dict[str, Any]]:
    time = ZERO + timedelta(seconds=second)
    return [
        {"time": time, "pod": f"p{n}", "node": node, "zone": "", "state": state} for n, (node, state) in enumerate(pods)
    ]


def nodes_at(second: int, *nodes: tuple[tuple[str, str], bool]) -> list[dict[str, Any]]:
    time = ZERO + timedelta(seconds=second)
    return [{"time": time, "node": name, "zone": zone, "ready": ready} for (name, zone), ready in nodes]


PODS = pd.DataFrame([
    *pods_at(-5, ("ip-9", READY), ("ip-9", READY)),
    *pods_at(10, ("ip-9", READY), ("ip-9", LEAVING), ("", STARTING), ("ip-1", NOT_READY)),
    *pods_at(20, ("ip-9", READY), ("ip-1", READY), ("ip-1", READY)),
])  # fmt: skip
NODES = pd.DataFrame(
    [*nodes_at(-5, (OLD, True)), *nodes_at(10, (OLD, True), (NEW, False)), *nodes_at(20, (OLD, True), (NEW, True))]
)


def boxes(ax: Any) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def columns(ax: Any) -> list[int]:
    return sorted(round(box.get_x() + box.get_width() / 2) for box in boxes(ax))


def test_each_panel_has_a_box_for_each_pod_in_the_column_of_its_node() -> None:
    _, axes = draw_moments(PODS, NODES, (-5, 12, 20), ZERO, "Three moments")
    assert [columns(ax) for ax in axes] == [[0, 0], [0, 0, 1, 2], [0, 1, 1]]
    assert [text.get_text() for text in axes[2].get_xticklabels()] == ["1\n1b", "2\n1a", "no\nnode"]


def test_a_panel_says_its_moment_and_its_numbers() -> None:
    _, axes = draw_moments(PODS, NODES, (-5, 12, 20), ZERO, "Three moments")
    titles = [ax.get_title(loc="left") for ax in axes]
    assert titles == ["5 s before: 2 ready, 1 node", "12 s: 1 ready, 1 node", "20 s: 3 ready, 2 nodes"]
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["not there"], [], []]


def test_no_state_is_told_by_its_colour_alone() -> None:
    made, axes = draw_moments(PODS, NODES, (-5, 12, 20), ZERO, "Three moments")
    looks = {(box.get_facecolor(), box.get_hatch()) for ax in axes for box in boxes(ax)}
    assert len(looks) == len({hatch for _, hatch in looks}) == len(STATE_COLOURS)
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == [READY, STARTING, NOT_READY, LEAVING]
    hatches = {patch.get_hatch() for patch in legend.get_patches()}
    assert hatches == {hatch for _, hatch in looks}


def test_panels_that_are_left_over_are_not_shown_and_nothing_is_cut_off() -> None:
    made, axes = draw_moments(PODS, NODES, (-5, 0, 10, 20), ZERO, "Four moments of which the last stands alone")
    assert [ax.get_visible() for ax in axes] == [True] * 4 + [False] * 2
    made.draw_without_rendering()
    (legend,) = made.legends
    assert legend.get_window_extent().y0 >= 0
