from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from labs.course import figures, lag, palette
from labs.course.observe import LEAVING, READY, STARTING
from labs.errors import UsageError

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PANEL_PAIRS = [
    *palette.LINE_PAIRS,
    *combinations(palette.STATE_COLOURS.values(), 2),
    *pairwise(palette.STACK),
    *pairwise(lag.LOOKS),
]
"""Colours that touch or share a panel."""
ALT = "Ready pods fall from five to two at the fault and are five again after a minute."


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def looks(*states_by_minute: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Rows of an Observer: for each minute a list of (node, zone, state)."""
    rows: list[dict[str, Any]] = [
        {"time": ZERO + timedelta(minutes=minute), "pod": f"p{place}", "node": node, "zone": zone, "state": state}
        for minute, pods in enumerate(states_by_minute)
        for place, (node, zone, state) in enumerate(pods)
    ]
    return pd.DataFrame(rows)


def legend_of(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_nodes_are_stacked_in_the_order_in_which_they_came() -> None:
    old, new = ("ip-9", "us-east-1b", READY), ("ip-1", "us-east-1a", READY)
    _, (ax,) = figures.figure(1)
    figures.draw_pods_by_node(ax, looks([old, old], [old, old, new]), ZERO)
    assert legend_of(ax) == ["node 2 (us-east-1a)", "node 1 (us-east-1b)"]
    tops = [collection.get_paths()[0].vertices[:, 1].max() for collection in ax.collections]
    assert tops == [2, 3]


def test_pods_without_a_node_and_pods_that_are_not_ready_are_not_on_a_node() -> None:
    _, (ax,) = figures.figure(1)
    figures.draw_pods_by_node(ax, looks([("a", "z", READY), ("", "", STARTING), ("a", "z", LEAVING)]), ZERO)
    assert legend_of(ax) == ["node 1 (z)"]


def test_states_are_stacked_with_ready_at_the_bottom_and_a_hatch_each() -> None:
    pods = looks([("a", "z", READY), ("a", "z", LEAVING)], [("a", "z", READY), ("", "", STARTING)])
    _, (ax,) = figures.figure(1)
    figures.draw_pod_states(ax, pods, ZERO)
    assert legend_of(ax) == [LEAVING, STARTING, READY]
    assert len({collection.get_hatch() for collection in ax.collections}) == 3


def test_replicas_and_nodes_count_the_ready_ones() -> None:
    pods = looks([("a", "z", READY), ("a", "z", STARTING)], [("a", "z", READY), ("a", "z", READY)])
    nodes = pd.DataFrame({"time": [ZERO, ZERO], "node": ["a", "b"], "zone": ["", ""], "ready": [True, False]})
    _, (ax,) = figures.figure(1)
    figures.draw_replicas_and_nodes(ax, pods, nodes, ZERO)
    replicas, ready_nodes = ax.lines
    assert list(replicas.get_xdata()) == [0, 1]
    assert list(replicas.get_ydata()) == [1, 2]
    assert list(ready_nodes.get_ydata()) == [1]


def test_one_minute_data_lasts_its_minute_and_a_missing_minute_is_a_gap() -> None:
    minutes = pd.DatetimeIndex([ZERO, ZERO + timedelta(minutes=1), ZERO + timedelta(minutes=3)])
    _, (ax,) = figures.figure(1)
    figures.draw_error_rate(ax, pd.Series([0.0, 4.0, 2.0], index=minutes), ZERO)
    (line,) = ax.lines
    assert list(line.get_xdata()) == [0, 1, 2, 2, 3, 4]
    np.testing.assert_equal(np.asarray(line.get_ydata()), [0, 4, 4, np.nan, 2, 2])
    assert ax.get_ylabel() == "% of requests"


def test_a_metric_without_data_leaves_an_empty_line() -> None:
    _, (ax,) = figures.figure(1)
    figures.draw_error_rate(ax, pd.Series([], index=pd.DatetimeIndex([], tz="UTC"), dtype=float), ZERO)
    assert len(ax.lines[0].get_xdata()) == 0


def test_latency_has_a_line_of_its_own_look_for_each_percentile() -> None:
    frame = pd.DataFrame({"p50": [0.1], "p99": [0.9]}, index=pd.DatetimeIndex([ZERO]))
    _, (ax,) = figures.figure(1)
    figures.draw_latency(ax, frame, ZERO, factor=2)
    assert legend_of(ax) == ["p50", "p99"]
    assert max(ax.lines[1].get_ydata()) == 1.8
    assert len({line.get_linestyle() for line in ax.lines}) == 2


def test_two_runs_share_an_axis_each_from_its_own_fault() -> None:
    later = ZERO + timedelta(hours=1)
    before, after = (pd.Series([3.0], index=pd.DatetimeIndex([zero])) for zero in (ZERO, later))
    _, (ax,) = figures.figure(1)
    figures.draw_before_after(ax, before, after, ZERO, later)
    assert [list(line.get_xdata()) for line in ax.lines] == [[0, 1], [0, 1]]
    assert legend_of(ax) == ["before the fix", "after the fix"]


def test_the_higher_of_two_runs_is_whole_even_when_it_is_the_second() -> None:
    _, (ax,) = figures.figure(1)
    low, high = (pd.Series([value], index=pd.DatetimeIndex([ZERO])) for value in (1.0, 3.0))
    figures.draw_before_after(ax, low, high, ZERO, ZERO)
    bottom, top = ax.get_ylim()
    assert bottom == 0
    assert top > 3.0


def test_small_multiples_share_their_values_and_name_each_time_axis() -> None:
    _, axes = figures.figure(2, columns=2)
    figures.draw_error_rate(axes[0], pd.Series([8.0], index=pd.DatetimeIndex([ZERO])), ZERO)
    figures.draw_error_rate(axes[1], pd.Series([1.0], index=pd.DatetimeIndex([ZERO])), ZERO)
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_ylim()[1] > 8.0
    figures.label_minutes(axes, "minutes")
    assert [ax.get_xlabel() for ax in axes] == ["", "", "minutes", "minutes"]


def test_a_cause_is_named_beside_its_point() -> None:
    _, (ax,) = figures.figure(1)
    figures.point_at(ax, 2.0, 5.0, "five pods stop", beside=(-20, 10))
    (note,) = ax.texts
    assert (note.get_text(), note.get_horizontalalignment()) == ("five pods stop", "right")
    assert note.arrow_patch is not None


def test_one_line_needs_no_legend() -> None:
    _, (ax,) = figures.figure(1)
    figures.draw_error_rate(ax, pd.Series([1.0], index=pd.DatetimeIndex([ZERO])), ZERO)
    assert ax.get_legend() is None


def test_a_limit_above_the_data_is_still_within_the_axis() -> None:
    _, (ax,) = figures.figure(1)
    figures.draw_error_rate(ax, pd.Series([0.2], index=pd.DatetimeIndex([ZERO])), ZERO)
    figures.limit_line(ax, 5.0, "alarm 5 %")
    assert ax.get_ylim()[1] > 5.0


def test_nothing_is_cut_off_and_no_legend_covers_its_panel() -> None:
    pods = looks(*[[(f"ip-{n}", f"us-east-1{'abc'[n % 3]}", READY) for n in range(4)]] * 3)
    finding = "A long finding of 12 % errors for 4 min that does not fit into one line of the figure"
    made, axes = figures.figure(2, finding)
    figures.draw_pods_by_node(axes[0], pods, ZERO)
    figures.draw_pod_states(axes[1], pods, ZERO)
    figures.shade(axes[0], 0, 1, "3 of 5 pods killed")
    made.draw_without_rendering()
    for ax in axes:
        box = ax.get_legend().get_window_extent()
        assert box.x0 >= ax.get_window_extent().x1
        assert box.x1 <= made.bbox.x1
    assert made._suptitle is not None
    assert made._suptitle.get_window_extent().x1 <= made.bbox.x1


def test_a_figure_needs_a_text_for_those_who_do_not_see_it() -> None:
    made, _ = figures.figure(1)
    with pytest.raises(UsageError, match="alt text"):
        figures.show(made, "a figure")


def test_a_shown_figure_is_saved_with_its_alt_text_and_no_version(tmp_path: Path) -> None:
    made, _ = figures.figure(1)
    figures.show(made, ALT, name="pods", directory=tmp_path)
    with Image.open(tmp_path / "pods.png") as picture:
        assert picture.info["Description"] == ALT
        assert "Software" not in picture.info
    assert not plt.fignum_exists(made.number)


def test_a_figure_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    made, _ = figures.figure(1)
    with pytest.raises(UsageError, match="cannot be written"):
        figures.show(made, ALT, name="pods", directory=tmp_path / "missing")


@pytest.mark.parametrize("vision", ["", *palette.VISIONS])
def test_colours_of_one_panel_are_told_apart_in_every_vision(vision: str) -> None:
    for one, other in PANEL_PAIRS:
        assert palette.distance(one, other, vision) > 15, (one, other)


def test_colours_that_touch_differ_on_grey_paper() -> None:
    for one, other in PANEL_PAIRS:
        assert palette.grey_distance(one, other) > 15, (one, other)


def test_distances_agree_with_known_ones() -> None:
    assert palette.distance("#FFFFFF", "#000000") == pytest.approx(100, abs=0.1)
    assert palette.distance("#808080", "#808080", "protanopia") == 0
    # A red and a green that are famous for being mixed up.
    assert palette.distance("#A6611A", "#4D7A1A", "deuteranopia") < palette.distance("#A6611A", "#4D7A1A") / 2
