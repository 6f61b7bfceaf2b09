"""The event loop and the only clock.

Heap key: (time, priority, sequence). Time is integer nanoseconds since the Unix epoch; a lower priority
number runs first at the same time; the sequence number, owned by this loop, makes ties first-in-first-out.
The clock is set before a callback runs.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Timer:
    """A callback that can still be cancelled."""

    __slots__ = ("_args", "_callback", "time_ns")

    def __init__(self, time_ns: int, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        self.time_ns = time_ns
        self._callback: Callable[..., None] | None = callback
        self._args = args

    @property
    def is_pending(self) -> bool:
        """Whether the callback has neither run nor been cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """The callback will not run; harmless when it already has."""
        self._callback = None
        self._args = ()


def _fire(timer: Timer) -> None:
    callback = timer._callback
    if callback is not None:
        args = timer._args
        timer.cancel()
        callback(*args)


class Loop:
    """Callbacks in order of virtual time."""

    __slots__ = ("_heap", "_sequence", "events_run", "now_ns")

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self.events_run = 0
        self._heap: list[tuple[int, int, int, Callable[[Any], None], Any]] = []
        self._sequence = 0

    def post(self, time_ns: int, callback: Callable[[Any], None], argument: Any) -> None:
        """Run ``callback(argument)`` at ``time_ns``; cannot be cancelled. The cheapest form."""
        self._sequence = sequence = self._sequence + 1
        heappush(self._heap, (time_ns, 0, sequence, callback, argument))

    def at(self, time_ns: int, callback: Callable[..., None], *args: Any, priority: int = 0) -> Timer:
        """Run ``callback(*args)`` at ``time_ns``, at once when that is past; returns its Timer."""
        timer = Timer(max(time_ns, self.now_ns), callback, args)
        self._sequence += 1
        heappush(self._heap, (timer.time_ns, priority, self._sequence, _fire, timer))
        return timer

    def after(self, delay_ns: int, callback: Callable[..., None], *args: Any) -> Timer:
        """Run ``callback(*args)`` in ``delay_ns`` from now; returns its Timer."""
        return self.at(self.now_ns + delay_ns, callback, *args)

    @property
    def next_ns(self) -> int | None:
        """Time of the next callback, or None when there is none."""
        return self._heap[0][0] if self._heap else None

    def run_until(self, time_ns: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run every callback up to and including ``time_ns``, then set the clock to it.

        ``stop`` is asked after each callback; when it says True, the clock stays where it is and the
        result is False. Otherwise the result is True.
        """
        heap = self._heap
        while heap and heap[0][0] <= time_ns:
            now_ns, _, _, callback, argument = heappop(heap)
            self.now_ns = now_ns
            self.events_run += 1
            callback(argument)
            if stop is not None and stop():
                return False
        self.now_ns = max(self.now_ns, time_ns)
        return True
