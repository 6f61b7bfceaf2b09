"""Seconds for usual kubectl commands against a lab with the shop on it, from the start of the program to its end."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import labs
from bench.report import Figure, hand_over

RUNS = 5
LIMIT_S = 60
"""A command that waits longer than this will not end."""
KUBECTL = Path(sys.executable).with_name("kubectl")
SHOP = "kubernetes/shop"
COMMANDS = (
    "version",
    "api-resources",
    "get nodes",
    "get pods -A",
    "get pods -A -o json",
    "get all -n shop",
    "describe nodes",
    "top nodes",
    "explain deployment.spec.strategy",
    "get events -A",
    "auth can-i create pods",
    "apply --dry-run=server -R -f kubernetes/shop",
)


def seconds(command: str, environment: dict[str, str]) -> float:
    """One run, which must succeed."""
    began = time.perf_counter()
    arguments = [str(KUBECTL), *command.split()]
    finished = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert finished.returncode == 0, f"kubectl {command}: {finished.stderr}"
    return time.perf_counter() - began


def measure() -> Iterator[Figure]:
    """A figure for each command as soon as it is known; the first run fills kubectl's discovery cache, uncounted."""
    with labs.connect() as lab:
        lab.apply(SHOP)
        lab.wait("5 min")
        environment = dict(os.environ)  # the lab has put its kubeconfig into it
        for command in COMMANDS:
            seconds(command, environment)
            taken_s = statistics.median(seconds(command, environment) for _ in range(RUNS))
            yield Figure(f"kubectl {command}", taken_s, "s", RUNS)


if __name__ == "__main__":
    hand_over(measure())
