"""CPU time of one container: first come, first served on a few slots, by virtual finishing times."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapreplace


@dataclass(frozen=True, slots=True)
class CpuShape:
    """``slots`` threads at once, each at ``speed`` of a core."""

    slots: int
    speed: float


def cpu_shape(limit_millicores: int) -> CpuShape:
    """The shape of a CPU limit: 500m is one slot at 0.5, 1500m two at 0.75, 2 two at 1.0.

    Stands for CFS bandwidth control, whose 100 ms periods are not modelled one by one.
    """
    slots = max(1, -(-limit_millicores // 1000))
    return CpuShape(slots, limit_millicores / 1000 / slots)


class Cpu:
    """Slots, each busy without a gap from now until the time at which it falls free.

    That each slot's planned work is contiguous gives the used CPU time at any moment from the total
    planned and what still lies ahead on each slot: nothing has to happen when work ends.
    """

    __slots__ = ("_free_ns", "_paused_ns", "_planned_ns", "_slowness", "speed")

    def __init__(self, shape: CpuShape) -> None:
        self.speed = shape.speed
        self._slowness = 1 / shape.speed
        self._free_ns = [0] * shape.slots
        self._planned_ns = 0
        self._paused_ns = -1

    @property
    def slots(self) -> int:
        """How many calls compute at once."""
        return len(self._free_ns)

    def plan(self, now_ns: int, demand_ns: int) -> int:
        """When ``demand_ns`` of CPU time, asked for now, will be done."""
        self._planned_ns += demand_ns
        free = self._free_ns
        start = free[0]
        done = (start if start > now_ns else now_ns) + int(demand_ns * self._slowness)
        if len(free) == 1:
            free[0] = done
        else:
            heapreplace(free, done)
        return done

    def used_ns(self, now_ns: int) -> int:
        """CPU time used so far: all work done, and the done part of work in progress."""
        at_ns = now_ns if self._paused_ns < 0 else self._paused_ns
        ahead = sum(free - at_ns for free in self._free_ns if free > at_ns)
        return self._planned_ns - int(ahead * self.speed)

    def set_speed(self, now_ns: int, speed: float) -> float:
        """Run on at ``speed``; returns the factor by which every time still ahead is stretched."""
        stretch = self.speed / speed
        at_ns = now_ns if self._paused_ns < 0 else self._paused_ns
        self._free_ns = [max(at_ns, at_ns + int((free - at_ns) * stretch)) for free in self._free_ns]
        self.speed = speed
        self._slowness = 1 / speed
        return stretch

    def pause(self, now_ns: int) -> None:
        """No work is done until ``resume``."""
        self._paused_ns = now_ns

    def resume(self, now_ns: int) -> int:
        """Work goes on; returns how long it stood still."""
        still_ns = now_ns - self._paused_ns
        self._paused_ns = -1
        self._free_ns = [free + still_ns for free in self._free_ns]
        return still_ns

    def halt(self, now_ns: int) -> None:
        """All planned work vanishes; what was done stays counted."""
        self._planned_ns = self.used_ns(now_ns)
        self._paused_ns = -1
        self._free_ns = [0] * len(self._free_ns)
