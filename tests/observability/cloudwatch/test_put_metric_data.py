"""PutMetricData: what is stored, when it can be read, and every limit."""

from __future__ import annotations

from typing import Any

import pytest
from cloudwatch_client import START_NS, Cloud

from labs.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS


def one(**datum: Any) -> dict[str, Any]:
    return {"Namespace": "Shop", "MetricData": [{"MetricName": "Orders", **datum}]}


def statistics(cloud: Cloud, *names: str, **more: Any) -> list[dict[str, Any]]:
    params: dict[str, Any] = {
        "Namespace": "Shop",
        "MetricName": "Orders",
        "Period": 60,
        "Statistics": list(names),
        "StartTime": START_NS - HOUR_NS,
        "EndTime": START_NS + HOUR_NS,
        **more,
    }
    points: list[dict[str, Any]] = cloud("GetMetricStatistics", **params)["Datapoints"]
    return points


def test_a_value_is_readable_two_seconds_later(cloud: Cloud) -> None:
    cloud("PutMetricData", **one(Value=5.0, Unit="Count"))
    cloud.wait(1.9 / 60)
    assert statistics(cloud, "Sum") == []
    cloud.wait(0.1 / 60)
    assert statistics(cloud, "Sum") == [{"Timestamp": START_NS, "Unit": "Count", "Sum": 5.0}]


def test_values_and_counts_and_statistic_sets_add_up(cloud: Cloud) -> None:
    cloud("PutMetricData", **one(Values=[1.0, 10.0], Counts=[3.0, 2.0]))
    cloud("PutMetricData", **one(Values=[4.0]))
    figures = {"SampleCount": 2.0, "Sum": 30.0, "Minimum": 10.0, "Maximum": 20.0}
    cloud("PutMetricData", **one(StatisticValues=figures))
    cloud.wait(1)
    (point,) = statistics(cloud, "Sum", "SampleCount", "Minimum", "Maximum", "Average")
    assert (point["Sum"], point["SampleCount"], point["Minimum"], point["Maximum"]) == (57.0, 8.0, 1.0, 20.0)
    assert point["Average"] == 57 / 8


def test_a_refused_request_stores_nothing(cloud: Cloud) -> None:
    data = [{"MetricName": "Orders", "Value": 1.0}, {"MetricName": "Orders", "Value": float("nan")}]
    assert cloud.refusal("PutMetricData", Namespace="Shop", MetricData=data).code == "InvalidParameterValue"
    cloud.wait(1)
    assert statistics(cloud, "Sum") == []


def test_entity_metric_data_is_stored_too(cloud: Cloud) -> None:
    datum = {"MetricName": "Orders", "Value": 1.0}
    cloud("PutMetricData", Namespace="Shop", EntityMetricData=[{"MetricData": [datum]}], StrictEntityValidation=False)
    cloud.wait(1)
    assert len(statistics(cloud, "Sum")) == 1


def test_timestamps_from_two_weeks_back_to_two_hours_ahead_are_taken(cloud: Cloud) -> None:
    cloud("PutMetricData", **one(Value=1.0, Timestamp=START_NS - 14 * DAY_NS))
    cloud("PutMetricData", **one(Value=1.0, Timestamp=START_NS + 2 * HOUR_NS))
    for timestamp_ns in (START_NS - 14 * DAY_NS - SECOND_NS, START_NS + 2 * HOUR_NS + SECOND_NS):
        refusal = cloud.refusal("PutMetricData", **one(Value=1.0, Timestamp=timestamp_ns))
        assert refusal.code == "InvalidParameterValue"
        assert "MetricData.member.1.Timestamp" in refusal.message


DIMENSIONS = [{"Name": f"d{i}", "Value": "x"} for i in range(31)]


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"MetricData": []}, "MissingParameter", "Namespace"),
        ({"Namespace": "Shop"}, "MissingParameter", "MetricData"),
        ({"Namespace": "AWS/RDS", "MetricData": [{}]}, "InvalidParameterValue", "Namespace"),
        ({"Namespace": ":x", "MetricData": [{}]}, "InvalidParameterValue", "Namespace"),
        ({"Namespace": "Shop", "MetricData": [{"Value": 1.0}]}, "MissingParameter", "MetricData.member.1.MetricName"),
        ({"Namespace": "Shop", "MetricData": [{}] * 1001}, "InvalidParameterValue", "1000"),
        (one(), "MissingParameter", "MetricData.member.1.Value"),
        (one(Value=1.0, Values=[1.0]), "InvalidParameterCombination", "mutually exclusive"),
        (one(Value=float("nan")), "InvalidParameterValue", "nan"),
        (one(Value=float("inf")), "InvalidParameterValue", "Infinity"),
        (one(Value=-(2.0**361)), "InvalidParameterValue", "MetricData.member.1.Value"),
        (one(Values=[1.0] * 151), "InvalidParameterValue", "150"),
        (one(Values=[1.0], Counts=[1.0, 2.0]), "InvalidParameterValue", "same size"),
        (one(Values=[1.0], Counts=[-1.0]), "InvalidParameterValue", "Counts.member.1"),
        (one(Values=[float("inf")]), "InvalidParameterValue", "Values.member.1"),
        (one(StatisticValues={"Sum": 1.0}), "MissingParameter", "StatisticValues.SampleCount"),
        (
            one(StatisticValues={"SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0}),
            "InvalidParameterValue",
            "Maximum",
        ),
        (one(Value=1.0, Unit="Apples"), "InvalidParameterValue", "must be a value in the set [ Seconds,"),
        (one(Value=1.0, StorageResolution=5), "InvalidParameterValue", "StorageResolution"),
        (one(Value=1.0, Dimensions=DIMENSIONS), "InvalidParameterValue", "30"),
        (one(Value=1.0, Dimensions=[{"Name": "a"}]), "MissingParameter", "Dimensions.member.1.Value"),
        (
            one(Value=1.0, Dimensions=[{"Name": "a", "Value": " "}]),
            "InvalidParameterValue",
            "Dimensions.member.1.Value",
        ),
        (one(Value=1.0, Dimensions=[{"Name": "a", "Value": "1"}] * 2), "InvalidParameterValue", "Dimensions"),
    ],
)
def test_a_bad_request_is_refused(cloud: Cloud, params: dict[str, Any], code: str, words: str) -> None:
    refusal = cloud.refusal("PutMetricData", **params)
    assert (refusal.code, refusal.http_status) == (code, 400)
    assert words in refusal.message


def test_ten_thousand_values_of_a_publisher_stay_exact_in_sum(cloud: Cloud) -> None:
    values = [minute * 0.001 for minute in range(10_000)]
    cloud.watch.put("Shop", "Orders", (), START_NS, values)
    (point,) = statistics(cloud, "SampleCount", "Sum", "Minimum", "Maximum")
    assert point["SampleCount"] == 10_000
    assert point["Sum"] == pytest.approx(sum(values))
    assert (point["Minimum"], point["Maximum"]) == (0.0, 9.999)


def test_a_publisher_says_when_its_data_can_be_read(cloud: Cloud) -> None:
    cloud.watch.put("AWS/X", "Orders", (("b", "2"), ("a", "1")), START_NS, 1.0, available_at_ns=START_NS + MINUTE_NS)
    assert cloud("ListMetrics", Namespace="AWS/X")["Metrics"] == []
    cloud.wait(1)
    (metric,) = cloud("ListMetrics", Namespace="AWS/X")["Metrics"]
    assert metric["Dimensions"] == [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
