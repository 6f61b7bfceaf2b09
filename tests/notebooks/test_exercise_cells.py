"""The exercises as they stand in the notebooks: asked, open for the learner, solved in the solved one, on any seed."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest

import labs
from labs.course.balancer import Balancer
from labs.course.build import NOTEBOOKS, cut_blanks, find_sources, read_source
from labs.course.exercises import exercises_of, find_exercise, lab_names
from labs.course.exercises.exercise import State, judge

SOURCES = {source.stem[:2]: source for source in find_sources()}
GIVEN: dict[str, Any] = {"labs": labs, "math": math, "balancer": Balancer("app/shop/1")}
"""What answers may use of the cells above them, beside the helpers in HELPERS."""
HELPERS = {"05": "counters = ["}
"""A text in the cell that defines what the answers of a lab build upon."""
HANGS_ON_ANSWERS = re.compile(r"labs\.(check|predict)\(|\.verdict\(")
EXERCISES = [exercise.name for lab in lab_names() for exercise in exercises_of(lab)]


def solved_cells(lab: str) -> list[str]:
    cells = cut_blanks(read_source(SOURCES[lab])).cells
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def check_of(name: str) -> tuple[str, str]:
    """The cell that checks an exercise, and the name of the answer that it hands over."""
    found = [
        (cell, ast.unparse(call.args[1]))
        for cell in solved_cells(name[:2])
        if "labs.check" in cell  # other cells may hold lines for the terminal, which are no Python
        for call in ast.walk(ast.parse(cell))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "labs.check"
        and ast.unparse(call.args[0]) == repr(name)
    ]
    assert len(found) == 1, f"{name} is checked {len(found)} times"
    return found[0]


def answer_of(name: str) -> Any:
    """The answer that the solved notebook gives, without the run around it."""
    cell, answer = check_of(name)
    namespace = dict(GIVEN)
    for helper in [each for each in solved_cells(name[:2]) if HELPERS.get(name[:2], "no such text") in each]:
        exec(helper, namespace)
    chunks = [chunk for chunk in cell.split("\n\n") if "# solution" in chunk]
    assert chunks, f"{name} has no solution in its cell"
    exec("\n\n".join(chunks), namespace)
    return namespace[answer]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_in_the_notebook_holds_on_two_seeds(name: str) -> None:
    exercise, answer = find_exercise(name), answer_of(name)
    for seed in (1, 2):
        run = exercise.others(Random(f"run {seed}"))[0]
        judgement = judge(exercise, answer, run)
        assert judgement.state is State.PASSED, judgement.symptom


@pytest.mark.parametrize("name", EXERCISES)
def test_it_is_open_for_the_learner_and_holds_in_the_solved_notebook(name: str) -> None:
    path = SOURCES[name[:2]].with_suffix(".ipynb").name
    assert f"{name} is still open" in printed(NOTEBOOKS / path)
    assert f"{name} holds" in printed(NOTEBOOKS / "solutions" / path)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_section_that_the_last_hint_names_is_there(name: str) -> None:
    cells = read_source(SOURCES[name[:2]]).cells
    lines = [line for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"].splitlines()]
    headings = [line.lstrip("# ") for line in lines if line.startswith("#")]
    assert find_exercise(name).section in headings


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(output.get("text", "") for cell in cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize("lab", lab_names())
def test_both_notebooks_show_the_same_beside_what_hangs_on_answers(lab: str) -> None:
    """They are executed one after the other: the same run, to the byte."""
    name = SOURCES[lab].with_suffix(".ipynb").name
    learner, solved = (
        nbformat.read(folder / name, as_version=4).cells for folder in (NOTEBOOKS, NOTEBOOKS / "solutions")
    )
    outputs = {cell["id"]: cell["outputs"] for cell in solved if cell["cell_type"] == "code"}
    same = [cell for cell in learner if cell["cell_type"] == "code" and not HANGS_ON_ANSWERS.search(cell["source"])]
    assert [cell["id"] for cell in same if cell["outputs"] != outputs[cell["id"]]] == []
