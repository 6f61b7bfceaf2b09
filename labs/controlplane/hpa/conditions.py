"""Conditions of a HorizontalPodAutoscaler's status, in wire form.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go (setConditionInList).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.units import rfc3339

ABLE_TO_SCALE = "AbleToScale"
SCALING_ACTIVE = "ScalingActive"
SCALING_LIMITED = "ScalingLimited"
SCALED_TO_ZERO = "ScaledToZero"

Condition = dict[str, Any]


def with_condition(
    conditions: Sequence[Condition], type: str, is_true: bool, reason: str, message: str, now_ns: int
) -> list[Condition]:
    """The conditions with one set, in its place or at the end; the transition time moves only with the status."""
    status = "True" if is_true else "False"
    old = next((condition for condition in conditions if condition["type"] == type), None)
    is_same_status = old is not None and old["status"] == status
    new = {
        "type": type,
        "status": status,
        "lastTransitionTime": old["lastTransitionTime"] if old and is_same_status else rfc3339(now_ns),
        "reason": reason,
        "message": message,
    }
    if old is None:
        return [*conditions, new]
    return [new if condition is old else condition for condition in conditions]


def is_condition_true(conditions: Sequence[Condition], type: str) -> bool:
    """Whether there is such a condition and it is True."""
    return any(condition["type"] == type and condition["status"] == "True" for condition in conditions)
