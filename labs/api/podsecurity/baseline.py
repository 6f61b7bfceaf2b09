"""The checks of the baseline standard.

Source: pod-security-admission policy/check_*.go, one function for each file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.objects import at

Spec = Mapping[str, Any]
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD, SECCOMP_CONTAINER = (
    "seccomp.security.alpha.kubernetes.io/pod",
    "container.seccomp.security.alpha.kubernetes.io/",
)
CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
SYSCTLS: dict[str, int] = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
    "net.ipv4.tcp_slow_start_after_idle": 37,
    "net.ipv4.tcp_notsent_lowat": 37,
}
"""Safe settings of the kernel, and the minor version from which each is."""
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t")


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a pod is not allowed: the reason, and what would have to change."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


Check = Callable[[Mapping[str, str], Spec, int], Finding | None]
"""From annotations, pod spec and minor version to what is wrong."""


def containers(spec: Spec) -> Iterator[Mapping[str, Any]]:
    """All containers: init containers, containers, ephemeral ones."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or ()


def named(is_bad: Callable[[Mapping[str, Any]], bool], spec: Spec) -> list[str]:
    """The names of the containers whose ``securityContext`` is bad."""
    return [item["name"] for item in containers(spec) if is_bad(item.get("securityContext") or {})]


def quoted(items: Iterable[str]) -> str:
    """The items in quotes, with commas between."""
    return ", ".join(f'"{item}"' for item in items)


def plural(word: str, count: int) -> str:
    """The word, with an s unless it is one."""
    return word if count == 1 else f"{word}s"


def told(names: list[str]) -> str:
    """``container "a"`` or ``containers "a", "b"``."""
    return f"{plural('container', len(names))} {quoted(names)}"


def setters(is_bad: Callable[[Mapping[str, Any]], bool], spec: Spec) -> list[str]:
    """Who sets something bad: the pod, and containers."""
    names = named(is_bad, spec)
    found = ["pod"] if is_bad(spec.get("securityContext") or {}) else []
    return [*found, told(names)] if names else found


def contexts(spec: Spec) -> Iterator[Mapping[str, Any]]:
    """The securityContext of the pod and of each container."""
    yield spec.get("securityContext") or {}
    for container in containers(spec):
        yield container.get("securityContext") or {}


def is_in_user_namespace(spec: Spec) -> bool:
    """Whether the pod's root is nobody on the node."""
    return spec.get("hostUsers") is False


