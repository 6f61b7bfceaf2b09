"""Deaths, time-outs, retries and what becomes of every request."""

from __future__ import annotations

import pytest
from traffic_rig import Rig

from labs.dataplane.traffic.balancer import LeastOutstanding, RoundRobin
from labs.dataplane.traffic.client import Client, Gateway
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.outcome import Outcome
from labs.dataplane.traffic.path import Impairment
from labs.dataplane.traffic.policy import KeepAlive, Policy, RetryBudget
from labs.dataplane.traffic.station import Station
from labs.units import MILLISECOND_NS as MS
from labs.units import SECOND_NS

FIXED_10 = Demand(10.0, shape="fixed")


def outcomes(rig: Rig) -> list[str]:
    return [Outcome(code).name for code in rig.ledger.rows()["outcome"]]


def latencies_ms(rig: Rig) -> list[float]:
    rows = rig.ledger.rows()
    return ((rows["finished_ns"] - rows["intended_ns"]) / MS).tolist()  # type: ignore[no-any-return]


def chain(rig: Rig, policy: Policy, latency_ns: int = MS) -> tuple[Client, Station, Station, Station]:
    """A client, a frontend, a backend and a database, each with 10 ms of CPU work."""
    database = rig.station(FIXED_10, name="database")
    backend = rig.station(
        FIXED_10, name="backend", downstream=[rig.client([database], policy, name="b", latency_ns=latency_ns)]
    )
    frontend = rig.station(
        FIXED_10, name="frontend", downstream=[rig.client([backend], policy, name="f", latency_ns=latency_ns)]
    )
    return rig.client([frontend], policy, latency_ns=latency_ns), frontend, backend, database


def test_latency_is_the_sum_of_all_hops_and_all_work(rig: Rig) -> None:
    client, *_ = chain(rig, Policy())
    rig.closed_loop(client, 1, 1)
    rig.loop.run_until(SECOND_NS)
    assert latencies_ms(rig) == [3 * 10 + 6 * 1]


def test_a_worker_is_held_while_it_waits_downstream(rig: Rig) -> None:
    database = rig.station(FIXED_10, name="database", slots=8)
    frontend = rig.station(Demand(0.0), workers=1, downstream=[rig.client([database], name="f")])
    rig.closed_loop(rig.client([frontend]), 3, 3)
    rig.loop.run_until(SECOND_NS)
    assert latencies_ms(rig) == [10, 20, 30]


@pytest.mark.parametrize("at_ms", [5, 16, 27])
def test_a_killed_station_resets_calls_at_once(rig: Rig, at_ms: int) -> None:
    client, frontend, _, database = chain(rig, Policy())
    rig.closed_loop(client, 2, 2)
    rig.loop.at(at_ms * MS, frontend.kill)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["RESET", "RESET"]
    assert latencies_ms(rig) == [at_ms + 1, at_ms + 1]
    assert frontend.inside == 0
    assert frontend.cpu_used_ns() == min(at_ms - 1, 20) * MS
    assert database.departed == (at_ms > 12) + (at_ms > 22)


def test_a_kill_downstream_reaches_the_user_as_502(rig: Rig) -> None:
    client, _, _, database = chain(rig, Policy())
    rig.closed_loop(client, 1, 1)
    rig.loop.at(30 * MS, database.kill)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["APP_502"]
    assert latencies_ms(rig) == [33]


def test_a_vanished_host_is_noticed_by_the_time_out_alone(rig: Rig) -> None:
    client, frontend, *_ = chain(rig, Policy(timeout_ns=400 * MS))
    source = rig.closed_loop(client, 2, 1)
    rig.loop.at(5 * MS, frontend.vanish)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["TIMEOUT", "TIMEOUT"]
    assert latencies_ms(rig) == [400, 400]
    assert source.finished_ns == 800 * MS


