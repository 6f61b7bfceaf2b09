"""The kubelet's Summary API in plain data: what containers and the node used so far.

Source: google/cadvisor housekeeping (every 10 s), kubernetes pkg/kubelet/server/stats. A sample is as old as the
last housekeeping; counters start anew with each run of a container.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labs.dataplane.instance_types import instance_spec
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.kubelet import Kubelet
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS

HOUSEKEEPING_NS = 10 * SECOND_NS
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


@dataclass(slots=True)
class _NodeSamples:
    start_ns: int
    phase_ns: int
    past_ns: int = 0
    """CPU of runs that have ended."""
    latest: dict[str, ContainerStats] | None = None
    is_sampling: bool = False


class StatsReader:
    """Answers as the kubelets would; containers whose load is not steady are sampled at each housekeeping."""

    def __init__(self, loop: Loop, streams: Streams, kubelets: Kubelets) -> None:
        self._loop = loop
        self._rng = streams.python("cadvisor")
        self._kubelets = kubelets
        self._nodes: dict[str, _NodeSamples] = {}

    def nodes(self) -> list[str]:
        """Nodes whose kubelet answers now, in the order in which they came."""
        return [kubelet.host.name for kubelet in self._kubelets.all() if kubelet.is_on and kubelet.host.is_connected]

    def summary(self, node: str) -> NodeStats | None:
        """The last samples of a node; None when its kubelet does not answer."""
        kubelet = self._kubelets.get(node)
        if kubelet is None or not kubelet.is_on or not kubelet.host.is_connected:
            return None
        return self._summary(kubelet)
