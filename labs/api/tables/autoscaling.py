"""Autoscalers, scales and disruption budgets.

Source: kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.quantity import parse_quantity
from labs.api.tables.printer import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Column,
    Object,
    Printer,
    View,
    integers,
    name_of,
    shortened,
    spec_of,
    status_of,
    texts,
)

_SHOWN_METRICS = 2
_UNKNOWN = "<unknown>"
_NIL = "<nil>"
_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def _autoscaler(autoscaler: Object, view: View) -> list[Any]:
    spec, status = spec_of(autoscaler), status_of(autoscaler)
    target = spec.get("scaleTargetRef") or {}
    minimum = spec.get("minReplicas")
    return [
        name_of(autoscaler),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        UNSET if minimum is None else str(minimum),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        view.object_age(autoscaler),
    ]


def _targets(metrics: list[Object], current: list[Object]) -> str:
    """``formatHPAMetrics``: the first two metrics, current value before target."""
    if not metrics:
        return NONE
    found = [_target(metric, current[index] if index < len(current) else {}) for index, metric in enumerate(metrics)]
    return shortened(found, len(found), _SHOWN_METRICS, ", ")


def _target(metric: Object, current: Object) -> str:
    source = _SOURCES.get(metric.get("type", ""))
    if source is None:
        return "<unknown type>"
    target = metric[source].get("target") or {}
    has_current = current.get(source) is not None
    value = (current.get(source) or {}).get("current") or {}
    if source in ("resource", "containerResource"):
        return f"{metric[source]['name']}: {_resource_target(target, value, has_current)}"
    if source == "pods":
        return f"{_quantity(value, 'averageValue') if has_current else _UNKNOWN}/{_quantity(target, 'averageValue')}"
    if target.get("averageValue") is not None:
        average = _quantity(value, "averageValue") if value.get("averageValue") is not None else _UNKNOWN
        return f"{average}/{_quantity(target, 'averageValue')} (avg)"
    return f"{_quantity(value, 'value') if has_current else _UNKNOWN}/{_quantity(target, 'value')}"


def _resource_target(target: Object, value: Object, has_current: bool) -> str:
    if target.get("averageValue") is not None:
        current = _quantity(value, "averageValue") if has_current else _UNKNOWN
        return f"{current}/{_quantity(target, 'averageValue')}"
    utilization, wanted = value.get("averageUtilization"), target.get("averageUtilization")
    current = _UNKNOWN if utilization is None else f"{utilization}%"
    return f"{current}/{'<auto>' if wanted is None else f'{wanted}%'}"


def _quantity(values: Object, name: str) -> str:
    return _NIL if values.get(name) is None else str(parse_quantity(values[name]))


def _scale(scale: Object, view: View) -> list[Any]:
    replicas = (spec_of(scale).get("replicas", 0), status_of(scale).get("replicas", 0))
    return [name_of(scale), *replicas, view.object_age(scale)]


def _disruption_budget(budget: Object, view: View) -> list[Any]:
    spec = spec_of(budget)
    bounds = ["N/A" if spec.get(key) is None else str(spec[key]) for key in ("minAvailable", "maxUnavailable")]
    allowed = status_of(budget).get("disruptionsAllowed", 0)
    return [name_of(budget), *bounds, allowed, view.object_age(budget)]


PRINTERS = {
    ("autoscaling", "HorizontalPodAutoscaler"): Printer(
        (NAME, *texts("Reference", "Targets", "MinPods", "MaxPods", "Replicas"), AGE), _autoscaler
    ),
    ("autoscaling", "Scale"): Printer((Column("Name", field="name"), *integers("Desired", "Available"), AGE), _scale),
    ("policy", "PodDisruptionBudget"): Printer(
        (NAME, *texts("Min Available", "Max Unavailable"), *integers("Allowed Disruptions"), AGE), _disruption_budget
    ),
}
