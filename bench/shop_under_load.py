"""A shop under load: virtual seconds for one real second, and the memory of its server."""

from __future__ import annotations

import statistics
import time

import psutil

import labs
from bench.report import Figure, hand_over

RUNS = 3
MANIFESTS = ("kubernetes/shop", "kubernetes/load")
SETTLE, LENGTH, LENGTH_S = "5 min", "55 min", 55 * 60
MEGABYTE = 1_000_000


def run_once() -> tuple[float, float, float]:
    """Server memory after connect in MB, virtual seconds for a real one, server memory after an hour in MB."""
    with labs.connect() as lab:
        (server,) = psutil.Process().children()
        fresh_mb = server.memory_info().rss / MEGABYTE
        lab.apply(MANIFESTS[0])
        lab.wait(SETTLE)
        lab.apply(MANIFESTS[1])
        began = time.perf_counter()
        lab.wait(LENGTH)
        speed = LENGTH_S / (time.perf_counter() - began)
        return fresh_mb, speed, server.memory_info().rss / MEGABYTE


def measure() -> list[Figure]:
    """Three figures from the same runs; the load is steady shoppers and, at the start, the spike of lab 04."""
    runs = [run_once() for _ in range(RUNS)]
    fresh_mb, speed, used_mb = (statistics.median(values) for values in zip(*runs, strict=True))
    return [
        Figure("virtual seconds a real second, lab 04's shop and spike", speed, "s/s", RUNS),
        Figure("server memory after connect()", fresh_mb, "MB", RUNS, "under 300"),
        Figure("server memory after an hour under load", used_mb, "MB", RUNS, "under 300"),
    ]


if __name__ == "__main__":
    hand_over(measure())
