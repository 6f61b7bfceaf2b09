"""The commands that hand over to another program: JupyterLab, pytest, the linters, the benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir

from labs.course.build import NOTEBOOKS
from labs.course.kernels import CELL_TIMEOUT_S
from labs.course.manifests import PROJECT_ROOT
from labs.course.terminal import new_folder, terminal_environment

CHECKS = (("ruff", "check", "."), ("mypy",), ("lint-imports", "--no-cache"))
SOCKET_FOLDER_LENGTH_MAX = 50
"""A socket's path has 103 characters at most, 50 of which are the name that Jupyter gives to a kernel's."""
JUPYTER = Path(__file__).with_name("jupyter")
"""JupyterLab for the course: no pop-up that asks a server elsewhere for news, whole names in the list of files, and a
kernel that explains even its first cell."""
SEARCHED = ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
"""Where Jupyter looks for settings and for kernels, before its own places."""
PARALLEL = ("-n", "auto", "--dist", "loadscope")
"""A worker on each core; the cells of a notebook, and the tests of a module or class, stay together in one of them."""
NBVAL = ("--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}")


def run_tests(arguments: Sequence[str] = ()) -> int:
    """pytest over tests and notebooks on all cores, or over what ``arguments`` name; returns its exit code."""
    return _call(sys.executable, "-m", "pytest", *NBVAL, *(() if arguments else PARALLEL), *arguments)


def run_checks() -> int:
    """Lint, types and layers, all of them whatever fails; returns 1 when one fails, else 0."""
    programs = Path(sys.executable).parent
    codes = [_call(str(programs / program), *arguments) for program, *arguments in CHECKS]
    return int(any(codes))


def run_bench(is_written: bool) -> int:
    """The benchmarks of ``bench/``; returns the exit code."""
    return _call(sys.executable, "-m", "bench", *(["--write"] if is_written else []))


def lab_arguments(notebooks: Sequence[Path]) -> list[str]:
    """What JupyterLab is started with: the course's folder, with the first of ``notebooks`` open; its token is kept."""
    arguments = [f"--ServerApp.root_dir={NOTEBOOKS}", "--LabApp.extension_manager=readonly"]
    if notebooks:
        arguments.append(f"--LabApp.default_url=/lab/tree/{notebooks[0].name}")
    if os.name == "posix" and len(jupyter_runtime_dir()) <= SOCKET_FOLDER_LENGTH_MAX:
        # Over TCP each kernel warns on the terminal that its port on this machine is not encrypted.
        arguments.append("--KernelManager.transport=ipc")
    if os.name == "posix":
        # A login shell, which Jupyter takes when it has no terminal itself, would set PATH anew.
        shell = os.environ.get("SHELL") or "sh"
        arguments.append(f"--ServerApp.terminado_settings={{'shell_command': [{shell!r}]}}")
    return arguments


def open_lab(arguments: Sequence[str]) -> None:
    """Become JupyterLab, so that its questions and interrupts are its own; does not return."""
    given = {argument.partition("=")[0] for argument in arguments}
    ours = [each for each in lab_arguments(sorted(NOTEBOOKS.glob("*.ipynb"))) if each.partition("=")[0] not in given]
    command = [sys.executable, "-m", "jupyterlab", *ours, *arguments]
    environment = terminal_environment(new_folder())
    for name in SEARCHED:
        environment[name] = os.pathsep.join(filter(None, [str(JUPYTER), environment.get(name)]))
    os.execve(command[0], command, environment)


def _call(*command: str) -> int:
    # In the project's folder, where the configuration of all these programs lies.
    return subprocess.run(command, cwd=PROJECT_ROOT, check=False).returncode