def test_a_closed_listener_refuses_new_calls_and_finishes_old_ones(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    idle_at = []
    rig.closed_loop(rig.client([station], latency_ns=MS), 3, 2)
    rig.loop.at(5 * MS, station.drain, lambda: idle_at.append(rig.loop.now_ns))
    rig.loop.run_until(SECOND_NS)
    assert sorted(outcomes(rig)) == ["OK", "OK", "REFUSED"]
    assert idle_at == [21 * MS]


def test_a_time_out_leaves_the_server_at_work(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    rig.closed_loop(rig.client([station], Policy(timeout_ns=4 * MS)), 5, 5)
    rig.loop.run_until(5 * MS)
    assert outcomes(rig) == ["TIMEOUT"] * 5
    assert station.inside == 5
    rig.loop.run_until(SECOND_NS)
    assert station.departed == 5
    assert station.cpu_used_ns() == 50 * MS


def test_a_time_out_in_the_middle_tier_uses_the_right_deadline_for_each_call(rig: Rig) -> None:
    database = rig.station(Demand(0.0), name="database", wait=Demand(1_000.0, shape="fixed"))
    inner = rig.client([database], Policy(timeout_ns=50 * MS), name="f")
    frontend = rig.station(Demand(8.0), slots=4, downstream=[inner])
    rig.open_loop(rig.client([frontend]), 200.0)
    rig.loop.run_until(3 * SECOND_NS)
    rows = rig.ledger.rows()
    assert set(outcomes(rig)) == {"APP_504"}
    waited_ns = frontend.time_inside_ns() - frontend.cpu_used_ns()
    assert waited_ns >= 50 * MS * len(rows)
    assert ((rows["finished_ns"] - rows["intended_ns"]) > 50 * MS).all()


def test_retries_back_off_with_full_jitter_and_keep_the_intended_time(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    station.stop_accepting()
    policy = Policy(attempts=4, backoff_base_ns=100 * MS)
    rig.closed_loop(rig.client([station], policy), 200, 200)
    rig.loop.run_until(10 * SECOND_NS)
    assert rig.ledger.rows()["attempts"].tolist() == [4] * 200
    mean_ms = sum(latencies_ms(rig)) / 200
    assert mean_ms == pytest.approx((100 + 200 + 400) / 2, rel=0.1)
    assert max(latencies_ms(rig)) < 700


def test_a_retry_heals_a_death_when_another_endpoint_is_left(rig: Rig) -> None:
    stations = [rig.station(FIXED_10, name=name) for name in "abc"]
    client = rig.client(stations, Policy(attempts=2), balancer=RoundRobin())
    rig.closed_loop(client, 2, 2)
    rig.loop.at(5 * MS, stations[0].kill)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["OK", "OK"]
    assert sorted(rig.ledger.rows()["attempts"]) == [1, 2]


def test_a_retry_budget_caps_the_amplification(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    budget = RetryBudget(earned=0.1, cap=5.0)
    client = rig.client([station], Policy(attempts=4, backoff_base_ns=MS, budget=budget))
    rig.open_loop(client, 50.0)
    rig.loop.run_until(10 * SECOND_NS)
    station.stop_accepting()
    rig.loop.run_until(60 * SECOND_NS)
    assert client.retries == 5


def test_a_bounded_pool_makes_calls_wait_and_then_fail(rig: Rig) -> None:
    station = rig.station(FIXED_10, slots=8)
    policy = Policy(keep_alive=KeepAlive(max_connections=2, max_waiting=1), connect_round_trips=1)
    rig.closed_loop(rig.client([station], policy, latency_ns=MS), 4, 4)
    rig.loop.run_until(SECOND_NS)
    assert sorted(zip(outcomes(rig), latencies_ms(rig), strict=True)) == [
        ("OK", 14.0),  # a new connection: one round trip more
        ("OK", 14.0),
        ("OK", 26.0),  # waits 14 ms, then a kept one
        ("POOL_FULL", 0.0),
    ]


def test_kept_connections_stay_with_their_endpoint(rig: Rig) -> None:
    old, new = rig.station(FIXED_10, name="old"), rig.station(FIXED_10, name="new")
    policy = Policy(keep_alive=KeepAlive(max_connections=1, max_waiting=0))
    client = rig.client([old], policy)
    rig.closed_loop(client, 10, 1)
    rig.loop.at(35 * MS, client.update, [new], lambda _: 0)
    rig.loop.at(75 * MS, old.stop_accepting)
    rig.loop.run_until(SECOND_NS)
    assert (old.departed, new.departed) == (8, 2)


def test_no_endpoint_fails_at_once_and_as_503_at_a_gateway(rig: Rig) -> None:
    rig.closed_loop(rig.client([]), 2, 1)
    rig.loop.run_until(MS)
    rig.closed_loop(rig.client([], gateway=Gateway(latency_ns=3 * MS)), 1, 1)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["NO_ENDPOINT", "NO_ENDPOINT", "GATEWAY_503"]
    assert latencies_ms(rig) == [0, 0, 6]


def test_a_gateway_measures_the_target_without_its_own_latency(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    client = rig.client([station], Policy(), latency_ns=MS, gateway=Gateway(latency_ns=20 * MS))
    rig.closed_loop(client, 2, 1)
    rig.loop.at(60 * MS, station.kill)
    rig.loop.run_until(SECOND_NS)
    assert outcomes(rig) == ["OK", "GATEWAY_502"]
    assert rig.ledger.rows()["target_us"][0] == 12_000
    assert latencies_ms(rig)[0] == 52


def test_a_gateways_idle_time_out_is_504(rig: Rig) -> None:
    station = rig.station(Demand(0.0), wait=Demand(5_000.0, shape="fixed"))
    gateway = Gateway(latency_ns=0, idle_timeout_ns=SECOND_NS)
    rig.closed_loop(rig.client([station], Policy(timeout_ns=30 * SECOND_NS), gateway=gateway), 1, 1)
    rig.loop.run_until(10 * SECOND_NS)
    assert outcomes(rig) == ["GATEWAY_504"]


def test_least_outstanding_avoids_the_slow_endpoint(rig: Rig) -> None:
    slow, fast = rig.station(Demand(90.0), name="slow"), rig.station(Demand(10.0), name="fast")
    rig.open_loop(rig.client([slow, fast], balancer=LeastOutstanding()), 60.0)
    rig.loop.run_until(100 * SECOND_NS)
    assert fast.departed > 4 * slow.departed


def test_a_partition_ends_in_time_outs_and_heals_by_retransmission(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    client = rig.client([station], Policy(timeout_ns=5 * SECOND_NS))
    client.impair(station, out=Impairment(loss=1.0))
    rig.closed_loop(client, 2, 1)
    rig.loop.at(7 * SECOND_NS, client.impair, station)
    rig.loop.run_until(20 * SECOND_NS)
    assert outcomes(rig) == ["TIMEOUT", "OK"]
    assert latencies_ms(rig)[1] == 3_010  # sent at 5 s, again at 6 s and 8 s: 1 s, then twice that


def test_delay_and_jitter_lengthen_each_way(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    client = rig.client([station], latency_ns=MS)
    client.impair(station, out=Impairment(delay_ns=100 * MS, jitter_ns=20 * MS))
    rig.closed_loop(client, 500, 1)
    rig.loop.run_until(100 * SECOND_NS)
    assert sum(latencies_ms(rig)) / 500 == pytest.approx(112, abs=1.5)
    assert 92 <= min(latencies_ms(rig)) < 96
    assert 128 < max(latencies_ms(rig)) <= 132


def test_errors_of_the_program_come_at_their_rate(rig: Rig) -> None:
    rig.closed_loop(rig.client([rig.station(Demand(1.0), error_rate=0.2)]), 5_000, 1)
    rig.loop.run_until(100 * SECOND_NS)
    assert outcomes(rig).count("APP_500") / 5_000 == pytest.approx(0.2, abs=0.02)
