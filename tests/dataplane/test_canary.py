from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from shop_rig import Shop, build_shop, build_whole_shop

from labs.dataplane.programs.canary import PUBLISH_EVERY_NS, Canaries
from labs.dataplane.traffic.outcome import Outcome
from labs.errors import AwsError
from labs.units import MILLISECOND_NS, SECOND_NS

URL = "http://shop.example.com/"


def start_canary(shop: Shop, **variables: str) -> None:
    env = [{"name": name, "value": value} for name, value in {"TARGET_URL": URL, **variables}.items()]
    container = {"image": "example.com/shop/canary:1", "env": env}
    shop.pod("canary-0", "example.com/shop/canary:1", restartPolicy="Never", container=container)


def data(shop: Shop, metric: str) -> dict[int, float]:
    """Value by time of all that was published."""
    every = [datum for request in shop.published for datum in request["MetricData"]]
    assert {datum["StorageResolution"] for datum in every} == {1}
    return {datum["Timestamp"]: datum["Value"] for datum in every if datum["MetricName"] == metric}


def test_each_second_has_a_visit_that_is_published_as_the_ledger_has_it() -> None:
    shop = build_whole_shop()
    start_canary(shop)
    shop.run(60)
    success, duration = data(shop, "SuccessPercent"), data(shop, "Duration")
    assert sorted(success) == list(range(min(success), max(success) + 1, SECOND_NS))
    assert set(success.values()) == {100.0}
    rows = shop.dataplane.ledger.rows()
    waited = {int(row["intended_ns"]): (row["finished_ns"] - row["intended_ns"]) / MILLISECOND_NS for row in rows}
    assert len(duration) > 40
    assert duration == {time_ns: pytest.approx(waited[time_ns]) for time_ns in duration}
    assert {request["Namespace"] for request in shop.published} == {"Canary"}
    assert shop.published[0]["MetricData"][0]["Dimensions"] == [{"Name": "CanaryName", "Value": "shop"}]


def test_many_data_go_in_one_call() -> None:
    shop = build_whole_shop()
    start_canary(shop)
    shop.run(60)
    sizes = [len(request["MetricData"]) for request in shop.published[1:]]
    assert len(sizes) >= 4
    assert set(sizes) <= {
        2 * count for count in range(PUBLISH_EVERY_NS // SECOND_NS, PUBLISH_EVERY_NS // SECOND_NS + 2)
    }


def test_a_visit_that_failed_counts_as_0_percent_and_the_log_says_how() -> None:
    shop = build_whole_shop(frontends=1)
    start_canary(shop)
    shop.run(30)
    shop.delete("frontend-0", grace_s=0)
    shop.run(30)
    success = data(shop, "SuccessPercent")
    assert {0.0, 100.0} == set(success.values())
    rows = shop.dataplane.ledger.rows()
    failed = {int(row["intended_ns"]) for row in rows if row["outcome"] != Outcome.OK}
    assert {time_ns for time_ns, value in success.items() if not value} <= failed
    assert re.search(r"visit failed: 50[23] after \d+ ms", shop.log("canary-0"))


def test_a_visitor_who_waits_in_vain_waited_for_the_time_out() -> None:
    shop = build_whole_shop(demand={"cpu_ms": 4000, "shape": "fixed"})
    start_canary(shop, TIMEOUT_S="2", CANARY_NAME="slow", METRIC_NAMESPACE="Mine")
    shop.run(40)
    assert set(data(shop, "SuccessPercent").values()) == {0.0}
    assert min(data(shop, "Duration").values()) == pytest.approx(2000)
    assert "visit failed: timeout after 2000 ms" in shop.log("canary-0")
    assert shop.published[0]["Namespace"] == "Mine"


def test_what_was_measured_before_a_graceful_end_is_published_and_nothing_after_it() -> None:
    shop = build_whole_shop()
    start_canary(shop)
    shop.run(36)
    before = sum(len(request["MetricData"]) for request in shop.published)
    visits = sum(source.arrived for source in shop.dataplane.ledger.sources)
    shop.delete("canary-0")
    shop.run(30)
    after = sum(len(request["MetricData"]) for request in shop.published)
    assert before < after <= 2 * visits
    assert sum(source.arrived for source in shop.dataplane.ledger.sources) == visits
    assert shop.dataplane.ledger.conservation().holds


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"INTERVAL_S": "0.1"}, "INTERVAL_S from 1 up"),
        ({"TIMEOUT_S": "0"}, "TIMEOUT_S above 0"),
        ({"INTERVAL_S": "often"}, "invalid value 'often'"),
        ({"TARGET_URL": "http://nowhere.example.com/"}, "Name or service not known"),
    ],
)
def test_a_variable_that_cannot_be_used_ends_it_with_a_sentence(variables: dict[str, str], message: str) -> None:
    shop = build_whole_shop()
    start_canary(shop, **variables)
    shop.run(20)
    assert shop.phase("canary-0") == "Failed"
    assert message in shop.log("canary-0")


def refuse(_: dict[str, Any]) -> None:
    raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")


@pytest.mark.parametrize(
    ("publish", "message"),
    [
        (refuse, "PutMetricData was refused: InvalidParameterValue"),
        (None, "could not connect to the endpoint of CloudWatch"),
    ],
)
def test_without_cloudwatch_it_ends_and_says_so(publish: Callable[[dict[str, Any]], None] | None, message: str) -> None:
    shop = build_shop()
    shop.service("frontend")
    shop.dataplane.programs.canaries = Canaries(shop.dataplane.programs.loads, publish)
    start_canary(shop, TARGET_URL="http://frontend/")
    shop.run(40)
    assert shop.phase("canary-0") == "Failed"
    assert message in shop.log("canary-0")
