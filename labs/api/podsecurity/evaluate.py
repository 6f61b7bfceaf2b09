"""Which checks make up a standard, and what they find. Source: pod-security-admission policy/{registry,checks}.go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.podsecurity import baseline, restricted
from labs.api.podsecurity.baseline import Check, Finding
from labs.api.podsecurity.policy import Standard


@dataclass(frozen=True, slots=True)
class Row:
    """A check, the minor version from which it holds, and the baseline check that it takes the place of."""

    check: Check
    since: int = 0
    replaces: Check | None = None


BASELINE = (
    Row(baseline.apparmor),
    Row(baseline.capabilities),
    Row(baseline.host_namespaces),
    Row(baseline.host_paths),
    Row(baseline.host_ports),
    Row(baseline.probe_hosts, since=34),
    Row(baseline.privileged),
    Row(baseline.proc_mount),
    Row(baseline.selinux),
    Row(baseline.seccomp),
    Row(baseline.sysctls),
    Row(baseline.windows_host),
)
"""In the order in which upstream tells of them: by identifier."""

RESTRICTED = (
    Row(restricted.privilege_escalation, since=8),
    Row(restricted.drop_capabilities, since=22, replaces=baseline.capabilities),
    Row(baseline.proc_mount_always, since=35, replaces=baseline.proc_mount),
    Row(restricted.volumes, replaces=baseline.host_paths),
    Row(restricted.non_root),
    Row(restricted.root_user, since=23),
    Row(restricted.seccomp, since=19, replaces=baseline.seccomp),
)


def checks_of(standard: Standard) -> list[Check]:
    """The checks of a level at its version, baseline ones first."""
    if standard.level == "privileged":
        return []
    added = [row for row in RESTRICTED if standard.level == "restricted" and row.since <= standard.minor]
    replaced = [row.replaces for row in added]
    rows = [row for row in BASELINE if row.since <= standard.minor and row.check not in replaced]
    return [row.check for row in (*rows, *added)]


def evaluate(standard: Standard, template: Mapping[str, Any]) -> list[Finding]:
    """What a pod (or a pod template) has that a standard does not allow."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    results = [check(annotations, template.get("spec") or {}, standard.minor) for check in checks_of(standard)]
    return [found for found in results if found is not None]


def told(findings: list[Finding]) -> str:
    """All findings in one line."""
    return ", ".join(map(str, findings))
