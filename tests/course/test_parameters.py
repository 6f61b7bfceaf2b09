from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from labs.course.parameters import Choice, Number, Rule, Text, assigned_names, check_parameters
from labs.course.run import run_labs
from labs.errors import UsageError


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Number(1, 10), 1),
        (Number(1, 10), 10),
        (Number(0, 1, is_whole=False), 0.5),
        (Number(0, 1, is_whole=False), 1),
        (Choice(("sim", "eks")), "eks"),
        (Text(), ""),
    ],
)
def test_a_value_within_the_rule_is_returned(rule: Rule, value: Any) -> None:
    assert check_parameters({"share": value, "other": 1}, share=rule) == {"share": value}


@pytest.mark.parametrize(
    ("rule", "value", "allowed"),
    [
        (Number(1, 10, "pods"), 0, "a whole number from 1 to 10 (pods)"),
        (Number(1, 10), 11, "from 1 to 10"),
        (Number(1, 10), 2.0, "a whole number"),
        (Number(0, 1), True, "a whole number"),
        (Number(0, 1, is_whole=False), "50%", "a number from 0 to 1"),
        (Number(0, 1, is_whole=False), float("nan"), "a number from 0 to 1"),
        (Choice(("sim", "eks")), "minikube", "one of 'sim', 'eks'"),
        (Text(), 7, "a text"),
    ],
)
def test_a_value_against_the_rule_is_refused_with_what_is_allowed(rule: Rule, value: Any, allowed: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_parameters({"share": value}, share=rule)
    assert "'share'" in str(refused.value)
    assert allowed in str(refused.value)


def test_a_parameter_that_is_not_set_is_named() -> None:
    with pytest.raises(UsageError, match="'seed' is not set; run the cell above"):
        check_parameters({}, seed=Number(0, 9))


def test_assigned_names_are_in_order_and_once() -> None:
    assert assigned_names("b = 1  # first\na: int = 2\nb = a + unknown") == ["b", "a"]


def test_an_unknown_injected_name_stops_the_run_and_names_what_there_is(tmp_path: Path) -> None:
    cells = [
        nbformat.v4.new_code_cell("seed = 7\nsed = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("import labs\nlabs.check_parameters(globals(), seed=labs.Number(0, 9))"),
        nbformat.v4.new_code_cell("open('went-on', 'w').close()"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_tiny.ipynb")
    runs = run_labs(["01"], {"sed": 8}, tmp_path / "runs", tmp_path)
    assert runs.failures == ["01_tiny: UsageError: This lab has no parameter 'sed'; it has seed."]
    assert not (tmp_path / "went-on").exists()
    assert "Traceback" not in (tmp_path / "runs/01_tiny/01_tiny.ipynb").read_text(encoding="utf-8")
