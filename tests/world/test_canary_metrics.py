"""The canary's way through a whole world: from a manifest to seconds in CloudWatch, beside the balancer's minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from world.shop_world import KUBERNETES, open_shop

from labs.api.manifests import read_manifests
from labs.units import MINUTE_NS
from labs.world import World


def values(world: World, metric: str, stat: str, period_s: int) -> list[float]:
    end = datetime.fromtimestamp(world.now_ns // 10**9, UTC)
    dimensions = [{"Name": "CanaryName", "Value": "shop"}]
    found = {"Namespace": "Canary", "MetricName": metric, "Dimensions": dimensions}
    query = {"Id": "q", "MetricStat": {"Metric": found, "Period": period_s, "Stat": stat}}
    request: dict[str, Any] = {"MetricDataQueries": [query], "StartTime": end - timedelta(minutes=3), "EndTime": end}
    results = world.call_aws("cloudwatch", "GetMetricData", request)["MetricDataResults"]
    return list(results[0]["Values"])


def test_the_canary_of_the_manifest_gives_cloudwatch_a_value_for_each_second() -> None:
    world = open_shop(7)
    for obj in read_manifests(KUBERNETES / "canary"):
        world.apply(obj)
    world.run_until(world.now_ns + 4 * MINUTE_NS)
    by_second = values(world, "SuccessPercent", "Average", 1)
    # All of three minutes but the last seconds, which are not published yet.
    assert 3 * 60 - 15 <= len(by_second) <= 3 * 60
    assert set(by_second) == {100.0}
    by_minute = values(world, "SuccessPercent", "SampleCount", 60)
    assert 60.0 in by_minute
    assert all(20 < duration_ms < 2000 for duration_ms in values(world, "Duration", "p50", 60))
