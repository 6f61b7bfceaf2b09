from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from labs.course.run import declared_parameters, find_notebook, parse_parameters, run_labs
from labs.errors import UsageError


def notebook(folder: Path, name: str) -> Path:
    cell = nbformat.v4.new_code_cell('seed = 7\nrun_directory = ""', metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def test_values_get_the_type_that_they_look_like() -> None:
    texts = ["a=7", "b=-3", "c=0.5", "d=1e3", "e=true", "f=False", "g=50%", "h=", "i=10:30", "j=x=y", "k=007", "l=nan"]
    assert list(parse_parameters(texts).values()) == [
        7, -3, 0.5, 1000.0, True, False, "50%", "", "10:30", "x=y", "007", "nan"
    ]  # fmt: skip


def test_a_number_with_a_point_is_no_whole_number() -> None:
    assert isinstance(parse_parameters(["a=2.0"])["a"], float)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["seed"], "-p takes name=value"),
        (["=7"], "-p takes name=value"),
        (["a b=7"], "-p takes name=value"),
        (["a=1", "a=2"], "given twice"),
        (["run_directory=x"], "--directory"),
    ],
)
def test_a_text_that_is_no_parameter_is_refused(texts: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_parameters(texts)


def test_a_lab_is_found_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    path = notebook(tmp_path, "03_kill")
    notebook(tmp_path, "04_spike")
    assert find_notebook("03", tmp_path) == path
    for unclear in ("0", "05", "*", ""):
        with pytest.raises(UsageError, match="there are: 03_kill, 04_spike"):
            find_notebook(unclear, tmp_path)


def test_declared_parameters_are_those_of_the_tagged_cell(tmp_path: Path) -> None:
    assert declared_parameters(notebook(tmp_path, "03_kill")) == ["seed", "run_directory"]


def test_a_parameter_of_no_lab_stops_before_anything_runs(tmp_path: Path) -> None:
    notebook(tmp_path, "03_kill")
    with pytest.raises(UsageError, match="No lab of this run has a parameter 'sede'; there are: seed"):
        run_labs(["03"], {"sede": 7}, tmp_path / "runs", tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_made_is_a_failure_of_the_lab_in_one_sentence(tmp_path: Path) -> None:
    notebook(tmp_path, "03_kill")
    (tmp_path / "runs").write_text("a file", encoding="utf-8")
    (failure,) = run_labs(["03"], {}, tmp_path / "runs", tmp_path).failures
    assert "--directory" in failure
