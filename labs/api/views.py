"""Older or other versions of a kind that are views of the one in the store: HPA autoscaling/v1, Event events.k8s.io/v1.

Source: kubernetes/kubernetes pkg/apis/autoscaling/v1/conversion.go, pkg/apis/autoscaling/annotations.go,
pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from labs.api.crds.kinds import as_read
from labs.api.resources import ResourceType
from labs.api.store import Object

PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR = (
    PREFIX + name for name in ("metrics", "current-metrics", "conditions", "behavior")
)
VIEW_TYPES = (
    ResourceType(
        "autoscaling",
        "v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        subresources=("status",),
        has_generation=True,
    ),
    ResourceType(
        "events.k8s.io",
        "v1",
        "Event",
        "events",
        short_names=("ev",),
        allows_create_on_update=True,
        stored_as="events",
    ),
)
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def to_view(kind: ResourceType, obj: Object) -> Object:
    """A stored object as ``kind`` shows it; itself where ``kind`` is what is stored."""
    if kind.custom is not None:
        return {**as_read(kind, obj), "apiVersion": kind.api_version}
    found = _VIEWS.get((kind.api_version, kind.kind))
    return obj if found is None else {**found[0](obj), "apiVersion": kind.api_version, "kind": kind.kind}


def written_kind(kind: ResourceType) -> ResourceType | None:
    """The version whose rules a write keeps, where it is another than the stored one: that of custom resources."""
    return kind if kind.custom is not None else None


def to_stored(kind: ResourceType, obj: Object) -> Object:
    """An object that a client sent as ``kind``, as it is stored."""
    found = _VIEWS.get((kind.api_version, kind.kind))
    return obj if found is None else found[1](obj)


# Events: the same fields under other names.


def _event_view(event: Object) -> Object:
    return {_EVENT_FIELDS.get(key, key): value for key, value in event.items()}


def _event_stored(event: Object) -> Object:
    names = {shown: stored for stored, shown in _EVENT_FIELDS.items()}
    return {names.get(key, key): value for key, value in event.items()}


# HorizontalPodAutoscalers: what autoscaling/v1 has no field for is kept in annotations.


def _is_cpu_share(metric: Mapping[str, Any]) -> bool:
    resource = metric.get("resource") or {}
    target = resource.get("target") or {}
    return (metric["type"], resource.get("name")) == ("Resource", "cpu") and target.get("type") == "Utilization"


def _hpa_view(hpa: Object) -> Object:
    spec, status = dict(hpa["spec"]), dict(hpa.get("status") or {})
    noted: dict[str, Any] = {}
    metrics = list(spec.pop("metrics", None) or ())
    share = next((metric for metric in metrics if _is_cpu_share(metric)), None)
    if share is not None:
        metrics.remove(share)
        spec["targetCPUUtilizationPercentage"] = share["resource"]["target"]["averageUtilization"]
    noted[METRICS] = [_old_metric(metric, "target") for metric in metrics]
    noted[BEHAVIOR] = _with_go_names(spec.pop("behavior", None))
    current = list(status.pop("currentMetrics", None) or ())
    noted[CURRENT_METRICS] = [_old_metric(metric, "current") for metric in current]
    for metric in current:
        resource = metric.get("resource") or {}
        if resource.get("name") == "cpu" and "averageUtilization" in (resource.get("current") or {}):
            status["currentCPUUtilizationPercentage"] = resource["current"]["averageUtilization"]
    noted[CONDITIONS] = status.pop("conditions", None)
    status.setdefault("currentReplicas", 0)
    annotations = dict(hpa["metadata"].get("annotations") or {})
    annotations |= {key: json.dumps(value, separators=(",", ":")) for key, value in noted.items() if value}
    metadata = {**hpa["metadata"], **({"annotations": annotations} if annotations else {})}
    return {**hpa, "metadata": metadata, "spec": spec, "status": status}


def _hpa_stored(hpa: Object) -> Object:
    spec, status, metadata = dict(hpa.get("spec") or {}), dict(hpa.get("status") or {}), dict(hpa["metadata"])
    annotations = dict(metadata.pop("annotations", None) or {})
    kept = {key: _read(key, annotations.pop(key)) for key in _KEPT if key in annotations}
    metrics = [_new_metric(metric, "target") for metric in kept.get(METRICS) or ()]
    share = spec.pop("targetCPUUtilizationPercentage", None)
    if share is not None:
        target = {"type": "Utilization", "averageUtilization": share}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if kept.get(BEHAVIOR):
        spec["behavior"] = _with_json_names(kept[BEHAVIOR])
    status.pop("currentCPUUtilizationPercentage", None)
    if status.get("currentReplicas") == 0:
        del status["currentReplicas"]
    if kept.get(CURRENT_METRICS):
        status["currentMetrics"] = [_new_metric(metric, "current") for metric in kept[CURRENT_METRICS]]
    if kept.get(CONDITIONS):
        status["conditions"] = kept[CONDITIONS]
    if annotations:
        metadata["annotations"] = annotations
    return {**hpa, "metadata": metadata, "spec": spec, "status": status}


def _read(key: str, text: str) -> Any:
    """What an annotation keeps; None for what somebody wrote there that it cannot be, as upstream ignores it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if key == BEHAVIOR:
        return found if isinstance(found, dict) else None
    fits = isinstance(found, list) and all(
        isinstance(each, dict) and isinstance(each.get("type"), str) for each in found
    )
    return found if fits else None


