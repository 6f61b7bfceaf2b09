"""Whether a node still shows signs of life, and what is written on it when it does not.

Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go (tryUpdateNodeHealth).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from labs.api.store import Object
from labs.controlplane.pods import condition_of
from labs.units import parse_rfc3339, rfc3339

WATCHED_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
STOPPED = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER_POSTED = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What the last pass saw; ``probe_ns`` is when, by the controller's clock, a sign of life was last new."""

    probe_ns: int
    heartbeat: str | None = None
    renew_ns: int | None = None


def observe(health: NodeHealth | None, node: Object, lease: Object | None, now_ns: int) -> NodeHealth:
    """The health after looking at the node's Ready condition and its lease."""
    ready = condition_of(node, "Ready")
    heartbeat = ready.get("lastHeartbeatTime") if ready is not None else None
    known_ns = health.renew_ns if health is not None else None
    if health is None:
        probe_ns = now_ns if ready is not None else parse_rfc3339(node["metadata"]["creationTimestamp"])
        health = NodeHealth(probe_ns, heartbeat)
    elif health.heartbeat != heartbeat:
        health = NodeHealth(now_ns, heartbeat)
    # A new heartbeat forgets the lease, which then counts as renewed in the next pass: upstream's way.
    renew_ns = _renew_ns(lease)
    if renew_ns is not None and (known_ns is None or known_ns < renew_ns):
        health = replace(health, probe_ns=now_ns, renew_ns=renew_ns)
    return health


def _renew_ns(lease: Object | None) -> int | None:
    text = (lease.get("spec") or {}).get("renewTime") if lease is not None else None
    return parse_rfc3339(text) if text else None


def with_unknown_conditions(node: Object, now_ns: int) -> list[dict[str, Any]]:
    """The node's conditions when nothing is heard of it: the watched ones are Unknown."""
    conditions = [
        _unknown(item, now_ns) if item["type"] in WATCHED_CONDITIONS else item
        for item in (node.get("status") or {}).get("conditions") or ()
    ]
    present = [item["type"] for item in conditions]
    reason, message = NEVER_POSTED
    for watched in WATCHED_CONDITIONS:
        if watched not in present:
            conditions.append(
                {
                    "type": watched,
                    "status": "Unknown",
                    "lastHeartbeatTime": node["metadata"]["creationTimestamp"],
                    "lastTransitionTime": rfc3339(now_ns),
                    "reason": reason,
                    "message": message,
                }
            )
    return conditions


def _unknown(condition: dict[str, Any], now_ns: int) -> dict[str, Any]:
    if condition["status"] == "Unknown":
        return condition
    reason, message = STOPPED
    return {
        **condition,
        "status": "Unknown",
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(now_ns),
    }
