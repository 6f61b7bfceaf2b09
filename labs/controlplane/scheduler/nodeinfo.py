"""A node as the scheduler sees it: the facts of its object, and the running sums of the pods on it.

Source: pkg/scheduler/framework/types.go (NodeInfo, HostPortInfo).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.scheduling import Amounts, amounts
from labs.api.store import Object
from labs.controlplane.scheduler.failure import Failure
from labs.controlplane.scheduler.podinfo import PodInfo
from labs.controlplane.zones import zone_key

ANY_ADDRESS = "0.0.0.0"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the node object alone says. ``images`` maps an image's name to its size in bytes."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    is_unschedulable: bool
    allocatable: Mapping[str, int]
    zone: str
    images: Mapping[str, int]

    @property
    def has_soft_taints(self) -> bool:
        """Whether there is a PreferNoSchedule taint."""
        return any(taint.get("effect") == "PreferNoSchedule" for taint in self.taints)


def parse_node(node: Object) -> NodeFacts:
    """The facts of a node object."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return NodeFacts(
        node["metadata"]["name"],
        node["metadata"].get("labels") or {},
        tuple(spec.get("taints") or ()),
        bool(spec.get("unschedulable")),
        amounts(status.get("allocatable")),
        zone_key(node),
        {
            name: image.get("sizeBytes") or 0
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        },
    )


class NodeInfo:
    """One node: ``facts`` is None while pods are bound to a node whose object is not known (yet, or any more).

    ``placement_failures`` (by signature), ``failures`` and ``resource_scores`` (by shape of the pod) are answers that
    hold until the node or the pods on it change.
    """

    __slots__ = (
        "cpu_millicores",
        "facts",
        "failures",
        "memory_bytes",
        "others",
        "placement_failures",
        "pods",
        "ports",
        "resource_scores",
        "scored_cpu_millicores",
        "scored_memory_bytes",
    )

    def __init__(self, facts: NodeFacts | None) -> None:
        self.pods: dict[str, PodInfo] = {}
        self.cpu_millicores = 0
        self.memory_bytes = 0
        self.scored_cpu_millicores = 0
        self.scored_memory_bytes = 0
        self.others: Amounts = {}
        self.ports: dict[tuple[str, str, int], int] = {}
        self.placement_failures: dict[str, Failure | None] = {}
        self.failures: dict[str, Failure | None] = {}
        self.resource_scores: dict[str, int] = {}
        self.facts = facts

    def set_facts(self, facts: NodeFacts | None) -> None:
        """Take a new state of the node object; answers that depended on the old one are forgotten."""
        self.facts = facts
        self.placement_failures = {}
        self._forget()

    def add(self, pod: PodInfo) -> None:
        """Count a pod in."""
        self.pods[pod.uid] = pod
        self._count(pod, 1)

    def remove(self, pod: PodInfo) -> None:
        """Count a pod out."""
        del self.pods[pod.uid]
        self._count(pod, -1)

    def _count(self, pod: PodInfo, sign: int) -> None:
        self.cpu_millicores += sign * pod.cpu_millicores
        self.memory_bytes += sign * pod.memory_bytes
        self.scored_cpu_millicores += sign * pod.scored_cpu_millicores
        self.scored_memory_bytes += sign * pod.scored_memory_bytes
        for name, amount in pod.requests.items():
            if name not in ("cpu", "memory"):
                self.others[name] = self.others.get(name, 0) + sign * amount
        for port in pod.host_ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]
        self._forget()

    def _forget(self) -> None:
        self.failures = {}
        self.resource_scores = {}

    def copy(self) -> NodeInfo:
        """A copy to try changes on."""
        twin = NodeInfo(self.facts)
        for pod in self.pods.values():
            twin.add(pod)
        twin.placement_failures = self.placement_failures
        return twin

    def has_port_conflict(self, pod: PodInfo) -> bool:
        """Whether a host port of the pod is taken; 0.0.0.0 stands for every address."""
        return any(conflicts(wanted, taken) for wanted in pod.host_ports for taken in self.ports)


def conflicts(first: tuple[str, str, int], second: tuple[str, str, int]) -> bool:
    """Whether two (address, protocol, port) exclude each other."""
    return first[1:] == second[1:] and (first[0] == second[0] or ANY_ADDRESS in (first[0], second[0]))
