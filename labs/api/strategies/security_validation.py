"""Validation of security contexts.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateSecurityContext,
validatePodSpecSecurityContext, validateSysctls, validateSeccompProfileField).
"""

from __future__ import annotations

import re
from typing import Any

from labs.api.strategy import FieldError, duplicate, invalid, not_supported, required

MAX_ID = 2**31 - 1
ID_RULE = f"must be between 0 and {MAX_ID}, inclusive"
PROC_MOUNTS = ("Default", "Unmasked")
GROUP_CHANGE_POLICIES = ("Always", "OnRootMismatch")
SECCOMP_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({SYSCTL_SEGMENT}[\./])*{SYSCTL_SEGMENT}"
MAX_SYSCTL_CHARACTERS = 253


def _ids(context: dict[str, Any], path: str, *keys: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{key}", context[key], ID_RULE)
        for key in keys
        if context.get(key) is not None and not 0 <= context[key] <= MAX_ID
    ]


def validate_security_context(context: dict[str, Any], path: str) -> list[FieldError]:
    """Of a container."""
    problems = _ids(context, path, "runAsUser", "runAsGroup")
    mount = context.get("procMount")
    if mount is not None and mount not in PROC_MOUNTS:
        problems.append(not_supported(f"{path}.procMount", mount, PROC_MOUNTS))
    problems += _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is not False:
        return problems
    if context.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        problems.append(invalid(path, _go_context(context), text))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
        text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        problems.append(invalid(path, _go_context(context), text))
    return problems


def _go_context(context: dict[str, Any]) -> dict[str, Any]:
    """As the internal Go type is printed: every field, under its Go name."""
    capabilities = context.get("capabilities")
    shown = None
    if capabilities is not None:
        shown = {"Add": capabilities.get("add"), "Drop": capabilities.get("drop")}
    names = (
        ("Privileged", "privileged"),
        ("SELinuxOptions", "seLinuxOptions"),
        ("WindowsOptions", "windowsOptions"),
        ("RunAsUser", "runAsUser"),
        ("RunAsGroup", "runAsGroup"),
        ("RunAsNonRoot", "runAsNonRoot"),
        ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem"),
        ("AllowPrivilegeEscalation", "allowPrivilegeEscalation"),
        ("ProcMount", "procMount"),
        ("SeccompProfile", "seccompProfile"),
        ("AppArmorProfile", "appArmorProfile"),
    )
    return {"Capabilities": shown} | {go: context.get(wire) for go, wire in names}


def _seccomp(profile: dict[str, Any] | None, path: str) -> list[FieldError]:
    if profile is None:
        return []
    kind = profile.get("type") or ""
    if not kind:
        return [required(f"{path}.type", "type is required when seccompProfile is set")]
    if kind not in SECCOMP_TYPES:
        return [not_supported(f"{path}.type", kind, SECCOMP_TYPES)]
    file = profile.get("localhostProfile")
    if kind == "Localhost":
        text = "must be set when seccomp type is Localhost"
        return [] if file else [required(f"{path}.localhostProfile", text)]
    return (
        []
        if file is None
        else [invalid(f"{path}.localhostProfile", file, "can only be set when seccomp type is Localhost")]
    )


def validate_pod_security(spec: dict[str, Any], path: str) -> list[FieldError]:
    """The pod's own context, and what its host's namespaces ask for."""
    context = spec.get("securityContext") or {}
    here = f"{path}.securityContext"
    problems: list[FieldError] = []
    if spec.get("hostNetwork"):
        problems += _host_ports(spec, path)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        problems.append(invalid(f"{path}.shareProcessNamespace", True, text))
    problems += _ids(context, here, "fsGroup", "runAsUser", "runAsGroup")
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= MAX_ID:
            problems.append(invalid(f"{here}.supplementalGroups[{index}]", group, ID_RULE))
    problems += _sysctls(context.get("sysctls") or (), f"{here}.sysctls")
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in GROUP_CHANGE_POLICIES:
        problems.append(not_supported(f"{here}.fsGroupChangePolicy", policy, GROUP_CHANGE_POLICIES))
    return problems + _seccomp(context.get("seccompProfile"), f"{here}.seccompProfile")


def _host_ports(spec: dict[str, Any], path: str) -> list[FieldError]:
    """The port of a pod must be its host's; that of a template may be left for its pods to default."""
    allows_none = path != "spec"
    problems: list[FieldError] = []
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or ()):
            for place, port in enumerate(container.get("ports") or ()):
                number = port.get("hostPort") or 0
                if number != port.get("containerPort") and not (allows_none and not number):
                    where = f"{path}.{kind}[{index}].ports[{place}].containerPort"
                    text = "must match `hostPort` when `hostNetwork` is true"
                    problems.append(invalid(where, port.get("containerPort"), text))
    return problems


def _sysctls(sysctls: Any, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(sysctls):
        name = item.get("name") or ""
        here = f"{path}[{index}].name"
        if not name:
            problems.append(required(here))
        elif len(name) > MAX_SYSCTL_CHARACTERS or re.fullmatch(SYSCTL, name) is None:
            text = f"must have at most {MAX_SYSCTL_CHARACTERS} characters and match regex ^{SYSCTL}$"
            problems.append(invalid(here, name, text))
        elif name.replace("/", ".") in seen:
            problems.append(duplicate(here, name))
        seen.add(name.replace("/", "."))
    return problems