_KEPT = (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR)
_AMOUNTS = ("averageUtilization", "averageValue", "value")


def _source_of(metric: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The field that a metric's type names, and what it holds; a status may have a metric without a type."""
    key = _lower(metric["type"])
    return key, dict(metric.get(key) or {})


def _old_metric(metric: Mapping[str, Any], side: str) -> dict[str, Any]:
    """A metric in the form of autoscaling/v1's annotations: flat, with ``target`` or ``current`` in the names."""
    key, source = _source_of(metric)
    amounts = source.pop(side, None) or {}
    named = source.pop("metric", None)
    if named is not None:
        source["metricName"] = named["name"]
        if named.get("selector"):
            source["metricSelector" if key == "external" else "selector"] = named["selector"]
    if "describedObject" in source:
        source["target"] = source.pop("describedObject")
    for amount in _AMOUNTS:
        if amount in amounts:
            plain = key == "object" and amount == "averageValue"
            source[amount if plain else side + amount[0].upper() + amount[1:]] = amounts[amount]
    return {"type": metric["type"], key: source} if key else dict(metric)


def _new_metric(metric: Mapping[str, Any], side: str) -> dict[str, Any]:
    """The metric that ``_old_metric`` wrote."""
    key, source = _source_of(metric)
    amounts: dict[str, Any] = {}
    for amount, kind in zip(_AMOUNTS, ("Utilization", "AverageValue", "Value"), strict=True):
        plain = key == "object" and amount == "averageValue"
        old = amount if plain else side + amount[0].upper() + amount[1:]
        if old in source:
            amounts[amount] = source.pop(old)
            if side == "target":
                amounts["type"] = kind
    if "target" in source:
        source["describedObject"] = source.pop("target")
    if "metricName" in source:
        selector = source.pop("metricSelector", None) or source.pop("selector", None)
        source["metric"] = {"name": source.pop("metricName")} | ({"selector": selector} if selector else {})
    return {"type": metric["type"], key: {**source, side: amounts}} if key else dict(metric)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {rename(key): _renamed(item, rename) for key, item in value.items()}
    return [_renamed(item, rename) for item in value] if isinstance(value, list) else value


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _with_go_names(behavior: Any) -> Any:
    """The behavior as the server's internal type prints it."""
    return _renamed(behavior, lambda key: key[0].upper() + key[1:])


def _with_json_names(behavior: Any) -> Any:
    return _renamed(behavior, _lower)


_VIEWS: Mapping[tuple[str, str], tuple[Callable[[Object], Object], Callable[[Object], Object]]] = {
    ("autoscaling/v1", "HorizontalPodAutoscaler"): (_hpa_view, _hpa_stored),
    ("events.k8s.io/v1", "Event"): (_event_view, _event_stored),
}
