"""The user guide's tables of missing data, and the words of a reason."""

from __future__ import annotations

import pytest

from labs.observability.cloudwatch.alarm_reason import Criteria, Point, java_double, reason_data, state_reason
from labs.observability.cloudwatch.alarm_state import TREATMENTS, State, decide, is_breaching, needed_samples
from labs.units import MINUTE_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")

# Points oldest first (0 fine, X breaching, - missing); states for missing, ignore, breaching, notBreaching
# (A alarm, I insufficient, R as it was).
THREE_OF_THREE = {
    "0-X-X": "OOOO",
    "0----": "OOOO",
    "-----": "IRAO",
    "0XX-X": "AAAA",
    "--X--": "ARAO",
}
TWO_OF_THREE = {
    "0-X-X": "AAAA",
    "00X0X": "AAAA",
    "0-X--": "OOAO",
    "----0": "OOAO",
    "---X-": "ARAO",
}
FLAGS = {"0": False, "X": True, "-": None}
STATES: dict[str, State] = {"O": "OK", "A": "ALARM", "I": "INSUFFICIENT_DATA"}
CELLS = [
    (m, points, treatment, cells[place])
    for m, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, cells in table.items()
    for place, treatment in enumerate(("missing", "ignore", "breaching", "notBreaching"))
]


@pytest.mark.parametrize("current", ["OK", "ALARM", "INSUFFICIENT_DATA"])
@pytest.mark.parametrize(("m", "points", "treatment", "cell"), CELLS)
def test_missing_data_as_the_guide_says(m: int, points: str, treatment: str, cell: str, current: State) -> None:
    expected = current if cell == "R" else STATES[cell]
    assert decide([FLAGS[point] for point in points], 3, m, treatment, current) == expected


def test_a_single_newest_breach_waits_for_more_periods() -> None:
    points = [None, None, None, None, True]
    assert decide(points, 3, 3, "missing", "OK") == "OK"


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_enough_real_points_decide_alone(treatment: str) -> None:
    points = [True, True, True, None, False, True, True]
    assert decide(points, 3, 2, treatment, "OK") == "ALARM"
    assert decide(points, 3, 3, treatment, "ALARM") == "OK"


def test_comparisons() -> None:
    assert [
        is_breaching(5, f"{name}Threshold", 5)
        for name in (
            "GreaterThanOrEqualTo",
            "GreaterThan",
            "LessThan",
            "LessThanOrEqualTo",
        )
    ] == [True, False, False, True]


def test_samples_that_a_percentile_needs() -> None:
    assert needed_samples(99) == pytest.approx(1000)
    assert needed_samples(50) == pytest.approx(20)
    assert needed_samples(10) == pytest.approx(100)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5.0"),
        (0.0, "0.0"),
        (99.50160229693434, "99.50160229693434"),
        (1e7, "1.0E7"),
        (123456789.5, "1.234567895E8"),
        (0.0005, "5.0E-4"),
        (-2e-5, "-2.0E-5"),
    ],
)
def test_numbers_look_as_in_java(value: float, text: str) -> None:
    assert java_double(value) == text


def points_of(*values: float | None) -> list[Point]:
    """Five minutes of values compared with 5."""
    return [
        Point(
            START_NS + minute * MINUTE_NS,
            value,
            1.0 if value is not None else 0.0,
            None if value is None else value > 5,
        )
        for minute, value in enumerate(values)
    ]


def criteria(n: int, m: int | None, treatment: str = "missing") -> Criteria:
    return Criteria(n, m, "GreaterThanThreshold", 5.0, treatment, 60, "Sum", None)


@pytest.mark.parametrize(
    ("n", "m", "treatment", "values", "state", "text"),
    [
        (
            5,
            3,
            "missing",
            (1, 7, 6, 2, 9),
            "ALARM",
            "Threshold Crossed: 3 out of the last 5 datapoints [9.0 (02/03/26 09:04:00), 6.0 (02/03/26 09:02:00), "
            "7.0 (02/03/26 09:01:00)] were greater than the threshold (5.0) (minimum 3 datapoints for OK -> ALARM "
            "transition).",
        ),
        (
            1,
            1,
            "missing",
            (None, None, 1),
            "OK",
            "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (02/03/26 09:02:00)] was not greater than the "
            "threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition).",
        ),
        (
            1,
            None,
            "notBreaching",
            (21.5,),
            "ALARM",
            "Threshold Crossed: 1 datapoint [21.5 (02/03/26 09:00:00)] was greater than the threshold (5.0).",
        ),
        (
            1,
            None,
            "notBreaching",
            (None, None, None),
            "OK",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[NonBreaching].",
        ),
        (
            2,
            None,
            "breaching",
            (None, None, None),
            "ALARM",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
        (
            3,
            2,
            "breaching",
            (None, None, 1, None, None),
            "ALARM",
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
        (
            20,
            1,
            "notBreaching",
            (None,) * 21 + (613,),
            "ALARM",
            "Threshold Crossed: 1 out of the last 20 datapoints [613.0 (02/03/26 09:21:00)] was greater than the "
            "threshold (5.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for OK -> "
            "ALARM transition).",
        ),
        (3, 3, "missing", (None, None, None), "INSUFFICIENT_DATA", "Insufficient Data: 3 datapoints were unknown."),
        (1, 1, "missing", (None,), "INSUFFICIENT_DATA", "Insufficient Data: 1 datapoint was unknown."),
    ],
)
def test_reasons_are_worded_as_the_service_does(
    n: int, m: int | None, treatment: str, values: tuple[float | None, ...], state: State, text: str
) -> None:
    assert state_reason(criteria(n, m, treatment), points_of(*values), state) == text


def test_a_reason_never_outgrows_its_field() -> None:
    many = [Point(START_NS + minute * MINUTE_NS, 99.50160229693434, 1.0, True) for minute in range(100)]
    text = state_reason(criteria(100, 100), many, "ALARM")
    assert len(text) <= 1023
    assert "100 out of the last 100 datapoints" in text
    assert ", ...] were greater" in text


def test_reason_data_lists_evaluated_points_newest_first() -> None:
    data = reason_data(criteria(3, 2), points_of(None, 7, None, 8, None), START_NS + 5 * MINUTE_NS)
    assert data == {
        "version": "1.0",
        "queryDate": "2026-03-02T09:05:00.000+0000",
        "startDate": "2026-03-02T09:01:00.000+0000",
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [7, 8],
        "threshold": 5.0,
        "evaluatedDatapoints": [
            {"timestamp": "2026-03-02T09:04:00.000+0000"},
            {"timestamp": "2026-03-02T09:03:00.000+0000", "sampleCount": 1.0, "value": 8},
            {"timestamp": "2026-03-02T09:01:00.000+0000", "sampleCount": 1.0, "value": 7},
        ],
    }
