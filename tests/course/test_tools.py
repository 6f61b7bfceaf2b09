from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from labs.cli import main
from labs.course.tools import lab_arguments


def test_jupyterlab_opens_the_first_lab_and_keeps_its_token() -> None:
    arguments = lab_arguments([Path("notebooks/01_first.ipynb"), Path("notebooks/02_second.ipynb")])
    assert "--LabApp.default_url=/lab/tree/01_first.ipynb" in arguments
    assert not any("token" in argument for argument in arguments)


@pytest.mark.parametrize("length", [50, 51])
def test_kernels_use_sockets_only_where_their_paths_are_short_enough(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "/".ljust(length, "x"))
    is_chosen = "--KernelManager.transport=ipc" in lab_arguments([])
    assert is_chosen == (os.name == "posix" and length == 50)


def test_jupyterlab_opens_without_notebooks_too() -> None:
    assert not any("default_url" in argument for argument in lab_arguments([]))


def test_a_wrong_argument_ends_with_one_sentence_and_exit_code_2() -> None:
    finished = CliRunner().invoke(main, ["run", "-p", "seed"])
    assert finished.exit_code == 2
    assert finished.stderr == "Error: -p takes name=value, for example -p seed=9, not 'seed'.\n"


def test_a_name_without_a_source_is_refused_with_what_there_is() -> None:
    finished = CliRunner().invoke(main, ["notebooks", "99"])
    assert finished.exit_code == 2
    assert "there are: " in finished.stderr
