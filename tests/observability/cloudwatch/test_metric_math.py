"""Metric math: each operator and function on small series."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labs.observability.cloudwatch.math.evaluation import evaluate
from labs.observability.cloudwatch.math.functions import FUNCTIONS, Span
from labs.observability.cloudwatch.math.syntax import MathError, functions, names, parse
from labs.observability.cloudwatch.math.values import Series, Value
from labs.units import MINUTE_NS, SECOND_NS

SPAN = Span(0, 5 * MINUTE_NS, MINUTE_NS)


def series(label: str = "", **points: float) -> Series:
    """A series from minute numbers: ``series(m0=1, m2=3)``."""
    stamps = np.array([int(name[1:]) * MINUTE_NS for name in points], np.int64)
    return Series(stamps, np.array(list(points.values()), float), MINUTE_NS, label)


class Known:
    """Queries by id, as the evaluation asks for them."""

    values: dict[str, Value] = {  # noqa: RUF012
        "a": series("a", m0=1, m1=2, m2=4),
        "b": series("b", m1=10, m2=0, m3=5),
        "e": series("e"),
        "neg": series("neg", m0=-1.5, m1=100),
    }

    def value_of(self, query_id: str) -> Value:
        return self.values[query_id]

    def metrics(self, part_of_id: str) -> tuple[Series, ...]:
        found = [value for name, value in self.values.items() if part_of_id in name and name in "ab"]
        return tuple(value for value in found if isinstance(value, Series))

    def search(self, query: str, statistic: str, period_s: int) -> tuple[Series, ...]:
        return (series(f"{query}/{statistic}/{period_s}", m0=1),)


def value(expression: str) -> Value:
    return evaluate(parse(expression), SPAN, Known())


def points(expression: str) -> dict[int, float]:
    found = value(expression)
    assert isinstance(found, Series)
    return dict(zip((found.stamps_ns // MINUTE_NS).tolist(), found.values.tolist(), strict=True))


ARRAY = "METRICS()"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", {0: 1, 1: 12, 2: 4, 3: 5}),
        ("a - b", {0: 1, 1: -8, 2: 4, 3: -5}),
        ("a * b", {0: 0, 1: 20, 2: 0, 3: 0}),
        ("a / b", {1: 0.2, 3: 0}),
        ("100 * a / b", {1: 20, 3: 0}),
        ("a ^ 2", {0: 1, 1: 4, 2: 16}),
        ("-a ^ 2", {0: -1, 1: -4, 2: -16}),
        ("2 ^ 3 ^ 0 * a", {0: 2, 1: 4, 2: 8}),
        ("a - 1 - 1", {0: -1, 1: 0, 2: 2}),
        ("(a + 1) * 2", {0: 4, 1: 6, 2: 10}),
        ("a > 1", {0: 0, 1: 1, 2: 1}),
        ("a >= b", {0: 1, 1: 0, 2: 1, 3: 0}),
        ("a == 2", {0: 0, 1: 1, 2: 0}),
        ("a != 2", {0: 1, 1: 0, 2: 1}),
        ("a < 2", {0: 1, 1: 0, 2: 0}),
        ("a <= 2", {0: 1, 1: 1, 2: 0}),
        ("a > 1 AND b > 1", {0: 0, 1: 1, 2: 0, 3: 0}),
        ("a > 1 && b > 1", {0: 0, 1: 1, 2: 0, 3: 0}),
        ("a > 3 OR b > 1", {0: 0, 1: 1, 2: 1, 3: 1}),
        ("a > 3 || b > 1", {0: 0, 1: 1, 2: 1, 3: 1}),
        ("1 + a > 2 AND 1", {0: 0, 1: 1, 2: 1}),
        ("ABS(neg)", {0: 1.5, 1: 100}),
        ("CEIL(neg)", {0: -1, 1: 100}),
        ("FLOOR(neg)", {0: -2, 1: 100}),
        ("LOG10(neg)", {1: 2}),
        ("LOG(a)", {0: 0, 1: math.log(2), 2: math.log(4)}),
        ("DIFF(a)", {1: 1, 2: 2}),
        ("DIFF_TIME(a)", {1: 60, 2: 60}),
        ("RATE(b)", {2: -10 / 60, 3: 5 / 60}),
        ("RUNNING_SUM(a)", {0: 1, 1: 3, 2: 7}),
        ("FILL(b, 7)", {0: 7, 1: 10, 2: 0, 3: 5, 4: 7}),
        ("FILL(b, REPEAT)", {1: 10, 2: 0, 3: 5, 4: 5}),
        ("FILL(IF(a != 2, a), LINEAR)", {0: 1, 1: 2.5, 2: 4}),
        ("FILL(e, 0)", {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}),
        ("FILL(b, a)", {0: 1, 1: 10, 2: 0, 3: 5}),
        ("IF(b, a, 9)", {1: 2, 2: 9, 3: 0}),
        ("IF(a > 1, 5, b)", {1: 5, 2: 5}),
        ("IF(1, a, b)", {0: 1, 1: 2, 2: 4}),
        ("IF(0, a, b)", {1: 10, 2: 0, 3: 5}),
        ("IF(a > 1, a)", {1: 2, 2: 4}),
        ("TIME_SERIES(3)", {0: 3, 1: 3, 2: 3, 3: 3, 4: 3}),
        ("TIME_SERIES(SUM(a))", {0: 7, 1: 7, 2: 7, 3: 7, 4: 7}),
        ("a * PERIOD(a)", {0: 60, 1: 120, 2: 240}),
        ("a / SUM(a)", {0: 1 / 7, 1: 2 / 7, 2: 4 / 7}),
        ("a * AVG(a)", {0: 7 / 3, 1: 14 / 3, 2: 28 / 3}),
        ("a * MIN(b) + MAX(b)", {0: 10, 1: 10, 2: 10}),
        ("a * 0 + STDDEV(a)", dict.fromkeys((0, 1, 2), math.sqrt(14 / 9))),
        ("a * 0 + DATAPOINT_COUNT(b)", {0: 3, 1: 3, 2: 3}),
        (f"a * 0 + METRIC_COUNT({ARRAY})", {0: 2, 1: 2, 2: 2}),
        (f"SUM({ARRAY})", {0: 1, 1: 12, 2: 4, 3: 5}),
        ("SUM([a, b, a])", {0: 2, 1: 14, 2: 8, 3: 5}),
        (f"AVG({ARRAY})", {0: 1, 1: 6, 2: 2, 3: 5}),
        (f"MIN({ARRAY})", {0: 1, 1: 2, 2: 0, 3: 5}),
        (f"MAX({ARRAY})", {0: 1, 1: 10, 2: 4, 3: 5}),
        (f"STDDEV({ARRAY})", {0: 0, 1: 4, 2: 2, 3: 0}),
        (f"DATAPOINT_COUNT({ARRAY})", {0: 1, 1: 2, 2: 2, 3: 1}),
        ('SUM(METRICS("b"))', {1: 10, 2: 0, 3: 5}),
        (f"FIRST({ARRAY})", {0: 1, 1: 2, 2: 4}),
        (f"LAST({ARRAY})", {1: 10, 2: 0, 3: 5}),
        (f"FIRST(SORT({ARRAY}, MAX, DESC))", {1: 10, 2: 0, 3: 5}),
        (f"FIRST(SORT({ARRAY}, AVG, ASC))", {0: 1, 1: 2, 2: 4}),
        (f"SUM(SORT({ARRAY}, SUM, DESC, 1))", {1: 10, 2: 0, 3: 5}),
        (f"SUM(SLICE({ARRAY}, 1, 2))", {1: 10, 2: 0, 3: 5}),
        (f"SUM(SLICE({ARRAY}, 1))", {1: 10, 2: 0, 3: 5}),
        ("LAST(REMOVE_EMPTY([a, e]))", {0: 1, 1: 2, 2: 4}),
        (f"SUM({ARRAY} * 2)", {0: 2, 1: 24, 2: 8, 3: 10}),
        (f"SUM(FILL({ARRAY}, 1))", {0: 2, 1: 12, 2: 4, 3: 6, 4: 2}),
        ("EPOCH(a)", {0: 0, 1: 60, 2: 120}),
        ("MINUTE(a)", {0: 0, 1: 1, 2: 2}),
        ("HOUR(a)", {0: 0, 1: 0, 2: 0}),
        ("DAY(a)", {0: 4, 1: 4, 2: 4}),
        ("DATE(a)", {0: 1, 1: 1, 2: 1}),
        ("MONTH(a)", {0: 1, 1: 1, 2: 1}),
        ("YEAR(a)", {0: 1970, 1: 1970, 2: 1970}),
        ("a * 1e-2 + .5", {0: 0.51, 1: 0.52, 2: 0.54}),
    ],
)
def test_expression(expression: str, expected: dict[int, float]) -> None:
    assert points(expression) == pytest.approx(expected)


def test_every_function_is_tried_above() -> None:
    tried = {name for mark in test_expression.pytestmark for case in mark.args[1] for name in functions(parse(case[0]))}
    assert set(FUNCTIONS) <= tried


@pytest.mark.parametrize("expression", ["AVG(a)", "1 + 1", "PERIOD(a)", "METRIC_COUNT(METRICS())"])
def test_scalars_stay_scalars(expression: str) -> None:
    assert isinstance(value(expression), float)


def test_search_gets_query_statistic_and_period() -> None:
    found = value("SEARCH('{Shop} x', 'Sum', 300)")
    assert isinstance(found, tuple)
    assert [member.label for member in found] == ["{Shop} x/Sum/300"]


def test_labels_of_members_survive_arithmetic() -> None:
    found = value("METRICS() / 2")
    assert isinstance(found, tuple)
    assert [member.label for member in found] == ["a", "b"]


def test_fill_begins_with_the_period_that_holds_the_start() -> None:
    span = Span(90 * SECOND_NS, 3 * MINUTE_NS, MINUTE_NS)
    filled = evaluate(parse("FILL(e, 0)"), span, Known())
    assert isinstance(filled, Series)
    assert (filled.stamps_ns // MINUTE_NS).tolist() == [1, 2]


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "a +",
        "(a",
        "a b",
        "SUM(a",
        "a $ b",
        "UNHEARD(a)",
        "METRICS() + METRICS()",
        "SUM('x')",
        "'x' + a",
        "FILL(a)",
        "FILL(a, NEAREST)",
        "SORT(a, MAX, DESC)",
        "SORT(METRICS(), MEDIAN, DESC)",
        "FIRST(a)",
        "IF(a)",
        "ANOMALY_DETECTION_BAND(a)",
        "[1, 2]",
        "(" * 200 + "a" + ")" * 200,
        "SEARCH(a)",
        "PERIOD(METRICS())",
    ],
)
def test_a_bad_expression_is_refused(expression: str) -> None:
    with pytest.raises(MathError):
        value(expression)


def test_names_and_functions_of_a_tree() -> None:
    tree = parse("IF(m1 > 2, [m2, SUM(m3)], -m1)")
    assert names(tree) == ["m1", "m2", "m3"]
    assert functions(tree) == {"IF", "SUM"}
