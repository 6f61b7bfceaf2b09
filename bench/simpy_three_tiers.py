"""The three-tier model of ``requests_through_three_tiers`` in SimPy, for comparison.

Written as SimPy's documentation would have it, with numbers drawn by the block as well. A call with a
time-out is a process raced against a timeout event, which is how SimPy says that the caller gives up
while the server works on. ``has_timeouts=False`` leaves that out: less than the same model, for scale.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from bench import requests_through_three_tiers
from bench.requests_through_three_tiers import LATENCY_S, RATE_PER_S, TIERS, TIMEOUT_S, Tier

_BLOCK = 4_096


def _supply(draw: Callable[[int], np.ndarray[Any, Any]]) -> Callable[[], float]:
    values: list[float] = []

    def following() -> float:
        if not values:
            values.extend(draw(_BLOCK).tolist())
        return values.pop()

    return following


class Server:
    """Workers with a bounded queue, and CPU slots."""

    def __init__(self, env: simpy.Environment, tier: Tier, rng: np.random.Generator) -> None:
        self.workers = simpy.Resource(env, tier.workers)
        self.slots = simpy.Resource(env, tier.slots)
        self.queue_limit = tier.queue_limit
        self.demand_s = _supply(lambda size: rng.exponential(tier.cpu_ms / 1_000, size))


class Model:
    """The three tiers, the caller's time-out included or, to SimPy's advantage, left out."""

    def __init__(self, seed: int, has_timeouts: bool) -> None:
        self.env = simpy.Environment()
        self.rng = np.random.default_rng(seed)
        self.has_timeouts = has_timeouts
        self.tiers = [[Server(self.env, tier, self.rng) for _ in range(tier.stations)] for tier in TIERS]
        self.uniform = _supply(lambda size: self.rng.random(size))
        self.gap_s = _supply(lambda size: self.rng.exponential(1 / RATE_PER_S, size))
        self.latencies_s: list[float] = []

    def call(self, depth: int) -> Generator[simpy.Event, Any, bool]:
        """One call to a tier, as its caller sees it; the server works on after a time-out."""
        if not self.has_timeouts:
            return (yield from self.serve(depth))
        work = self.env.process(self.serve(depth))
        ended = yield work | self.env.timeout(TIMEOUT_S)
        return work in ended and bool(ended[work])

    def serve(self, depth: int) -> Generator[simpy.Event, Any, bool]:
        """The way there, the work with all that lies behind it, and the way back."""
        env, servers = self.env, self.tiers[depth]
        server = servers[int(self.uniform() * len(servers))]
        yield env.timeout(LATENCY_S)
        is_answered = False
        if len(server.workers.queue) < server.queue_limit:
            with server.workers.request() as worker:
                yield worker
                with server.slots.request() as slot:
                    yield slot
                    yield env.timeout(server.demand_s())
                is_answered = True
                if depth + 1 < len(self.tiers):
                    is_answered = yield from self.call(depth + 1)
        yield env.timeout(LATENCY_S)
        return is_answered

    def request(self) -> Generator[simpy.Event, Any, None]:
        """One request of a user."""
        intended_s = self.env.now
        yield from self.call(0)
        self.latencies_s.append(self.env.now - intended_s)

    def arrivals(self) -> Generator[simpy.Event, Any, None]:
        """Poisson arrivals."""
        while True:
            yield self.env.timeout(self.gap_s())
            self.env.process(self.request())


def run(requests: int, seed: int = 7, has_timeouts: bool = True) -> tuple[float, float]:
    """Requests a second of real time, and the mean latency in ms of virtual time."""
    model = Model(seed, has_timeouts)
    model.env.process(model.arrivals())
    began = time.perf_counter()
    model.env.run(until=requests / RATE_PER_S)
    took = time.perf_counter() - began
    return len(model.latencies_s) / took, statistics.fmean(model.latencies_s) * 1_000


def compare() -> dict[str, float]:
    """Medians of runs in turn: ours, the same model in SimPy, SimPy without time-outs; and the ratios."""
    ours, same, lean = [], [], []
    for _ in range(3):
        gc.collect()
        ours.append(requests_through_three_tiers.run(200_000))
        same.append(run(20_000))
        lean.append(run(20_000, has_timeouts=False))
    rates = [statistics.median(rate for rate, _ in runs) for runs in (ours, same, lean)]
    return {
        "requests_per_s": rates[0],
        "simpy_requests_per_s": rates[1],
        "simpy_without_timeouts_requests_per_s": rates[2],
        "times_simpy": rates[0] / rates[1],
        "times_simpy_without_timeouts": rates[0] / rates[2],
        "mean_latency_ms": ours[0][1],
        "simpy_mean_latency_ms": same[0][1],
    }


if __name__ == "__main__":
    for name, value in compare().items():
        print(f"{name:40} {value:12,.2f}")
