"""autoscaling/v2: HorizontalPodAutoscalers.

Source: kubernetes/kubernetes pkg/apis/autoscaling/{v2/defaults.go,validation/validation.go}.
"""

from __future__ import annotations

from typing import Any

from labs.api.metadata import path_segment
from labs.api.quantity import parse_quantity
from labs.api.strategies.pod_defaults import canonical
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

DEFAULT_UTILIZATION_PERCENT = 80
UP_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
MAX_STABILIZATION_S = 3600
MAX_PERIOD_S = 1800
ONE_TARGET = "must set either a target raw value or a target utilization"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, minReplicas=1)
    spec.setdefault("scaleTargetRef", {})
    spec["scaleTargetRef"] = {"kind": "", "name": "", **spec["scaleTargetRef"]}
    spec.setdefault("maxReplicas", 0)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": DEFAULT_UTILIZATION_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    for metric in spec["metrics"]:
        source = metric.get(SOURCES.get(metric.get("type", ""), "")) or {}
        target = source.get("target") or {}
        for key in ("value", "averageValue"):
            if target.get(key) is not None:
                target[key] = canonical(target[key])
    if spec.get("behavior") is not None:
        _default_behavior(spec["behavior"])


def _default_behavior(behavior: dict[str, Any]) -> None:
    up = behavior["scaleUp"] = behavior.get("scaleUp") or {}
    down = behavior["scaleDown"] = behavior.get("scaleDown") or {}
    set_missing(up, stabilizationWindowSeconds=0, selectPolicy="Max", policies=[dict(item) for item in UP_POLICIES])
    set_missing(down, selectPolicy="Max", policies=[dict(item) for item in DOWN_POLICIES])
    for rules in (up, down):
        if rules.get("tolerance") is not None:
            rules["tolerance"] = canonical(rules["tolerance"])


def _initial_status(obj: Object) -> None:
    obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


