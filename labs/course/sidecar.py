"""Starting the lab server beside a notebook, and talking to its clock.

The server runs in a session of its own, so that interrupting a cell does not end it, and it ends when the
pipe to its standard input closes, so that it never outlives the kernel, however that ends.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.course.explain import GONE
from labs.course.live import is_behind_proxy
from labs.errors import UsageError

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
INSTALL = "run 'pip install -r requirements.txt' in the course's folder, then restart the kernel"
MAKE_ROOM = "set TMPDIR to a folder with room that can be written, and restart the kernel; notebook 00 checks the rest"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a lab server says when it is ready."""

    kubernetes: str
    aws: str
    kubeconfig: str
    region: str
    aws_access_key_id: str
    aws_secret_access_key: str
    control: str
    live: str


def _server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: Python may keep its compiled modules, without which each start takes a second more."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Sidecar:
    """A lab server that this process started; it starts while the caller goes on, until ``await_ready``."""

    def __init__(self, seed: int, *, speed: float | None = None) -> None:
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="chaos-crunch-", ignore_cleanup_errors=True)
        except OSError as error:
            raise UsageError(f"No folder for temporary files can be used ({error.strerror}); {MAKE_ROOM}.") from None
        self.endpoints: Endpoints
        self.directory = Path(self._folder.name)
        command = [sys.executable, "-m", "labs", "serve", "--seed", str(seed), "--directory", str(self.directory)]
        if speed is not None:
            command += ["--speed", str(speed)]
        if is_behind_proxy(os.environ):
            command.append("--proxied")
        self._log_path = self.directory / "server.log"
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=_server_environment(os.environ),
                cwd=Path(__file__).parents[2],
            )

    def await_ready(self) -> Endpoints:
        """Where the server is, once it is ready. Raises UsageError when it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(START_TIMEOUT_S)
            said = self._log_path.read_text(errors="replace").strip().splitlines()
            self.close()
            raise UsageError(_why_not(said[-1] if said else f"exit code {self._process.returncode}"))
        self.endpoints = Endpoints(**json.loads(line))
        return self.endpoints

    @property
    def is_running(self) -> bool:
        """Whether the server is alive."""
        return self._process.poll() is None

    def clock(self, advance: str | None = None) -> str:
        """The server's time (RFC 3339); first moved on by ``advance`` if given. Raises UsageError."""
        body = None if advance is None else json.dumps({"advance": advance}).encode()
        now: str = self._ask("", body)["now"]
        return now

    def requests(self) -> list[dict[str, Any]]:
        """The last requests to the Kubernetes API, oldest first. Raises UsageError."""
        rows: list[dict[str, Any]] = self._ask("/requests")["requests"]
        return rows

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        """An answer of the lab's own door."""
        url = self.endpoints.control + path
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        # Without a proxy: the server is on this machine, whatever the environment says of the network.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise UsageError(json.load(error).get("error", str(error))) from None
        except (OSError, http.client.HTTPException):
            raise UsageError(GONE) from None
        return answer

    def close(self) -> None:
        """End the server and remove its folder; harmless when it has ended."""
        if self._process.stdin is not None:
            # The server may have ended already, and then nobody reads the pipe.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()


def _why_not(reason: str) -> str:
    """What a person reads who asked for a server that did not start; ``reason`` is its last line."""
    told = reason.removeprefix("Error: ")
    if told != reason and "--" not in told:
        return told
    cure = INSTALL if reason.startswith("ModuleNotFoundError") else MAKE_ROOM
    return f"The lab's cluster did not start ({told}); {cure}."
