"""Who asked the API server for what: the last requests, as an audit log has them.

Source of the words: kubernetes/apiserver pkg/apis/audit/v1/types.go (Event).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from labs.api.rest.message import Request
from labs.api.rest.routes import Route
from labs.units import rfc3339_micro

CAPACITY = 10_000
"""Requests kept; older ones are forgotten."""

TEXT_MAX = 256
"""Characters kept of what a client may make as long as it likes."""


@dataclass(slots=True)
class Entry:
    """One request; ``route`` stays None for a path that is no resource, ``code`` 0 until it is answered."""

    time_ns: int
    method: str
    path: str
    user: str
    agent: str
    route: Route | None = None
    code: int = 0

    def row(self) -> dict[str, Any]:
        """The request in words: time, verb, user, userAgent, resource, namespace, name, subresource, code."""
        route = self.route
        kind = route.type if route is not None else None
        return {
            "time": rfc3339_micro(self.time_ns),
            "verb": route.verb if route is not None else self.method.lower(),
            "user": self.user,
            "userAgent": self.agent,
            "resource": f"{kind.plural}.{kind.group}".rstrip(".") if kind is not None else self.path,
            "namespace": route.namespace if route is not None else "",
            "name": route.name if route is not None else "",
            "subresource": route.subresource if route is not None else "",
            "code": self.code,
        }


class RequestLog:
    """The last requests that came over the wire; parts of the control plane do not ask in this way."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)

    def begin(self, time_ns: int, request: Request) -> Entry:
        """Note that a request has come; the caller fills in what becomes of it."""
        agent = request.headers.get("user-agent", "")[:TEXT_MAX]
        entry = Entry(time_ns, request.method, request.path[:TEXT_MAX], request.user.name, agent)
        self._entries.append(entry)
        return entry

    def rows(self, last: int = CAPACITY) -> list[dict[str, Any]]:
        """The ``last`` requests, oldest first."""
        skipped = max(len(self._entries) - last, 0)
        return [entry.row() for index, entry in enumerate(self._entries) if index >= skipped]
