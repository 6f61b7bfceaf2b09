"""The figures of labs 01, 02 and 05, by the data that they draw."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from labs.course import figures
from labs.course.incident import SILENT, draw_alarms, draw_time_line
from labs.course.scaling import draw_reading, draw_staircase, draw_wishes
from labs.course.service_levels import draw_durations, draw_seconds, draw_two_views, stretches

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


@pytest.fixture
def ax() -> Any:
    return figures.figure(1)[1][0]


def seen(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    """Readings: (seconds, percent, rule, hpa)."""
    made = [(ZERO + timedelta(seconds=at_s), *numbers) for at_s, *numbers in rows]
    return pd.DataFrame(made, columns=["time", "percent", "rule", "hpa"])


READINGS = seen((0, 90, 6, 6), (60, 40, 3, 6), (300, 40, 3, 3))


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_staircase_draws_each_rule_by_name_and_with_a_line_of_its_own(ax: Any) -> None:
    draw_staircase(ax, [70, 80, 90], {"plain": [7, 7, 8], "tolerant": [7, 7, 7]}, (72, 88), 80)
    assert labels(ax) == ["plain", "tolerant"]
    first, second = ax.lines[:2]
    assert list(first.get_ydata()) == [7, 7, 8]
    assert list(second.get_ydata()) == [7, 7, 7]
    assert first.get_linestyle() != second.get_linestyle()
    assert {text.get_text().strip() for text in ax.texts} == {"target 80 %", "tolerance"}


def test_readings_are_over_minutes_with_the_target_as_a_line(ax: Any) -> None:
    draw_reading(ax, READINGS, ZERO, (72, 88), 80)
    assert list(ax.lines[0].get_xdata()) == [0, 1, 5]
    assert ax.lines[1].get_ydata() == [80, 80]
    assert "target 80 %" in [text.get_text() for text in ax.texts]


def test_the_time_that_pods_are_held_is_computed_and_written(ax: Any) -> None:
    draw_wishes(ax, READINGS, ZERO, (ZERO, ZERO + timedelta(seconds=300)))
    assert labels(ax) == ["the rule alone", "the HPA"]
    assert "held for 300 s" in [text.get_text() for text in ax.texts]
    assert ax.get_ylim()[1] > 6 * 1.08


def test_durations_are_all_counted_and_marks_carry_their_values(ax: Any) -> None:
    draw_durations(ax, pd.Series([10.0, 20.0, 20.0, 400.0]), {"p50": 20, "p99": 400})
    assert sum(bar.get_height() for bar in ax.patches) == 4
    assert labels(ax) == ["p50: 20 ms", "p99: 400 ms"]


def test_failed_seconds_are_hatched_and_lie_where_they_were(ax: Any) -> None:
    index = pd.date_range(ZERO, periods=6, freq="s")
    draw_seconds(ax, pd.Series([100.0, 100.0, 0.0, 0.0, 100.0, 100.0], index=index), ZERO)
    answered, failed = ax.collections
    assert (answered.get_hatch(), failed.get_hatch()) == (None, "////")
    (across,) = [path.vertices[:, 0] * 60 for path in failed.get_paths()]
    assert (across.min(), across.max()) == (pytest.approx(2), pytest.approx(4))
    assert len(answered.get_paths()) == 2
    assert labels(ax) == ["answered", "failed"]


@pytest.mark.parametrize(
    ("seconds", "found"), [([], []), ([5], [(5, 1)]), ([0, 1, 2], [(0, 3)]), ([0, 1, 4, 5], [(0, 2), (4, 2)])]
)
def test_a_second_without_data_ends_a_stretch(seconds: list[int], found: list[tuple[int, int]]) -> None:
    assert stretches(np.array(seconds) / 60) == [pytest.approx((at / 60, length / 60)) for at, length in found]


def by_minute(**columns: list[float]) -> pd.DataFrame:
    index = pd.date_range(ZERO, periods=len(next(iter(columns.values()))), freq="min")
    return pd.DataFrame(columns, index=index)


def test_two_views_of_an_outage_share_their_minutes_and_name_the_fault() -> None:
    seconds = pd.Series([100.0] * 60 + [0.0] * 60, index=pd.date_range(ZERO, periods=120, freq="s"))
    minutes = by_minute(error_percent=[0.0, 0.0], requests=[700.0, 20.0])
    _, axes = draw_two_views(seconds, minutes, ZERO, 60, "One minute of darkness")
    assert [ax.get_xlim() for ax in axes] == [axes[0].get_xlim()] * 3
    assert axes[1].get_ylim()[1] >= 10  # a rate of zero is drawn as one, not blown up
    assert "road closed" in [text.get_text() for text in axes[1].texts]


TIMES = [ZERO, ZERO + timedelta(minutes=1), ZERO + timedelta(minutes=3)]


def test_each_blow_is_a_line_in_each_panel_and_named_once() -> None:
    names = ("error_percent", "p50", "p99", "mean", "healthy")
    _, axes = draw_time_line(by_minute(**{name: [1.0, 2.0] for name in names}), TIMES, "An incident")
    named = [[text.get_text() for text in ax.texts if "blow" in text.get_text()] for ax in axes]
    assert named == [["1st blow", "2nd blow"], [], []]
    assert labels(axes[1]) == ["p50", "p99", "average"]


def test_an_alarm_has_a_lane_with_its_times_or_the_word_silent() -> None:
    rate = by_minute(error_percent=[0.0, 6.0])["error_percent"]
    spoke = {"quiet": [], "loud": [ZERO + timedelta(minutes=5)]}
    _, (_, lanes) = draw_alarms(rate, {"5 %": 5}, spoke, TIMES, "Two alarms")
    texts = {text.get_text().strip(): text.get_position()[1] for text in lanes.texts}
    assert set(texts) == {SILENT, "5.0 min"}
    assert (texts[SILENT], int(texts["5.0 min"])) == (0, 1)
    assert [label.get_text() for label in lanes.get_yticklabels()] == ["quiet", "loud"]
