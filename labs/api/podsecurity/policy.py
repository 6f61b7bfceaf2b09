"""Which standard a namespace asks for, in each of the three modes.

Source: pod-security-admission api/{helpers,constants}.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labs.api.strategy import FieldError, invalid

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]*)")
NEWEST_MINOR = 37


@dataclass(frozen=True, slots=True)
class Standard:
    """A level at the version of Kubernetes that defines it (``latest``, ``v1.25``)."""

    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int:
        """The minor version whose checks hold."""
        return NEWEST_MINOR if self.version == "latest" else min(int(self.version.removeprefix("v1.")), NEWEST_MINOR)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a namespace enforces, audits and warns of."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


def policy_of(labels: Mapping[str, str] | None) -> tuple[Policy, list[FieldError]]:
    """``PolicyToEvaluate``: the policy, and what is wrong with its labels.

    A wrong level enforces ``restricted``, and audits and warns of nothing.
    """
    labels = labels or {}
    problems: list[FieldError] = []
    found: dict[str, Standard] = {}
    for mode in MODES:
        level, version = labels.get(PREFIX + mode, "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest")
        if level not in LEVELS:
            problems.append(_wrong(mode, level, f"must be one of {', '.join(LEVELS)}"))
            level = "restricted" if mode == "enforce" else "privileged"
        if version != "latest" and not _VERSION.fullmatch(version):
            problems.append(_wrong(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
            version = "latest"
        found[mode] = Standard(level, version)
    enforce, warn = found["enforce"], found["warn"]
    if PREFIX + "warn" not in labels and labels.get(PREFIX + "enforce") in LEVELS[1:]:
        warn = Standard(enforce.level, warn.version if f"{PREFIX}warn-version" in labels else enforce.version)
    return Policy(enforce, found["audit"], warn), problems


def _wrong(label: str, value: str, why: str) -> FieldError:
    return invalid(f"metadata.labels[{PREFIX}{label}]", value, why)
