"""Validation of containers.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateContainers,
validateContainerCommon, ValidateContainerResourceRequirements, validateProbe).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.quantity import parse_quantity
from labs.api.strategies.rules import NOT_NEGATIVE, one_of
from labs.api.strategy import FieldError, duplicate, invalid, not_found, required

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PROTOCOLS = ("SCTP", "TCP", "UDP")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def validate_containers(spec: dict[str, Any], volumes: set[str], path: str) -> list[FieldError]:
    """What is wrong with the containers and init containers of a pod's spec."""
    containers = spec.get("containers") or []
    if not containers:
        return [required(f"{path}.containers")]
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        problems += _container(container, volumes, seen, f"{path}.containers[{index}]")
    for index, container in enumerate(spec.get("initContainers") or ()):
        here = f"{path}.initContainers[{index}]"
        problems += _container(container, volumes, seen, here, is_init=True)
    return problems


def _container(
    container: dict[str, Any], volumes: set[str], seen: set[str], path: str, *, is_init: bool = False
) -> list[FieldError]:
    name = container.get("name") or ""
    problems = _name(name, path)
    if name and name in seen:
        problems.append(duplicate(f"{path}.name", name))
    seen.add(name)
    image = container.get("image") or ""
    if not image:
        problems.append(required(f"{path}.image"))
    elif image != image.strip():
        problems.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    problems += one_of(container, "terminationMessagePolicy", MESSAGE_POLICIES, path)
    problems += _ports(container.get("ports") or (), f"{path}.ports")
    problems += _environment(container.get("env") or (), f"{path}.env")
    problems += _mounts(container.get("volumeMounts") or (), volumes, f"{path}.volumeMounts")
    problems += one_of(container, "imagePullPolicy", PULL_POLICIES, path)
    problems += validate_resources(container.get("resources") or {}, f"{path}.resources")
    if not is_init or container.get("restartPolicy") == "Always":
        problems += _probes(container, path)
    return problems


def _name(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(f"{path}.name")]
    return [invalid(f"{path}.name", name, text) for text in names.dns1123_label(name)]


def _ports(ports: Any, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name")
        if name:
            wrong = names.port_name(name)
            problems += [invalid(f"{here}.name", name, text) for text in wrong]
            if not wrong and name in seen:
                problems.append(duplicate(f"{here}.name", name))
            seen.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            problems.append(required(f"{here}.containerPort"))
        else:
            problems += port_number(number, f"{here}.containerPort")
        if port.get("hostPort"):
            problems += port_number(port["hostPort"], f"{here}.hostPort")
        problems += one_of(port, "protocol", PROTOCOLS, here)
    return problems


def port_number(number: int, path: str) -> list[FieldError]:
    """``IsValidPortNum``."""
    return [] if 1 <= number <= 65535 else [invalid(path, number, "must be between 1 and 65535, inclusive")]


def _environment(variables: Any, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        name = variable.get("name") or ""
        if not name:
            problems.append(required(f"{here}.name"))
        else:
            problems += [invalid(f"{here}.name", name, text) for text in names.relaxed_env_var_name(name)]
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            problems.append(invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty"))
        given = [key for key, item in source.items() if item is not None]
        if not given:
            text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            problems.append(invalid(f"{here}.valueFrom", "", text))
        elif len(given) > 1:
            problems.append(invalid(f"{here}.valueFrom", "", "may not have more than one field specified at a time"))
    return problems


def _mounts(mounts: Any, volumes: set[str], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            problems.append(required(f"{here}.name"))
        elif name not in volumes:
            problems.append(not_found(f"{here}.name", name))
        if not target:
            problems.append(required(f"{here}.mountPath"))
        if target in seen:
            problems.append(invalid(f"{here}.mountPath", target, "must be unique"))
        seen.add(target)
    return problems


def validate_resources(resources: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateContainerResourceRequirements``."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    problems: list[FieldError] = []
    for key, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            problems += _resource_name(name, f"{path}.{key}[{name}]", f"{path}.{key}")
            if parse_quantity(amount).sign < 0:
                problems.append(invalid(f"{path}.{key}[{name}]", str(amount), NOT_NEGATIVE))
    for name, amount in requests.items():
        limit = limits.get(name)
        if limit is None:
            continue
        if parse_quantity(limit) < parse_quantity(amount):
            why = f"must be less than or equal to {name} limit of {limit}"
            problems.append(invalid(f"{path}.requests", str(amount), why))
    return problems


def _resource_name(name: str, path: str, where: str) -> list[FieldError]:
    problems = [invalid(path, name, text) for text in names.qualified_name(name)]
    if not problems and "/" not in name and name not in STANDARD_RESOURCES and not name.startswith("hugepages-"):
        problems = [
            invalid(path, name, "must be a standard resource type or fully qualified"),
            invalid(path, name, "must be a standard resource for containers"),
        ]
    return problems


def _probes(container: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(key)
        if probe is None:
            continue
        here = f"{path}.{key}"
        problems += _handler(probe, here)
        for number in (
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ):
            if (probe.get(number) or 0) < 0:
                problems.append(invalid(f"{here}.{number}", probe[number], NOT_NEGATIVE))
        if key != "readinessProbe" and probe.get("successThreshold") not in (None, 1):
            problems.append(invalid(f"{here}.successThreshold", probe["successThreshold"], "must be 1"))
    return problems


def _handler(probe: dict[str, Any], path: str) -> list[FieldError]:
    given = [name for name in HANDLERS if probe.get(name) is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    problems: list[FieldError] = [
        FieldError("FieldValueForbidden", f"{path}.{name}", "Forbidden: may not specify more than 1 handler type")
        for name in given[1:]
    ]
    for name in given:
        port = probe[name].get("port")
        if isinstance(port, int):
            problems += port_number(port, f"{path}.{name}.port")
        elif isinstance(port, str):
            problems += [invalid(f"{path}.{name}.port", port, text) for text in names.port_name(port)]
    return problems
