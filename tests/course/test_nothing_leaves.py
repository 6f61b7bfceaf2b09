"""A lab, with all the processes that it starts, talks to 127.0.0.1 alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

GUARD = """
import sys

def guard(event, arguments):
    if event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    is_path = isinstance(host, (str, bytes)) and str(host).startswith(("/", "b'/"))
    if host not in (None, "", "127.0.0.1", "localhost", "::1", b"127.0.0.1", b"localhost") and not is_path:
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{address}}\\n")

sys.addaudithook(guard)
"""


def run_guarded(tmp_path: Path, *command: str) -> tuple[int, str]:
    """Run Python with a guard in it and in its Python children; exit code, and whom they asked for elsewhere."""
    log = tmp_path / "elsewhere.log"
    log.touch()
    (tmp_path / "sitecustomize.py").write_text(GUARD.format(log=str(log)), encoding="utf-8")
    search = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=os.environ | {"PYTHONPATH": search}, capture_output=True, check=False
    )
    return finished.returncode, log.read_text(encoding="utf-8")


def test_the_first_lab_asks_nobody_else(tmp_path: Path) -> None:
    code, asked = run_guarded(tmp_path, "-m", "labs", "run", "00", "--directory", str(tmp_path / "runs"))
    assert (code, asked) == (0, "")


def test_the_guard_sees_who_is_asked(tmp_path: Path) -> None:
    call = "import socket, contextlib\nwith contextlib.suppress(OSError): socket.getaddrinfo('lab.invalid', 80)"
    assert "lab.invalid" in run_guarded(tmp_path, "-c", call)[1]
