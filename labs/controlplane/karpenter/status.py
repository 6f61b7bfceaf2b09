"""Status conditions of Karpenter's kinds.

Source: awslabs/operatorpkg status/condition_set.go: every kind has a root condition Ready over its own ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.units import rfc3339

Condition = dict[str, Any]


def with_condition(
    conditions: Sequence[Condition], type: str, status: str, reason: str, message: str, now_ns: int
) -> list[Condition]:
    """The conditions with one set, in order of type; the transition time moves only with the status."""
    by_type = {condition["type"]: condition for condition in conditions}
    old = by_type.get(type)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else rfc3339(now_ns)
    by_type[type] = {
        "type": type,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return [by_type[name] for name in sorted(by_type)]


def with_root_condition(conditions: Sequence[Condition], dependents: Sequence[str], now_ns: int) -> list[Condition]:
    """The conditions with Ready set: True when every dependent is, else Unknown or False with their texts."""
    by_type = {condition["type"]: condition for condition in conditions}
    missing = [name for name in dependents if by_type.get(name, {}).get("status") != "True"]
    if not missing:
        return with_condition(conditions, "Ready", "True", "Ready", "", now_ns)
    is_false = any(by_type.get(name, {}).get("status") == "False" for name in missing)
    texts = ", ".join(f"{name}={by_type.get(name, {}).get('status', 'Unknown')}" for name in missing)
    if is_false:
        return with_condition(conditions, "Ready", "False", "UnhealthyDependents", texts, now_ns)
    return with_condition(conditions, "Ready", "Unknown", "ReconcilingDependents", texts, now_ns)
