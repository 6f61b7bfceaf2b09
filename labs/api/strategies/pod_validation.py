"""Validation of a pod's spec.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidatePodSpec); problems come in
upstream's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.strategies.container_validation import validate_containers
from labs.api.strategies.placement_validation import (
    validate_affinity,
    validate_spread,
    validate_tolerations,
)
from labs.api.strategies.rules import label_map, name_in, one_of
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, required

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")


def validate_pod_spec(spec: dict[str, Any], path: str) -> list[FieldError]:
    """What is wrong with the spec at ``path``."""
    volumes, problems = _volumes(spec.get("volumes") or (), f"{path}.volumes")
    problems += validate_containers(spec, volumes, path)
    problems += one_of(spec, "restartPolicy", RESTART_POLICIES, path)
    problems += one_of(spec, "dnsPolicy", DNS_POLICIES, path)
    problems += label_map(spec.get("nodeSelector"), f"{path}.nodeSelector")
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            problems.append(required(f"{path}.imagePullSecrets[{index}].name"))
    if spec.get("affinity"):
        problems += validate_affinity(spec["affinity"], f"{path}.affinity")
    problems += name_in(spec, "serviceAccountName", names.dns1123_subdomain, path)
    problems += name_in(spec, "nodeName", names.dns1123_subdomain, path)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        problems.append(
            invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
        )
    problems += name_in(spec, "hostname", names.dns1123_label, path)
    problems += name_in(spec, "subdomain", names.dns1123_label, path)
    problems += validate_tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    problems += name_in(spec, "priorityClassName", names.dns1123_subdomain, path)
    problems += one_of(spec, "preemptionPolicy", PREEMPTION_POLICIES, path)
    problems += validate_spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    return problems


def _volumes(volumes: Sequence[dict[str, Any]], path: str) -> tuple[set[str], list[FieldError]]:
    seen: set[str] = set()
    problems: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        problems += [forbidden(f"{here}.{key}", "may not specify more than 1 volume type") for key in sources[1:]]
        problems += _volume_source(volume, here)
        name = volume.get("name") or ""
        if not name:
            problems.append(required(f"{here}.name"))
        problems += [invalid(f"{here}.name", name, text) for text in names.dns1123_label(name) if name]
        if name and name in seen:
            problems.append(duplicate(f"{here}.name", name))
        seen.add(name)
    return seen, problems


def _volume_source(volume: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for key, name in (
        ("configMap", "name"),
        ("secret", "secretName"),
        ("persistentVolumeClaim", "claimName"),
        ("hostPath", "path"),
    ):
        source = volume.get(key)
        if source is not None and not source.get(name):
            problems.append(required(f"{path}.{key}.{name}"))
    return problems
