"""Seconds for usual kubectl commands against a lab with the shop on it, from the start of the program to its end."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import labs
from bench.report import Figure, hand_over

RUNS = 5
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
    subprocess.run([str(KUBECTL), *command.split()], env=environment, capture_output=True, check=True)
    return time.perf_counter() - began


def measure() -> list[Figure]:
    """A figure for each command; the first run, which fills kubectl's discovery cache, is not counted."""
    with labs.connect() as lab:
        lab.apply(SHOP)
        lab.wait("5 min")
        environment = dict(os.environ)  # the lab has put its kubeconfig into it
        figures = []
        for command in COMMANDS:
            seconds(command, environment)
            taken_s = statistics.median(seconds(command, environment) for _ in range(RUNS))
            figures.append(Figure(f"kubectl {command}", taken_s, "s", RUNS))
        return figures


if __name__ == "__main__":
    hand_over(measure())
