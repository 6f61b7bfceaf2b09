"""Statistics against values worked out by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest

from labs.observability.cloudwatch.compression import compress
from labs.observability.cloudwatch.statistics import by_period, of_values, parse_statistic
from labs.observability.cloudwatch.store import MetricStore, metric_key
from labs.units import MINUTE_NS, SECOND_NS

KEY = metric_key("Shop", "Latency")
FOREVER = 10**19 // 2
TEN = np.arange(1.0, 11.0)
ONES = np.ones(10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p0", 1.0),
        ("p50", 5.0),
        ("p90", 9.0),
        ("p90.5", 10.0),
        ("p99", 10.0),
        ("p100", 10.0),
        ("tm90", 5.0),  # mean of 1..9
        ("TM(10%:90%)", 5.5),  # mean of 2..9
        ("TM(2:5)", 4.0),  # 3, 4, 5: without the lower edge, with the upper
        ("IQM", 5.5),  # half of 3, 4..7, half of 8
        ("tc90", 9.0),
        ("TC(10%:90%)", 8.0),
        ("TC(:3)", 3.0),
        ("ts90", 45.0),
        ("TS(80%:)", 19.0),
        ("wm90", 5.4),  # 1..9 and 9 once more
        ("WM(20%:)", 5.6),  # 1 counts as 2
        ("PR(2:5)", 30.0),
        ("PR(:5)", 50.0),
        ("PR(5:)", 50.0),
    ],
)
def test_percentile_like_statistics_of_one_to_ten(name: str, expected: float) -> None:
    assert of_values(parse_statistic(name), TEN, ONES) == pytest.approx(expected)


def test_weights_count_as_repeated_samples() -> None:
    values, weights = np.array([1.0, 2.0, 3.0]), np.array([10.0, 85.0, 5.0])
    assert of_values(parse_statistic("p95"), values, weights) == 2.0
    assert of_values(parse_statistic("p95.1"), values, weights) == 3.0
    assert of_values(parse_statistic("tm95"), values, weights) == pytest.approx((10 + 170) / 95)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "p",
        "p101",
        "P90",
        "p90.12345678901",
        "average",
        "TM(50%:10%)",
        "TM(:)",
        "TM(1:2%)",
        "TM(%:90%)",
        "PR(1%:2%)",
        "tm",
    ],
)
def test_an_unknown_statistic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(name)}$"):
        parse_statistic(name)


def stored(*values: float) -> MetricStore:
    store = MetricStore()
    for value in values:
        store.put(KEY, MINUTE_NS, value, unit="None", available_at_ns=0)
    return store


def first_value(store: MetricStore, name: str) -> list[float]:
    rows = store.rows(KEY, 0, FOREVER, FOREVER)["None"]
    return by_period(parse_statistic(name), rows, MINUTE_NS).values.tolist()


@pytest.mark.parametrize(
    ("name", "expected"), [("SampleCount", 4.0), ("Sum", 20.0), ("Average", 5.0), ("Minimum", 2.0), ("Maximum", 9.0)]
)
def test_basic_statistics(name: str, expected: float) -> None:
    assert first_value(stored(2, 4, 5, 9), name) == [expected]


def test_a_statistic_set_gives_basic_statistics_but_no_percentile() -> None:
    store = MetricStore()
    store.put_set(KEY, 0, (4.0, 20.0, 2.0, 9.0), unit="None", available_at_ns=0)
    assert first_value(store, "Average") == [5.0]
    assert first_value(store, "p50") == []


def test_a_statistic_set_of_one_value_counts_as_raw() -> None:
    store = MetricStore()
    store.put_set(KEY, 0, (4.0, 20.0, 5.0, 5.0), unit="None", available_at_ns=0)
    assert first_value(store, "p99") == [5.0]


def test_a_negative_value_forbids_percentiles() -> None:
    assert first_value(stored(-1, 2), "p50") == []
    assert first_value(stored(-1, 2), "Sum") == [1.0]


def test_periods_begin_at_multiples_of_their_length_since_the_epoch() -> None:
    store = MetricStore()
    for minute in range(4, 12):
        store.put(KEY, minute * MINUTE_NS, 1.0, unit="None", available_at_ns=0)
    rows = store.rows(KEY, 0, FOREVER, FOREVER)["None"]
    buckets = by_period(parse_statistic("Sum"), rows, 5 * MINUTE_NS)
    assert (buckets.stamps_ns // MINUTE_NS).tolist() == [0, 5, 10]
    assert buckets.values.tolist() == [1.0, 5.0, 2.0]


def test_standard_resolution_is_kept_by_the_minute_and_high_by_the_second() -> None:
    store, at_ns = MetricStore(), 3 * MINUTE_NS + 7 * SECOND_NS + 5
    store.put(KEY, at_ns, 1.0, unit="None", available_at_ns=0)
    store.put(KEY, at_ns, 1.0, unit="Count", available_at_ns=0, resolution_s=1)
    rows = store.rows(KEY, 0, FOREVER, FOREVER)
    assert rows["None"].slot_ns.tolist() == [3 * MINUTE_NS]
    assert rows["Count"].slot_ns.tolist() == [3 * MINUTE_NS + 7 * SECOND_NS]


def test_a_row_cannot_be_read_before_it_is_available() -> None:
    store = MetricStore()
    store.put(KEY, 0, 1.0, unit="None", available_at_ns=90)
    assert store.rows(KEY, 0, FOREVER, 89) == {}
    assert list(store.metrics(89, 0)) == []
    assert store.rows(KEY, 0, FOREVER, 90)["None"].total.tolist() == [1.0]
    assert list(store.metrics(90, 0)) == [KEY]


def test_late_rows_are_put_in_order_of_time() -> None:
    store = stored(1)
    assert first_value(store, "Sum") == [1.0]
    store.put(KEY, 0, 2.0, unit="None", available_at_ns=0)
    store.put(KEY, 5 * MINUTE_NS, np.arange(100.0), unit="None", available_at_ns=0)
    assert first_value(store, "Sum") == [2.0, 1.0, 4950.0]


def test_compression_keeps_sums_and_moves_no_percentile_by_a_percent() -> None:
    values = np.random.default_rng(7).lognormal(-2.0, 1.5, 50_000)
    kept, weights = compress(values, np.ones(values.size))
    ordered, ones = np.sort(values), np.ones(values.size)
    assert kept.size < 2_000
    assert weights.sum() == values.size
    assert (kept * weights).sum() == pytest.approx(values.sum(), rel=1e-12)
    assert (kept[0], kept[-1]) == (ordered[0], ordered[-1])
    for name in ("p0.1", "p10", "p50", "p90", "p99", "p99.9", "p99.99"):
        exact = of_values(parse_statistic(name), ordered, ones)
        assert of_values(parse_statistic(name), kept, weights) == pytest.approx(exact, rel=0.01)


def test_compression_keeps_zeros_and_signs_apart() -> None:
    values = np.concatenate((np.linspace(-5, -4, 300), np.zeros(7), np.linspace(4, 5, 300)))
    kept, weights = compress(values, np.ones(values.size))
    assert weights[kept == 0].tolist() == [7.0]
    assert weights[kept < 0].sum() == 300
    assert kept.tolist() == sorted(kept.tolist())


def test_values_without_weight_are_not_stored() -> None:
    store = MetricStore()
    store.put(KEY, 0, [1.0, 500.0], [2.0, 0.0], unit="None", available_at_ns=0)
    assert first_value(store, "Maximum") == [1.0]
