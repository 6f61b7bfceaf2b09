"""Taints that say how a node is doing.

Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go (taint templates, nodeConditionToTaintKeyStatusMap),
pkg/controller/controller_utils.go (AddOrUpdateTaintOnNode, RemoveTaintOffNode).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.api.store import Object
from labs.units import rfc3339

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

CONDITION_TAINTS: Mapping[str, Mapping[str, str]] = {
    "Ready": {"False": NOT_READY, "Unknown": UNREACHABLE},
    "MemoryPressure": {"True": "node.kubernetes.io/memory-pressure"},
    "DiskPressure": {"True": "node.kubernetes.io/disk-pressure"},
    "NetworkUnavailable": {"True": "node.kubernetes.io/network-unavailable"},
    "PIDPressure": {"True": "node.kubernetes.io/pid-pressure"},
}
"""Taint key by condition type and status."""

MANAGED_KEYS = (UNSCHEDULABLE, *(key for keys in CONDITION_TAINTS.values() for key in keys.values()))
"""Keys whose NoSchedule taints the node lifecycle controller sets and removes."""

Taint = Mapping[str, Any]


def taints_of(node: Object) -> list[Taint]:
    """The node's taints."""
    return list((node.get("spec") or {}).get("taints") or ())


def has_taint(node: Object, key: str, effect: str) -> bool:
    """Whether the node has a taint of this key and effect."""
    return any(taint["key"] == key and taint["effect"] == effect for taint in taints_of(node))


def wanted_no_schedule(node: Object) -> list[str]:
    """Keys of the NoSchedule taints that the node's conditions and its cordon call for."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    keys = [CONDITION_TAINTS.get(item["type"], {}).get(item["status"]) for item in conditions]
    if node["spec"].get("unschedulable"):
        keys.append(UNSCHEDULABLE)
    return [key for key in keys if key is not None]


def with_no_schedule(node: Object, now_ns: int) -> Object | None:
    """The node with exactly the NoSchedule taints that it should have, or None when it has them already."""
    wanted = wanted_no_schedule(node)
    present = [t["key"] for t in taints_of(node) if t["effect"] == "NoSchedule" and t["key"] in MANAGED_KEYS]
    if sorted(wanted) == sorted(present):
        return None
    missing = [key for key in wanted if key not in present]
    unwanted = [(key, "NoSchedule") for key in present if key not in wanted]
    return with_taints(node, missing, "NoSchedule", unwanted, now_ns)


def with_taints(
    node: Object, added: Iterable[str], effect: str, removed: Sequence[tuple[str, str]], now_ns: int
) -> Object:
    """The node with taints (key, effect) removed and others, of one effect, added as of now."""
    kept = [taint for taint in taints_of(node) if (taint["key"], taint["effect"]) not in removed]
    new = [{"key": key, "effect": effect, "timeAdded": rfc3339(now_ns)} for key in added]
    spec = {key: value for key, value in (node.get("spec") or {}).items() if key != "taints"}
    if kept or new:
        spec["taints"] = [*kept, *new]
    return {**node, "spec": spec}
