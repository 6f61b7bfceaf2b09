"""The two servers of a comparison: a real kube-apiserver on this machine, and the course's own."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any, Protocol

from golden.stage import AGENT, new_server

from labs.api.resources import DEFINED_GROUPS
from labs.api.rest.message import Request, Response
from labs.api.rest.watches import WatchStream
from labs.api.users import ADMIN, ANONYMOUS, AUTHENTICATED, User

HOST = "127.0.0.1"
PORT = 6443
TIMEOUT_S = 60
CRASHED = 599
"""The code of an answer that the course's server failed to give."""
USERS = {"admin-token": ADMIN, "student-token": User("student", ("students", AUTHENTICATED)), "": ANONYMOUS}
"""By their tokens."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: a body that is a text is sent as it is, another as JSON. ``name`` says what it tries."""

    name: str
    method: str
    path: str
    body: Any = None
    media: str = "application/json"
    token: str = "admin-token"
    accept: str = ""

    @property
    def raw(self) -> bytes | None:
        """The body's bytes; None without one."""
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    @property
    def headers(self) -> dict[str, str]:
        """By names in lower case."""
        more = {"content-type": self.media if self.body is not None else "", "accept": self.accept}
        return AGENT | {name: value for name, value in more.items() if value}


@dataclass(frozen=True, slots=True)
class Answer:
    """The status code, the body (parsed where it is JSON) and the texts of the warnings."""

    code: int
    body: Any
    warnings: tuple[str, ...] = ()


class Server(Protocol):
    """What a comparison needs of either server."""

    def send(self, ask: Ask) -> Answer:
        """The answer to one request."""


class RealServer:
    """A kube-apiserver as ``apiserver/main.go`` starts it; one connection, opened anew when the server closes it."""

    def __init__(self, port: int = PORT) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False  # the certificate is the server's own, and the server is on this machine
        context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=TIMEOUT_S)

    def send(self, ask: Ask) -> Answer:
        """The answer. Raises OSError with the cure where no server listens."""
        try:
            return self._exchange(ask)
        except http.client.HTTPException:
            self.connection.close()
            return self._exchange(ask)
        except ConnectionRefusedError as error:
            raise OSError(f"nothing listens at {HOST}:{self.connection.port}; start apiserver first") from error

    def _exchange(self, ask: Ask) -> Answer:
        headers = ask.headers | ({"authorization": f"Bearer {ask.token}"} if ask.token else {})
        self.connection.request(ask.method, ask.path, ask.raw, headers)
        response = self.connection.getresponse()
        raw = response.read()
        warnings = [unquoted(value) for name, value in response.getheaders() if name.lower() == "warning"]
        return Answer(response.status, parsed(raw), tuple(warnings))


class SimulatedServer:
    """The course's API server alone, without the kinds that a bare kube-apiserver does not have."""

    def __init__(self) -> None:
        self.server = new_server()
        types = self.server.api.types
        for resource in [name for name, kind in types.items() if kind.group in DEFINED_GROUPS]:
            self.server.api.withdraw(resource)

    def send(self, ask: Ask) -> Answer:
        """The answer; an error of ours is one too, with the code ``CRASHED``, so that a comparison goes on."""
        request = Request.to(ask.method, ask.path, ask.raw or b"", ask.headers, USERS[ask.token])
        try:
            answer = self.server.handle(request)
            if isinstance(answer, WatchStream):
                return Answer(200, parsed(b"".join(answer.pull())))
        except Exception as error:
            return Answer(CRASHED, f"{type(error).__name__}: {error}")
        if not isinstance(answer, Response):
            return Answer(101, type(answer).__name__)
        return Answer(answer.status, parsed(answer.body), tuple(answer.warnings))


def parsed(raw: bytes) -> Any:
    """The JSON of a body, or its text where it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def unquoted(value: str) -> str:
    """The text of a Warning header (RFC 7234, 5.5): code, agent, quoted text."""
    text = value.split(" ", 2)[2]
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if text.startswith('"') else text
