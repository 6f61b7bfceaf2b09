"""Seconds for each notebook, from the start of its kernel to its end."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import nbformat

from bench.report import Figure, hand_over
from labs.course.build import NOTEBOOKS
from labs.course.kernels import execute

RUNS = 3


def seconds(path: Path) -> float:
    """One execution; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    execute(notebook, path.parent)
    return time.perf_counter() - began


def measure() -> list[Figure]:
    """A figure for each notebook."""
    return [
        Figure(path.stem, statistics.median(seconds(path) for _ in range(RUNS)), "s", RUNS)
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    ]


if __name__ == "__main__":
    hand_over(measure())
