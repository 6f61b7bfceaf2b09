"""The preflight check: whether this machine can run the labs, and what to do where it cannot.

``measure`` looks, ``judge`` decides, ``preflight`` prints. What is fine is printed without its numbers, so that the
committed notebook says the same on every machine. Needs only what the kernel itself brings.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
"""Written out here: the rooms that know it too import packages that may be the ones that are missing."""
GB = 1000**3
MEMORY_BYTES = GB
DISK_BYTES = GB // 4
KUBECTL_MINORS = (36, 38)
"""kubectl works with a server one minor version older or newer (Kubernetes' version skew policy); ours is 1.37."""
INSTALL = "run 'pip install -r requirements.txt' in the course's folder, then restart the kernel"
CGROUP = Path("/sys/fs/cgroup")
WIDTH = 48


@dataclass(frozen=True, slots=True)
class Needs:
    """What the course asks for, from its ``pyproject.toml``."""

    python: SpecifierSet
    packages: Sequence[Requirement]


@dataclass(frozen=True, slots=True)
class Facts:
    """What this machine has. A package or kubectl that is missing is None; an error that did not happen is empty."""

    python: str
    packages: Mapping[str, str | None]
    memory_bytes: int
    disk_bytes: int
    kubectl_minor: int | None
    port_error: str
    folder_error: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: what was asked for, and the cure; an empty cure means that it is fine."""

    need: str
    cure: str = ""


def preflight() -> None:
    """Print what the labs need, and for each item "ok" or a sentence with the cure. Changes nothing."""
    needs = read_needs()
    print(table(judge(measure(needs), needs)))


def read_needs(project: Path = PROJECT) -> Needs:
    """The versions that the project asks for."""
    declared: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = [Requirement(text) for text in declared["dependencies"]]
    return Needs(SpecifierSet(declared["requires-python"]), packages)


def measure(needs: Needs, runs: Path = PROJECT / "runs") -> Facts:
    """Look at this machine."""
    return Facts(
        python=".".join(map(str, sys.version_info[:3])),
        packages={package.name: _installed(package.name) for package in needs.packages},
        memory_bytes=free_memory(psutil.virtual_memory().available),
        disk_bytes=shutil.disk_usage(tempfile.gettempdir()).free,
        kubectl_minor=_kubectl_minor(),
        port_error=_port_error(),
        folder_error=_folder_error(runs),
    )


def _installed(name: str) -> str | None:
    try:
        return version(canonicalize_name(name))
    except PackageNotFoundError:
        return None


def free_memory(machine_bytes: int, cgroup: Path = CGROUP) -> int:
    """What can still be used: of the machine, or of the container's limit (cgroup v2) where that is less."""
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except OSError:
        return machine_bytes
    if limit == "max":
        return machine_bytes
    # Cached files are given back when a program needs the memory.
    return min(machine_bytes, int(limit) - int(used) + int(stat.get("inactive_file", "0")))


def _kubectl_minor() -> int | None:
    beside_python = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("kubectl", path=beside_python)
    if found is None:
        return None
    command = [found, "version", "--client", "--output=json"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return int(json.loads(asked.stdout)["clientVersion"]["minor"].rstrip("+"))
    except (ValueError, KeyError):
        return None


def _port_error() -> str:
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _folder_error(folder: Path) -> str:
    """Why a file cannot be written in ``folder``, or in the nearest folder above it that exists."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def judge(facts: Facts, needs: Needs) -> list[Finding]:
    """One finding for each need, in the order in which to cure them."""
    return [
        Finding(f"Python {needs.python}", _python_cure(facts, needs)),
        Finding(f"{len(needs.packages)} packages in their versions", _packages_cure(facts, needs)),
        Finding(f"{MEMORY_BYTES / GB:g} GB of free memory", _memory_cure(facts)),
        Finding(f"{DISK_BYTES / GB:g} GB free for temporary files", _disk_cure(facts)),
        Finding("kubectl, the command line of Kubernetes", _kubectl_cure(facts)),
        Finding("a free port on 127.0.0.1", _port_cure(facts)),
        Finding("a folder for results that can be written", _folder_cure(facts)),
    ]


def _python_cure(facts: Facts, needs: Needs) -> str:
    if needs.python.contains(facts.python):
        return ""
    return f"this is Python {facts.python}; make an environment with a Python {needs.python}, and open the labs from it"


def _packages_cure(facts: Facts, needs: Needs) -> str:
    wrong = []
    for package in needs.packages:
        found = facts.packages[package.name]
        if found is None or not package.specifier.contains(found, prereleases=True):
            wrong.append(f"{package.name} is {found or 'missing'}")
    return f"{', '.join(wrong)}; {INSTALL}" if wrong else ""


def _memory_cure(facts: Facts) -> str:
    if facts.memory_bytes >= MEMORY_BYTES:
        return ""
    return f"only {facts.memory_bytes / GB:.1f} GB are free; shut down other kernels (menu Kernel) and other programs"


def _disk_cure(facts: Facts) -> str:
    if facts.disk_bytes >= DISK_BYTES:
        return ""
    return f"only {facts.disk_bytes / GB:.2f} GB are free; delete something, or set TMPDIR to a folder on another disk"


def _kubectl_cure(facts: Facts) -> str:
    lowest, highest = KUBECTL_MINORS
    if facts.kubectl_minor is None:
        return f"no kubectl was found that answers; {INSTALL}"
    if lowest <= facts.kubectl_minor <= highest:
        return ""
    return f"this kubectl is 1.{facts.kubectl_minor}, the cluster needs 1.{lowest} to 1.{highest}; {INSTALL}"


def _port_cure(facts: Facts) -> str:
    if not facts.port_error:
        return ""
    return f"no port can be opened ({facts.port_error}); allow programs here to talk to one another on 127.0.0.1"


def _folder_cure(facts: Facts) -> str:
    if not facts.folder_error:
        return ""
    return f"it cannot ({facts.folder_error}); copy the course to a folder of yours, or set run_directory in each lab"


def table(findings: Sequence[Finding]) -> str:
    """The findings as text: "ok" beside what is fine, the cure below what is not, and what follows from it all."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.need:{WIDTH}}{'NOT YET' if finding.cure else 'ok'}")
        lines += textwrap.wrap(finding.cure, 100, initial_indent="    cure: ", subsequent_indent="    ")
    wrong = sum(bool(finding.cure) for finding in findings)
    lines.append("")
    lines.append(f"{wrong} to cure first; then run this cell again." if wrong else "All is well: go on.")
    return "\n".join(lines)
