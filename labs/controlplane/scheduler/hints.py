"""Queueing hints: may a change in the cluster help a pod that a given plugin refused?

Source: the isSchedulableAfter... functions of pkg/scheduler/framework/plugins/*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labs.controlplane.scheduler.filters import is_affinity_unmet, is_cordoned, is_other_node, is_tainted
from labs.controlplane.scheduler.nodeinfo import NodeFacts, conflicts
from labs.controlplane.scheduler.podinfo import NamespaceLabels, Placement, PodInfo


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node before and after; one is None when it came or went."""

    old: NodeFacts | None
    new: NodeFacts | None


@dataclass(frozen=True, slots=True)
class PodChange:
    """A pod on a node before and after; one is None when it came or went."""

    old: PodInfo | None
    new: PodInfo | None


@dataclass(frozen=True, slots=True)
class VolumeChange:
    """A claim, a volume or a storage class came, changed or went."""


Change = NodeChange | PodChange | VolumeChange

_PLACEMENT_CHECKS: Mapping[str, Callable[[Placement, NodeFacts], bool]] = {
    "NodeUnschedulable": is_cordoned,
    "NodeName": is_other_node,
    "TaintToleration": is_tainted,
    "NodeAffinity": is_affinity_unmet,
}


def may_help(plugin: str, pod: PodInfo, change: Change, namespace_labels: NamespaceLabels) -> bool:
    """Whether the change may turn the plugin's refusal of the pod round."""
    if isinstance(change, VolumeChange):
        return plugin == "VolumeBinding"
    if isinstance(change, NodeChange):
        return _node_may_help(plugin, pod, change)
    return _pod_may_help(plugin, pod, change, namespace_labels)


def _node_may_help(plugin: str, pod: PodInfo, change: NodeChange) -> bool:
    old, new = change.old, change.new
    if plugin == "PodTopologySpread":
        return _label_changed(tuple(item.topology_key for item in pod.spread), old, new)
    if new is None:
        return False
    if plugin == "InterPodAffinity":
        terms = (*pod.affinity.required, *pod.affinity.required_anti)
        return not terms or any(_label_changed((term.topology_key,), old, new) for term in terms)
    if plugin == "NodeResourcesFit":
        return _resources_may_suffice(pod, old, new)
    is_refused = _PLACEMENT_CHECKS.get(plugin)
    if is_refused is None:
        return old is None
    return not is_refused(pod.placement, new) and (old is None or is_refused(pod.placement, old))


def _label_changed(keys: tuple[str, ...], old: NodeFacts | None, new: NodeFacts | None) -> bool:
    """Whether the node that came, changed or went carries all the keys and changed one of them."""
    has_old = old is not None and all(key in old.labels for key in keys)
    has_new = new is not None and all(key in new.labels for key in keys)
    if old is None or new is None or has_old != has_new:
        return has_old or has_new
    return has_new and any(old.labels[key] != new.labels[key] for key in keys)


def _resources_may_suffice(pod: PodInfo, old: NodeFacts | None, new: NodeFacts) -> bool:
    allocatable = new.allocatable
    if any(amount > allocatable.get(name, 0) for name, amount in pod.requests.items()):
        return False
    if old is None:
        return True
    return any(allocatable.get(name, 0) > old.allocatable.get(name, 0) for name in (*pod.requests, "pods"))


def _pod_may_help(plugin: str, pod: PodInfo, change: PodChange, namespace_labels: NamespaceLabels) -> bool:
    old, new = change.old, change.new
    if plugin == "NodeResourcesFit":
        return old is not None and (new is None or _shrank(old, new))
    if plugin == "NodePorts":
        return (
            old is not None
            and new is None
            and any(conflicts(wanted, freed) for wanted in pod.host_ports for freed in old.host_ports)
        )
    seen = [item for item in (old, new) if item is not None]
    if plugin == "PodTopologySpread":
        if old is not None and new is not None and not _is_seen_differently(old, new):
            return False
        return any(
            item.matcher.selects(other, namespace_labels) for item in pod.spread if item.is_required for other in seen
        )
    if plugin == "InterPodAffinity":
        return _affinity_may_help(pod, old, new, namespace_labels)
    return False


def _shrank(old: PodInfo, new: PodInfo) -> bool:
    return any(new.requests.get(name, 0) < amount for name, amount in old.requests.items())


def _is_seen_differently(old: PodInfo, new: PodInfo) -> bool:
    return old.labels != new.labels or old.is_terminating != new.is_terminating


def _affinity_may_help(
    pod: PodInfo, old: PodInfo | None, new: PodInfo | None, namespace_labels: NamespaceLabels
) -> bool:
    if old is not None and new is not None and old.labels == new.labels:
        return False
    required, required_anti = pod.affinity.required, pod.affinity.required_anti
    if new is not None and any(term.matcher.selects(new, namespace_labels) for term in required):
        return True
    if old is None:
        return False
    if any(term.matcher.selects(old, namespace_labels) for term in required_anti):
        return True
    return any(term.matcher.selects(pod, namespace_labels) for term in old.affinity.required_anti)
