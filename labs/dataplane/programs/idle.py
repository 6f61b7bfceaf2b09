"""Programs that serve nobody: any image without a model, ``sleep``, and commands that end at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labs.dataplane.process import EXIT_TERMINATED, Answer, Check, Surroundings
from labs.sim.loop import Timer
from labs.units import SECOND_NS

_MIB = 1024**2
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]?")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
START_CPU_NS = 30_000_000
"""CPU time of the start itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an idle program does: runs for ``run_ns`` (None: for ever), prints, ends with ``exit_code``."""

    run_ns: int | None = None
    exit_code: int = 0
    prints: tuple[str, ...] = ()
    ignores_term: bool = False
    """A shell or ``sleep`` as process 1 has no handler for TERM, so the kernel drops the signal."""
    exit_on_term: int = EXIT_TERMINATED


def plan_of(arguments: list[str]) -> Plan | None:
    """What a shell command line does as far as it can be told, or None for no command line or another one.

    Understands ``sleep``, ``echo``, ``true``, ``false``, ``exit``, ``while true; do ...`` and ``tail -f``.
    """
    words = arguments[2:] if len(arguments) > 2 and arguments[0].rpartition("/")[2] in ("sh", "bash", "ash") else None
    text = " ".join(words) if words is not None else " ".join(arguments)
    if not text:
        return None
    if re.match(r"\s*(while (true|:)|tail -f)", text):
        return Plan(ignores_term=True)
    run_ns: int | None = 0
    exit_code = 0
    prints: list[str] = []
    for command in re.split(r"&&|;|\n", text):
        step = command.split()
        name = step[0].rpartition("/")[2] if step else ""
        if name == "sleep" and run_ns is not None:
            length_ns = _sleep_ns(step[1:])
            run_ns = None if length_ns is None else run_ns + length_ns
        elif name == "echo":
            prints.append(" ".join(step[1:]).strip("\"'"))
        elif name in ("true", "false", "exit"):
            exit_code = _exit_code(step)
            if name != "true":
                break
        elif name:
            return None
    return Plan(run_ns, exit_code, tuple(prints), ignores_term=True)


def _exit_code(step: list[str]) -> int:
    if step[0] != "exit":
        return int(step[0].endswith("false"))
    text = step[1] if len(step) > 1 else "0"
    return int(text) % 256 if text.isdecimal() else 2  # what a shell makes of "exit x"


def _sleep_ns(lengths: list[str]) -> int | None:
    total_s = 0.0
    for length in lengths:
        if not _NUMBER.fullmatch(length):
            return None
        total_s += float(length.rstrip("smhd")) * _UNITS_S.get(length[-1], 1)
    return round(total_s * SECOND_NS)


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
        """End at once, unless nothing in the program hears TERM."""
        if not self._plan.ignores_term:
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
