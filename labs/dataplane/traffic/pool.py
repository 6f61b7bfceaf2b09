"""The kept connections of one client: a bounded number, and a bounded line of calls for them."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from labs.dataplane.traffic.call import Call
from labs.dataplane.traffic.path import Path
from labs.dataplane.traffic.policy import KeepAlive


class Connection:
    """An open connection to one station."""

    __slots__ = ("path", "requests")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests = 0


class Grant(Enum):
    """What the pool says to a call that has no idle connection to take."""

    OPEN = auto()
    WAIT = auto()
    FULL = auto()


class Pool:
    """Idle connections are used last in, first out, as most client libraries do."""

    __slots__ = ("_idle", "_limits", "_waiting", "busy")

    def __init__(self, limits: KeepAlive) -> None:
        self._limits = limits
        self._idle: list[Connection] = []
        self._waiting: deque[Call] = deque()
        self.busy: dict[Call, Connection] = {}

    def idle(self) -> Connection | None:
        """An idle connection that its server has not closed."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.path.station.is_refusing:
                return connection
        return None

    def ask(self, call: Call) -> Grant:
        """Whether ``call`` may open a connection, waits for one, or is turned away."""
        if len(self.busy) < self._limits.max_connections:
            return Grant.OPEN
        while self._waiting and not self._waiting[0].is_open:
            self._waiting.popleft()
        if len(self._waiting) < self._limits.max_waiting:
            self._waiting.append(call)
            return Grant.WAIT
        return Grant.FULL

    def release(self, call: Call, is_reusable: bool) -> Call | None:
        """Give back the connection of ``call``, if it has one; returns the call that may go next."""
        connection = self.busy.pop(call, None)
        if connection is None:
            return None
        connection.requests += 1
        if is_reusable and connection.requests < self._limits.max_requests:
            self._idle.append(connection)
        while self._waiting:
            following = self._waiting.popleft()
            if following.is_open:
                return following
        return None

    def clear(self) -> None:
        """The client died: nothing is kept."""
        self._idle.clear()
        self._waiting.clear()
        self.busy.clear()
