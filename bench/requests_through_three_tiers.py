"""Requests a second through client -> frontend -> backend -> database, latency accounting included.

The model: Poisson arrivals; 10 frontends, 10 backends, 1 database; workers, bounded accept queues, CPU
slots first come first served, a network latency each way, a random endpoint for each call, a time-out
on every call, and one ledger row for each request. ``simpy_three_tiers`` is the same model in SimPy.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from labs.dataplane.traffic.arrivals import RateProfile
from labs.dataplane.traffic.balancer import RandomChoice
from labs.dataplane.traffic.client import Client
from labs.dataplane.traffic.cpu import CpuShape
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.profile import Profile
from labs.dataplane.traffic.sources import OpenLoop
from labs.dataplane.traffic.station import Station
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS


@dataclass(frozen=True, slots=True)
class Tier:
    """One service of the model; both programs read it."""

    name: str
    stations: int
    workers: int
    queue_limit: int
    slots: int
    cpu_ms: float


TIERS = (
    Tier("frontend", stations=10, workers=32, queue_limit=128, slots=1, cpu_ms=5.0),
    Tier("backend", stations=10, workers=32, queue_limit=128, slots=1, cpu_ms=4.0),
    Tier("database", stations=1, workers=200, queue_limit=1000, slots=16, cpu_ms=8.0),
)
RATE_PER_S = 1_200.0
LATENCY_S = 0.000_25
TIMEOUT_S = 5.0


def build(seed: int) -> tuple[Loop, Ledger, OpenLoop]:
    """The model with its source of load, not yet started."""
    loop, streams, ledger = Loop(0), Streams(seed), Ledger()
    policy = Policy(timeout_ns=round(TIMEOUT_S * SECOND_NS))

    def client_to(stations: list[Station], name: str) -> Client:
        balancer = RandomChoice(streams.numpy(f"balancer/{name}"))
        client = Client(loop, policy, balancer, streams.numpy(f"client/{name}"))
        client.update(stations, lambda _: round(LATENCY_S * SECOND_NS))
        return client

    behind: list[Station] = []
    for tier in reversed(TIERS):
        stations = []
        for number in range(tier.stations):
            name = f"{tier.name}-{number}"
            station = Station(
                loop,
                name,
                Profile(cpu=Demand(tier.cpu_ms)),
                CpuShape(tier.slots, 1.0),
                workers=tier.workers,
                queue_limit=tier.queue_limit,
                rng=streams.numpy(f"demand/{name}"),
                downstream=(client_to(behind, name),) if behind else (),
                index=ledger.add_place(name, tier.name, "us-east-1a"),
            )
            stations.append(station)
        behind = stations
    source = OpenLoop(
        loop,
        ledger,
        "shoppers",
        "frontend",
        client_to(behind, "shoppers"),
        RateProfile.constant(RATE_PER_S),
        streams.numpy("arrivals"),
    )
    return loop, ledger, source


def run(requests: int, seed: int = 7) -> tuple[float, float]:
    """Requests a second of real time, and the mean latency in ms of virtual time."""
    loop, ledger, source = build(seed)
    source.start()
    began = time.perf_counter()
    loop.run_until(round(requests / RATE_PER_S * SECOND_NS))
    took = time.perf_counter() - began
    account = ledger.conservation()
    assert account.holds, account
    assert account.failed == 0, account
    rows = ledger.rows()
    mean_ms = float((rows["finished_ns"] - rows["intended_ns"]).mean()) / 1e6
    return len(rows) / took, mean_ms


if __name__ == "__main__":
    runs = [run(200_000) for _ in range(5)]
    print(f"{statistics.median(rate for rate, _ in runs):,.0f} requests/s, mean {runs[0][1]:.2f} ms")
