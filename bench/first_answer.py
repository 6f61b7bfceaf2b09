"""From ``labs.connect()`` to the first answer of the cluster, in a fresh process each time."""

from __future__ import annotations

import statistics
import subprocess
import sys

from bench.report import Figure, hand_over

RUNS = 5
# The test extras bring kubernetes-validate, which the client imports when it finds it (a second of grammar building);
# a learner's environment has none.
PROGRAM = """
import sys, time
sys.modules["kubernetes_validate"] = None
import labs
began = time.perf_counter()
with labs.connect():
    from kubernetes import client
    assert client.CoreV1Api().list_node().items
    print(time.perf_counter() - began)
"""


def measure() -> list[Figure]:
    """Seconds, loading of the clients included."""
    taken_s = [float(subprocess.check_output([sys.executable, "-c", PROGRAM], text=True)) for _ in range(RUNS)]
    return [Figure("connect() to first answer", statistics.median(taken_s), "s", RUNS, "under 1.5")]


if __name__ == "__main__":
    hand_over(measure())
