"""CPU time is accounted exactly as it is used, whatever happens to the station."""

from __future__ import annotations

import pytest
from traffic_rig import Rig

from labs.dataplane.traffic.cpu import Cpu, CpuShape, cpu_shape
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.profile import Profile
from labs.dataplane.traffic.station import Station
from labs.units import MILLISECOND_NS as MS
from labs.units import SECOND_NS

FIXED_10 = Demand(10.0, shape="fixed")


def finished_ms(rig: Rig) -> list[float]:
    return [finished / MS for finished in rig.ledger.rows()["finished_ns"].tolist()]


def test_a_limit_becomes_slots_and_speed() -> None:
    assert cpu_shape(500) == CpuShape(1, 0.5)
    assert cpu_shape(1_500) == CpuShape(2, 0.75)
    assert cpu_shape(2_000) == CpuShape(2, 1.0)


def test_work_in_progress_counts_pro_rata() -> None:
    cpu = Cpu(CpuShape(slots=2, speed=0.5))
    assert cpu.plan(0, 10 * MS) == 20 * MS
    assert cpu.plan(10 * MS, 10 * MS) == 30 * MS
    assert [cpu.used_ns(at * MS) / MS for at in (10, 20, 30, 40)] == [5, 15, 20, 20]


def test_all_cpu_time_equals_all_demand(rig: Rig) -> None:
    station = rig.station(Demand(7.0, 1.5, "lognormal"), slots=2, speed=0.75)
    demand = Demand(7.0, 1.5, "lognormal").draw(Rig(7).streams.numpy("demand/server"), 256)
    rig.closed_loop(rig.client([station]), 256, 8)
    rig.loop.run_until(60 * SECOND_NS)
    assert station.cpu_used_ns() == sum(demand)


def test_use_of_a_busy_station_is_its_limit(rig: Rig) -> None:
    station = rig.station(Demand(10.0), slots=1, speed=0.5, queue_limit=50, workers=8)
    rig.open_loop(rig.client([station], Policy(timeout_ns=SECOND_NS)), 200.0)
    rig.loop.run_until(2 * SECOND_NS)
    before_ns = station.cpu_used_ns()
    rig.loop.run_until(12 * SECOND_NS)
    assert (station.cpu_used_ns() - before_ns) / (10 * SECOND_NS) == pytest.approx(0.5, rel=1e-6)


def test_a_slower_cpu_stretches_what_is_left(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    rig.closed_loop(rig.client([station]), 2, 2)
    rig.loop.at(5 * MS, station.set_cpu_factor, 0.5)
    rig.loop.run_until(10 * MS)
    assert station.cpu_used_ns() == 7.5 * MS
    rig.loop.at(25 * MS, station.set_cpu_factor, 1.0)
    rig.loop.run_until(SECOND_NS)
    assert finished_ms(rig) == [15, 30]
    assert station.cpu_used_ns() == 20 * MS


def test_a_pause_shifts_everything_by_its_length(rig: Rig) -> None:
    database = rig.station(FIXED_10, name="database")
    frontend = rig.station(FIXED_10, workers=2, downstream=[rig.client([database], name="f")])
    rig.closed_loop(rig.client([frontend]), 3, 3)
    rig.loop.at(15 * MS, frontend.pause)
    rig.loop.at(115 * MS, frontend.resume)
    rig.loop.run_until(100 * MS)
    assert frontend.cpu_used_ns() == 15 * MS
    assert database.departed == 1
    rig.loop.run_until(SECOND_NS)
    assert finished_ms(rig) == [115, 130, 140]


def test_a_slow_down_during_a_pause_holds_after_it(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    rig.closed_loop(rig.client([station]), 1, 1)
    rig.loop.at(4 * MS, station.pause)
    rig.loop.at(6 * MS, station.set_cpu_factor, 0.5)
    rig.loop.at(10 * MS, station.resume)
    rig.loop.run_until(SECOND_NS)
    assert finished_ms(rig) == [22]
    assert station.cpu_used_ns() == 10 * MS


def test_added_latency_costs_time_and_no_cpu(rig: Rig) -> None:
    station = rig.station(FIXED_10)
    station.add_latency(500 * MS)
    rig.closed_loop(rig.client([station]), 1, 1)
    rig.loop.run_until(SECOND_NS)
    assert finished_ms(rig) == [510]
    assert station.cpu_used_ns() == 10 * MS


def test_the_first_requests_after_a_start_are_cold(rig: Rig) -> None:
    profile = Profile(FIXED_10, cold_requests=2, cold_factor=3.0)
    station = Station(
        rig.loop, "cold", profile, CpuShape(1, 1.0), workers=4, queue_limit=4, rng=rig.streams.numpy("cold")
    )
    rig.ledger.add_place("cold", "shop", "us-east-1a")
    rig.closed_loop(rig.client([station]), 4, 1)
    rig.loop.run_until(SECOND_NS)
    assert finished_ms(rig) == [30, 60, 70, 80]


def test_a_changed_view_takes_back_calls_that_are_not_sent_yet(rig: Rig) -> None:
    old, new = rig.station(FIXED_10, name="old"), rig.station(FIXED_10, name="new")
    inner = rig.client([old], name="f")
    frontend = rig.station(FIXED_10, downstream=[inner])
    rig.closed_loop(rig.client([frontend]), 3, 3)
    rig.loop.at(15 * MS, inner.update, [new], lambda _: 0)
    rig.loop.run_until(SECOND_NS)
    assert (old.departed, new.departed) == (1, 2)
    assert finished_ms(rig) == [20, 30, 40]
