"""The three-tier model of ``requests_through_three_tiers`` in SimPy, for comparison.

Written as SimPy's documentation would have it, with what costs time left out in SimPy's favour: no
time-outs (never reached at this load), and numbers drawn by the block as well.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from bench.requests_through_three_tiers import LATENCY_S, RATE_PER_S, TIERS, Tier

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


def call(
    env: simpy.Environment, tiers: list[list[Server]], depth: int, uniform: Callable[[], float]
) -> Generator[simpy.Event, Any, bool]:
    """One call with all that lies behind it; False when a queue was full."""
    servers = tiers[depth]
    server = servers[int(uniform() * len(servers))]
    yield env.timeout(LATENCY_S)
    is_answered = False
    if len(server.workers.queue) < server.queue_limit:
        with server.workers.request() as worker:
            yield worker
            with server.slots.request() as slot:
                yield slot
                yield env.timeout(server.demand_s())
            is_answered = True
            if depth + 1 < len(tiers):
                is_answered = yield from call(env, tiers, depth + 1, uniform)
    yield env.timeout(LATENCY_S)
    return is_answered


def run(requests: int, seed: int = 7) -> tuple[float, float]:
    """Requests a second of real time, and the mean latency in ms of virtual time."""
    env, rng = simpy.Environment(), np.random.default_rng(seed)
    tiers = [[Server(env, tier, rng) for _ in range(tier.stations)] for tier in TIERS]
    uniform = _supply(lambda size: rng.random(size))
    gap_s = _supply(lambda size: rng.exponential(1 / RATE_PER_S, size))
    latencies_s: list[float] = []

    def request() -> Generator[simpy.Event, Any, None]:
        intended_s = env.now
        yield from call(env, tiers, 0, uniform)
        latencies_s.append(env.now - intended_s)

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(gap_s())
            env.process(request())

    env.process(arrivals())
    began = time.perf_counter()
    env.run(until=requests / RATE_PER_S)
    took = time.perf_counter() - began
    return len(latencies_s) / took, statistics.fmean(latencies_s) * 1_000


if __name__ == "__main__":
    runs = [run(50_000) for _ in range(3)]
    print(f"{statistics.median(rate for rate, _ in runs):,.0f} requests/s, mean {runs[0][1]:.2f} ms")
