"""What a pod uses of a quota, and which scopes it is in.

Source: kubernetes/kubernetes pkg/quota/v1/evaluator/core/pods.go; k8s.io/component-helpers resource/helpers.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.api.objects import at
from labs.api.quantity import Quantity, parse_quantity
from labs.api.store import Object
from labs.api.strategies.pods import qos_class
from labs.units import SECOND_NS, parse_rfc3339

Amounts = dict[str, Quantity]
ONE = Quantity(1)
COMPUTE = ("cpu", "memory", "ephemeral-storage")
MUST_BE_GIVEN = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
HUGE_PAGES = "hugepages-"
POD_LEVEL = ("cpu", "memory")


def pod_usage(pod: Object, now_ns: int) -> Amounts:
    """``PodUsageFunc``: ``count/pods`` always, the rest until the pod has ended or should have."""
    used: Amounts = {"count/pods": ONE}
    if not is_charged(pod, now_ns):
        return used
    spec = pod["spec"]
    return used | _compute_usage(pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))


def is_charged(pod: Object, now_ns: int) -> bool:
    """``QuotaV1Pod``."""
    if at(pod, "status", "phase") in ("Failed", "Succeeded"):
        return False
    metadata = pod["metadata"]
    deleted, grace_s = metadata.get("deletionTimestamp"), metadata.get("deletionGracePeriodSeconds")
    if deleted is None or grace_s is None:
        return True
    return now_ns <= parse_rfc3339(deleted) + int(grace_s) * SECOND_NS


def pod_amounts(spec: Mapping[str, Any], key: str) -> Amounts:
    """The sum of ``requests`` or ``limits``, as ``PodRequests`` and ``PodLimits`` build it."""
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, container_amounts(container, key))
    sidecars: Amounts = {}
    for container in spec.get("initContainers") or ():
        peak = container_amounts(container, key)
        if container.get("restartPolicy") == "Always":
            _add(total, peak)
            _add(sidecars, peak)
            peak = dict(sidecars)
        else:
            _add(peak, sidecars)
        total |= {name: amount for name, amount in peak.items() if name not in total or total[name] < amount}
    at_pod_level = container_amounts(spec, key)
    total |= {name: amount for name, amount in at_pod_level.items() if name in POD_LEVEL}
    _add(total, {name: parse_quantity(text) for name, text in (spec.get("overhead") or {}).items()})
    return total


def container_amounts(holder: Mapping[str, Any], key: str) -> Amounts:
    """``resources.requests`` or ``resources.limits``."""
    return {name: parse_quantity(text) for name, text in (at(holder, "resources", key) or {}).items()}


def _add(total: Amounts, more: Mapping[str, Quantity]) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount


def _compute_usage(requests: Amounts, limits: Amounts) -> Amounts:
    used: Amounts = {"pods": ONE}
    for name in COMPUTE:
        if name in requests:
            used[name] = used[f"requests.{name}"] = requests[name]
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith(HUGE_PAGES):
            used[name] = amount
        if name.startswith(HUGE_PAGES) or is_extended(name):
            used[f"requests.{name}"] = amount
    return used


def is_extended(name: str) -> bool:
    """Whether a resource is one of a device plug-in, such as ``nvidia.com/gpu``."""
    return "/" in name and "kubernetes.io/" not in name


def missing_requests(pod: Object, hard: Iterable[str]) -> str:
    """``Constraints``: what a pod must say when a quota counts it, or nothing."""
    spec = pod["spec"]
    if any(name in POD_LEVEL for key in ("requests", "limits") for name in at(spec, "resources", key) or ()):
        return ""
    wanted = sorted(name for name in hard if name in MUST_BE_GIVEN)
    missing: dict[str, list[str]] = {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        given = _compute_usage(container_amounts(container, "requests"), container_amounts(container, "limits"))
        for name in wanted:
            if name not in given:
                missing.setdefault(name, []).append(container["name"])
    if not missing:
        return ""
    texts = [f"{name} for: {','.join(sorted(dict.fromkeys(missing[name])))}" for name in sorted(missing)]
    return f"must specify {'; '.join(texts)}"


def is_terminating(pod: Object) -> bool:
    """Whether the pod has a deadline: the scope Terminating."""
    deadline = pod["spec"].get("activeDeadlineSeconds")
    return deadline is not None and deadline >= 0


def is_in_scope(pod: Object, name: str, operator: str, values: Sequence[str]) -> bool:
    """``podMatchesScopeFunc``."""
    if name in ("Terminating", "NotTerminating"):
        return is_terminating(pod) == (name == "Terminating")
    if name in ("BestEffort", "NotBestEffort"):
        return (qos_class(pod["spec"]) == "BestEffort") == (name == "BestEffort")
    if name == "CrossNamespacePodAffinity":
        return _crosses_namespaces(pod["spec"].get("affinity") or {})
    if name != "PriorityClass":
        return False
    chosen = pod["spec"].get("priorityClassName")
    if operator in ("Exists", "DoesNotExist"):
        return bool(chosen) == (operator == "Exists")
    return (chosen in values) == (operator == "In")


def _crosses_namespaces(affinity: Mapping[str, Any]) -> bool:
    terms: list[Mapping[str, Any]] = []
    for key in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(key) or {}
        terms += rules.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        weighted = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        terms += [item.get("podAffinityTerm") or {} for item in weighted]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)
