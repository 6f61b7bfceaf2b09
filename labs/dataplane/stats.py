"""The kubelet's Summary API in plain data: what containers and the node used so far.

Source: google/cadvisor housekeeping (every 10 s), kubernetes pkg/kubelet/server/stats. A sample is as old as the
last housekeeping; counters start anew with each run of a container.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labs.api.quantity import value
from labs.dataplane.instance_types import capacity, instance_spec
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.kubelet import Kubelet
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.dataplane.kubelet.pod_worker import PodWorker
from labs.dataplane.process import Process
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS

SLOTS = 10
"""Seconds from one housekeeping of a node to the next; nodes are spread over the seconds."""
SYSTEM_MILLICORES = 35
"""The kubelet, containerd and the kernel on an idle node."""
SYSTEM_MEMORY_BYTES = 420 * 1024**2


@dataclass(frozen=True, slots=True)
class ContainerStats:
    """One container's counters at ``timestamp_ns``."""

    namespace: str
    pod: str
    uid: str
    container: str
    start_ns: int
    timestamp_ns: int
    cpu_used_ns: int
    """Cumulative since ``start_ns``."""
    memory_bytes: int
    """The working set."""


@dataclass(frozen=True, slots=True)
class NodeStats:
    """A node and its containers; ``cpu_used_ns`` is cumulative since the machine booted."""

    node: str
    start_ns: int
    timestamp_ns: int
    cpu_used_ns: int
    memory_bytes: int
    cpu_capacity_millicores: int
    memory_capacity_bytes: int
    containers: tuple[ContainerStats, ...]


class StatsReader:
    """Answers as the kubelets would, from samples that it takes of each node every 10 s."""

    def __init__(self, loop: Loop, streams: Streams, kubelets: Kubelets) -> None:
        self._loop = loop
        self._rng = streams.python("cadvisor")
        self._kubelets = kubelets
        self._slots: dict[str, int] = {}
        self._latest: dict[str, NodeStats] = {}

    def start(self) -> None:
        """Take samples from now on."""
        self._loop.after(SECOND_NS, self._tick, 1)

    def nodes(self) -> list[str]:
        """Nodes whose kubelet answers now, in the order in which they came."""
        return [kubelet.host.name for kubelet in self._kubelets.all() if _answers(kubelet)]

    def summary(self, node: str) -> NodeStats | None:
        """The last sample of a node; None when its kubelet does not answer or has none yet."""
        kubelet = self._kubelets.get(node)
        if kubelet is None or not _answers(kubelet):
            return None
        return self._latest.get(node)

    def _tick(self, number: int) -> None:
        """One second: the nodes of this slot are due."""
        self._loop.after(SECOND_NS, self._tick, number + 1)
        for kubelet in self._kubelets.all():
            name = kubelet.host.name
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = self._rng.randrange(SLOTS)
            if slot != number % SLOTS:
                continue
            if kubelet.is_on:
                sample = self._latest[name] = self._sample(kubelet, self._latest.get(name))
                kubelet.pressure.observe(sample.memory_capacity_bytes - sample.memory_bytes)
            else:
                self._latest.pop(name, None)

    def _sample(self, kubelet: Kubelet, last: NodeStats | None) -> NodeStats:
        now_ns = self._loop.now_ns
        instance = kubelet.registration.instance
        spec = instance_spec(instance.instance_type)
        containers = tuple(
            _container_stats(worker, container, container.process, now_ns)
            for worker in kubelet.workers.values()
            for container in worker.everything
            if container.process is not None
        )
        start_ns = last.start_ns if last is not None else now_ns
        before_ns = last.cpu_used_ns if last is not None else 0
        system_ns = (now_ns - (last.timestamp_ns if last is not None else now_ns)) * SYSTEM_MILLICORES // 1000
        return NodeStats(
            node=instance.node_name,
            start_ns=start_ns,
            timestamp_ns=now_ns,
            cpu_used_ns=before_ns + system_ns + _newly_used_ns(containers, last),
            memory_bytes=SYSTEM_MEMORY_BYTES + sum(each.memory_bytes for each in containers),
            cpu_capacity_millicores=spec.vcpus * 1000,
            memory_capacity_bytes=value(capacity(spec)["memory"]),
            containers=containers,
        )


def _answers(kubelet: Kubelet) -> bool:
    return kubelet.is_on and kubelet.host.is_connected


def _container_stats(worker: PodWorker, container: Container, process: Process, now_ns: int) -> ContainerStats:
    metadata = worker.pod["metadata"]
    return ContainerStats(
        metadata["namespace"],
        metadata["name"],
        worker.uid,
        container.name,
        container.started_ns,
        now_ns,
        process.cpu_used_ns(now_ns),
        container.memory_bytes(now_ns),
    )


def _newly_used_ns(containers: Sequence[ContainerStats], last: NodeStats | None) -> int:
    """CPU since the last sample; what a run used after its last sample is lost, as in production."""
    before = {(each.uid, each.container, each.start_ns): each.cpu_used_ns for each in last.containers} if last else {}
    return sum(each.cpu_used_ns - before.get((each.uid, each.container, each.start_ns), 0) for each in containers)
