"""Graceful node shutdown: the machine is told to stop, and waits while the kubelet ends the pods in two steps.

Source: kubernetes pkg/kubelet/nodeshutdown/{nodeshutdown_manager,nodeshutdown_manager_linux}.go (systemd inhibitor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.api.store import Object
from labs.dataplane.kubelet.ending import NODE_SHUTDOWN
from labs.units import SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.kubelet import Kubelet
    from labs.dataplane.kubelet.pod_worker import PodWorker

CRITICAL_PRIORITY = 2_000_000_000
EVENT_TEXT = "Shutdown manager detected shutdown event"
_LOOK_NS = SECOND_NS


@dataclass(frozen=True, slots=True)
class ShutdownTimes:
    """``shutdownGracePeriod`` and the part of it that is kept for critical pods; 0 and 0 switch the feature off."""

    grace_s: int = 30
    critical_s: int = 10


def is_critical(pod: Object) -> bool:
    """Whether the pod is of a system class of priority."""
    return int(pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY


def steps(workers: Sequence[PodWorker], times: ShutdownTimes) -> list[tuple[list[PodWorker], int]]:
    """Who is ended first and how long that may take, then the critical pods and theirs; lengths in nanoseconds."""
    regular = [worker for worker in workers if not is_critical(worker.pod)]
    critical = [worker for worker in workers if is_critical(worker.pod)]
    return [(regular, (times.grace_s - times.critical_s) * SECOND_NS), (critical, times.critical_s * SECOND_NS)]


class NodeShutdown:
    """One shutdown of one node; ``done`` is called when the machine may stop."""

    def __init__(self, kubelet: Kubelet, times: ShutdownTimes, done: Callable[[], None]) -> None:
        self._kubelet = kubelet
        self._done = done
        self._steps = steps(list(kubelet.workers.values()), times)

    def begin(self) -> None:
        """End the first group of pods."""
        self._next()

    def _next(self) -> None:
        if not self._steps:
            self._done()
            return
        workers, limit_ns = self._steps.pop(0)
        for worker in workers:
            worker.end(NODE_SHUTDOWN, min(worker.grace_ns, limit_ns))
        self._look(workers, self._kubelet.host.loop.now_ns + limit_ns)

    def _look(self, workers: list[PodWorker], deadline_ns: int) -> None:
        loop = self._kubelet.host.loop
        if not self._kubelet.is_on:
            return
        if loop.now_ns >= deadline_ns or all(worker.is_over for worker in workers):
            self._next()
        else:
            loop.at(min(loop.now_ns + _LOOK_NS, deadline_ns), self._look, workers, deadline_ns)
