"""One JSON file for each run of a lab, and the table over them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from labs.course.manifests import PROJECT_ROOT
from labs.errors import UsageError

RUNS = PROJECT_ROOT / "runs"
MISSING = "-"


@dataclass(frozen=True, slots=True)
class Result:
    """What a lab measured, all of it from what production would show. None: not measured, or it did not happen."""

    lab: str
    seed: int
    error_rate_peak_percent: float | None = None
    error_rate_steady_percent: float | None = None
    latency_ms_p50: float | None = None
    latency_ms_p99: float | None = None
    pods_before: int | None = None
    pods_peak: int | None = None
    pods_after: int | None = None
    nodes_before: int | None = None
    nodes_peak: int | None = None
    nodes_after: int | None = None
    time_to_detect_s: float | None = None
    time_to_recover_s: float | None = None
    is_slo_met: bool | None = None


COLUMNS = (
    ("lab", "lab"),
    ("error_rate_peak_percent", "errors peak %"),
    ("error_rate_steady_percent", "errors steady %"),
    ("latency_ms_p50", "p50 ms"),
    ("latency_ms_p99", "p99 ms"),
    ("pods", "pods before/peak/after"),
    ("nodes", "nodes before/peak/after"),
    ("time_to_detect_s", "detect s"),
    ("time_to_recover_s", "recover s"),
    ("is_slo_met", "SLO met"),
)


def run_directory(lab: str, directory: str) -> Path:
    """Where a run's result and figures go: ``directory``, or ``runs/<lab>`` when it is empty; made if missing.

    Raises UsageError when it cannot be made.
    """
    place = Path(directory) if directory else RUNS / lab
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {place} cannot be made ({error.strerror}); set run_directory to another."
        ) from None
    return place


def save_result(result: Result, directory: str = "", **extra: Any) -> Path:
    """Write ``<lab>.json`` with the result and what the lab adds; returns the path, below the project if it is."""
    path = run_directory(result.lab, directory) / f"{result.lab}.json"
    try:
        path.write_text(json.dumps(plain(asdict(result) | extra), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); set run_directory to another folder.") from None
    return path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path


def plain(value: Any) -> Any:
    """A value as JSON has it: numpy's numbers as numbers, times as ISO texts, what is no number (nan) as null.

    Raises TypeError for anything else that JSON cannot say.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a result cannot hold {value!r}, a {type(value).__name__}")


def load_results(directory: Path) -> list[dict[str, Any]]:
    """The results below a folder, in order of lab."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.rglob("[0-9][0-9]_*.json"))]


def result_table(results: Sequence[dict[str, Any]]) -> str:
    """A text table, one row a result."""
    rows = [[title for _, title in COLUMNS]]
    rows += [[_cell(result, name) for name, _ in COLUMNS] for result in results]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(result: dict[str, Any], name: str) -> str:
    if name in ("pods", "nodes"):
        cells = [_text(result[f"{name}_{when}"]) for when in ("before", "peak", "after")]
        return "/".join(cells) if set(cells) != {MISSING} else MISSING
    return _text(result[name])


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
