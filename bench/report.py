"""One measured figure, and how a module hands its figures to the table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A median of ``runs`` runs, with its unit and, where there is one, the goal in words."""

    name: str
    value: float
    unit: str
    runs: int
    goal: str = ""


def hand_over(figures: Iterable[Figure]) -> None:
    """Print figures for the process that called this module: a line of JSON each."""
    for figure in figures:
        print(json.dumps(asdict(figure)), flush=True)


def table(figures: Iterable[Figure]) -> str:
    """The figures as a table that reads as text and as Markdown."""
    rows = [("what", "median", "unit", "runs", "goal"), ("---", "---:", "---", "---:", "---")]
    rows += [(one.name, _number(one.value), one.unit, str(one.runs), one.goal) for one in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
