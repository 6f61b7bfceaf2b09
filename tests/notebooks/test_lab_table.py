"""The README's table of labs says what the notebooks say, and the minutes that they name can be kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from labs.course.build import NOTEBOOKS, find_sources

ROOT = Path(__file__).parents[2]
SOLVED = [NOTEBOOKS / "solutions" / f"{source.stem}.ipynb" for source in find_sources()]
WORDS_A_MINUTE = 200
EXERCISE_MIN = 5.0
RUN_MIN = 1.0
"""The machine's part, as `make bench` measures it."""


def text_of(notebook: Any, kind: str) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def stated_minutes(notebook: Any) -> int:
    found = re.search(r"\*\*Time:\*\* about (\d+) minutes", text_of(notebook, "markdown"))
    assert found, "a lab says how long it takes"
    return int(found[1])


@pytest.mark.parametrize("path", SOLVED, ids=lambda path: path.stem)
def test_the_stated_minutes_are_reading_and_exercises(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    # Code is read more slowly than prose, and there is less of it: a line of it as long as ten words.
    words = len(text_of(notebook, "markdown").split()) + 10 * len(text_of(notebook, "code").splitlines())
    exercises = len(re.findall(r"labs\.check\(", text_of(notebook, "code")))
    estimate = words / WORDS_A_MINUTE + exercises * EXERCISE_MIN + RUN_MIN
    assert 0.7 * estimate <= stated_minutes(notebook) <= 1.4 * estimate, round(estimate)


def test_the_table_has_every_lab_with_its_minutes() -> None:
    rows = re.findall(
        r"^\| \[(\d\d) [^\]]+\]\(notebooks/(\w+)\.ipynb\) \| (\d+) \|", (ROOT / "README.md").read_text(), re.M
    )
    expected = [(path.stem, stated_minutes(nbformat.read(path, as_version=4))) for path in SOLVED]
    assert [(name, int(minutes)) for _, name, minutes in rows] == expected
    assert all(name.startswith(number) for number, name, _ in rows)


def test_the_table_in_the_first_lab_has_the_others_with_their_minutes() -> None:
    text = text_of(nbformat.read(SOLVED[0], as_version=4), "markdown")
    rows = re.findall(r"^\| \[(\d\d) [^\]]+\]\((\w+)\.ipynb\) \| .+ \| (\d+) \|$", text, re.M)
    expected = [(path.stem, stated_minutes(nbformat.read(path, as_version=4))) for path in SOLVED[1:]]
    assert [(name, int(minutes)) for _, name, minutes in rows] == expected
    assert all(name.startswith(number) for number, name, _ in rows)
