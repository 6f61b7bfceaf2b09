"""The environments of Binder and Codespaces, by the rules of repo2docker and of dev containers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labs.course import terminal, tools

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
SCRIPTS = ("postBuild", "start")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_binder_installs_the_pins_of_the_course_in_one_layer_and_without_bytecode() -> None:
    # A requirements.txt here would be installed by repo2docker itself, in a layer that nothing can be taken from.
    assert {path.name for path in BINDER.iterdir()} == {"postBuild", "runtime.txt", "start"}
    assert "python -m pip install --no-cache-dir --no-compile -r requirements.txt" in lines(BINDER / "postBuild")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name: str) -> None:
    loose = [line for line in lines(ROOT / name) if not re.match(r"[a-z0-9._-]+==[^ ]+( ; .+)?$|-[er] ", line)]
    assert loose == []


def test_binder_names_a_python_that_the_course_supports() -> None:
    (version,) = lines(BINDER / "runtime.txt")
    assert version in ("python-3.11", "python-3.12", "python-3.13")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_of_binder_can_run_and_stops_at_an_error(name: str) -> None:
    assert os.access(BINDER / name, os.X_OK)
    assert re.search(r"^set -e", (BINDER / name).read_text(encoding="utf-8"), re.MULTILINE)


def test_what_binder_starts_has_terminals_that_find_the_lab(tmp_path: Path) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    started = subprocess.run(
        [str(BINDER / "start"), sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    found = json.loads(started.stdout)
    wanted = terminal.terminal_environment(Path(found[terminal.FOLDER]))
    # PATH is the image's affair; what else differs from this process is what a terminal needs.
    names = [name for name in wanted if wanted[name] != os.environ.get(name) and name != "PATH"]
    assert terminal.FOLDER in names
    assert {name: found.get(name) for name in names} == {name: wanted[name] for name in names}
    assert {found[name] for name in tools.SEARCHED} == {str(tools.JUPYTER)}


def test_the_dev_container_uses_commands_that_exist() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert container["postCreateCommand"] == "make .venv/.run"
    assert "$(VENV)/.run:" in makefile
    assert container["postAttachCommand"].startswith("make lab ")
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).exists()
