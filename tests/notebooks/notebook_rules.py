"""What a committed notebook must be: executed, quiet, small, readable without seeing its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

BYTES_MAX = 500_000
CELLS_MAX = 45
CODE_LINES_MAX = 15
ALT_LENGTH_MIN = 40
GENERIC_ALT = re.compile(r"(no description|image|figure|plot|chart|<figure)\b", re.IGNORECASE)
ABSOLUTE_PATH = re.compile(r"(?<![\w./-])/(home|root|Users|tmp|work|private|mnt)/|\b[A-Z]:\\")
NOISE = re.compile(r"Traceback \(most recent call last\)|\b\w*Warning: ")


def complaints(path: Path) -> list[str]:
    """One sentence for each rule that a notebook breaks."""
    notebook = nbformat.read(path, as_version=4)
    found = [f"{path.stat().st_size} bytes, more than {BYTES_MAX}"] if path.stat().st_size >= BYTES_MAX else []
    if len(notebook.cells) > CELLS_MAX:
        found.append(f"{len(notebook.cells)} cells, more than {CELLS_MAX}")
    if "widgets" in notebook.metadata:
        found.append("widget state is saved")
    before: Any = {"cell_type": ""}
    for number, cell in enumerate(notebook.cells):
        found += [f"cell {number}: {complaint}" for complaint in _of_text(cell["source"])]
        if cell["cell_type"] == "code":
            found += [f"cell {number}: {complaint}" for complaint in _of_code(cell, before)]
            found += [f"cell {number}: {complaint}" for out in cell["outputs"] for complaint in _of_output(out)]
        before = cell
    return found


def _of_code(cell: Any, before: Any) -> Iterator[str]:
    if cell["execution_count"] is None:
        yield "was not executed"
    lines = [line for line in cell["source"].splitlines() if line.strip() and not line.strip().startswith("#")]
    if len(lines) > CODE_LINES_MAX:
        yield f"{len(lines)} lines of code, more than {CODE_LINES_MAX}"
    if before["cell_type"] != "markdown":
        yield "no prose before it"


def _of_output(output: Any) -> Iterator[str]:
    if output["output_type"] == "error":
        yield f"ended with {output['ename']}"
    if output.get("name") == "stderr":
        yield "stderr is saved"
    data = output.get("data", {})
    for kind, content in [("stream", output.get("text", "")), *data.items()]:
        if kind.startswith("image/"):
            yield from _of_image(output["metadata"].get(kind, {}).get("alt", ""))
        elif "widget" in kind:
            yield "shows a widget"
        else:
            yield from _of_text(str(content))


def _of_image(alt: str) -> Iterator[str]:
    if len(alt) < ALT_LENGTH_MIN or GENERIC_ALT.match(alt):
        yield f"the alt text of an image does not say what it shows: {alt!r}"


def _of_text(text: str) -> Iterator[str]:
    for pattern, complaint in ((ABSOLUTE_PATH, "an absolute path"), (NOISE, "a warning or a traceback")):
        if match := pattern.search(text):
            yield f"{complaint}: {text[match.start() : match.start() + 40]!r}"
