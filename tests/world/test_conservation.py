"""Every request of a run is accounted for, by the ledger, by ``ab``, by CloudWatch and by the stations themselves."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pytest
from world.shop_world import open_shop, start_spike

from labs.api.rest.message import Request
from labs.dataplane.traffic.station import Station
from labs.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS, rfc3339, to_ns
from labs.world import START_NS, World

SAMPLES_NS = 10 * MILLISECOND_NS


@pytest.fixture(scope="module")
def spiked() -> World:
    """A world in which half of the frontend died in the middle of the spike, and some time passed."""
    world = open_shop(7)
    start_spike(world)
    world.run_until(world.now_ns + MINUTE_NS)
    for pod in world.store.by_index("pods", "label", "app=frontend", "shop")[::2]:
        path = f"/api/v1/namespaces/shop/pods/{pod['metadata']['name']}"
        body = b'{"gracePeriodSeconds": 0}'
        world.rest.handle(Request.to("DELETE", path, body=body))
    world.run_until(world.now_ns + 7 * MINUTE_NS)
    return world


def test_arrived_is_answered_and_failed_and_in_flight(spiked: World) -> None:
    account = spiked.dataplane.ledger.conservation()
    assert account.holds, account
    assert account.failed > 0, "the kill was meant to cost requests"
    for source in spiked.dataplane.ledger.sources:
        own = spiked.dataplane.ledger.conservation(source)
        assert own.holds, (source.name, own)


def test_conservation_holds_at_any_time_of_a_run() -> None:
    world = open_shop(3)
    start_spike(world)
    for _ in range(100):
        world.run_until(world.now_ns + 1_234_567_891)
        account = world.dataplane.ledger.conservation()
        assert account.holds, account


def test_ab_accounts_for_exactly_10_000_in_the_ledger_and_in_its_own_log(spiked: World) -> None:
    [job] = spiked.store.list("jobs.batch", "shop")
    assert job["status"]["succeeded"] == 1
    [pod] = spiked.store.by_index("pods", "label", "app=spike", "shop")
    [source] = [each for each in spiked.dataplane.ledger.sources if pod["metadata"]["name"] in each.name]
    account = spiked.dataplane.ledger.conservation(source)
    assert (account.arrived, account.in_flight) == (10_000, 0)
    path = f"/api/v1/namespaces/shop/pods/{pod['metadata']['name']}/log"
    log = spiked.rest.handle(Request.to("GET", path)).body.decode()
    # ab: a request that ended without an answer is complete and failed; a 5xx is complete and "Non-2xx".
    said = {name: int(count) for name, count in re.findall(r"^(.+?):\s+(\d+)$", log, re.MULTILINE)}
    assert said["Complete requests"] == 10_000
    assert said["Failed requests"] + said.get("Non-2xx responses", 0) >= account.failed > 0


def test_cloudwatch_counts_the_requests_of_each_minute_as_the_ledger_has_them(spiked: World) -> None:
    [balancer] = spiked.dataplane.network.balancers.values()
    answer = spiked.call_aws(
        "cloudwatch",
        "GetMetricStatistics",
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCount",
            "Dimensions": [{"Name": "LoadBalancer", "Value": balancer.arn_suffix}],
            "StartTime": rfc3339(START_NS),
            "EndTime": rfc3339(spiked.now_ns),
            "Period": 60,
            "Statistics": ["Sum"],
        },
    )
    said = {to_ns(point["Timestamp"].timestamp()): int(point["Sum"]) for point in answer["Datapoints"]}
    rows = spiked.dataplane.ledger.rows()
    minutes = rows["finished_ns"][rows["station"] >= 0] // MINUTE_NS * MINUTE_NS
    counted = {int(minute): int(np.count_nonzero(minutes == minute)) for minute in np.unique(minutes)}
    assert len(said) >= 10
    assert said == {minute: counted[minute] for minute in said}
    # Data of the last minute or two is on its way, as in production.
    assert set(counted) - set(said) <= set(range(spiked.now_ns - 2 * MINUTE_NS, spiked.now_ns + 1, MINUTE_NS))


def test_littles_law_holds_at_each_frontend() -> None:
    """L, sampled from outside, equals the rate of departures times the mean time inside, kept by the station."""
    world = open_shop(7)
    start_spike(world)
    world.run_until(world.now_ns + 3 * MINUTE_NS)
    names = {pod["metadata"]["name"] for pod in world.store.by_index("pods", "label", "app=frontend", "shop")}
    stations = [each.station for each in world.dataplane.network.listeners.values() if each.station.name in names]
    assert len(stations) == len(names)
    before = {station: (station.departed, station.time_inside_ns()) for station in stations}
    sampled: dict[Station, int] = defaultdict(int)
    began_ns, samples = world.now_ns, 60 * SECOND_NS // SAMPLES_NS
    for number in range(1, samples + 1):
        world.run_until(began_ns + number * SAMPLES_NS)
        for station in stations:
            sampled[station] += station.inside
    for station in stations:
        departed_before, inside_before_ns = before[station]
        departed, inside_ns = station.departed - departed_before, station.time_inside_ns() - inside_before_ns
        rate_per_ns, mean_ns = departed / (world.now_ns - began_ns), inside_ns / departed
        assert departed > 100
        assert sampled[station] / samples == pytest.approx(rate_per_ns * mean_ns, rel=0.05)
