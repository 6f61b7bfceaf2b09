"""v1 ResourceQuota and LimitRange.

Source: kubernetes/kubernetes pkg/apis/core/{v1/defaults.go,validation/validation.go,helper/helpers.go},
pkg/registry/core/resourcequota/strategy.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labs.api import names
from labs.api.quantity import Quantity, parse_quantity
from labs.api.quota.pods import COMPUTE, HUGE_PAGES, is_extended
from labs.api.strategies.pod_defaults import canonical_amounts
from labs.api.strategies.rules import IMMUTABLE, NOT_NEGATIVE
from labs.api.strategy import FieldError, Object, Strategy, duplicate, forbidden, invalid, required

COUNTED = (
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
)
QUOTA_RESOURCES = (
    *COMPUTE,
    *(f"{key}.{name}" for key in ("requests", "limits") for name in COMPUTE),
    "requests.storage",
    *COUNTED,
)
POD_RESOURCES = ("pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
SCOPED_RESOURCES = {
    "Terminating": POD_RESOURCES,
    "NotTerminating": POD_RESOURCES,
    "NotBestEffort": POD_RESOURCES,
    "PriorityClass": POD_RESOURCES,
    "CrossNamespacePodAffinity": POD_RESOURCES,
    "BestEffort": ("pods",),
    "VolumeAttributesClass": ("persistentvolumeclaims", "requests.storage"),
}
EXISTENCE_SCOPES = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
LIMIT_TYPES = ("Pod", "Container", "PersistentVolumeClaim")
BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _default_quota(obj: Object) -> None:
    canonical_amounts(obj.setdefault("spec", {}), "hard")


def _prepare_quota(obj: Object) -> None:
    obj["status"] = {}


def _is_huge(name: str) -> bool:
    return name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}"))


def _resource_name(name: str, path: str, standard: tuple[str, ...], detail: str) -> list[FieldError]:
    problems = [invalid(path, name, text) for text in names.qualified_name(name)]
    if problems or "/" in name or _is_huge(name):
        return problems
    if name not in (*QUOTA_RESOURCES, "storage"):
        problems.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    if name not in standard:
        problems.append(invalid(path, name, detail))
    return problems


def _validate_quota(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    for name, text in (spec.get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        problems += _resource_name(name, path, QUOTA_RESOURCES, "must be a standard resource for quota")
        amount = parse_quantity(text)
        if amount.sign < 0:
            problems.append(invalid(path, text, NOT_NEGATIVE))
        if (name in COUNTED or is_extended(name)) and amount.milli_value() % 1000:
            problems.append(invalid(path, text, "must be an integer"))
    problems += _validate_scopes(spec)
    return problems + _validate_scope_selector(spec)


def _validate_scopes(spec: dict[str, Any]) -> list[FieldError]:
    scopes, path = spec.get("scopes") or [], "spec.scopes"
    problems: list[FieldError] = []
    for scope in scopes:
        if scope not in SCOPED_RESOURCES:
            problems.append(invalid(path, scopes, "unsupported scope"))
        for _ in _out_of_scope(spec, scope):
            problems.append(invalid(path, scopes, "unsupported scope applied to resource"))
    return problems + [invalid(path, scopes, "conflicting scopes") for _ in _conflicts(scopes)]


def _out_of_scope(spec: dict[str, Any], scope: str) -> Iterator[str]:
    fitting = SCOPED_RESOURCES.get(scope)
    for name in sorted(spec.get("hard") or {}):
        is_standard = name in QUOTA_RESOURCES or _is_huge(name)
        if is_standard and fitting is not None and name not in fitting:
            yield name


def _conflicts(scopes: list[str]) -> Iterator[tuple[str, str]]:
    for pair in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if all(scope in scopes for scope in pair):
            yield pair


def _validate_scope_selector(spec: dict[str, Any]) -> list[FieldError]:
    selector = spec.get("scopeSelector")
    path = "spec.scopeSelector.matchExpressions"
    rows = (selector or {}).get("matchExpressions") or []
    problems: list[FieldError] = []
    for item in rows:
        scope, operator, values = item.get("scopeName", ""), item.get("operator", ""), item.get("values") or []
        if scope not in SCOPED_RESOURCES:
            problems.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        for _ in _out_of_scope(spec, scope):
            problems.append(invalid(path, selector, "unsupported scope applied to resource"))
        if scope in EXISTENCE_SCOPES and operator != "Exists":
            text = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, "
                "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort "
                "or ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            problems.append(invalid(f"{path}.operator", operator, text))
        problems += _operator_problems(operator, values, path)
    scopes = [item.get("scopeName", "") for item in rows]
    return problems + [invalid(path, spec.get("scopes"), "conflicting scopes") for _ in _conflicts(scopes)]


def _operator_problems(operator: str, values: list[str], path: str) -> list[FieldError]:
    if operator in ("In", "NotIn"):
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        return [] if values else [required(f"{path}.values", text)]
    if operator in ("Exists", "DoesNotExist"):
        text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        return [invalid(f"{path}.values", values, text)] if values else []
    return [invalid(f"{path}.operator", operator, "not a valid selector operator")]


def _validate_quota_update(new: Object, old: Object) -> list[FieldError]:
    before, after = (sorted(dict.fromkeys(obj["spec"].get("scopes") or ())) for obj in (old, new))
    return [] if before == after else [invalid("spec.scopes", new["spec"].get("scopes"), IMMUTABLE)]


def _default_limit_range(obj: Object) -> None:
    for item in obj.setdefault("spec", {}).get("limits") or ():
        canonical_amounts(item, *BOUNDS)
        if item.get("type") != "Container":
            continue
        limits = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
        item |= {key: amounts for key, amounts in (("default", limits), ("defaultRequest", requests)) if amounts}


def _validate_limit_range(obj: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: list[str] = []
    for index, item in enumerate(obj["spec"].get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        problems += _type_problems(kind, f"{path}.type")
        if kind in seen:
            problems.append(duplicate(f"{path}.type", kind))
        seen.append(kind)
        problems += _limit_problems(item, kind, path)
    return problems


def _type_problems(kind: str, path: str) -> list[FieldError]:
    problems = [invalid(path, kind, text) for text in names.qualified_name(kind)]
    if not problems and "/" not in kind and kind not in LIMIT_TYPES:
        problems.append(invalid(path, kind, "must be a standard limit type or fully qualified"))
    return problems


def _limit_problems(item: dict[str, Any], kind: str, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    amounts: dict[str, dict[str, Quantity]] = {}
    for key in BOUNDS:
        given = item.get(key) or {}
        if kind == "Pod" and key in ("default", "defaultRequest"):
            if given:
                problems.append(forbidden(f"{path}.{key}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in given:
            problems += _limit_name_problems(name, kind, f"{path}.{key}[{name}]")
        amounts[key] = {name: parse_quantity(text) for name, text in given.items()}
    if kind == "PersistentVolumeClaim" and not any("storage" in amounts[key] for key in ("min", "max")):
        text = "either minimum or maximum storage value is required, but neither was provided"
        problems.append(required(f"{path}.limits", text))
    for name in sorted({name for given in amounts.values() for name in given}):
        found = {key: given[name] for key, given in amounts.items() if name in given}
        problems += _order_problems(found, name, path)
    return problems


def _limit_name_problems(name: str, kind: str, path: str) -> list[FieldError]:
    if kind not in ("Pod", "Container"):
        return _resource_name(name, path, (*QUOTA_RESOURCES, "storage"), "")
    problems = _resource_name(name, path, COMPUTE, "must be a standard resource for containers")
    if is_extended(name) and name.startswith("requests."):
        problems.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return problems


_ORDERS = (
    ("min", "max", "min", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "defaultRequest", "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {0} is greater than max value {1}"),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "default request value {0} is greater than default limit value {1}",
    ),
    ("min", "default", "default", "min value {0} is greater than default value {1}"),
    ("default", "max", "default", "default value {0} is greater than max value {1}"),
)
"""Lower and upper bound, the field that is named, the text."""

_SHOWN = {("min", "default"): "min", ("default", "max"): "max"}
"""Whose value upstream shows where it is not that of the field that is named."""


def _order_problems(found: dict[str, Quantity], name: str, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for low, high, field, text in _ORDERS:
        if low in found and high in found and found[high] < found[low]:
            shown = found[_SHOWN.get((low, high), field)]
            problems.append(invalid(f"{path}.{field}[{name}]", str(shown), text.format(found[low], found[high])))
    ratio = found.get("maxLimitRequestRatio")
    if ratio is not None:
        problems += _ratio_problems(ratio, found, f"{path}.maxLimitRequestRatio[{name}]")
    limit, request = found.get("default"), found.get("defaultRequest")
    if (is_extended(name) or name.startswith(HUGE_PAGES)) and limit and request and limit != request:
        text = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        problems.append(invalid(f"{path}.defaultRequest[{name}]", str(request), text))
    return problems


def _ratio_problems(ratio: Quantity, found: dict[str, Quantity], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if ratio < Quantity(1):
        problems.append(invalid(path, str(ratio), f"ratio {ratio} is less than 1"))
    if "min" in found and "max" in found and found["min"].sign > 0:
        most = found["max"].milli_value() / found["min"].milli_value()
        if ratio.milli_value() / 1000 > most:
            problems.append(invalid(path, str(ratio), f"ratio {ratio} is greater than max/min = {most:f}"))
    return problems


RESOURCE_QUOTA = Strategy(
    default=_default_quota,
    prepare_for_create=_prepare_quota,
    validate=_validate_quota,
    validate_update=_validate_quota_update,
)
LIMIT_RANGE = Strategy(default=_default_limit_range, validate=_validate_limit_range)
