"""Validation of a pod's spec.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidatePodSpec); problems come in
upstream's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from labs.api import names
from labs.api.go_forms import go_form
from labs.api.quantity import parse_quantity
from labs.api.strategies.container_validation import validate_containers, validate_ephemeral
from labs.api.strategies.placement_validation import (
    validate_affinity,
    validate_spread,
    validate_tolerations,
)
from labs.api.strategies.pod_defaults import CONTAINER_LISTS
from labs.api.strategies.resource_validation import validate_resources
from labs.api.strategies.rules import label_map, name_in, one_of
from labs.api.strategies.security_validation import host_ports, validate_pod_security
from labs.api.strategies.volume_validation import validate_volumes
from labs.api.strategy import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    too_long,
)

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
ADDRESS_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_CHARACTERS = 2048
MAX_HOST_NAME_BYTES = 64
CLAIM_SOURCES = ("resourceClaimName", "resourceClaimTemplateName")
ONE_CLAIM_SOURCE = "must specify one of: `{}`, `{}`"
AT_MOST_ONE_CLAIM_SOURCE = "at most one of `{}` or `{}` may be specified"
SYSTEMS = ("linux", "windows")
NO_HOST_USERS = "when `hostUsers` is false"


def validate_pod_spec(spec: dict[str, Any], path: str, pod_name: str = "") -> list[FieldError]:
    """What is wrong with the spec at ``path``; ``pod_name`` is empty for a template."""
    volumes, problems = validate_volumes(spec.get("volumes") or (), f"{path}.volumes", pod_name)
    problems += _resource_claims(spec.get("resourceClaims") or (), f"{path}.resourceClaims")
    problems += validate_containers(spec, volumes, path)
    problems += validate_ephemeral(spec, volumes, f"{path}.ephemeralContainers")
    problems += _pod_resources(spec, f"{path}.resources")
    problems += host_ports(spec, path)
    problems += one_of(spec, "restartPolicy", RESTART_POLICIES, path)
    problems += one_of(spec, "dnsPolicy", DNS_POLICIES, path)
    problems += label_map(spec.get("nodeSelector"), f"{path}.nodeSelector")
    problems += validate_pod_security(spec, path)
    problems += validate_affinity(spec.get("affinity") or {}, f"{path}.affinity")
    problems += validate_dns(spec.get("dnsConfig"), spec.get("dnsPolicy"), f"{path}.dnsConfig")
    problems += _gates(spec, path)
    problems += validate_spread(spec.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    problems += _host_users(spec, path) + _host_name(spec, path)
    problems += name_in(spec, "serviceAccountName", names.dns1123_subdomain, path)
    problems += name_in(spec, "nodeName", names.dns1123_subdomain, path)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        text = "must be between 1 and 2147483647, inclusive"
        problems.append(invalid(f"{path}.activeDeadlineSeconds", deadline, text))
    problems += name_in(spec, "hostname", names.dns1123_label, path)
    problems += name_in(spec, "subdomain", names.dns1123_label, path)
    problems += validate_tolerations(spec.get("tolerations") or (), f"{path}.tolerations")
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        problems += _alias(alias, f"{path}.hostAliases[{index}]")
    problems += name_in(spec, "priorityClassName", names.dns1123_subdomain, path)
    problems += name_in(spec, "runtimeClassName", names.dns1123_subdomain, path)
    problems += one_of(spec, "preemptionPolicy", PREEMPTION_POLICIES, path)
    if spec.get("overhead") is not None:
        problems += validate_resources({"limits": spec["overhead"]}, f"{path}.overhead")
    problems += _operating_system(spec.get("os"), f"{path}.os")
    return problems + _file_references(spec, path)


def _resource_claims(claims: Sequence[dict[str, Any]], path: str) -> list[FieldError]:
    """``validatePodResourceClaim``: each has one source."""
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        here, name = f"{path}[{index}]", claim.get("name") or ""
        if not name:
            problems.append(required(f"{here}.name"))
        elif name in seen:
            problems.append(duplicate(f"{here}.name", name))
        else:
            problems += [invalid(f"{here}.name", name, text) for text in names.dns1123_label(name)]
            seen.add(name)
        given = [key for key in CLAIM_SOURCES if claim.get(key) is not None]
        if len(given) != 1:
            text = (ONE_CLAIM_SOURCE if not given else AT_MOST_ONE_CLAIM_SOURCE).format(*CLAIM_SOURCES)
            problems.append(invalid(here, go_form("core.PodResourceClaim", claim), text))
        for key in given:
            problems += [invalid(f"{here}.{key}", claim[key], text) for text in names.dns1123_subdomain(claim[key])]
    return problems


def _pod_resources(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``validatePodResources``: what all containers of a pod may use together."""
    whole = spec.get("resources")
    if whole is None:
        return []
    problems: list[FieldError] = []
    if whole.get("claims") is not None:
        problems.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
    problems += validate_resources(whole, path, of_pod=True)
    asked = whole.get("requests") or {}
    for name, amount in sorted(asked.items()):
        wanted = [
            parse_quantity(((item.get("resources") or {}).get("requests") or {}).get(name) or "0")
            for item in spec.get("containers") or ()
        ]
        total = sum(wanted[1:], wanted[0]) if wanted else parse_quantity("0")
        if total > parse_quantity(amount):
            text = f"must be greater than or equal to aggregate container requests of {total}"
            problems.append(invalid(f"{path}.requests[{name}]", amount, text))
    limits = whole.get("limits") or {}
    for index, item in enumerate(spec.get("containers") or ()):
        for name, amount in ((item.get("resources") or {}).get("limits") or {}).items():
            if name in limits and parse_quantity(amount) > parse_quantity(limits[name]):
                text = f"must be less than or equal to pod limits of {limits[name]}"
                problems.append(invalid(f"{path}.containers[{index}][{name}].limits", amount, text))
    return problems


