"""What a client is warned of beside the answer: fields that are legal and do not do what one thinks.

Source: kubernetes/kubernetes pkg/api/pod/warnings.go, pkg/api/service/warnings.go, pkg/api/persistentvolume/util.go,
pkg/registry/{core,storage}/*/strategy.go (WarningsOnCreate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labs.api.objects import at
from labs.api.quantity import parse_quantity
from labs.api.strategies.pod_defaults import CONTAINER_LISTS
from labs.api.strategy import Object

DEPRECATED_VOLUMES = (
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
)
SHOWN_VOLUMES = {"storageos": "storageOS"}
MANY_BYTES = ("memory", "ephemeral-storage")
TOKENS_IN_SECRETS = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)


def warn_of_pod(pod: Object) -> list[str]:
    """Of a pod."""
    return list(_of_spec(pod["spec"], "spec"))


def warn_of_template(*path: str) -> Callable[[Object], list[str]]:
    """Of a pod's template at this path of an object."""

    def warn(obj: Object) -> list[str]:
        template = at(obj, *path)
        where = ".".join((*path, "spec"))
        return list(_of_spec(template["spec"], where)) if isinstance(template, dict) else []

    return warn


def _of_spec(spec: dict[str, Any], path: str) -> Iterator[str]:
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        if constraint.get("labelSelector") is None:
            here = f"{path}.topologySpreadConstraints[{index}].labelSelector"
            yield f"{here}: a null labelSelector results in matching no pod"
    for index, volume in enumerate(spec.get("volumes") or ()):
        for key, text in DEPRECATED_VOLUMES:
            if volume.get(key) is not None:
                yield f"{path}.volumes[{index}].{SHOWN_VOLUMES.get(key, key)}: {text}"
    yield from _twice(spec.get("hostAliases") or [], "ip", f"{path}.hostAliases")
    yield from _twice(spec.get("imagePullSecrets") or [], "name", f"{path}.imagePullSecrets")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            yield f'{path}.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from _fractions(spec.get("overhead") or {}, f"{path}.overhead")
    containers = [
        (container, f"{path}.{key}[{index}]")
        for key in CONTAINER_LISTS
        for index, container in enumerate(spec.get(key) or ())
    ]
    for container, here in containers:
        for key in ("limits", "requests"):
            yield from _fractions(at(container, "resources", key) or {}, f"{here}.resources.{key}")
        yield from _hidden(container.get("env") or [], f"{here}.env")
    yield from _ports(containers)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{path}.terminationGracePeriodSeconds: {text}"


def _twice(items: list[dict[str, Any]], key: str, path: str) -> Iterator[str]:
    seen = [item.get(key) or "" for item in items]
    for index, value in enumerate(seen):
        if value in seen[:index]:
            yield f'{path}[{index}].{key}: duplicate {key} "{value}"'


def _fractions(amounts: dict[str, Any], path: str) -> Iterator[str]:
    for name in MANY_BYTES:
        if name in amounts and parse_quantity(amounts[name]).milli_value() % 1000:
            yield f'{path}[{name}]: fractional byte value "{amounts[name]}" is invalid, must be an integer'


def _hidden(variables: list[dict[str, Any]], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name, value = variable.get("name") or "", variable.get("value") or ""
        builds_on = f"$({name})" in value and value != f"$({name})" and variable.get("valueFrom") is None
        if name in seen and not builds_on:
            yield (f'{path}[{index}]: hides previous definition of "{name}", which may be dropped when using apply')
        seen.add(name)


def _ports(containers: list[tuple[dict[str, Any], str]]) -> Iterator[str]:
    """Ports that are there twice, and then the names that are."""
    seen: dict[tuple[Any, Any], list[tuple[Any, Any, str]]] = {}
    for container, path in containers:
        for index, port in enumerate(container.get("ports") or ()):
            here, host, address = f"{path}.ports[{index}]", port.get("hostPort") or 0, port.get("hostIP") or ""
            key = port.get("containerPort") or 0, port.get("protocol")
            for other_host, other_address, other in seen.get(key, ()):
                if (address, host) == (other_address, other_host):
                    yield f"{here}: duplicate port definition with {other}"
                elif not host or not other_host:
                    yield f"{here}: overlapping port definition with {other}"
                elif host == other_host and bool(address) != bool(other_address):
                    yield f"{here}: dangerously ambiguous port definition with {other}"
            seen.setdefault(key, []).append((host, address, here))
    names: dict[str, str] = {}
    for container, path in containers:
        for index, port in enumerate(container.get("ports") or ()):
            name, here = port.get("name"), f"{path}.ports[{index}]"
            if name and name in names:
                first = names[name]
                uses = f"services and probes that select ports by name will use {first}"
                yield f'{here}: duplicate port name "{name}" with {first}, {uses}'
            elif name:
                names[name] = here


def warn_of_service(service: Object) -> list[str]:
    """``GetWarningsForService``."""
    spec, warnings = service["spec"], []
    is_external, is_headless = spec.get("type") == "ExternalName", spec.get("clusterIP") == "None"
    addresses = spec.get("externalIPs")
    if "service.kubernetes.io/topology-aware-hints" in (service["metadata"].get("annotations") or {}):
        old, new = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
        warnings.append(f"annotation {old} is deprecated, please use {new} instead")
    if is_headless and not is_external:
        ignored = (
            ("loadBalancerIP", bool(spec.get("loadBalancerIP"))),
            ("externalIPs", bool(addresses)),
            ("SessionAffinity", spec.get("sessionAffinity") != "None"),
        )
        warnings += [f"spec.{key} is ignored for headless services" for key, is_set in ignored if is_set]
    if addresses and not is_headless and not is_external:
        warnings.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if addresses and is_external:
        warnings.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.get("externalName") and not is_external:
        warnings.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        warnings.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return warnings


def warn_of_driver(driver: Object) -> list[str]:
    """Of a CSIDriver that asks for tokens."""
    spec = driver["spec"]
    is_told = spec.get("serviceAccountTokenInSecrets") is None and bool(spec.get("tokenRequests"))
    return [TOKENS_IN_SECRETS] if is_told else []
