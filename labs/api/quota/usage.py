"""What objects use of a quota.

Source: kubernetes/kubernetes pkg/quota/v1/evaluator/core/{registry,services,persistent_volume_claims}.go;
kubernetes/apiserver pkg/quota/v1/{resources.go,generic/evaluator.go}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labs.api.objects import at
from labs.api.quantity import Quantity, parse_quantity
from labs.api.quota.pods import COMPUTE, HUGE_PAGES, ONE, Amounts, is_extended, is_in_scope, pod_usage
from labs.api.store import Object

ZERO = Quantity(0)
COUNT = "count/"
CLAIMS = "persistentvolumeclaims"
STORAGE_CLASS = ".storageclass.storage.k8s.io/"
BY_PLURAL = ("configmaps", "secrets", "resourcequotas", "replicationcontrollers")
"""Kinds that may also be counted without the prefix ``count/``."""

_POD_NAMES = ("pods", *COMPUTE, *(f"{key}.{name}" for key in ("requests", "limits") for name in COMPUTE))
_SERVICE_NAMES = ("services", "services.nodeports", "services.loadbalancers")


def counted_resource(name: str) -> str:
    """The API resource whose objects use the quota resource ``name``: ``pods`` for ``requests.cpu``."""
    if name.startswith(COUNT):
        return name.removeprefix(COUNT)
    bare = name.removeprefix("requests.")
    if name in _POD_NAMES or bare.startswith(HUGE_PAGES):
        return "pods"
    if name in _SERVICE_NAMES:
        return "services"
    if name in (CLAIMS, "requests.storage") or STORAGE_CLASS in name:
        return CLAIMS
    if bare != name and is_extended(bare):
        return "pods"
    return name if name in BY_PLURAL else ""


def usage_of(resource: str, obj: Object, now_ns: int) -> Amounts:
    """What one object uses, by quota resource."""
    if resource == "pods":
        return pod_usage(obj, now_ns)
    used: Amounts = {COUNT + resource: ONE}
    if resource == "services":
        used |= _service_usage(obj["spec"])
    elif resource == CLAIMS:
        used |= _claim_usage(obj)
    elif resource in BY_PLURAL:
        used[resource] = ONE
    return used


def _service_usage(spec: Mapping[str, Any]) -> Amounts:
    ports, kind = spec.get("ports") or [], spec.get("type")
    used = {"services": ONE, "services.loadbalancers": ZERO, "services.nodeports": ZERO}
    if kind == "LoadBalancer":
        used["services.loadbalancers"] = ONE
    if kind in ("NodePort", "LoadBalancer"):
        takes_all = kind == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        counted = ports if takes_all else [port for port in ports if port.get("nodePort")]
        used["services.nodeports"] = Quantity(len(counted))
    return used


def _claim_usage(claim: Object) -> Amounts:
    used = {CLAIMS: ONE}
    storage_class = claim["spec"].get("storageClassName")
    if storage_class:
        used[f"{storage_class}{STORAGE_CLASS}{CLAIMS}"] = ONE
    asked = at(claim, "spec", "resources", "requests", "storage")
    if asked is not None:
        amount = parse_quantity(asked)
        used["requests.storage"] = amount
        if storage_class:
            used[f"{storage_class}{STORAGE_CLASS}requests.storage"] = amount
    return used


def is_in_scopes(resource: str, obj: Object, spec: Mapping[str, Any]) -> bool:
    """Whether an object is in every scope of a quota; only pods are in any."""
    scopes = list(_scopes(spec))
    return not scopes or (resource == "pods" and all(is_in_scope(obj, *scope) for scope in scopes))


def _scopes(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for name in spec.get("scopes") or ():
        yield name, "Exists", []
    for item in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        yield item.get("scopeName", ""), item.get("operator", ""), item.get("values") or []


def total_usage(spec: Mapping[str, Any], objects: Mapping[str, Iterable[Object]], now_ns: int) -> dict[str, str]:
    """``CalculateUsage``: what a quota's namespace uses; ``objects`` by the resources that the quota counts."""
    names = {name: counted_resource(name) for name in spec.get("hard") or ()}
    used = dict.fromkeys((name for name, resource in names.items() if resource), ZERO)
    for resource in dict.fromkeys(resource for resource in names.values() if resource):
        for obj in objects.get(resource) or ():
            if not is_in_scopes(resource, obj, spec):
                continue
            for name, amount in usage_of(resource, obj, now_ns).items():
                if name in used:
                    used[name] = used[name] + amount
    return {name: str(amount) for name, amount in used.items()}


def printed(amounts: Mapping[str, Quantity]) -> str:
    """``prettyPrint``: ``name=amount`` in order of the names."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))
