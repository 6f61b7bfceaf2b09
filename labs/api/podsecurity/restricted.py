"""The checks that the restricted standard adds. Source: pod-security-admission policy/check_*.go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.api.objects import at
from labs.api.podsecurity.baseline import (
    Finding,
    Spec,
    containers,
    is_in_user_namespace,
    named,
    plural,
    quoted,
    seccomp_set,
    seccomp_type,
    setters,
    told,
)

VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
OTHER_VOLUMES = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
)


def _is_windows(spec: Spec, minor: int) -> bool:
    return minor >= 25 and at(spec, "os", "name") == "windows"


def privilege_escalation(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No process gains more rights than its parent has."""
    if _is_windows(spec, minor):
        return None
    names = named(lambda context: context.get("allowPrivilegeEscalation") is not False, spec)
    detail = f"{told(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", detail) if names else None


def drop_capabilities(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """All capabilities are dropped; NET_BIND_SERVICE may be added."""
    if _is_windows(spec, minor):
        return None

    def added(context: Mapping[str, Any]) -> set[str]:
        return set(at(context, "capabilities", "add") or ()) - {"NET_BIND_SERVICE"}

    keeping = named(lambda context: "ALL" not in (at(context, "capabilities", "drop") or ()), spec)
    adding = named(lambda context: bool(added(context)), spec)
    details = [f'{told(keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    if adding:
        found = sorted({name for item in containers(spec) for name in added(item.get("securityContext") or {})})
        details.append(f"{told(adding)} must not include {quoted(found)} in securityContext.capabilities.add")
    return Finding("unrestricted capabilities", "; ".join(details)) if details else None


def volumes(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """Only kinds of volumes that reach nothing of the node."""
    bad = [volume for volume in spec.get("volumes") or () if all(volume.get(key) is None for key in VOLUMES)]
    if not bad:
        return None
    kinds = sorted({next((key for key in OTHER_VOLUMES if item.get(key) is not None), "unknown") for item in bad})
    verb = "uses" if len(bad) == 1 else "use"
    names = f"{plural('volume', len(bad))} {quoted(item['name'] for item in bad)}"
    what = plural("restricted volume type", len(kinds))
    return Finding("restricted volume types", f"{names} {verb} {what} {quoted(kinds)}")


def non_root(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """No container may run as root."""
    if minor >= 35 and is_in_user_namespace(spec):
        return None
    reason = "runAsNonRoot != true"
    who = setters(lambda context: context.get("runAsNonRoot") is False, spec)
    if who:
        return Finding(reason, f"{' and '.join(who)} must not set securityContext.runAsNonRoot=false")
    if at(spec, "securityContext", "runAsNonRoot"):
        return None
    names = named(lambda context: context.get("runAsNonRoot") is None, spec)
    return Finding(reason, f"pod or {told(names)} must set securityContext.runAsNonRoot=true") if names else None


def root_user(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """User 0 is not asked for (since 1.23)."""
    if minor >= 35 and is_in_user_namespace(spec):
        return None
    who = setters(lambda context: context.get("runAsUser") == 0, spec)
    return Finding("runAsUser=0", f"{' and '.join(who)} must not set runAsUser=0") if who else None


def seccomp(annotations: Mapping[str, str], spec: Spec, minor: int) -> Finding | None:
    """A seccomp profile is set (since 1.19)."""
    if _is_windows(spec, minor):
        return None
    found = seccomp_set(spec)
    if found is not None or seccomp_type(spec.get("securityContext") or {}) is not None:
        return found
    names = named(lambda context: seccomp_type(context) is None, spec)
    if not names:
        return None
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Finding("seccompProfile", f"pod or {told(names)} {what}")
