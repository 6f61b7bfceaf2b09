"""Writing one condition of a pod's status.

Source: pkg/api/v1/pod/util.go (UpdatePodCondition): the transition time changes only with the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.api.client import Client
from labs.api.store import Object
from labs.units import rfc3339


def pod_condition(pod: Object, type: str, status: str, reason: str, message: str) -> dict[str, Any]:
    """A condition that was observed on this generation of the pod."""
    condition: dict[str, Any] = {"type": type}
    generation = pod["metadata"].get("generation")
    if generation:
        condition["observedGeneration"] = generation
    return condition | {"status": status, "lastProbeTime": None, "reason": reason, "message": message}


def with_condition(status: Mapping[str, Any], condition: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """``status`` with the condition in place of the one of its type, or at the end."""
    conditions = list(status.get("conditions") or ())
    for index, old in enumerate(conditions):
        if old["type"] == condition["type"]:
            is_same = old["status"] == condition["status"]
            since = old.get("lastTransitionTime") if is_same else rfc3339(now_ns)
            conditions[index] = {**condition, "lastTransitionTime": since}
            return {**status, "conditions": conditions}
    return {**status, "conditions": [*conditions, {**condition, "lastTransitionTime": rfc3339(now_ns)}]}


def mark_disruption_target(client: Client, pod: Object, reason: str, message: str) -> Object:
    """Say on the pod why it is about to be deleted; returns it as stored."""
    condition = pod_condition(pod, "DisruptionTarget", "True", reason, message)
    return client.set_status("pods", pod, with_condition(pod.get("status") or {}, condition, client.now_ns))
