"""When the clock runs on by itself: while a client is blocked on the server, or always when it runs free.

Time moves when somebody asks for it. But `kubectl rollout status` or a polling probe asks for nothing and
waits; it would wait for ever. So while a watch is open and idle, or the same requests come again and again,
the clock advances at ``speed`` times real time, and halts at the very event that gives a watch something to say.

A client that pauses in itself asks for nothing, and nobody sees that it waits: a clock that runs free is for those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from labs.units import SECOND_NS

TICK_S = 0.05
IDLE_S = 0.15
"""A client that got something is given this long to react before it counts as blocked."""

REPEATS = 3
"""The same request this many times, with pauses between and nothing new in between, counts as waiting."""

PAUSE_S = 0.2
"""A client that asks again sooner reads, and does not wait."""

LOOP_PAUSE_MAX_S = 10.0
"""Who asks again later than this does it by hand, and not in a loop."""

POLLS_MAX = 256
"""A client with more different requests than this reads, and does not wait."""


class Clocked(Protocol):
    """What the pacer needs of a world."""

    def run_until(self, time_ns: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run the world to a time, or until ``stop``."""
        ...

    @property
    def now_ns(self) -> int:
        """The world's time."""
        ...


@dataclass(slots=True)
class _Poll:
    """A request that may come again."""

    last_s: float
    pause_s: float = 0.0
    times: int = 1

    def is_waiting(self, now_s: float) -> bool:
        """Whether it came often enough and is about to come again."""
        return self.times >= REPEATS and now_s - self.last_s < 2 * self.pause_s


class Pacer:
    """Watches how clients wait and moves the clock for those that do; ``is_free_running``: for everybody, all the time.

    ``real_s`` tells real seconds.
    """

    def __init__(
        self,
        world: Clocked,
        speed: float,
        real_s: Callable[[], float] = time.monotonic,
        *,
        is_free_running: bool = False,
    ) -> None:
        self._world = world
        self._speed = speed
        self._real_s = real_s
        self._is_free_running = is_free_running
        self._idle_since: dict[object, float] = {}
        self._polls: dict[tuple[str, ...], _Poll] = {}
        self._holds = 0
        self._has_spoken = False

    def watch_opened(self, watch: object) -> None:
        """A watch is open and waits."""
        self._idle_since[watch] = self._real_s()

    def watch_spoke(self, watch: object) -> None:
        """A watch has something to say: the clock halts until its client had time to react."""
        if watch in self._idle_since:
            self._has_spoken = True
            self._idle_since[watch] = self._real_s()

    def watch_closed(self, watch: object) -> None:
        """A watch ended."""
        self._idle_since.pop(watch, None)

    def requested(self, *request: str) -> None:
        """A request that changed nothing: asked again and again, after pauses, it waits for a change."""
        now_s = self._real_s()
        poll = self._polls.get(request)
        if poll is None:
            # Whoever asks for something new goes on, and waits no longer.
            for known in self._polls.values():
                known.times = 1
            if len(self._polls) >= POLLS_MAX:
                self._polls.clear()
            self._polls[request] = _Poll(now_s)
            return
        pause_s, poll.last_s = now_s - poll.last_s, now_s
        if pause_s > LOOP_PAUSE_MAX_S:
            poll.times = 1
        elif pause_s >= PAUSE_S:
            poll.times += 1
            poll.pause_s = pause_s

    def acted(self) -> None:
        """A request changed something: what was asked until now may have another answer, and is asked afresh."""
        self._polls.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """While somebody moves the clock it does not move by itself, and whoever waits is given time to react."""
        self.acted()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._idle_since.update(dict.fromkeys(self._idle_since, self._real_s()))

    def let_pass(self, length_ns: int) -> None:
        """Move the clock on for a client that is kept waiting for its answer."""
        self._world.run_until(self._world.now_ns + length_ns)

    @property
    def is_client_blocked(self) -> bool:
        """Whether a client waits for time to pass."""
        if self._holds:
            return False
        now_s = self._real_s()
        if self._idle_since:
            return now_s - max(self._idle_since.values()) >= IDLE_S
        return any(poll.is_waiting(now_s) for poll in self._polls.values())

    def tick(self) -> None:
        """Move the clock on for one tick if somebody waits; it halts where a watch has something to say."""
        step_ns = round(TICK_S * self._speed * SECOND_NS)
        if self._is_free_running and not self._holds:
            self._world.run_until(self._world.now_ns + step_ns)
        elif self.is_client_blocked:
            self._has_spoken = False
            self._world.run_until(self._world.now_ns + step_ns, stop=lambda: self._has_spoken)

    async def run(self) -> None:
        """Tick for ever; ends by cancellation."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()
