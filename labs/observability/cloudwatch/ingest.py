"""PutMetricData: checks the whole request, then stores it.

Limits and texts: API reference of PutMetricData. The 1 MB limit of a request belongs to the HTTP door.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labs.errors import AwsError
from labs.observability.cloudwatch.refusals import (
    bad_value,
    invalid_combination,
    invalid_value,
    missing,
    require,
)
from labs.observability.cloudwatch.store import MetricKey, MetricStore, metric_key
from labs.observability.cloudwatch.units import STANDARD_UNITS
from labs.units import DAY_NS, HOUR_NS, SECOND_NS

READABLE_AFTER_NS = 2 * SECOND_NS
"""From PutMetricData to the first read; production shows fresh custom data within seconds (unpublished)."""

MOST_METRICS = 1000
MOST_VALUES = 150
MOST_DIMENSIONS = 30
_LARGEST = 2.0**360


def put_metric_data(store: MetricStore, now_ns: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """Stores all data of the request, or none. Raises AwsError."""
    require(params, "Namespace")
    check_namespace(params["Namespace"])
    data = list(params.get("MetricData") or ())
    for entity in params.get("EntityMetricData") or ():
        data.extend(entity.get("MetricData") or ())
    if not data:
        raise missing("MetricData")
    if len(data) > MOST_METRICS:
        raise invalid_value(f"The collection MetricData must not have a size greater than {MOST_METRICS}.")
    for place, datum in enumerate(data, 1):
        _check_datum(datum, f"MetricData.member.{place}.", now_ns)
    for datum in data:
        _store(store, params["Namespace"], datum, now_ns)
    return {}


def check_namespace(namespace: str) -> None:
    """Raises InvalidParameterValue for a namespace that a client may not write to."""
    is_printable = all(" " <= character <= "~" for character in namespace)
    if len(namespace) > 255 or not is_printable or namespace.startswith((":", "AWS/")):
        raise bad_value("AWS/" if namespace.startswith("AWS/") else namespace, "Namespace")


def dimensions_of(listed: Sequence[Mapping[str, Any]] | None, prefix: str) -> list[tuple[str, str]]:
    """Name and value of each dimension. Raises AwsError for a bad, doubled or surplus one."""
    dimensions: dict[str, str] = {}
    for place, dimension in enumerate(listed or (), 1):
        at = f"{prefix}Dimensions.member.{place}."
        require(dimension, "Name", "Value", prefix=at)
        name, value = dimension["Name"], dimension["Value"]
        if not name.isascii() or not name.strip() or name.startswith(":") or len(name) > 255:
            raise bad_value(name, f"{at}Name")
        if not value.isascii() or not value.strip() or len(value) > 1024:
            raise bad_value(value, f"{at}Value")
        if name in dimensions:
            raise invalid_value(f"The parameter {prefix}Dimensions has more than one value for {name}.")
        dimensions[name] = value
    if len(dimensions) > MOST_DIMENSIONS:
        raise invalid_value(f"The collection {prefix}Dimensions must not have a size greater than {MOST_DIMENSIONS}.")
    return list(dimensions.items())


def _check_datum(datum: Mapping[str, Any], prefix: str, now_ns: int) -> None:
    require(datum, "MetricName", prefix=prefix)
    if len(datum["MetricName"]) > 255:
        raise bad_value(datum["MetricName"], f"{prefix}MetricName")
    dimensions_of(datum.get("Dimensions"), prefix)
    unit = datum.get("Unit")
    if unit is not None and unit not in STANDARD_UNITS:
        raise unit_refusal(f"{prefix}Unit")
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise invalid_value(f"The parameter {prefix}StorageResolution must be 1 or 60.")
    _check_timestamp(datum.get("Timestamp"), f"{prefix}Timestamp", now_ns)
    _check_figures(datum, prefix)


def unit_refusal(at: str) -> AwsError:
    """The refusal of a unit that is not a standard one."""
    return invalid_value(f"The parameter {at} must be a value in the set [ {', '.join(STANDARD_UNITS)} ].")


def _check_timestamp(timestamp_ns: int | None, at: str, now_ns: int) -> None:
    if timestamp_ns is None:
        return
    if timestamp_ns < now_ns - 14 * DAY_NS:
        raise invalid_value(f"The parameter {at} must specify a time no more than two weeks in the past.")
    if timestamp_ns > now_ns + 2 * HOUR_NS:
        raise invalid_value(f"The parameter {at} must specify a time no more than two hours in the future.")


def _check_figures(datum: Mapping[str, Any], prefix: str) -> None:
    given = [name for name in ("Value", "StatisticValues", "Values") if datum.get(name) is not None]
    if not given:
        raise missing(f"{prefix}Value") if "Counts" not in datum else missing(f"{prefix}Values")
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {prefix}{given[0]} and {prefix}{given[1]} are mutually exclusive and you have "
            "specified both."
        )
    if given == ["Value"]:
        _check_number(datum["Value"], f"{prefix}Value")
    elif given == ["StatisticValues"]:
        _check_statistic_set(datum["StatisticValues"], f"{prefix}StatisticValues.")
    else:
        _check_values(datum, prefix)


def _check_number(value: float, at: str) -> None:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise bad_value({math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, value), at)


def _check_statistic_set(figures: Mapping[str, float], prefix: str) -> None:
    require(figures, "SampleCount", "Sum", "Minimum", "Maximum", prefix=prefix)
    for name, value in figures.items():
        _check_number(value, prefix + name)
    if figures["SampleCount"] < 0:
        raise bad_value(figures["SampleCount"], f"{prefix}SampleCount")
    if figures["Minimum"] > figures["Maximum"]:
        raise invalid_value(f"The parameter {prefix}Maximum must be greater than or equal to {prefix}Minimum.")


def _check_values(datum: Mapping[str, Any], prefix: str) -> None:
    values, counts = datum["Values"], datum.get("Counts")
    if not values:
        raise missing(f"{prefix}Values")
    if len(values) > MOST_VALUES:
        raise invalid_value(f"The collection {prefix}Values must not have a size greater than {MOST_VALUES}.")
    for place, value in enumerate(values, 1):
        _check_number(value, f"{prefix}Values.member.{place}")
    if counts is None:
        return
    if len(counts) != len(values):
        raise invalid_value(f"The parameters {prefix}Values and {prefix}Counts must be of the same size.")
    for place, count in enumerate(counts, 1):
        _check_number(count, f"{prefix}Counts.member.{place}")
        if count < 0:
            raise bad_value(count, f"{prefix}Counts.member.{place}")


def _store(store: MetricStore, namespace: str, datum: Mapping[str, Any], now_ns: int) -> None:
    key = datum_key(namespace, datum)
    timestamp_ns = datum.get("Timestamp")
    timestamp_ns = now_ns if timestamp_ns is None else timestamp_ns
    unit = datum.get("Unit") or "None"
    available_ns = now_ns + READABLE_AFTER_NS
    resolution_s = datum.get("StorageResolution", 60)
    figures = datum.get("StatisticValues")
    if figures is not None:
        if figures["SampleCount"] > 0:
            store.put_set(
                key,
                timestamp_ns,
                (figures["SampleCount"], figures["Sum"], figures["Minimum"], figures["Maximum"]),
                unit=unit,
                available_at_ns=available_ns,
                resolution_s=resolution_s,
            )
        return
    store.put(
        key,
        timestamp_ns,
        datum["Values"] if datum.get("Value") is None else float(datum["Value"]),
        datum.get("Counts"),
        unit=unit,
        available_at_ns=available_ns,
        resolution_s=resolution_s,
    )


def datum_key(namespace: str, datum: Mapping[str, Any]) -> MetricKey:
    """The key of a datum or of a ``Metric`` member that has been checked."""
    dimensions = [(dimension["Name"], dimension["Value"]) for dimension in datum.get("Dimensions") or ()]
    return metric_key(namespace, datum["MetricName"], dimensions)
