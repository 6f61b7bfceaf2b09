"""Programs that use memory and CPU on purpose: ``stress``, ``stress-ng`` and ``vish/stress``.

Source: the manuals of stress 1.0 and stress-ng 0.17; Kubernetes documentation, "Assign Memory Resources to Containers".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labs.dataplane.process import EXIT_TERMINATED, Answer, Check, Surroundings
from labs.dataplane.traffic.cpu import CpuShape
from labs.errors import UsageError
from labs.sim.loop import Timer
from labs.units import SECOND_NS, parse_duration, to_ns

_MIB = 1024**2
_BASE_BYTES = 2 * _MIB
_TOUCHED_PER_S = 2 * 1024**3
"""How fast fresh memory is written on a small instance."""
_SIZE = re.compile(r"([0-9]+)([bkmg]?)b?", re.IGNORECASE)
_FACTORS = {"": 1, "b": 1, "k": 1024, "m": _MIB, "g": 1024 * _MIB}
_QUANTITY = re.compile(r"([0-9]+)(Ki|Mi|Gi)?")
_DEFAULT_VM_BYTES = 256 * _MIB


@dataclass(frozen=True, slots=True)
class StressPlan:
    """``memory_bytes`` in all, in steps of ``step_bytes`` every ``step_ns`` (0: at once); ``cpus`` busy cores."""

    memory_bytes: int = 0
    cpus: int = 0
    length_ns: int | None = None
    step_bytes: int = 0
    step_ns: int = 0


def parse_stress(arguments: Sequence[str]) -> StressPlan:
    """``stress --vm N --vm-bytes B --cpu N --timeout T``. Raises UsageError for a size that is none."""
    options: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        name, has_value, value = word.lstrip("-").partition("=")
        flag = name in ("verbose", "v", "vm-keep", "quiet", "q", "metrics-brief", "metrics")
        options[name] = value if has_value else "" if flag else next(words, "")
    workers = int(options.get("vm") or options.get("m") or 0)
    size = _size(options.get("vm-bytes") or "") if options.get("vm-bytes") else _DEFAULT_VM_BYTES
    length = options.get("timeout") or options.get("t")
    return StressPlan(
        memory_bytes=workers * size,
        cpus=int(options.get("cpu") or options.get("c") or 0) or workers,
        length_ns=parse_duration(length) if length else None,
    )


def parse_vish(arguments: Sequence[str]) -> StressPlan:
    """``-mem-total 500Mi -mem-alloc-size 10Mi -mem-alloc-sleep 1s -cpus 2`` of vish/stress."""
    options: dict[str, str] = {}
    words = iter(arguments)
    for word in words:
        name, has_value, value = word.lstrip("-").partition("=")
        options[name] = value if has_value else next(words, "")
    sleep = options.get("mem-alloc-sleep", "1ms")
    return StressPlan(
        memory_bytes=_quantity(options.get("mem-total", "0")),
        cpus=int(options.get("cpus") or 0),
        step_bytes=_quantity(options.get("mem-alloc-size", "4Ki")),
        step_ns=parse_duration(sleep),
    )


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"stress: FAIL: [1] unrecognized size suffix in {text!r}")
    return int(match.group(1)) * _FACTORS[match.group(2).lower()]


def _quantity(text: str) -> int:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UsageError(f"Failed to parse {text!r} as a quantity")
    return int(match.group(1)) * {None: 1, "Ki": 1024, "Mi": _MIB, "Gi": 1024 * _MIB}[match.group(2)]


class StressProcess:
    """Takes its memory, then works until its time is over; more memory than the limit ends it at that moment."""

    __slots__ = ("_cores", "_plan", "_started_ns", "_surroundings", "_timers")

    is_health_steady = True

    def __init__(self, surroundings: Surroundings, plan: StressPlan, shape: CpuShape) -> None:
        self._surroundings = surroundings
        self._plan = plan
        self._cores = min(float(plan.cpus), shape.slots * shape.speed)
        self._started_ns = 0
        self._timers: list[Timer] = []

    def start(self) -> None:
        """Begin, and know when the limit will be met."""
        around, plan = self._surroundings, self._plan
        self._started_ns = around.loop.now_ns
        around.log(f"stress: info: [1] dispatching hogs: {plan.cpus} cpu, {plan.memory_bytes} bytes of memory")
        limit = around.memory_limit_bytes
        if limit is not None and plan.memory_bytes + _BASE_BYTES > limit:
            met_ns = self._taken_after_ns(max(0, limit - _BASE_BYTES))
            self._timers.append(around.loop.after(met_ns, around.run_out_of_memory))
        if plan.length_ns is not None:
            self._timers.append(around.loop.after(plan.length_ns, self._end, 0))

    def _taken_after_ns(self, size: int) -> int:
        plan = self._plan
        if plan.step_bytes and plan.step_ns:
            return size // plan.step_bytes * plan.step_ns
        return to_ns(size / _TOUCHED_PER_S)

    def _end(self, code: int) -> None:
        self.kill()
        self._surroundings.exited(code)

    def terminate(self) -> None:
        """TERM ends it."""
        self._end(EXIT_TERMINATED)

    def kill(self) -> None:
        """Stop."""
        for timer in self._timers:
            timer.cancel()

    vanish = kill

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """It listens on no port."""
        answer(Answer(is_refused=check.kind != "exec"))

    def cpu_used_ns(self, now_ns: int) -> int:
        """All that its cores give."""
        return round((now_ns - self._started_ns) * self._cores)

    def memory_bytes(self, now_ns: int) -> int:
        """What it has taken so far."""
        plan, age_ns = self._plan, now_ns - self._started_ns
        if plan.step_bytes and plan.step_ns:
            taken = age_ns // plan.step_ns * plan.step_bytes
        else:
            taken = round(age_ns / SECOND_NS * _TOUCHED_PER_S)
        return _BASE_BYTES + min(plan.memory_bytes, taken)