def _validate(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 0:
        problems.append(invalid("spec.minReplicas", least, "must be greater than or equal to 0"))
    if most < 1:
        problems.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        problems.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    problems += _target_reference(spec["scaleTargetRef"], "spec.scaleTargetRef")
    for index, metric in enumerate(spec["metrics"]):
        problems += _metric(metric, f"spec.metrics[{index}]")
    if least == 0 and not any(item.get("type") in ("Object", "External") for item in spec["metrics"]):
        problems.append(
            forbidden(
                "spec.metrics",
                "must specify at least one Object or External metric to support scaling to zero replicas",
            )
        )
    behavior = spec.get("behavior") or {}
    for key in ("scaleUp", "scaleDown"):
        if behavior.get(key):
            problems += _rules(behavior[key], f"spec.behavior.{key}")
    return problems


def _path_name(holder: dict[str, Any], key: str, path: str, detail: str = "") -> list[FieldError]:
    """A name that stands in a path of the API."""
    name = holder.get(key) or ""
    if not name:
        return [required(f"{path}.{key}", detail)]
    return [invalid(f"{path}.{key}", name, text) for text in path_segment(name)]


def _target_reference(reference: dict[str, Any], path: str, *, needs_group: bool = True) -> list[FieldError]:
    problems = _path_name(reference, "kind", path) + _path_name(reference, "name", path)
    version = reference.get("apiVersion") or ""
    text = f"unexpected GroupVersion string: {version}" if version.count("/") > 1 else ""
    if not text and needs_group and "/" not in version:
        text = "apiVersion must specify API group"
    return [*problems, invalid(f"{path}.apiVersion", version, text)] if text else problems


CHECKED_SOURCES = ("Object", "External", "Pods", "Resource", "ContainerResource")
"""In the order in which upstream looks at them; only the first that is given is checked."""


def _metric(metric: dict[str, Any], path: str) -> list[FieldError]:
    source_type = metric.get("type") or ""
    problems = [] if source_type else [required(f"{path}.type", "must specify a metric source type")]
    if source_type not in SOURCES:
        problems.append(not_supported(f"{path}.type", source_type, sorted(SOURCES)))
    given = [name for name in CHECKED_SOURCES if metric.get(SOURCES[name]) is not None]
    if given:
        first = SOURCES[given[0]]
        problems += _source(given[0], metric[first], f"{path}.{first}")
    key = SOURCES.get(source_type, "")
    if key and metric.get(key) is None:
        problems.append(required(f"{path}.{key}", "must populate information for the given metric source"))
    others = [SOURCES[name] for name in given if SOURCES[name] != key] if len(given) != 1 else []
    text = "must populate the given metric source only"
    return problems + [forbidden(f"{path}.{other}", text) for other in others]


def _source(type: str, source: dict[str, Any], path: str) -> list[FieldError]:
    target = source.get("target") or {}
    problems: list[FieldError] = []
    if type in ("Resource", "ContainerResource"):
        if not source.get("name"):
            problems.append(required(f"{path}.name", "must specify a resource name"))
        if type == "ContainerResource" and not source.get("container"):
            problems.append(required(f"{path}.container", "must specify a container"))
        return problems + _target(target, path) + _resource_target(target, path)
    metric = source.get("metric") or {}
    if type == "Object":
        problems += _target_reference(source.get("describedObject") or {}, f"{path}.describedObject", needs_group=False)
    problems += _path_name(metric, "name", f"{path}.metric", "must specify a metric name")
    return problems + _target(target, path) + _value_target(type, target, path)


def _target(target: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    target_type = target.get("type") or ""
    if not target_type:
        problems.append(required(f"{path}.target.type", "must specify a metric target type"))
    if target_type not in ("Utilization", "Value", "AverageValue"):
        problems.append(
            invalid(f"{path}.target.type", target_type, "must be either Utilization, Value, or AverageValue")
        )
    for key in ("value", "averageValue"):
        if target.get(key) is not None and parse_quantity(target[key]).sign <= 0:
            problems.append(invalid(f"{path}.target.{key}", target[key], "must be positive"))
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        problems.append(invalid(f"{path}.target.averageUtilization", utilization, "must be greater than 0"))
    return problems


def _resource_target(target: dict[str, Any], path: str) -> list[FieldError]:
    has_utilization = target.get("averageUtilization") is not None
    has_value = target.get("averageValue") is not None
    if not has_utilization and not has_value:
        return [required(f"{path}.target.averageUtilization", ONE_TARGET)]
    if has_utilization and has_value:
        return [
            forbidden(f"{path}.target.averageValue", "may not set both a target raw value and a target utilization")
        ]
    return []


def _value_target(type: str, target: dict[str, Any], path: str) -> list[FieldError]:
    has_value, has_average = target.get("value") is not None, target.get("averageValue") is not None
    if type == "Pods":
        if has_average:
            return []
        return [required(f"{path}.target.averageValue", "must specify a positive target averageValue")]
    if type == "External" and has_value and has_average:
        return [forbidden(f"{path}.target.value", "may not set both a target value for metric and a per-pod target")]
    if not has_value and not has_average:
        what = (
            "must set either a target value for metric or a per-pod target"
            if type == "External"
            else "must set either a target value or averageValue"
        )
        return [required(f"{path}.target.averageValue", what)]
    return []


def _rules(rules: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        problems.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > MAX_STABILIZATION_S:
        problems.append(
            invalid(
                f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {MAX_STABILIZATION_S}"
            )
        )
    if rules.get("selectPolicy") not in ("Max", "Min", "Disabled"):
        problems.append(not_supported(f"{path}.selectPolicy", rules.get("selectPolicy"), ("Disabled", "Max", "Min")))
    if not rules.get("policies"):
        problems.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(rules.get("policies") or ()):
        problems += _policy(policy, f"{path}.policies[{index}]")
    if rules.get("tolerance") is not None and parse_quantity(rules["tolerance"]).sign < 0:
        problems.append(invalid(f"{path}.tolerance", rules["tolerance"], "must be greater than or equal to 0"))
    return problems


def _policy(policy: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if policy.get("type") not in ("Pods", "Percent"):
        problems.append(not_supported(f"{path}.type", policy.get("type") or "", ("Percent", "Pods")))
    if (policy.get("value") or 0) <= 0:
        problems.append(invalid(f"{path}.value", policy.get("value") or 0, "must be greater than zero"))
    period = policy.get("periodSeconds") or 0
    if period <= 0:
        problems.append(invalid(f"{path}.periodSeconds", period, "must be greater than zero"))
    if period > MAX_PERIOD_S:
        problems.append(invalid(f"{path}.periodSeconds", period, f"must be less than or equal to {MAX_PERIOD_S}"))
    return problems


HORIZONTAL_POD_AUTOSCALER = Strategy(default=_default, prepare_for_create=_initial_status, validate=_validate)
