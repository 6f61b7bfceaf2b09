"""Running labs through papermill: executed notebooks, results and figures under ``runs/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import papermill

from labs.course.manifests import PROJECT_ROOT
from labs.course.results import RUNS, load_results
from labs.errors import UsageError

NOTEBOOKS = PROJECT_ROOT / "notebooks"
CELL_TIMEOUT_S = 300
PARALLEL = 2
"""Notebooks at a time; each has a kernel and a cluster of its own."""


def find_notebook(name: str) -> Path:
    """The notebook whose file name begins with ``name``. Raises UsageError when there is none, or several."""
    found = sorted(NOTEBOOKS.glob(f"{name}*.ipynb"))
    if len(found) != 1:
        known = ", ".join(path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb")))
        raise UsageError(f"{name!r} does not name one lab; there are: {known}.")
    return found[0]


def run_labs(names: Sequence[str], parameters: Mapping[str, Any], directory: Path = RUNS) -> list[dict[str, Any]]:
    """Execute notebooks and return their results. Raises UsageError for the first that fails, after all have ended."""
    notebooks = [find_notebook(name) for name in names]
    with ThreadPoolExecutor(PARALLEL) as pool:
        failures = list(pool.map(lambda path: _run(path, parameters, directory), notebooks))
    for failure in failures:
        if failure is not None:
            raise UsageError(failure)
    return load_results(directory)


def _run(notebook: Path, parameters: Mapping[str, Any], directory: Path) -> str | None:
    """Execute one notebook; a sentence when it failed."""
    place = (directory / notebook.stem).resolve()
    place.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            notebook,
            place / notebook.name,
            {**parameters, "run_directory": str(place)},
            cwd=NOTEBOOKS,
            progress_bar=False,
            record_timing=False,
            execution_timeout=CELL_TIMEOUT_S,
            # A graceful end of the kernel now and then takes four seconds; nothing is left to be saved.
            shutdown_kernel="immediate",
        )
    except papermill.PapermillExecutionError as error:
        return f"{notebook.stem}: cell {error.exec_count} ended with {error.ename}: {error.evalue}"
    return None
