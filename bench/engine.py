"""Requests a second through three tiers, beside the same model in SimPy."""

from __future__ import annotations

from bench.report import Figure, hand_over
from bench.simpy_three_tiers import compare

RUNS = 3
"""What ``compare`` takes the median of."""


def measure() -> list[Figure]:
    """Both engines and their ratio, from runs in turn."""
    found = compare()
    return [
        Figure("requests through three tiers", found["requests_per_s"], "1/s", RUNS, "80,000 or more"),
        Figure("the same model in SimPy", found["simpy_requests_per_s"], "1/s", RUNS),
        Figure("times as fast as SimPy", found["times_simpy"], "times", RUNS, "5 or more"),
    ]


if __name__ == "__main__":
    hand_over(measure())
