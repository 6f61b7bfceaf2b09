"""What the load balancer publishes, and when it can be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from cloudwatch_client import START_NS, Cloud

from labs.observability.cloudwatch.alb import AlbPublisher, BalancerMinute, TargetMinute
from labs.units import MINUTE_NS

LB, TG = "app/shop/0123456789abcdef", "targetgroup/shop/0123456789abcdef"


class Ledger:
    """One busy minute, then silence."""

    def target_minutes(self, start_ns: int) -> Iterable[TargetMinute]:
        if start_ns == START_NS:
            yield TargetMinute(LB, TG, "us-east-1a", 60, {2: 50, 5: 10}, np.linspace(0.01, 0.6, 60), 3, 0, 2)
            yield TargetMinute(LB, TG, "us-east-1b", 40, {2: 40}, np.full(40, 0.2), 2, 1)
        else:
            yield TargetMinute(LB, TG, "us-east-1a", 0, {}, np.empty(0), 3, 0)

    def balancer_minutes(self, start_ns: int) -> Iterable[BalancerMinute]:
        if start_ns == START_NS:
            yield BalancerMinute(LB, "us-east-1a", {503: 7, 504: 1}, rejected_connections=4)


@pytest.fixture
def balanced(cloud: Cloud) -> Cloud:
    AlbPublisher(cloud.loop, cloud.watch, Ledger()).start()
    cloud.wait(5)
    return cloud


def points(cloud: Cloud, metric: str, *dimensions: tuple[str, str], statistic: str = "Sum") -> list[float]:
    query = {
        "Metric": {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
        },
        "Period": 60,
        "Stat": statistic,
    }
    params: dict[str, Any] = {
        "StartTime": START_NS,
        "EndTime": START_NS + 5 * MINUTE_NS,
        "ScanBy": "TimestampAscending",
    }
    answer = cloud("GetMetricData", MetricDataQueries=[{"Id": "m", "MetricStat": query}], **params)
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


A = (("LoadBalancer", LB),)
B = (*A, ("AvailabilityZone", "us-east-1a"))
C = (*A, ("TargetGroup", TG))
D = (*C, ("AvailabilityZone", "us-east-1b"))


@pytest.mark.parametrize(("dimensions", "requests", "answered"), [(A, 100, 90), (B, 60, 50), (C, 100, 90), (D, 40, 40)])
def test_requests_in_all_four_dimension_sets(
    balanced: Cloud, dimensions: tuple[tuple[str, str], ...], requests: int, answered: int
) -> None:
    assert points(balanced, "RequestCount", *dimensions) == [requests]
    assert points(balanced, "HTTPCode_Target_2XX_Count", *dimensions) == [answered]


def test_a_counter_has_average_one_and_zero_is_not_published(balanced: Cloud) -> None:
    assert points(balanced, "RequestCount", *A, statistic="Average") == [1.0]
    assert points(balanced, "RequestCount", *A, statistic="SampleCount") == [100.0]
    assert points(balanced, "HTTPCode_Target_4XX_Count", *A) == []
    assert points(balanced, "HTTPCode_Target_5XX_Count", *D) == []


def test_latency_is_in_seconds_with_percentiles(balanced: Cloud) -> None:
    assert points(balanced, "TargetResponseTime", *D, statistic="p99") == [0.2]
    assert points(balanced, "TargetResponseTime", *A, statistic="Maximum") == [0.6]
    assert points(balanced, "TargetResponseTime", *A, statistic="SampleCount") == [100.0]


def test_host_counts_are_gauges_and_always_there(balanced: Cloud) -> None:
    assert points(balanced, "HealthyHostCount", *C, statistic="Average") == [5.0, 3.0, 3.0, 3.0]
    assert points(balanced, "UnHealthyHostCount", *D, statistic="Maximum") == [1.0]
    assert points(balanced, "HealthyHostCount", *A) == []
    assert points(balanced, "RequestCountPerTarget", ("TargetGroup", TG)) == [20.0]


def test_errors_of_the_balancer_itself(balanced: Cloud) -> None:
    assert points(balanced, "HTTPCode_ELB_5XX_Count", *A) == [8.0]
    assert points(balanced, "HTTPCode_ELB_503_Count", *B) == [7.0]
    assert points(balanced, "HTTPCode_ELB_502_Count", *B) == []
    assert points(balanced, "RejectedConnectionCount", *A) == [4.0]
    assert points(balanced, "TargetConnectionErrorCount", *C) == [2.0]


def test_a_minute_is_readable_a_minute_after_its_end(cloud: Cloud) -> None:
    AlbPublisher(cloud.loop, cloud.watch, Ledger()).start()
    cloud.wait(1.99)
    assert points(cloud, "RequestCount", *A) == []
    cloud.wait(0.02)
    assert points(cloud, "RequestCount", *A) == [100.0]
