"""GetMetricStatistics and ListMetrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.observability.cloudwatch.ingest import datum_key, dimensions_of, unit_refusal
from labs.observability.cloudwatch.paging import page
from labs.observability.cloudwatch.reading import is_valid_period, oldest_kept, rounded_start
from labs.observability.cloudwatch.refusals import (
    check_enum,
    enum,
    invalid_combination,
    invalid_value,
    missing,
    require,
    validation,
)
from labs.observability.cloudwatch.statistics import BASIC, Statistic, by_period, parse_statistic
from labs.observability.cloudwatch.store import MetricKey, MetricStore, Rows
from labs.observability.cloudwatch.units import STANDARD_UNITS
from labs.units import DAY_NS, HOUR_NS, SECOND_NS

MOST_POINTS = 1440
METRICS_PER_PAGE = 500
_LISTED_FOR_NS = 14 * DAY_NS


def get_metric_statistics(store: MetricStore, now_ns: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """The data points by unit and in rising order of time (the service promises no order). Raises AwsError."""
    require(params, "Namespace", "MetricName", "StartTime", "EndTime", "Period")
    period_s: int = params["Period"]
    statistics = _statistics(params)
    if params["StartTime"] >= params["EndTime"]:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    if not is_valid_period(period_s):
        raise invalid_value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    dimensions_of(params.get("Dimensions"), "")
    unit = params.get("Unit")
    if unit is not None and unit not in STANDARD_UNITS:
        raise unit_refusal("Unit")
    start_ns = rounded_start(params["StartTime"], now_ns, period_s)
    _check_points(start_ns, params["EndTime"], period_s)
    key = datum_key(params["Namespace"], params)
    found = store.rows(key, max(start_ns, oldest_kept(now_ns, period_s)), params["EndTime"], now_ns)
    datapoints = [
        point
        for found_unit, rows in found.items()
        if unit in (None, found_unit)
        for point in _datapoints(statistics, rows, period_s * SECOND_NS, found_unit)
    ]
    return {"Label": params["MetricName"], "Datapoints": datapoints}


def _statistics(params: Mapping[str, Any]) -> list[Statistic]:
    basic, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if not basic and not extended:
        raise missing("Statistics")
    if basic and extended:
        raise invalid_combination(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both."
        )
    for place, name in enumerate(basic, 1):
        if name not in BASIC:
            raise enum(name, f"statistics.{place}.member", BASIC)
    for name, listed, most in (("Statistics", basic, 5), ("ExtendedStatistics", extended, 10)):
        if len(listed) > most:
            raise invalid_value(f"The collection {name} must not have a size greater than {most}.")
    try:
        parsed = [parse_statistic(name) for name in (*basic, *extended)]
    except ValueError as error:
        raise invalid_value(f"The value {error} for parameter ExtendedStatistics is invalid.") from error
    if extended and any(statistic.is_basic for statistic in parsed):
        raise invalid_value("The parameter ExtendedStatistics takes no standard statistic.")
    return parsed


def _check_points(start_ns: int, end_ns: int, period_s: int) -> None:
    asked = -(-(end_ns - start_ns) // (period_s * SECOND_NS))
    if asked > MOST_POINTS:
        raise invalid_combination(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MOST_POINTS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )


def _datapoints(statistics: list[Statistic], rows: Rows, period_ns: int, unit: str) -> list[dict[str, Any]]:
    points: dict[int, dict[str, Any]] = {}
    for statistic in statistics:
        buckets = by_period(statistic, rows, period_ns)
        for stamp_ns, value in zip(buckets.stamps_ns.tolist(), buckets.values.tolist(), strict=True):
            point = points.setdefault(stamp_ns, {"Timestamp": stamp_ns, "Unit": unit})
            if statistic.is_basic:
                point[statistic.name] = value
            else:
                point.setdefault("ExtendedStatistics", {})[statistic.name] = value
    return [points[stamp_ns] for stamp_ns in sorted(points)]


def list_metrics(store: MetricStore, now_ns: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics of the last two weeks (or three hours), 500 a page. Raises AwsError."""
    check_enum(params, "RecentlyActive", ("PT3H",))
    filters = params.get("Dimensions") or []
    if len(filters) > 10:
        raise validation("The collection Dimensions must not have a size greater than 10.")
    for place, wanted in enumerate(filters, 1):
        require(wanted, "Name", prefix=f"Dimensions.member.{place}.")
    kept_ns = 3 * HOUR_NS if params.get("RecentlyActive") else _LISTED_FOR_NS
    keys = [key for key in store.metrics(now_ns, now_ns - kept_ns) if _is_listed(key, params, filters)]
    shown, more = page(params, keys, METRICS_PER_PAGE)
    return {"Metrics": [metric_shape(key) for key in shown], **more}


def _is_listed(key: MetricKey, params: Mapping[str, Any], filters: list[Mapping[str, str]]) -> bool:
    if params.get("Namespace") not in (None, key.namespace) or params.get("MetricName") not in (None, key.name):
        return False
    own = dict(key.dimensions)
    return all(wanted["Name"] in own and wanted.get("Value") in (None, own[wanted["Name"]]) for wanted in filters)


def metric_shape(key: MetricKey) -> dict[str, Any]:
    """The ``Metric`` shape of a key."""
    return {
        "Namespace": key.namespace,
        "MetricName": key.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions],
    }
