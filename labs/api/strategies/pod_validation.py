"""Validation of a pod's spec.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidatePodSpec); problems come in
upstream's order.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from labs.api import names
from labs.api.strategies.container_validation import validate_containers
from labs.api.strategies.placement_validation import (
    validate_affinity,
    validate_spread,
    validate_tolerations,
)
from labs.api.strategies.rules import label_map, name_in, one_of
from labs.api.strategies.security_validation import validate_pod_security
from labs.api.strategies.volume_validation import validate_volumes
from labs.api.strategy import FieldError, duplicate, invalid, required

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
ADDRESS_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
MAX_NAMESERVERS = 3


def validate_pod_spec(spec: dict[str, Any], path: str) -> list[FieldError]:
    """What is wrong with the spec at ``path``."""
    volumes, problems = validate_volumes(spec.get("volumes") or (), f"{path}.volumes")
    problems += validate_containers(spec, volumes, path)
    problems += one_of(spec, "restartPolicy", RESTART_POLICIES, path)
    problems += one_of(spec, "dnsPolicy", DNS_POLICIES, path)
    problems += label_map(spec.get("nodeSelector"), f"{path}.nodeSelector")
    problems += validate_pod_security(spec, path)
    for index, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            problems.append(required(f"{path}.imagePullSecrets[{index}].name"))
    if spec.get("affinity"):
        problems += validate_affinity(spec["affinity"], f"{path}.affinity")
    problems += _dns(spec.get("dnsConfig"), spec.get("dnsPolicy"), f"{path}.dnsConfig")
    problems += _gates(spec, path)
    problems += validate_spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
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
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        problems += _alias(alias, f"{path}.hostAliases[{index}]")
    problems += name_in(spec, "priorityClassName", names.dns1123_subdomain, path)
    problems += name_in(spec, "runtimeClassName", names.dns1123_subdomain, path)
    return problems + one_of(spec, "preemptionPolicy", PREEMPTION_POLICIES, path)


def _dns(config: dict[str, Any] | None, policy: str | None, path: str) -> list[FieldError]:
    if policy == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", text)]
    servers = (config or {}).get("nameservers") or []
    problems = [
        invalid(f"{path}.nameservers[{index}]", server, ADDRESS_RULE)
        for index, server in enumerate(servers)
        if not is_address(server)
    ]
    if len(servers) > MAX_NAMESERVERS:
        problems.insert(
            0, invalid(f"{path}.nameservers", servers, f"must not have more than {MAX_NAMESERVERS} nameservers")
        )
    return problems


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _alias(alias: dict[str, Any], path: str) -> list[FieldError]:
    address = alias.get("ip") or ""
    problems = [] if is_address(address) else [invalid(f"{path}.ip", address, ADDRESS_RULE)]
    for index, name in enumerate(alias.get("hostnames") or ()):
        here = f"{path}.hostnames[{index}]"
        problems += [invalid(here, name, text) for text in names.dns1123_subdomain(name)]
    return problems


def _gates(spec: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType") or ""
        here = f"{path}.readinessGates[{index}].conditionType"
        problems += [invalid(here, kind, text) for text in names.qualified_name(kind)]
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, here = gate.get("name") or "", f"{path}.schedulingGates[{index}]"
        problems += [invalid(here, name, text) for text in names.qualified_name(name)]
        if name in seen:
            problems.append(duplicate(here, name))
        seen.add(name)
    return problems
