"""Pods that wait to be placed: ready now, backing off, or unschedulable until something changes.

Source: pkg/scheduler/backend/queue/{scheduling_queue,backoff_queue,active_queue}.go, gate SchedulerPopFromBackoffQ on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from labs.controlplane.scheduler.podinfo import PodInfo
from labs.units import MINUTE_NS, SECOND_NS

INITIAL_BACKOFF_NS = 1 * SECOND_NS
MAX_BACKOFF_NS = 10 * SECOND_NS
MAX_UNSCHEDULABLE_NS = 5 * MINUTE_NS
FLUSH_UNSCHEDULABLE_NS = 30 * SECOND_NS
"""How often the pool is looked through for pods that have waited for ``MAX_UNSCHEDULABLE_NS``."""

ACTIVE, BACKOFF, ERROR_BACKOFF, UNSCHEDULABLE, GATED, IN_FLIGHT = (
    "active",
    "backoff",
    "error-backoff",
    "unschedulable",
    "gated",
    "in-flight",
)


def backoff_ns(failed_attempts: int) -> int:
    """How long a pod rests after its k-th failed attempt: 1 s, 2 s, 4 s ... at most 10 s."""
    return min(INITIAL_BACKOFF_NS << min(failed_attempts - 1, 10), MAX_BACKOFF_NS) if failed_attempts else 0


@dataclass(slots=True, eq=False)
class QueuedPod:
    """A pod and its place. ``since_ns``: when it was last put into the queue or back into it."""

    pod: PodInfo
    since_ns: int
    place: str = ACTIVE
    failed_attempts: int = 0
    refused_by: frozenset[str] = frozenset()
    ticket: int = field(default=0)

    @property
    def backoff_end_ns(self) -> int:
        """When its rest is over, cut to the whole second."""
        return (self.since_ns + backoff_ns(self.failed_attempts)) // SECOND_NS * SECOND_NS


_Entry = tuple[int, int, int, int, QueuedPod]


class SchedulingQueue:
    """Active pods come by priority, then time; with none active, the one whose rest ends first is taken early."""

    def __init__(self) -> None:
        self._pods: dict[str, QueuedPod] = {}
        self._unschedulable: dict[str, QueuedPod] = {}
        self._active: list[_Entry] = []
        self._backoff: list[_Entry] = []
        self._error_backoff: list[_Entry] = []
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, uid: str) -> QueuedPod | None:
        """The queued pod, wherever it waits."""
        return self._pods.get(uid)

    def add(self, pod: PodInfo, now_ns: int) -> None:
        """Take a new pod in; one with scheduling gates waits for them to go."""
        queued = QueuedPod(pod, now_ns)
        self._pods[pod.uid] = queued
        if is_gated(pod):
            queued.place = GATED
        else:
            self._push(queued, ACTIVE)

    def remove(self, uid: str) -> None:
        """Forget a pod."""
        queued = self._pods.pop(uid, None)
        self._unschedulable.pop(uid, None)
        if queued is not None:
            queued.ticket = 0

    def _push(self, queued: QueuedPod, place: str) -> None:
        self._tickets += 1
        queued.place, queued.ticket = place, self._tickets
        if place == ACTIVE:
            heappush(self._active, (-queued.pod.priority, queued.since_ns, self._tickets, self._tickets, queued))
        else:
            heap = self._backoff if place == BACKOFF else self._error_backoff
            key = (queued.backoff_end_ns, -queued.pod.priority, queued.since_ns, self._tickets, queued)
            heappush(heap, key)

    def pop(self) -> QueuedPod | None:
        """The next pod to try, or None."""
        for heap in (self._active, self._backoff):
            self._drop_stale(heap)
            if heap:
                queued = heappop(heap)[4]
                queued.place, queued.ticket = IN_FLIGHT, 0
                return queued
        return None

    def has_next(self) -> bool:
        """Whether ``pop`` has something to give."""
        self._drop_stale(self._active)
        self._drop_stale(self._backoff)
        return bool(self._active or self._backoff)

    def _drop_stale(self, heap: list[_Entry]) -> None:
        while heap and heap[0][3] != heap[0][4].ticket:
            heappop(heap)

    def put_back(self, queued: QueuedPod, refused_by: frozenset[str], now_ns: int) -> None:
        """After a failed attempt: wait until something changes that may help one of the plugins."""
        queued.failed_attempts += 1
        queued.since_ns, queued.refused_by, queued.place = now_ns, refused_by, UNSCHEDULABLE
        self._unschedulable[queued.pod.uid] = queued

    def put_back_after_error(self, queued: QueuedPod, now_ns: int) -> None:
        """After an error that was not the cluster's lack of room: rest, then try again."""
        queued.failed_attempts += 1
        queued.since_ns, queued.refused_by = now_ns, frozenset()
        self._push(queued, ERROR_BACKOFF)

    def next_rest_end_ns(self) -> int | None:
        """When the next pod that rests after an error is due, or None."""
        self._drop_stale(self._error_backoff)
        return self._error_backoff[0][0] if self._error_backoff else None

    def flush_rested(self, now_ns: int) -> None:
        """Make the pods active whose rest is over."""
        for heap in (self._backoff, self._error_backoff):
            self._drop_stale(heap)
            while heap and heap[0][0] <= now_ns:
                self._push(heappop(heap)[4], ACTIVE)
                self._drop_stale(heap)

    def flush_unschedulable(self, now_ns: int) -> None:
        """Give the pods another try that have waited for too long."""
        self.move(lambda queued: now_ns - queued.since_ns > MAX_UNSCHEDULABLE_NS, now_ns)

    def move(self, may_help: Callable[[QueuedPod], bool], now_ns: int) -> None:
        """Take the unschedulable pods that ``may_help`` names back: to rest on, or to be tried at once."""
        for queued in [queued for queued in self._unschedulable.values() if may_help(queued)]:
            del self._unschedulable[queued.pod.uid]
            self._push(queued, BACKOFF if queued.backoff_end_ns > now_ns else ACTIVE)

    def update(self, pod: PodInfo, may_help: bool, now_ns: int) -> None:
        """Take the new state of a waiting pod; ``may_help``: the change may make an unschedulable one fit."""
        queued = self._pods[pod.uid]
        queued.pod = pod
        if queued.place == GATED and not is_gated(pod):
            queued.since_ns = now_ns
            self._push(queued, ACTIVE)
        elif queued.place == UNSCHEDULABLE and may_help:
            self.move(lambda other: other is queued, now_ns)


def is_gated(pod: PodInfo) -> bool:
    """Whether the pod still has scheduling gates."""
    return bool(pod.obj["spec"].get("schedulingGates"))
