"""Validation of containers.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateContainers,
validateInitContainers, validateContainerCommon, checkHostPortConflicts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.strategies.environment_validation import validate_environment
from labs.api.strategies.probe_validation import port_number, validate_hooks_and_probes
from labs.api.strategies.resource_validation import validate_resources
from labs.api.strategies.rules import one_of
from labs.api.strategies.security_validation import validate_security_context
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PROTOCOLS = ("SCTP", "TCP", "UDP")
OF_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


def validate_containers(spec: dict[str, Any], volumes: set[str], path: str) -> list[FieldError]:
    """What is wrong with the containers and init containers of a pod's spec."""
    containers = spec.get("containers") or []
    problems: list[FieldError] = []
    seen: set[str] = set()
    grace_s = spec.get("terminationGracePeriodSeconds") or 0
    if not containers:
        problems.append(required(f"{path}.containers"))
    for index, container in enumerate(containers):
        here = f"{path}.containers[{index}]"
        problems += validate_container(container, volumes, here)
        problems += _unique_name(container, seen, here)
        problems += validate_hooks_and_probes(container, grace_s, here)
    problems += _host_port_conflicts(containers, f"{path}.containers")
    for index, container in enumerate(spec.get("initContainers") or ()):
        here = f"{path}.initContainers[{index}]"
        problems += validate_container(container, volumes, here)
        is_sidecar = container.get("restartPolicy") == "Always"
        if container.get("restartPolicy") and not is_sidecar:
            problems.append(not_supported(f"{here}.restartPolicy", container["restartPolicy"], ("Always",)))
        problems += _unique_name(container, seen, here)
        problems += _host_port_conflicts([container], f"{path}.initContainers")
        if is_sidecar:
            problems += validate_hooks_and_probes(container, grace_s, here)
        else:
            problems += [forbidden(f"{here}.{key}", ONLY_SIDECARS) for key in OF_SIDECARS if container.get(key)]
    return problems


def validate_container(container: dict[str, Any], volumes: set[str], path: str) -> list[FieldError]:
    """What is wrong with one container, apart from its hooks and probes."""
    problems = _name(container.get("name") or "", path)
    image = container.get("image") or ""
    if not image:
        problems.append(required(f"{path}.image"))
    elif image != image.strip():
        problems.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    problems += one_of(container, "terminationMessagePolicy", MESSAGE_POLICIES, path)
    problems += _ports(container.get("ports") or (), f"{path}.ports")
    problems += validate_environment(container, path)
    problems += _mounts(container.get("volumeMounts") or (), volumes, f"{path}.volumeMounts")
    problems += one_of(container, "imagePullPolicy", PULL_POLICIES, path)
    problems += validate_resources(container.get("resources") or {}, f"{path}.resources")
    return problems + validate_security_context(container.get("securityContext") or {}, f"{path}.securityContext")


def _unique_name(container: dict[str, Any], seen: set[str], path: str) -> list[FieldError]:
    name = container.get("name") or ""
    if name in seen:
        return [duplicate(f"{path}.name", name)]
    seen.add(name)
    return []


def _host_port_conflicts(containers: Sequence[dict[str, Any]], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for place, port in enumerate(container.get("ports") or ()):
            number = port.get("hostPort") or 0
            if not number:
                continue
            taken = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{number}"
            if taken in seen:
                problems.append(duplicate(f"{path}[{index}].ports[{place}].hostPort", taken))
            seen.add(taken)
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