def _host_users(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``validateHostUsers``: a pod with users of its own shares nothing else with its host."""
    if spec.get("hostUsers") is not False:
        return []
    shared = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
    problems = [forbidden(f"{path}.{shown}", NO_HOST_USERS) for key, shown in shared if spec.get(key)]
    for key in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(key) or ()):
            if container.get("volumeDevices"):
                problems.append(forbidden(f"{path}.{key}[{index}].volumeDevices", NO_HOST_USERS))
    return problems


def _host_name(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``validatePodHostName``."""
    name, here = spec.get("hostnameOverride"), f"{path}.hostnameOverride"
    if name is None:
        return []
    problems = [
        forbidden(here, f"may not be specified when {key} is true")
        for key in ("setHostnameAsFQDN", "hostNetwork")
        if spec.get(key)
    ]
    problems += [too_long(here, MAX_HOST_NAME_BYTES)] if len(name.encode()) > MAX_HOST_NAME_BYTES else []
    return problems + [invalid(here, name, text) for text in names.dns1123_subdomain(name)]


def _operating_system(system: dict[str, Any] | None, path: str) -> list[FieldError]:
    name = (system or {}).get("name") or ""
    if system is None or name in SYSTEMS:
        return []
    return [not_supported(path, name, SYSTEMS)] if name else [required(f"{path}.name")]


def _file_references(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``validateFileKeyRefVolumes``: variables from files are read from empty directories."""
    volumes = {item.get("name"): item for item in spec.get("volumes") or ()}
    problems: list[FieldError] = []
    for key in CONTAINER_LISTS:
        for index, container in enumerate(spec.get(key) or ()):
            for place, variable in enumerate(container.get("env") or ()):
                reference = (variable.get("valueFrom") or {}).get("fileKeyRef")
                if reference is None:
                    continue
                here = f"{path}.{key}[{index}].env[{place}].valueFrom.fileKeyRef.volumeName"
                name = reference.get("volumeName") or ""
                if name not in volumes:
                    problems.append(not_found(here, name))
                elif volumes[name].get("emptyDir") is None:
                    problems.append(invalid(here, name, "referenced volume must be of type emptyDir"))
    return problems


def validate_dns(config: dict[str, Any] | None, policy: str | None, path: str) -> list[FieldError]:
    """``validatePodDNSConfig``."""
    servers = (config or {}).get("nameservers") or []
    if policy == "None" and config is None:
        return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
    if policy == "None" and not servers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [required(f"{path}.nameservers", text)]
    problems: list[FieldError] = []
    if len(servers) > MAX_NAMESERVERS:
        text = f"must not have more than {MAX_NAMESERVERS} nameservers"
        problems.append(invalid(f"{path}.nameservers", servers, text))
    for index, server in enumerate(servers):
        problems += [] if is_address(server) else [invalid(f"{path}.nameservers[{index}]", server, ADDRESS_RULE)]
    problems += _searches((config or {}).get("searches") or [], f"{path}.searches")
    for index, option in enumerate((config or {}).get("options") or ()):
        problems += [] if option.get("name") else [required(f"{path}.options[{index}]", "must not be empty")]
    return problems


def _searches(searches: list[str], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    if len(searches) > MAX_SEARCHES:
        problems.append(invalid(path, searches, f"must not have more than {MAX_SEARCHES} search paths"))
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        text = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        problems.append(invalid(path, searches, text))
    for index, search in enumerate(searches):
        if search != ".":
            name = search.removesuffix(".")
            wrong = names.dns1123_subdomain_with_underscore(name)
            problems += [invalid(f"{path}[{index}]", name, text) for text in wrong]
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
