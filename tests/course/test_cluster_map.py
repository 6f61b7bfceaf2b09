from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from labs.course.cluster_map import draw_maps, tile_names
from labs.course.observe import LEAVING, READY, STARTING

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def moment(**pods: tuple[str, str]) -> pd.DataFrame:
    """One look: pod (with ``_`` for ``-``) -> (node, state); the zone is the node's, doubled."""
    rows = [
        {"time": AT, "pod": name.replace("_", "-"), "node": node, "zone": node * 2, "state": state}
        for name, (node, state) in pods.items()
    ]
    return pd.DataFrame(rows)


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


MOMENTS = {
    "before": moment(web_1_a=("n", READY), web_1_b=("m", READY), db_1_a=("n", READY)),
    "kill": moment(web_1_a=("n", LEAVING), web_1_b=("m", READY), db_1_a=("n", READY), web_1_c=("", STARTING)),
    "start": moment(web_1_b=("m", READY), db_1_a=("n", READY), web_1_c=("m", STARTING)),
    "after": moment(web_1_b=("m", READY), db_1_a=("n", READY), web_1_c=("m", READY)),
}


def test_a_pod_keeps_its_name_from_map_to_map_and_the_new_one_has_the_next_number() -> None:
    axes = draw_maps(MOMENTS, "One is killed").axes
    assert [ax.get_title(loc="left") for ax in axes] == ["before", "kill", "start", "after"]
    assert texts(axes[0]) == ["node 1 · mm", "W2", "node 2 · nn", "D1", "W1"]
    assert texts(axes[3]) == ["node 1 · mm", "W2", "W3", "node 2 · nn", "D1"]


def test_a_pod_that_is_gone_leaves_its_place_and_one_that_is_still_to_come_has_none() -> None:
    axes = draw_maps(MOMENTS, "One is killed").axes
    empty = [sum(isinstance(patch, Rectangle) and patch.get_linestyle() == ":" for patch in ax.patches) for ax in axes]
    assert empty == [0, 0, 1, 1]


def test_a_new_pod_has_a_thick_edge_and_no_other() -> None:
    axes = draw_maps(MOMENTS, "One is killed").axes
    thick = [sum(patch.get_linewidth() > 2 for patch in ax.patches) for ax in axes]
    assert thick == [0, 0, 1, 1]


def test_states_differ_by_hatch_too_and_the_legend_names_states_and_programs() -> None:
    made = draw_maps(MOMENTS, "One is killed")
    hatches = {patch.get_hatch() for patch in made.axes[1].patches if isinstance(patch, Rectangle)}
    assert ".." in hatches
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == [READY, STARTING, LEAVING, "new", "gone"]
    assert legend.get_title().get_text() == "D db, W web"


def test_short_names_count_for_each_letter() -> None:
    assert tile_names(["web-1-a", "db-1-a", "web-1-b", "web-1-a"]) == {"web-1-a": "W1", "db-1-a": "D1", "web-1-b": "W2"}
