"""Programs that serve nobody: any image without a model of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labs.dataplane.process import EXIT_TERMINATED, Answer, Check, Surroundings
from labs.sim.loop import Timer

_MIB = 1024**2
START_CPU_NS = 30_000_000
"""CPU time of the start itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an idle program does: runs for ``run_ns`` (None: for ever), prints, ends with ``exit_code``."""

    run_ns: int | None = None
    exit_code: int = 0
    prints: tuple[str, ...] = ()
    exit_on_term: int = EXIT_TERMINATED


class IdleProcess:
    """Starts, perhaps prints, waits, and ends when its plan says so. Checks fail for ``startup_ns``, then succeed."""

    __slots__ = ("_millicores", "_plan", "_started_ns", "_startup_ns", "_surroundings", "_timer", "_working_set_bytes")

    def __init__(
        self,
        surroundings: Surroundings,
        plan: Plan,
        millicores: float = 1.0,
        working_set_bytes: int = 12 * _MIB,
        startup_ns: int = 0,
    ) -> None:
        self._surroundings = surroundings
        self._plan = plan
        self._millicores = millicores
        self._working_set_bytes = working_set_bytes
        self._startup_ns = startup_ns
        self._started_ns = 0
        self._timer: Timer | None = None

    @property
    def is_health_steady(self) -> bool:
        """Whether it is up, which it then stays."""
        return self._surroundings.loop.now_ns >= self._started_ns + self._startup_ns

    def start(self) -> None:
        """Print, and plan the end."""
        loop = self._surroundings.loop
        self._started_ns = loop.now_ns
        for line in self._plan.prints:
            self._surroundings.log(line)
        if self._plan.run_ns is not None:
            self._timer = loop.after(self._plan.run_ns, self._end, self._plan.exit_code)

    def _end(self, exit_code: int) -> None:
        self.kill()
        self._surroundings.exited(exit_code)

    def terminate(self) -> None:
        """End at once."""
        self._end(self._plan.exit_on_term)

    def kill(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()

    vanish = kill

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """Not yet while it starts; then healthy, as far as anybody can tell."""
        if self.is_health_steady:
            answer(Answer())
        else:
            answer(Answer(exit_code=1) if check.kind == "exec" else Answer(is_refused=True))

    def cpu_used_ns(self, now_ns: int) -> int:
        """A start, then a trickle."""
        return START_CPU_NS + round((now_ns - self._started_ns) * self._millicores / 1000)

    def memory_bytes(self, now_ns: int) -> int:
        """A constant."""
        return self._working_set_bytes
