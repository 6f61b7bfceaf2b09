"""Running labs through papermill: executed notebooks, results and figures under ``runs/``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill

from labs.course import kernels
from labs.course.build import NOTEBOOKS
from labs.course.parameters import assigned_names
from labs.course.results import RUNS, load_results
from labs.errors import UsageError

PARALLEL = 2
"""Notebooks at a time; each has a kernel and a cluster of its own."""
RUN_DIRECTORY = "run_directory"
FAILURES = (*kernels.FAILURES, papermill.PapermillExecutionError)

_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Runs:
    """What came of some labs: results in the labs' order, and a sentence for each lab that failed."""

    results: list[dict[str, Any]]
    failures: list[str]


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """``name=value`` texts as typed values: whole and decimal numbers, true, false; anything else is a text.

    Raises UsageError for a text that is not of this form, and for a name given twice.
    """
    parameters: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"-p takes name=value, for example -p seed=9, not {text!r}.")
        if name in parameters:
            raise UsageError(f"The parameter {name!r} is given twice; give it once.")
        if name == RUN_DIRECTORY:
            raise UsageError(f"Set the folder of a run with --directory, not with -p {RUN_DIRECTORY}=.")
        parameters[name] = _typed(value)
    return parameters


def _typed(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return _TRUTH.get(text.lower(), text)


def find_notebook(name: str, folder: Path = NOTEBOOKS) -> Path:
    """The notebook whose file name begins with ``name``. Raises UsageError when there is none, or several."""
    found = sorted(folder.glob(f"{name}*.ipynb")) if re.fullmatch(r"\w+", name) else []
    if len(found) != 1:
        known = ", ".join(path.stem for path in sorted(folder.glob("*.ipynb"))) or "none yet"
        raise UsageError(f"{name!r} does not name one lab; there are: {known}.")
    return found[0]


def declared_parameters(notebook: Path) -> list[str]:
    """The names that the cell tagged ``parameters`` assigns."""
    cells = nbformat.read(notebook, as_version=4).cells
    return [
        name
        for cell in cells
        if "parameters" in cell["metadata"].get("tags", [])
        for name in assigned_names(cell["source"])
    ]


def run_labs(
    names: Sequence[str], parameters: Mapping[str, Any], directory: Path = RUNS, folder: Path = NOTEBOOKS
) -> Runs:
    """Execute notebooks, each with those ``parameters`` that it has; a failed lab does not stop the others.

    Raises UsageError before anything runs: for an unknown lab, and for a parameter that none of the labs has.
    """
    notebooks = list(dict.fromkeys(find_notebook(name, folder) for name in names))
    declared = {path: declared_parameters(path) for path in notebooks}
    known = sorted({name for names in declared.values() for name in names} - {RUN_DIRECTORY})
    for name in parameters:
        if name not in known:
            raise UsageError(f"No lab of this run has a parameter {name!r}; there are: {', '.join(known) or 'none'}.")

    def run(path: Path) -> str | None:
        place = (directory / path.stem).resolve()
        values = {**parameters, RUN_DIRECTORY: str(place)}
        return _run(path, {name: value for name, value in values.items() if name in declared[path]}, place)

    with ThreadPoolExecutor(PARALLEL) as pool:
        failures = [failure for failure in pool.map(run, notebooks) if failure is not None]
    results = [result for path in notebooks for result in load_results(directory / path.stem)]
    return Runs(results, failures)


def _run(notebook: Path, parameters: Mapping[str, Any], place: Path) -> str | None:
    """Execute one notebook into ``place``; a sentence when it failed."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.json"):
            old.unlink()
    except OSError as error:
        return f"{notebook.stem}: the folder {place} cannot be used ({error.strerror}); name another with --directory."
    try:
        with kernels.event_loop_closed_after():
            _execute(notebook, place / notebook.name, parameters)
    except FAILURES as error:
        return kernels.failure_sentence(notebook.stem, error)
    return None if any(place.glob("*.json")) else f"{notebook.stem}: ran to its end, but wrote no result."


def _execute(notebook: Path, output: Path, parameters: Mapping[str, Any]) -> None:
    papermill.execute_notebook(
        nbformat.read(notebook, as_version=4),
        # papermill reads a path as a format string.
        str(output).replace("{", "{{").replace("}", "}}"),
        dict(parameters),
        cwd=notebook.parent,
        kernel_name=kernels.KERNEL_NAME,
        language="python",
        progress_bar=False,
        execution_timeout=kernels.CELL_TIMEOUT_S,
        **kernels.client_options(),
    )
