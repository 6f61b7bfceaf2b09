from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import labs

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_reachable_and_no_other_is() -> None:
    assert sorted(labs.__all__) == dir(labs)
    for name in labs.__all__:
        assert getattr(labs, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'World'"):
        _ = labs.World


def test_the_table_of_homes_and_the_list_of_names_agree() -> None:
    homes = [name for names in labs._MODULES.values() for name in names]
    assert sorted([*homes, "figures"]) == sorted(labs.__all__)
    assert len(labs.__all__) <= 18


@pytest.mark.parametrize("module", ["labs", "labs.cli", "labs.server.serve"])
def test_starting_a_server_loads_no_tables_and_no_figures(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'pandas', 'matplotlib', 'IPython', 'papermill'}} & set(sys.modules)))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.stdout.strip() == "[]", finished.stderr


@pytest.mark.parametrize("version", [(3, 7), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14)])
def test_a_python_that_does_not_fit_is_named_before_anything_is_installed(
    version: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    program = re.search(r"^IS_FIT := (.+)$", makefile, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert program is not None
    monkeypatch.setattr(sys, "version_info", (*version, 1, "final", 0))
    if f"{version[0]}.{version[1]}.1" in SpecifierSet(project["requires-python"]):
        exec(program[1])
    else:
        with pytest.raises(SystemExit, match=f"this is {version[0]}.{version[1]}; name another"):
            exec(program[1])


def test_an_old_python_that_opens_a_notebook_gets_one_sentence() -> None:
    code = "import sys; sys.version_info = (3, 10, 1, 'final', 0); from labs.course.preflight import preflight"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("labs.errors.UsageError: The course needs Python 3.11, 3.12 or 3.13, and this is 3.")
    for name in ("labs/__init__.py", "labs/errors.py"):
        ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))
