from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from labs.course.kills import WATCHED_S, Watched, draw_error_rates, recovery_s
from labs.course.observe import LEAVING, READY, STARTING

AT = datetime(2026, 3, 2, 9, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def look(second: int, *states: str) -> list[dict[str, Any]]:
    time = AT + timedelta(seconds=second)
    return [
        {"time": time, "pod": f"p{place}", "node": "n", "zone": "", "state": state}
        for place, state in enumerate(states)
    ]


def watched(ready_from_s: int, leaving_until_s: int = 0) -> Watched:
    """Two pods; one is killed, and its replacement is ready after some seconds."""
    rows = look(-60, READY, READY)
    for second in range(WATCHED_S):
        state = READY if second >= ready_from_s else STARTING
        rows += look(second, READY, *([state] if second else []), *([LEAVING] if second < leaving_until_s else []))
    listed = [1] * 2 + [0] * (WATCHED_S - 2)
    nodes = pd.DataFrame({"time": [AT + timedelta(seconds=second) for second in (-60, *range(WATCHED_S))]})
    return Watched(AT, pd.DataFrame(rows), nodes, frozenset({"10.0.0.1"}), listed)


def minutes(*error_percent: float) -> pd.DataFrame:
    index = pd.date_range(AT, periods=len(error_percent), freq="min")
    return pd.DataFrame({"error_percent": error_percent, "failed": [10 * each for each in error_percent]}, index=index)


def test_a_row_for_each_second_that_was_asked_for() -> None:
    table = watched(3, leaving_until_s=2).by_second((0, 1, 3))
    assert table.index.tolist() == [0, 1, 3]
    assert table[READY].tolist() == [1, 1, 2]
    assert table[LEAVING].tolist() == [1, 1, 0]
    assert table["killed, still listed"].tolist() == [1, 1, 0]


@pytest.mark.parametrize("until_s", [0, 1, 16])
def test_how_long_the_killed_stayed(until_s: int) -> None:
    assert watched(3, leaving_until_s=until_s).left_after_s == until_s


def test_recovery_is_the_end_of_the_last_bad_second_and_of_the_last_bad_minute() -> None:
    found = recovery_s(watched(8), minutes(2.0, 0.0, 0.5, 0.1, 0.0), allowed_percent=0.1)
    assert list(found.values()) == [8, 180]


def test_where_nothing_was_bad_recovery_takes_no_time() -> None:
    calm = watched(0)
    pods, nodes = (frame[frame["time"] != AT] for frame in (calm.pods, calm.nodes))
    whole = Watched(AT, pods, nodes, calm.killed, calm.listed)
    assert list(recovery_s(whole, minutes(0.0, 0.1), allowed_percent=0.1).values()) == [0, 0]


def test_a_second_without_any_pod_counts_as_one_with_none_ready() -> None:
    some = watched(0)
    bare = Watched(AT, some.pods[some.pods["time"] != AT], some.nodes, some.killed, some.listed)
    assert bare.ready[AT] == 0
    assert recovery_s(bare, minutes(0.0), allowed_percent=0.1)["pods ready again (s)"] == 1


def test_runs_are_drawn_on_one_scale_with_the_alarm_in_each() -> None:
    runs = {"gentle": (minutes(0.0, 0.0), AT), "hard": (minutes(8.0, 0.0), AT)}
    made, axes = draw_error_rates(runs, 5, "Two kills")
    assert [ax.get_title(loc="left") for ax in axes] == ["gentle", "hard"]
    assert len({ax.get_ylim() for ax in axes}) == 1
    assert axes[0].get_ylim()[1] > 8
    written = [[text.get_text() for text in ax.texts] for ax in axes]
    assert [texts[1] for texts in written] == ["0 requests failed", "80 requests failed"]
    assert all(texts[0] == "alarm: 5 %" for texts in written)
    made.draw_without_rendering()
