"""Node-pressure eviction by memory: when little is available, the pod that exceeds its request most is ended.

Source: kubernetes pkg/kubelet/eviction/{eviction_manager,helpers}.go (memory.available, hard threshold 100Mi, rank by
usage over request, priority, usage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labs.api.quantity import BINARY_SI, format_value, value
from labs.api.store import Object
from labs.dataplane.kubelet.ending import evicted
from labs.dataplane.kubelet.shutdown import is_critical
from labs.units import MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.kubelet import Kubelet
    from labs.dataplane.kubelet.pod_worker import PodWorker

THRESHOLD_BYTES = 100 * 1024**2
TRANSITION_NS = 5 * MINUTE_NS
"""The condition stays this long after pressure was last seen (evictionPressureTransitionPeriod)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod as the ranking sees it; memory in bytes."""

    uid: str
    usage: int
    request: int
    priority: int


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Whom to evict first: pods above their request, then lower priority, then the one that is furthest above."""
    return sorted(candidates, key=lambda each: (each.usage <= each.request, each.priority, each.request - each.usage))


def eviction_message(available_bytes: int, containers: Sequence[tuple[str, int, int]]) -> str:
    """The text of the pod's status; containers are name, usage and request in bytes."""
    text = f"The node was low on resource: memory. Threshold quantity: 100Mi, available: {available_bytes // 1024}Ki. "
    for name, usage, request in containers:
        if usage > request:
            asked = format_value(request, BINARY_SI)
            text += (
                f"Container {name} was using {usage // 1024}Ki, request is {asked}, has larger consumption of memory. "
            )
    return text


class MemoryPressure:
    """Looks at each sample of the node's memory."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._seen_ns: int | None = None

    @property
    def is_present(self) -> bool:
        """Whether the node has the condition MemoryPressure."""
        return self._seen_ns is not None

    def observe(self, available_bytes: int) -> None:
        """What the node has left; evict one pod when it is below the threshold."""
        now_ns = self._kubelet.host.loop.now_ns
        if available_bytes < THRESHOLD_BYTES:
            was_present, self._seen_ns = self.is_present, now_ns
            if not was_present:
                self._kubelet.pressure_changed()
            self._kubelet.event("Warning", "EvictionThresholdMet", "Attempting to reclaim memory")
            self._evict(available_bytes)
        elif self._seen_ns is not None and now_ns - self._seen_ns >= TRANSITION_NS:
            self._seen_ns = None
            self._kubelet.pressure_changed()

    def _evict(self, available_bytes: int) -> None:
        now_ns = self._kubelet.host.loop.now_ns
        running = {
            worker.uid: worker
            for worker in self._kubelet.workers.values()
            if not (worker.is_over or worker.is_leaving or is_critical(worker.pod))
        }
        for each in rank([_candidate(worker, now_ns) for worker in running.values()]):
            worker = running[each.uid]
            containers = [
                (container.name, container.memory_bytes(now_ns), memory_request(container.spec))
                for container in worker.everything
                if container.is_running
            ]
            message = eviction_message(available_bytes, containers)
            worker.host.event(worker.pod, "Warning", "Evicted", message)
            worker.end(evicted(message), SECOND_NS)
            return


def memory_request(container: Mapping[str, object] | Object) -> int:
    """``resources.requests.memory`` in bytes, 0 without one."""
    resources = container.get("resources")
    requests = resources.get("requests") if isinstance(resources, Mapping) else None
    return value(requests["memory"]) if isinstance(requests, Mapping) and "memory" in requests else 0


def _candidate(worker: PodWorker, now_ns: int) -> Candidate:
    counted = [each for each in worker.containers if not each.is_init or each.is_sidecar]
    return Candidate(
        worker.uid,
        sum(each.memory_bytes(now_ns) for each in counted),
        sum(memory_request(each.spec) for each in counted),
        int(worker.pod["spec"].get("priority") or 0),
    )
