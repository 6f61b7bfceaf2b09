"""Validation of a container's environment and of references to a pod's fields.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateEnv, ValidateEnvFrom,
validateObjectFieldSelector, validateContainerResourceFieldSelector), pkg/apis/core/pods/helpers.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.quantity import parse_quantity
from labs.api.strategy import FieldError, invalid, not_supported, required

ENVIRONMENT_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
KNOWN_FIELDS = {*ENVIRONMENT_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
DIVISORS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("cpu", ("1m", "1"), "cpu"),
    ("memory", SIZES, "memory"),
    ("ephemeral-storage", SIZES, "local ephemeral storage"),
    ("hugepages-", SIZES, "hugepages"),
)
RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
NO_SOURCE = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
TOO_MANY = "may not have more than one field specified at a time"


def validate_environment(container: dict[str, Any], path: str) -> list[FieldError]:
    """``env`` and ``envFrom`` of a container."""
    problems: list[FieldError] = []
    for index, variable in enumerate(container.get("env") or ()):
        here = f"{path}.env[{index}]"
        name = variable.get("name") or ""
        if not name:
            problems.append(required(f"{here}.name"))
        else:
            problems += [invalid(f"{here}.name", name, text) for text in names.relaxed_env_var_name(name)]
        if variable.get("valueFrom") is not None:
            problems += _value_source(variable["valueFrom"], bool(variable.get("value")), f"{here}.valueFrom")
    for index, source in enumerate(container.get("envFrom") or ()):
        problems += _whole_source(source, f"{path}.envFrom[{index}]", f"{path}.envFrom")
    return problems


def _value_source(source: dict[str, Any], has_value: bool, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    given = [key for key in SOURCES if source.get(key) is not None]
    if "fieldRef" in given:
        problems += validate_field_reference(source["fieldRef"], ENVIRONMENT_FIELDS, f"{path}.fieldRef")
    if "resourceFieldRef" in given:
        problems += validate_resource_reference(source["resourceFieldRef"], f"{path}.resourceFieldRef")
    for key in ("configMapKeyRef", "secretKeyRef"):
        if key in given:
            problems += _key_reference(source[key], f"{path}.{key}")
    if "fileKeyRef" in given:
        problems += _file_reference(source["fileKeyRef"], f"{path}.fileKeyRef")
    if not given:
        problems.append(invalid(path, "", NO_SOURCE))
    if has_value and given:
        problems.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        problems.append(invalid(path, "", TOO_MANY))
    return problems


def _key_reference(reference: dict[str, Any], path: str) -> list[FieldError]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    problems = [invalid(f"{path}.name", name, text) for text in names.dns1123_subdomain(name)]
    if not key:
        return [*problems, required(f"{path}.key")]
    return problems + [invalid(f"{path}.key", key, text) for text in names.config_map_key(key)]


def _file_reference(reference: dict[str, Any], path: str) -> list[FieldError]:
    key, volume, place = (reference.get(name) or "" for name in ("key", "volumeName", "path"))
    problems = [] if key else [required(f"{path}.key")]
    problems += [invalid(f"{path}.key", key, text) for text in names.relaxed_env_var_name(key) if key]
    problems += [] if volume else [required(f"{path}.volumeName")]
    problems += [invalid(f"{path}.volumeName", volume, text) for text in names.dns1123_label(volume) if volume]
    if not place:
        return [*problems, required(f"{path}.path")]
    return problems + ([invalid(f"{path}.path", place, "must not contain '..'")] if ".." in place.split("/") else [])


def _whole_source(source: dict[str, Any], path: str, whole: str) -> list[FieldError]:
    """``whole`` is the list, which upstream names where the choice of the source is wrong."""
    problems: list[FieldError] = []
    prefix = source.get("prefix") or ""
    problems += [invalid(f"{path}.prefix", prefix, text) for text in names.relaxed_env_var_name(prefix) if prefix]
    given = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
    for key in given:
        name = source[key].get("name") or ""
        if not name:
            problems.append(required(f"{path}.{key}.name"))
        else:
            problems += [invalid(f"{path}.{key}.name", name, text) for text in names.dns1123_subdomain(name)]
    if not given:
        problems.append(invalid(whole, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif len(given) > 1:
        problems.append(invalid(whole, "", TOO_MANY))
    return problems


def validate_field_reference(reference: dict[str, Any], allowed: Sequence[str], path: str) -> list[FieldError]:
    """A reference to a field of the pod itself; ``allowed`` are the whole fields that may be named there."""
    field = reference.get("fieldPath") or ""
    if not field:
        return [required(f"{path}.fieldPath")]
    subscripted = re.fullmatch(r"(metadata\.(?:annotations|labels))\['(.*)'\]", field)
    if subscripted:
        return _subscript(subscripted[1], subscripted[2], path)
    if field not in KNOWN_FIELDS:
        text = f"error converting fieldPath: field label not supported: {field}"
        return [invalid(f"{path}.fieldPath", field, text)]
    return [] if field in allowed else [not_supported(f"{path}.fieldPath", field, allowed)]


def _subscript(field: str, key: str, path: str) -> list[FieldError]:
    checked = key.lower() if field == "metadata.annotations" else key
    return [invalid(path, key, text) for text in names.qualified_name(checked)]


def validate_resource_reference(
    reference: dict[str, Any], path: str, *, needs_container: bool = False
) -> list[FieldError]:
    """A reference to a resource of a container; in a volume the container must be named."""
    resource = reference.get("resource") or ""
    problems: list[FieldError] = []
    if needs_container and not reference.get("containerName"):
        problems.append(required(f"{path}.containerName"))
    elif not resource:
        problems.append(required(f"{path}.resource"))
    elif resource not in RESOURCES and not re.match(r"(limits|requests)\.hugepages-", resource):
        problems.append(not_supported(f"{path}.resource", resource, RESOURCES))
    return problems + _divisor(resource, str(reference.get("divisor") or "0"), f"{path}.divisor")


def _divisor(resource: str, divisor: str, path: str) -> list[FieldError]:
    kind = resource.partition(".")[2]
    rule = next((rule for start, *rule in DIVISORS if kind.startswith(start)), None)
    if rule is None or parse_quantity(divisor).is_zero:
        return []
    allowed, subject = rule
    shown = " and ".join(allowed) if len(allowed) == 2 else ", ".join(allowed)
    text = f"only divisor's values {shown} are supported with the {subject} resource"
    return [] if str(parse_quantity(divisor)) in allowed else [invalid(path, resource, text)]
