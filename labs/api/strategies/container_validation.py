"""Validation of containers.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateContainers,
validateInitContainers, validateContainerCommon, checkHostPortConflicts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.strategies.environment_validation import validate_environment
from labs.api.strategies.mount_validation import Volumes, validate_mounts
from labs.api.strategies.probe_validation import port_number, validate_hooks_and_probes
from labs.api.strategies.resource_validation import validate_resources
from labs.api.strategies.rules import one_of
from labs.api.strategies.security_validation import validate_security_context
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
PROTOCOLS = ("SCTP", "TCP", "UDP")
RESIZED = ("cpu", "memory")
RESIZE_POLICIES = ("NotRequired", "RestartContainer")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
RESTART_ACTIONS = ("Restart", "RestartAllContainers")
OF_SIDECARS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
NOT_OF_EPHEMERAL = (
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)
"""Fields of a container that an ephemeral one may not set, in the order of its Go type."""

OF_NONE_EPHEMERAL = "cannot be set for an Ephemeral Container"
ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"


def validate_containers(spec: dict[str, Any], volumes: Volumes, path: str) -> list[FieldError]:
    """What is wrong with the containers and init containers of a pod's spec."""
    containers = spec.get("containers") or []
    problems: list[FieldError] = []
    seen: set[str] = set()
    if not containers:
        problems.append(required(f"{path}.containers"))
    for index, container in enumerate(containers):
        here = f"{path}.containers[{index}]"
        problems += validate_container(container, volumes, here, spec)
        problems += _unique_name(container, seen, here)
        problems += validate_hooks_and_probes(container, spec, here)
        problems += _restart_policy(container, here)
    problems += _host_port_conflicts(containers, f"{path}.containers")
    for index, container in enumerate(spec.get("initContainers") or ()):
        here = f"{path}.initContainers[{index}]"
        problems += validate_container(container, volumes, here, spec)
        problems += _restart_policy(container, here)
        problems += _unique_name(container, seen, here)
        problems += _host_port_conflicts([container], f"{path}.initContainers")
        if container.get("restartPolicy") == "Always":
            problems += validate_hooks_and_probes(container, spec, here)
        else:
            problems += [
                forbidden(f"{here}.{key}", ONLY_SIDECARS) for key in OF_SIDECARS if container.get(key) is not None
            ]
            problems += _init_resize_policy(container.get("resizePolicy") or (), f"{here}.resizePolicy")
    return problems


def validate_ephemeral(spec: dict[str, Any], volumes: Volumes, path: str) -> list[FieldError]:
    """``validateEphemeralContainers``: they have names of their own and little else."""
    others = {item.get("name") or "" for key in ("containers", "initContainers") for item in spec.get(key) or ()}
    seen = set(others)
    problems: list[FieldError] = []
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        here = f"{path}[{index}]"
        problems += validate_container(container, volumes, here, spec) + padded_image(container, here)
        problems += _unique_name(container, seen, here)
        target = container.get("targetContainerName")
        if target and target not in others:
            problems.append(not_found(f"{here}.targetContainerName", target))
        given = [key for key in NOT_OF_EPHEMERAL if container.get(key) not in (None, {})]
        given += [key for key in PROBES if container.get(key) == {}]
        problems += [forbidden(f"{here}.{key}", OF_NONE_EPHEMERAL) for key in NOT_OF_EPHEMERAL if key in given]
        for place, mount in enumerate(container.get("volumeMounts") or ()):
            for key in ("subPath", "subPathExpr"):
                if mount.get(key):
                    problems.append(forbidden(f"{here}.volumeMounts[{place}].{key}", OF_NONE_EPHEMERAL))
    return problems


def validate_container(
    container: dict[str, Any], volumes: Volumes, path: str, spec: dict[str, Any]
) -> list[FieldError]:
    """What is wrong with one container of a pod's ``spec``, apart from its hooks and probes."""
    problems = _name(container.get("name") or "", path)
    if not container.get("image"):
        problems.append(required(f"{path}.image"))
    problems += one_of(container, "terminationMessagePolicy", MESSAGE_POLICIES, path)
    problems += _ports(container.get("ports") or (), f"{path}.ports")
    problems += validate_environment(container, path)
    problems += validate_mounts(container, volumes, path)
    problems += one_of(container, "imagePullPolicy", PULL_POLICIES, path)
    problems += validate_resources(container.get("resources") or {}, f"{path}.resources")
    problems += _resize_policy(container.get("resizePolicy") or (), spec.get("restartPolicy"), f"{path}.resizePolicy")
    context = container.get("securityContext") or {}
    return problems + validate_security_context(
        context, f"{path}.securityContext", has_host_users=spec.get("hostUsers") is not False
    )


def padded_image(container: dict[str, Any], path: str) -> list[FieldError]:
    """Of pods, not of their templates: an image without blanks around it."""
    image = container.get("image") or ""
    text = "must not have leading or trailing whitespace"
    return [] if image == image.strip() else [invalid(f"{path}.image", image, text)]


def _resize_policy(policies: Any, restart_policy: Any, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(policies):
        resource, policy = item.get("resourceName") or "", item.get("restartPolicy") or ""
        if resource in seen:
            problems.append(duplicate(f"{path}[{index}]", resource))
        seen.add(resource)
        for value, allowed in ((resource, RESIZED), (policy, RESIZE_POLICIES)):
            if not value:
                problems.append(required(path))
            elif value not in allowed:
                problems.append(not_supported(path, value, allowed))
        if restart_policy == "Never" and policy != "NotRequired":
            problems.append(invalid(path, policy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
    return problems


def _init_resize_policy(policies: Any, path: str) -> list[FieldError]:
    text = "must not be set to 'RestartContainer' for non-sidecar initContainers"
    return [
        invalid(f"{path}[{index}].restartPolicy", "RestartContainer", text)
        for index, item in enumerate(policies)
        if item.get("restartPolicy") == "RestartContainer"
    ]


def _restart_policy(container: dict[str, Any], path: str) -> list[FieldError]:
    """``validateContainerRestartPolicy``."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    problems: list[FieldError] = []
    if policy is None and rules:
        text = "must specify restartPolicy when restart rules are used"
        problems.append(required(f"{path}.restartPolicy", text))
    elif policy is not None and policy not in RESTART_POLICIES:
        problems.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    for index, rule in enumerate(rules):
        here, codes = f"{path}.restartPolicyRules[{index}]", rule.get("exitCodes")
        if rule.get("action") not in RESTART_ACTIONS:
            problems.append(not_supported(f"{here}.action", rule.get("action") or "", RESTART_ACTIONS))
        if codes is None:
            problems.append(required(f"{here}.exitCodes", "must be specified"))
        elif codes.get("operator") not in ("In", "NotIn"):
            problems.append(not_supported(f"{here}.exitCodes.operator", codes.get("operator") or "", ("In", "NotIn")))
    return problems


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
            seen |= {name} if not wrong else set()
        number = port.get("containerPort") or 0
        if number == 0:
            problems.append(required(f"{here}.containerPort"))
        else:
            problems += port_number(number, f"{here}.containerPort")
        if port.get("hostPort"):
            problems += port_number(port["hostPort"], f"{here}.hostPort")
        problems += one_of(port, "protocol", PROTOCOLS, here)
    return problems
