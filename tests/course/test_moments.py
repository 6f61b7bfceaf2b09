from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from labs.course.moments import draw_moments, tile_names
from labs.course.observe import LEAVING, NOT_READY, READY, STARTING
from labs.course.palette import STATE_COLOURS

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OLD, NEW = ("ip-9", "us-east-1b"), ("ip-1", "us-east-1a")
MOMENTS = (-5, 12, 20)


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def pods_at(second: int, **pods: tuple[str, str]) -> list[dict[str, Any]]:
    """Pod (with ``_`` for ``-``) -> (node, state)."""
    time = ZERO + timedelta(seconds=second)
    return [
        {"time": time, "pod": name.replace("_", "-"), "node": node, "zone": "", "state": state}
        for name, (node, state) in pods.items()
    ]


def nodes_at(second: int, *nodes: tuple[tuple[str, str], bool]) -> list[dict[str, Any]]:
    time = ZERO + timedelta(seconds=second)
    return [{"time": time, "node": name, "zone": zone, "ready": ready} for (name, zone), ready in nodes]


PODS = pd.DataFrame([
    *pods_at(-5, web_1_a=("ip-9", READY), web_1_b=("ip-9", READY)),
    *pods_at(10, web_1_a=("ip-9", READY), web_1_b=("ip-9", LEAVING), web_1_c=("", STARTING)),
    *pods_at(10, db_1_x=("ip-1", NOT_READY)),
    *pods_at(20, web_1_a=("ip-9", READY), web_1_c=("ip-1", READY), db_1_x=("ip-1", READY)),
])  # fmt: skip
NODES = pd.DataFrame(
    [*nodes_at(-5, (OLD, True)), *nodes_at(10, (OLD, True), (NEW, False)), *nodes_at(20, (OLD, True), (NEW, True))]
)


def boxes(ax: Any, *, is_gone: bool = False) -> list[Rectangle]:
    """The boxes of pods, or the dotted ones of pods that are gone; a new pod has two, one for its thick edge."""
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [box for box in found if (box.get_linestyle() == ":") == is_gone]


def texts(ax: Any) -> dict[str, tuple[int, int]]:
    """Each text with its column and height."""
    return {text.get_text(): (round(text.get_position()[0]), int(text.get_position()[1])) for text in ax.texts}


def test_a_pod_keeps_its_name_and_place_and_stands_in_the_column_of_its_node() -> None:
    _, axes = draw_moments(PODS, NODES, MOMENTS, ZERO, "Three moments")
    first, second, third = map(texts, axes)
    assert first == {"W1": (0, 0), "W2": (0, 1), "not there": (1, 0)}
    assert second == {"W1": (0, 0), "W2": (0, 1), "D1": (1, 0), "W3": (2, 0)}
    assert third == {"W1": (0, 0), "D1": (1, 0), "W3": (1, 1)}
    assert [text.get_text() for text in axes[2].get_xticklabels()] == ["1\n1b", "2\n1a", "no\nnode"]


def test_a_node_that_joins_is_named_until_a_pod_is_on_it() -> None:
    _, axes = draw_moments(PODS[PODS["node"] != "ip-1"], NODES, MOMENTS, ZERO, "Three moments")
    assert ["joins" in texts(ax) for ax in axes] == [False, True, False]


def test_a_pod_that_is_gone_leaves_its_place_and_one_that_is_still_to_come_has_none() -> None:
    _, axes = draw_moments(PODS, NODES, MOMENTS, ZERO, "Three moments")
    assert [len(boxes(ax, is_gone=True)) for ax in axes] == [0, 0, 1]


def test_a_new_pod_has_a_thick_edge_and_no_other() -> None:
    _, axes = draw_moments(PODS, NODES, MOMENTS, ZERO, "Three moments")
    assert [sum(box.get_linewidth() > 2 for box in boxes(ax)) for ax in axes] == [0, 2, 2]


def test_a_panel_says_its_moment_and_its_numbers() -> None:
    _, axes = draw_moments(PODS, NODES, MOMENTS, ZERO, "Three moments")
    titles = [ax.get_title(loc="left") for ax in axes]
    assert titles == ["5 s before: 2 ready, 1 node", "12 s: 1 ready, 1 node", "20 s: 3 ready, 2 nodes"]


def test_no_state_is_told_by_its_colour_alone_and_the_legend_says_them_all() -> None:
    made, axes = draw_moments(PODS, NODES, MOMENTS, ZERO, "Three moments")
    filled = [box for ax in axes for box in boxes(ax) if box.get_facecolor()[3]]
    looks = {(box.get_facecolor(), box.get_hatch()) for box in filled}
    assert len(looks) == len({hatch for _, hatch in looks}) == len(STATE_COLOURS)
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == [READY, STARTING, NOT_READY, LEAVING, "new", "gone"]
    assert legend.get_title().get_text() == "D db, W web"


def test_a_moment_at_which_there_is_no_pod_is_shown_as_that() -> None:
    later = PODS[PODS["time"] == PODS["time"].max()]
    _, axes = draw_moments(later, NODES, MOMENTS, ZERO, "They come late")
    assert [ax.get_title(loc="left") for ax in axes][:2] == ["5 s before: 0 ready, 1 node", "12 s: 0 ready, 1 node"]


def test_one_program_needs_no_letters_explained_and_nobody_new_no_mark() -> None:
    alone = PODS[PODS["pod"].isin(["web-1-a"])]
    made, _ = draw_moments(alone, NODES, MOMENTS, ZERO, "One pod")
    (legend,) = made.legends
    assert legend.get_title().get_text() == ""
    assert [text.get_text() for text in legend.get_texts()] == [READY]


@pytest.mark.parametrize(("moments", "shown", "hidden"), [(2, 2, 0), (4, 4, 0), (5, 5, 1), (6, 6, 0)])
def test_panels_that_are_left_over_are_not_shown_and_nothing_is_cut_off(moments: int, shown: int, hidden: int) -> None:
    made, axes = draw_moments(PODS, NODES, range(-5, moments - 5), ZERO, "Some moments, in two rows when they are many")
    assert [ax.get_visible() for ax in axes] == [True] * shown + [False] * hidden
    made.draw_without_rendering()
    (legend,) = made.legends
    assert legend.get_window_extent().y0 >= 0


def test_short_names_count_for_each_letter() -> None:
    assert tile_names(["web-1-a", "db-1-a", "web-1-b", "web-1-a"]) == {"web-1-a": "W1", "db-1-a": "D1", "web-1-b": "W2"}
