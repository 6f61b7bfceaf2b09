from __future__ import annotations

import subprocess
import sys

import pytest

import labs


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