def apparmor(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Only the runtime's profile, or one of the node's."""

    def is_bad(context: Mapping[str, Any]) -> bool:
        kind = at(context, "appArmorProfile", "type")
        return context.get("appArmorProfile") is not None and kind not in ("RuntimeDefault", "Localhost")

    who = setters(is_bad, spec)
    values = sorted({at(context, "appArmorProfile", "type") or "" for context in contexts(spec) if is_bad(context)})
    bad = sorted(
        f'{key}="{value}"'
        for key, value in annotations.items()
        if key.startswith(APPARMOR_PREFIX)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    if bad:
        who.append(plural("annotation", len(bad)))
    if not who:
        return None
    profiles = plural("forbidden AppArmor profile", len(values) + len(bad))
    return Finding(profiles, f"{' and '.join(who)} must not set AppArmor profile type to {quoted([*values, *bad])}")


def capabilities(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No capability beyond those of a container by default."""

    def added(context: Mapping[str, Any]) -> set[str]:
        return set(at(context, "capabilities", "add") or ()) - set(CAPABILITIES)

    names = named(lambda context: bool(added(context)), spec)
    if not names:
        return None
    found = sorted({name for item in containers(spec) for name in added(item.get("securityContext") or {})})
    detail = f"{told(names)} must not include {quoted(found)} in securityContext.capabilities.add"
    return Finding("non-default capabilities", detail)


def host_namespaces(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """None of the node's namespaces."""
    found = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    return Finding("host namespaces", ", ".join(found)) if found else None


def host_paths(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No folder of the node."""
    found = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return Finding("hostPath volumes", f"{plural('volume', len(found))} {quoted(found)}") if found else None


def host_ports(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No port of the node."""
    used = {
        item["name"]: [str(port["hostPort"]) for port in item.get("ports") or () if port.get("hostPort")]
        for item in containers(spec)
    }
    names = [name for name, ports in used.items() if ports]
    if not names:
        return None
    ports = sorted({port for found in used.values() for port in found})
    verb = "uses" if len(names) == 1 else "use"
    return Finding("hostPort", f"{told(names)} {verb} {plural('hostPort', len(ports))} {', '.join(ports)}")


def probe_hosts(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Probes and hooks ask the pod itself, no other host (since 1.34)."""
    hosts: dict[str, set[str]] = {}
    for item in containers(spec):
        handlers = [item.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [at(item, "lifecycle", key) for key in ("postStart", "preStop")]
        found = {at(each, way, "host") for each in handlers if each for way in ("httpGet", "tcpSocket")} - {None, ""}
        if found:
            hosts[item["name"]] = found
    if not hosts:
        return None
    named_hosts = sorted({host for found in hosts.values() for host in found})
    verb = "uses" if len(hosts) == 1 else "use"
    what = plural("probe or lifecycle host", len(named_hosts))
    return Finding("probe or lifecycle host", f"{told(sorted(hosts))} {verb} {what} {quoted(named_hosts)}")


def privileged(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No privileged container."""
    names = named(lambda context: bool(context.get("privileged")), spec)
    return Finding("privileged", f"{told(names)} must not set securityContext.privileged=true") if names else None


def proc_mount_always(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """The masked /proc that is the default."""
    names = named(lambda context: context.get("procMount") not in (None, "Default"), spec)
    if not names:
        return None
    kinds = sorted({str(context.get("procMount", "Default")) for context in contexts(spec)} - {"Default"})
    return Finding("procMount", f"{told(names)} must not set securityContext.procMount to {quoted(kinds)}")


def proc_mount(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """The masked /proc, unless (since 1.35) the pod has a user namespace."""
    return None if minor >= 35 and is_in_user_namespace(spec) else proc_mount_always(annotations, spec, minor)


def selinux(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Types for containers alone; neither user nor role."""
    allowed = (*SELINUX_TYPES, "container_engine_t") if minor >= 31 else SELINUX_TYPES

    def options(context: Mapping[str, Any]) -> Mapping[str, Any]:
        return context.get("seLinuxOptions") or {}

    def is_bad(context: Mapping[str, Any]) -> bool:
        found = options(context)
        return found.get("type", "") not in allowed or bool(found.get("user")) or bool(found.get("role"))

    who = setters(is_bad, spec)
    if not who:
        return None
    types = sorted({options(context).get("type", "") for context in contexts(spec)} - set(allowed))
    data = [f"{plural('type', len(types))} {quoted(types)}"] if types else []
    data += [
        f"{key} may not be set" for key in ("user", "role") if any(options(item).get(key) for item in contexts(spec))
    ]
    return Finding(
        "seLinuxOptions", f"{' and '.join(who)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"
    )


def seccomp_type(context: Mapping[str, Any]) -> str | None:
    """The type of a context's seccomp profile, None where it has none."""
    if context.get("seccompProfile") is None:
        return None
    return str(at(context, "seccompProfile", "type") or "")


def is_bad_seccomp(context: Mapping[str, Any]) -> bool:
    """Whether a profile is set that turns seccomp off."""
    return seccomp_type(context) not in (None, "RuntimeDefault", "Localhost")


def seccomp_set(spec: Spec) -> Finding | None:
    """What is wrong with the profiles that are set."""
    who = setters(is_bad_seccomp, spec)
    if not who:
        return None
    values = sorted({seccomp_type(context) or "" for context in contexts(spec) if is_bad_seccomp(context)})
    detail = f"{' and '.join(who)} must not set securityContext.seccompProfile.type to {quoted(values)}"
    return Finding("seccompProfile", detail)


def seccomp(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Seccomp is not turned off; before 1.19 that was said in annotations."""
    if minor >= 19:
        return seccomp_set(spec)
    keys = {SECCOMP_POD, *(SECCOMP_CONTAINER + item["name"] for item in containers(spec))} & set(annotations)
    good = ("runtime/default", "docker/default")
    bad = sorted(
        f'{key}="{annotations[key]}"'
        for key in keys
        if annotations[key] not in good and not annotations[key].startswith("localhost/")
    )
    return Finding("seccompProfile", f"forbidden {plural('annotation', len(bad))} {', '.join(bad)}") if bad else None


def sysctls(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Only settings of the kernel that are safe for the neighbours."""
    names = [item["name"] for item in at(spec, "securityContext", "sysctls") or ()]
    bad = [name for name in names if SYSCTLS.get(name, minor + 1) > minor]
    return Finding("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No process of a Windows node itself."""
    who = setters(lambda context: bool(at(context, "windowsOptions", "hostProcess")), spec)
    text = f"{' and '.join(who)} must not set securityContext.windowsOptions.hostProcess=true"
    return Finding("hostProcess", text) if who else None
