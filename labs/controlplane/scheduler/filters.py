"""Filters that look at one node alone: taints, names, affinity, ports, resources.

Source: nodeunschedulable, nodename, tainttoleration, nodeaffinity, nodeports and noderesources of
pkg/scheduler/framework/plugins.
"""

from __future__ import annotations

from labs.api.scheduling import is_tolerated, untolerated_taint
from labs.api.store import Object
from labs.controlplane.scheduler.failure import (
    AFFINITY_MISMATCH,
    OTHER_NODE_NAME,
    PORTS_TAKEN,
    UNSCHEDULABLE,
    UNTOLERATED_TAINT,
    Failure,
)
from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo, parse_node
from labs.controlplane.scheduler.podinfo import Placement, PodInfo, parse_pod

UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def fits(pod: Object, node: Object, pods_on_node: tuple[Object, ...] = ()) -> tuple[str, ...]:
    """Why ``pod`` may not run on ``node`` beside ``pods_on_node``; empty when it may. For one's own numbers."""
    info = NodeInfo(parse_node(node))
    for other in pods_on_node:
        info.add(parse_pod(other))
    failure = node_failure(parse_pod(pod), info)
    return failure.reasons if failure is not None else ()


def node_failure(pod: PodInfo, node: NodeInfo) -> Failure | None:
    """The first of these filters that refuses the node, or None. Answers are remembered on the node."""
    if pod.shape not in node.failures:
        node.failures[pod.shape] = _node_failure(pod, node)
    return node.failures[pod.shape]


def _node_failure(pod: PodInfo, node: NodeInfo) -> Failure | None:
    known = node.placement_failures
    signature = pod.placement.signature
    if signature not in known:
        assert node.facts is not None
        known[signature] = placement_failure(pod.placement, node.facts)
    failure = known[signature]
    if failure is not None:
        return failure
    if pod.host_ports and node.has_port_conflict(pod):
        return PORTS_TAKEN
    return resource_failure(pod, node)


def placement_failure(placement: Placement, node: NodeFacts) -> Failure | None:
    """What the node object alone says against a pod: cordon, name, taints, node affinity."""
    for failure, is_refused in (
        (UNSCHEDULABLE, is_cordoned),
        (OTHER_NODE_NAME, is_other_node),
        (UNTOLERATED_TAINT, is_tainted),
        (AFFINITY_MISMATCH, is_affinity_unmet),
    ):
        if is_refused(placement, node):
            return failure
    return None


def is_cordoned(placement: Placement, node: NodeFacts) -> bool:
    """NodeUnschedulable."""
    return node.is_unschedulable and not is_tolerated(UNSCHEDULABLE_TAINT, placement.tolerations)


def is_other_node(placement: Placement, node: NodeFacts) -> bool:
    """NodeName."""
    return placement.node_name not in ("", node.name)


def is_tainted(placement: Placement, node: NodeFacts) -> bool:
    """TaintToleration."""
    return bool(node.taints) and untolerated_taint(node.taints, placement.tolerations) is not None


def is_affinity_unmet(placement: Placement, node: NodeFacts) -> bool:
    """NodeAffinity."""
    return not placement.affinity.matches(node.name, node.labels)


def resource_failure(pod: PodInfo, node: NodeInfo) -> Failure | None:
    """NodeResourcesFit: every resource that is short; not resolvable where the empty node would be too small."""
    assert node.facts is not None
    allocatable = node.facts.allocatable
    reasons = []
    is_resolvable = True
    if len(node.pods) + 1 > allocatable.get("pods", 0):
        reasons.append("Too many pods")
    for name, amount in pod.requests.items():
        if amount and amount > allocatable.get(name, 0) - _used(node, name):
            reasons.append(f"Insufficient {name}")
            is_resolvable = is_resolvable and amount <= allocatable.get(name, 0)
    return Failure("NodeResourcesFit", tuple(reasons), is_resolvable) if reasons else None


def _used(node: NodeInfo, name: str) -> int:
    if name == "cpu":
        return node.cpu_millicores
    return node.memory_bytes if name == "memory" else node.others.get(name, 0)
