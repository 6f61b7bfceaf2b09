"""Seconds for each notebook, from the start of its kernel to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import nbformat

from bench.report import Figure, hand_over
from labs.course.build import NOTEBOOKS
from labs.course.kernels import execute

RUNS = 1
"""Three runs of each would take most of the time of the whole bench."""


def seconds(path: Path) -> float:
    """One execution; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    execute(notebook, path.parent)
    return time.perf_counter() - began


def measure() -> Iterator[Figure]:
    """A figure for each notebook as soon as it has run."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        yield Figure(path.stem, seconds(path), "s", RUNS)


if __name__ == "__main__":
    hand_over(measure())
