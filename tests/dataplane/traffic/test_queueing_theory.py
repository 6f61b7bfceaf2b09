"""The request model against what is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import pytest
from traffic_rig import Rig

from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.outcome import Outcome
from labs.dataplane.traffic.station import Station
from labs.units import SECOND_NS


def erlang_c(servers: int, load: float) -> float:
    """Probability of waiting in M/M/c."""
    last = load**servers / factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / factorial(k) for k in range(servers)) + last)


def mean_wait_s(build: Callable[[Rig], Station], rate_per_s: float, mean_s: float, requests: int) -> float:
    """Mean wait over four seeds, so many requests each that its own error is below two percent."""
    waits = []
    for seed in (1, 2, 3, 4):
        rig = Rig(seed)
        rig.open_loop(rig.client([build(rig)]), rate_per_s)
        rig.loop.run_until(int(requests / rate_per_s * SECOND_NS))
        rows = rig.ledger.rows()
        waits.append((rows["finished_ns"] - rows["intended_ns"]).mean() / SECOND_NS - mean_s)
    return float(sum(waits) / len(waits))


@pytest.mark.parametrize(("servers", "use"), [(1, 0.5), (2, 0.6), (4, 0.7)])
def test_mean_wait_agrees_with_erlang_c_within_two_percent(servers: int, use: float) -> None:
    mean_s = 0.010
    rate = use * servers / mean_s
    theory_s = erlang_c(servers, use * servers) * mean_s / (servers - use * servers)

    wait_s = mean_wait_s(lambda rig: rig.station(Demand(mean_s * 1_000), slots=servers), rate, mean_s, 200_000)

    assert wait_s == pytest.approx(theory_s, rel=0.02)


def test_workers_that_wait_without_cpu_are_servers_of_erlang_c_too() -> None:
    mean_s, servers, use = 0.020, 4, 0.7
    rate = use * servers / mean_s
    theory_s = erlang_c(servers, use * servers) * mean_s / (servers - use * servers)

    def build(rig: Rig) -> Station:
        return rig.station(Demand(0.0), workers=servers, wait=Demand(mean_s * 1_000))

    assert mean_wait_s(build, rate, mean_s, 100_000) == pytest.approx(theory_s, rel=0.02)


@pytest.mark.parametrize("shape", ["lognormal", "gamma", "fixed"])
def test_mean_wait_agrees_with_pollaczek_khinchine(shape: str) -> None:
    mean_s, use = 0.010, 0.6
    cv = 0.0 if shape == "fixed" else 0.5
    theory_s = use / (1 - use) * mean_s * (1 + cv**2) / 2
    demand = Demand(mean_s * 1_000, cv, shape)  # type: ignore[arg-type]

    wait_s = mean_wait_s(lambda rig: rig.station(demand), use / mean_s, mean_s, 100_000)

    assert wait_s == pytest.approx(theory_s, rel=0.02)


def test_loss_agrees_with_m_m_c_k(rig: Rig) -> None:
    requests, mean_s, servers, places, use = 300_000, 0.010, 2, 6, 0.9
    rate, load = use * servers / mean_s, use * servers
    station = rig.station(Demand(10.0), slots=servers, workers=servers, queue_limit=places - servers)
    rig.open_loop(rig.client([station]), rate)
    rig.loop.run_until(int(requests / rate * SECOND_NS))

    weights = [load**k / factorial(min(k, servers)) / servers ** max(0, k - servers) for k in range(places + 1)]
    lost = (rig.ledger.rows()["outcome"] == Outcome.APP_503).mean()
    assert lost == pytest.approx(weights[-1] / sum(weights), rel=0.02)


def test_littles_law_holds_exactly_for_what_went_through(rig: Rig) -> None:
    database = rig.station(Demand(4.0), name="database", slots=2)
    backend = rig.station(Demand(5.0), name="backend", workers=16, downstream=[rig.client([database], name="b")])
    rig.open_loop(rig.client([backend]), 150.0)
    rig.loop.run_until(200 * SECOND_NS)

    rows = rig.ledger.rows()
    total_ns = int((rows["finished_ns"] - rows["intended_ns"]).sum())
    inside_ns = backend.time_inside_ns()
    in_flight_ns = inside_ns - total_ns
    assert 0 <= in_flight_ns <= backend.inside * 10 * SECOND_NS
    assert backend.departed == len(rows)
    mean_number = inside_ns / (200 * SECOND_NS)
    rate = len(rows) / 200
    assert mean_number == pytest.approx(rate * total_ns / len(rows) / SECOND_NS, rel=0.001)
