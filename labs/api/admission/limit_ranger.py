"""LimitRanger: a namespace's defaults and bounds for containers, pods and claims.

Source: kubernetes/kubernetes plugin/pkg/admission/limitranger/admission.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labs import errors
from labs.api.apiserver import Attributes
from labs.api.quantity import Quantity, parse_quantity
from labs.api.quota.pods import Amounts, container_amounts, pod_amounts
from labs.api.store import Object, Store

ANNOTATION = "kubernetes.io/limit-ranger"
CLAIMS = "persistentvolumeclaims"
CONTAINER_LISTS = (("containers", "container"), ("initContainers", "init container"))

Bound = Callable[[str, str, Quantity, Amounts, Amounts], str]


class LimitRanger:
    """Reads the LimitRanges of the namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def default(self, attributes: Attributes) -> None:
        """Give containers the requests and limits that they do not name."""
        if attributes.operation == "CREATE" and attributes.type.resource == "pods":
            for limit_range in self._ranges(attributes.object):
                _default_pod(attributes.object, limit_range)

    def validate(self, attributes: Attributes) -> None:
        """Raises 403."""
        resource, old = attributes.type.resource, attributes.old
        if attributes.subresource or resource not in ("pods", CLAIMS) or (resource == "pods" and old is not None):
            return
        if old is not None and "deletionTimestamp" in old["metadata"]:
            return
        for limit_range in self._ranges(attributes.object):
            find = pod_problems if resource == "pods" else claim_problems
            problems = list(dict.fromkeys(find(limit_range["spec"], attributes.object["spec"])))
            if problems:
                text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                raise errors.forbidden(resource, attributes.object["metadata"].get("name", ""), text)

    def _ranges(self, obj: Object) -> list[Object]:
        return list(self._store.list("limitranges", obj["metadata"].get("namespace", "")))


def _default_pod(pod: Object, limit_range: Object) -> None:
    given: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for item in limit_range["spec"].get("limits") or ():
        if item.get("type") == "Container":
            given["requests"] |= item.get("defaultRequest") or {}
            given["limits"] |= item.get("default") or {}
    notes = [
        note
        for key, shown in CONTAINER_LISTS
        for container in pod["spec"].get(key) or ()
        for note in _default_container(container, given, shown)
    ]
    if notes:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = {**annotations, ANNOTATION: f"LimitRanger plugin set: {'; '.join(notes)}"}


def _default_container(container: dict[str, Any], given: Mapping[str, dict[str, str]], shown: str) -> list[str]:
    resources = container["resources"] = dict(container.get("resources") or {})
    notes = []
    for key, noun in (("requests", "request"), ("limits", "limit")):
        amounts = dict(resources.get(key) or {})
        missing = sorted(name for name in given[key] if name not in amounts)
        if missing:
            resources[key] = amounts | {name: given[key][name] for name in missing}
            notes.append(f"{', '.join(missing)} {noun} for {shown} {container['name']}")
    return notes


def pod_problems(limit_range_spec: Mapping[str, Any], pod_spec: Mapping[str, Any]) -> Iterator[str]:
    """``PodValidateLimitFunc``: every bound that a pod breaks, in words."""
    containers = [item for key, _ in CONTAINER_LISTS for item in pod_spec.get(key) or ()]
    for item in limit_range_spec.get("limits") or ():
        if item.get("type") == "Container":
            for container in containers:
                requests, limits = (container_amounts(container, key) for key in ("requests", "limits"))
                yield from _problems(item, requests, limits)
        elif item.get("type") == "Pod":
            yield from _problems(item, pod_amounts(pod_spec, "requests"), pod_amounts(pod_spec, "limits"))


def claim_problems(limit_range_spec: Mapping[str, Any], claim_spec: Mapping[str, Any]) -> Iterator[str]:
    """``PersistentVolumeClaimValidateLimitFunc``: only what is requested counts."""
    requests = container_amounts(claim_spec, "requests")
    for item in limit_range_spec.get("limits") or ():
        if item.get("type") == "PersistentVolumeClaim":
            yield from _of_bound(item, "min", _below_min, requests, {})
            yield from _of_bound(item, "max", _above_max_request, requests, {})


def _problems(item: Mapping[str, Any], requests: Amounts, limits: Amounts) -> Iterator[str]:
    yield from _of_bound(item, "min", _below_min, requests, limits)
    yield from _of_bound(item, "max", _above_max, requests, limits)
    yield from _of_bound(item, "maxLimitRequestRatio", _above_ratio, requests, limits)


def _of_bound(item: Mapping[str, Any], key: str, check: Bound, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, text in (item.get(key) or {}).items():
        problem = check(item["type"], name, parse_quantity(text), requests, limits)
        if problem:
            yield problem


def _below_min(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    text = f"minimum {name} usage per {kind} is {bound}"
    if name not in requests:
        return f"{text}.  No request is specified"
    if requests[name] < bound:
        return f"{text}, but request is {requests[name]}"
    return f"{text}, but limit is {limits[name]}" if name in limits and limits[name] < bound else ""


def _above_max(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    text = f"maximum {name} usage per {kind} is {bound}"
    if name not in limits:
        return f"{text}.  No limit is specified"
    if bound < limits[name]:
        return f"{text}, but limit is {limits[name]}"
    return f"{text}, but request is {requests[name]}" if name in requests and bound < requests[name] else ""


def _above_max_request(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    text = f"maximum {name} usage per {kind} is {bound}"
    if name not in requests:
        return f"{text}.  No request is specified"
    return f"{text}, but request is {requests[name]}" if bound < requests[name] else ""


def _above_ratio(kind: str, name: str, bound: Quantity, requests: Amounts, limits: Amounts) -> str:
    text = f"{name} max limit to request ratio per {kind} is {bound}"
    if name not in requests or requests[name].is_zero:
        return f"{text}, but no request is specified or request is 0"
    if name not in limits or limits[name].is_zero:
        return f"{text}, but no limit is specified or limit is 0"
    ratio = limits[name].milli_value() / requests[name].milli_value()
    return f"{text}, but provided ratio is {ratio:f}" if ratio * 1000 > bound.milli_value() else ""
