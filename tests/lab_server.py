"""A lab server as its users start it, for tests that talk to it as real clients do."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
KUBECTL = Path(sys.executable).with_name("kubectl")
START_TIMEOUT_S = 60
COMMAND_TIMEOUT_S = 120


def serve_command(directory: Path, *options: str) -> list[str]:
    """The command line of a server."""
    return [sys.executable, "-m", "labs", "serve", "--seed", "7", "--directory", str(directory), *options]


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed."""

    out: str
    error: str
    code: int

    @property
    def text(self) -> str:
        """Both streams, as a terminal shows them."""
        return self.out + self.error


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class LabServer:
    """A running server; its end is the end of its standard input."""

    def __init__(self, directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            serve_command(directory, *options),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate(timeout=START_TIMEOUT_S)[1])
        self.ready: dict[str, str] = json.loads(line)
        self.kubeconfig = json.loads(Path(self.ready["kubeconfig"]).read_text(encoding="utf-8"))
        self.token: str = self.kubeconfig["users"][0]["user"]["token"]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "KUBECONFIG": self.ready["kubeconfig"],
            "KUBECACHEDIR": str(directory / "cache"),
            "TZ": "UTC",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> tuple[int, str]:
        """Close its standard input; returns exit code and what it wrote to standard error."""
        _, errors = self.process.communicate(timeout=START_TIMEOUT_S)
        return self.process.returncode, errors

    def kubectl(
        self, *arguments: str, text: str | None = None, folder: Path | None = None, is_merged: bool = False
    ) -> Printed:
        """Run kubectl with this server's kubeconfig; ``text`` goes to its standard input.

        ``is_merged``: errors are in ``out``, in the order in which they were printed.
        """
        finished = subprocess.run(
            [str(KUBECTL), *arguments],
            cwd=folder,
            env=self.environment,
            input=text or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if is_merged else subprocess.PIPE,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return Printed(finished.stdout, finished.stderr or "", finished.returncode)

    def control(self, body: bytes | None = None) -> Answer:
        """Ask the clock's door."""
        return self.send(self.ready["control"], "GET" if body is None else "POST", body)

    def now(self) -> str:
        """The virtual time."""
        now: str = self.control().json()["now"]
        return now

    def advance(self, length: str) -> str:
        """Move the clock on; returns the time then."""
        now: str = self.control(json.dumps({"advance": length}).encode()).json()["now"]
        return now

    def api(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A request to the Kubernetes API with the right token; an object goes as JSON, bytes as they are."""
        raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})}
        return self.send(self.ready["kubernetes"] + path, method, raw, given)

    def send(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request to one of its doors."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection = self.connection() if parts.scheme == "https" else http.client.HTTPConnection(parts.netloc)
        try:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPSConnection:
        """A connection to the Kubernetes API that trusts this server's certificate only."""
        authority = self.kubeconfig["clusters"][0]["cluster"]["certificate-authority"]
        context = ssl.create_default_context(cafile=authority)
        return http.client.HTTPSConnection(
            urlsplit(self.ready["kubernetes"]).netloc, context=context, timeout=COMMAND_TIMEOUT_S
        )
