"""Validation of security contexts.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateSecurityContext,
validatePodSpecSecurityContext, validateSysctls, validateSeccompProfileField).
"""

from __future__ import annotations

import re
from typing import Any

from labs.api.strategies.volume_sources import descending
from labs.api.strategy import FieldError, duplicate, invalid, not_supported, required, too_long

MAX_ID = 2**31 - 1
ID_RULE = f"must be between 0 and {MAX_ID}, inclusive"
PROC_MOUNTS = ("Default", "Unmasked")
GROUP_CHANGE_POLICIES = ("Always", "OnRootMismatch")
SECCOMP_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({SYSCTL_SEGMENT}[\./])*{SYSCTL_SEGMENT}"
MAX_SYSCTL_CHARACTERS = 253
MAX_PATH_BYTES = 4095
GROUPS_POLICIES = ("Merge", "Strict")
LABEL_POLICIES = ("MountOption", "Recursive")


def _ids(context: dict[str, Any], path: str, *keys: str) -> list[FieldError]:
    return [
        invalid(f"{path}.{key}", context[key], ID_RULE)
        for key in keys
        if context.get(key) is not None and not 0 <= context[key] <= MAX_ID
    ]


def validate_security_context(context: dict[str, Any], path: str, *, has_host_users: bool) -> list[FieldError]:
    """Of a container; ``has_host_users``: its pod has the users of its host."""
    problems = _ids(context, path, "runAsUser", "runAsGroup")
    mount = context.get("procMount")
    if mount is not None and mount not in PROC_MOUNTS:
        problems.append(not_supported(f"{path}.procMount", mount, PROC_MOUNTS))
    if has_host_users and mount == "Unmasked":
        problems.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    problems += _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")
    app_armor = _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile")
    if context.get("allowPrivilegeEscalation") is not False:
        return problems + app_armor
    if context.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        problems.append(invalid(path, _go_context(context), text))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
        text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        problems.append(invalid(path, _go_context(context), text))
    return problems + app_armor


def _app_armor(profile: dict[str, Any] | None, path: str) -> list[FieldError]:
    """``ValidateAppArmorProfileField``."""
    if profile is None:
        return []
    kind, file, here = profile.get("type") or "", profile.get("localhostProfile"), f"{path}.localhostProfile"
    if not kind:
        return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    if kind not in SECCOMP_TYPES:
        return [not_supported(f"{path}.type", kind, SECCOMP_TYPES)]
    if kind != "Localhost":
        text = "can only be set when AppArmor type is Localhost"
        return [] if file is None else [invalid(here, file, text)]
    if not file:
        return [required(here, "must be set when AppArmor type is Localhost")]
    problems = [] if file == file.strip() else [invalid(here, file, "must not be padded with whitespace")]
    return problems + ([too_long(here, MAX_PATH_BYTES)] if len(file.encode()) > MAX_PATH_BYTES else [])


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
    kind, file = profile.get("type") or "", profile.get("localhostProfile")
    problems: list[FieldError] = []
    if not kind:
        problems.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in SECCOMP_TYPES:
        problems.append(not_supported(f"{path}.type", kind, SECCOMP_TYPES))
    if kind == "Localhost":
        text = "must be set when seccomp type is Localhost"
        here = f"{path}.localhostProfile"
        return [required(here, text)] if file is None else descending(file, here)
    if file is None:
        return problems
    shown = {"Type": kind, "LocalhostProfile": file}
    return [*problems, invalid(f"{path}.localhostProfile", shown, "can only be set when seccomp type is Localhost")]


def validate_pod_security(spec: dict[str, Any], path: str) -> list[FieldError]:
    """The pod's own context, and what its host's namespaces ask for."""
    context = spec.get("securityContext") or {}
    here = f"{path}.securityContext"
    problems: list[FieldError] = []
    problems += _ids(context, here, "fsGroup", "runAsUser", "runAsGroup")
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group <= MAX_ID:
            problems.append(invalid(f"{here}.supplementalGroups[{index}]", group, ID_RULE))
    problems += _sysctls(context.get("sysctls") or (), spec, f"{here}.sysctls")
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in GROUP_CHANGE_POLICIES:
        problems.append(not_supported(f"{here}.fsGroupChangePolicy", policy, GROUP_CHANGE_POLICIES))
    problems += _seccomp(context.get("seccompProfile"), f"{here}.seccompProfile")
    problems += _app_armor(context.get("appArmorProfile"), f"{here}.appArmorProfile")
    for key, allowed in (("supplementalGroupsPolicy", GROUPS_POLICIES), ("seLinuxChangePolicy", LABEL_POLICIES)):
        if context.get(key) is not None and context[key] not in allowed:
            problems.append(not_supported(f"{here}.{key}", context[key], allowed))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        problems.append(invalid(f"{path}.shareProcessNamespace", True, text))
    return problems


def host_ports(spec: dict[str, Any], path: str) -> list[FieldError]:
    """The port of a pod must be its host's; that of a template may be left for its pods to default."""
    allows_none = path != "spec"
    problems: list[FieldError] = []
    for index, container in enumerate((spec.get("containers") or ()) if spec.get("hostNetwork") else ()):
        for place, port in enumerate(container.get("ports") or ()):
            number = port.get("hostPort") or 0
            if number != (port.get("containerPort") or 0) and not (allows_none and not number):
                where = f"{path}.containers[{index}].ports[{place}].hostPort"
                text = "must match `containerPort` when `hostNetwork` is true"
                problems.append(invalid(where, number, text))
    return problems


def _sysctls(sysctls: Any, spec: dict[str, Any], path: str) -> list[FieldError]:
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
        elif name in seen:
            problems.append(duplicate(here, name))
        seen.add(name)
        problems += _shared_sysctl(name.replace("/", "."), spec, here)
    return problems


def _shared_sysctl(name: str, spec: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateHostSysctl``: a pod that shares a namespace with its host may not set what is in it."""
    is_ipc = name.startswith(("kernel.msg", "kernel.shm", "fs.mqueue.")) or name == "kernel.sem"
    for key, is_shared in (("hostNetwork", name.startswith("net.")), ("hostIPC", is_ipc)):
        if is_shared and spec.get(key):
            return [invalid(path, name, f"may not be specified when '{key}' is true")]
    return []
