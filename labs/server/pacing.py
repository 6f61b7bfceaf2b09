"""When the clock runs on by itself: while a client is blocked on the server.

Time moves when somebody asks for it. But `kubectl rollout status` or a polling probe asks for nothing and
waits; it would wait for ever. So while a watch is open and idle, or the same request comes again and again,
the clock advances at ``speed`` times real time, and halts as soon as a watch has something to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from labs.units import SECOND_NS

TICK_S = 0.05
IDLE_S = 0.15
"""A client that got something is given this long to react before it counts as blocked."""

REPEATS = 3
"""The same request this many times in a row, with a pause between them, counts as waiting."""

PAUSE_S = 0.2
"""A client that asks again sooner reads, and does not wait."""


class Clocked(Protocol):
    """What the pacer needs of a world."""

    def run_until(self, time_ns: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run the world to a time, or until ``stop``."""
        ...

    @property
    def now_ns(self) -> int:
        """The world's time."""
        ...


class Pacer:
    """Watches how clients wait and moves the clock for those that do."""

    def __init__(self, world: Clocked, speed: float) -> None:
        self._world = world
        self._speed = speed
        self._idle_since: dict[object, float] = {}
        self._last_request: tuple[str, ...] = ()
        self._repeats = 0
        self._last_request_s = 0.0
        self._pause_s = 0.0
        self._woken = False

    def watch_opened(self, watch: object) -> None:
        """A watch is open and waits."""
        self._idle_since[watch] = time.monotonic()

    def watch_spoke(self, watch: object) -> None:
        """A watch has something to say: the clock halts until its client had time to react."""
        self._woken = True
        if watch in self._idle_since:
            self._idle_since[watch] = time.monotonic()

    def watch_closed(self, watch: object) -> None:
        """A watch ended."""
        self._idle_since.pop(watch, None)

    def requested(self, *request: str) -> None:
        """A request came: the same one again and again, after pauses, means that its client waits for a change."""
        now_s = time.monotonic()
        pause_s = now_s - self._last_request_s
        if request != self._last_request:
            self._repeats = 1
        elif pause_s >= PAUSE_S:
            self._repeats += 1
            self._pause_s = pause_s
        self._last_request = request
        self._last_request_s = now_s

    def _is_blocked(self, now_s: float) -> bool:
        if self._idle_since:
            return now_s - max(self._idle_since.values()) >= IDLE_S
        return self._repeats >= REPEATS and now_s - self._last_request_s < 2 * self._pause_s

    async def run(self) -> None:
        """Tick for ever; ends by cancellation."""
        while True:
            await asyncio.sleep(TICK_S)
            if not self._is_blocked(time.monotonic()):
                continue
            self._woken = False
            step_ns = round(TICK_S * self._speed * SECOND_NS)
            self._world.run_until(self._world.now_ns + step_ns, stop=lambda: self._woken)
