"""Validation of services.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateService, validateServicePort,
ValidateServiceClusterIPsRelatedFields, validateServiceExternalTrafficPolicy).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from labs.api import names
from labs.api.strategies.pod_validation import ADDRESS_RULE, is_address
from labs.api.strategies.probe_validation import port_number
from labs.api.strategies.rules import label_map, one_of
from labs.api.strategy import FieldError, Object, duplicate, forbidden, invalid, not_supported, required

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")
POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
MAX_AFFINITY_S = 86_400
CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
UNUSED = "may not be set for ExternalName services"


def is_reachable_from_outside(spec: dict[str, Any]) -> bool:
    """``ExternallyAccessible``."""
    has_address = spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs"))
    return spec.get("type") in ("LoadBalancer", "NodePort") or has_address


def needs_health_check(spec: dict[str, Any]) -> bool:
    """``NeedsHealthCheck``: the balancer asks each node whether it has a ready pod."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate_service(obj: Object) -> list[FieldError]:
    """What is wrong with a service."""
    spec = obj["spec"]
    is_headless = spec.get("clusterIP") == "None"
    problems: list[FieldError] = []
    if not spec.get("ports") and not is_headless and spec["type"] != "ExternalName":
        problems.append(required("spec.ports"))
    problems += _for_type(spec, is_headless)
    seen: set[str] = set()
    ports = spec.get("ports") or []
    for index, port in enumerate(ports):
        problems += _port(port, len(ports) > 1, seen, f"spec.ports[{index}]")
    problems += label_map(spec.get("selector"), "spec.selector")
    problems += _affinity(spec)
    if spec["type"] != "ExternalName":
        problems += _addresses(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        problems += validate_outside_address(address, f"spec.externalIPs[{index}]")
    if spec["type"] not in TYPES:
        problems.append(not_supported("spec.type", spec["type"], TYPES))
    problems += _port_clashes(spec)
    problems += _balancer(spec)
    problems += _external_traffic(spec)
    problems += one_of(spec, "internalTrafficPolicy", POLICIES, "spec", is_required=False)
    return problems + one_of(spec, "trafficDistribution", DISTRIBUTIONS, "spec", is_required=False)


def _for_type(spec: dict[str, Any], is_headless: bool) -> list[FieldError]:
    if spec["type"] in ("LoadBalancer", "NodePort") and is_headless:
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec['type']} services")]
    if spec["type"] != "ExternalName":
        return []
    problems = [forbidden(f"spec.{key}", UNUSED) for key in ("clusterIPs", "ipFamilies") if spec.get(key)]
    if spec.get("ipFamilyPolicy") is not None:
        problems.append(forbidden("spec.ipFamilyPolicy", UNUSED))
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*problems, required("spec.externalName")]
    return problems + [invalid("spec.externalName", name, text) for text in names.dns1123_subdomain(name)]


def _port(port: dict[str, Any], needs_name: bool, seen: set[str], path: str) -> list[FieldError]:
    name = port.get("name") or ""
    problems: list[FieldError] = []
    if name:
        problems += [invalid(f"{path}.name", name, text) for text in names.dns1123_label(name)]
        if name in seen:
            problems.append(duplicate(f"{path}.name", name))
        seen.add(name)
    elif needs_name:
        problems.append(required(f"{path}.name"))
    problems += port_number(port.get("port") or 0, f"{path}.port")
    problems += one_of(port, "protocol", ("SCTP", "TCP", "UDP"), path)
    target = port.get("targetPort") or 0
    if isinstance(target, int):
        problems += port_number(target, f"{path}.targetPort")
    else:
        problems += [invalid(f"{path}.targetPort", target, text) for text in names.port_name(target)]
    protocol = port.get("appProtocol")
    if protocol is not None:
        problems += [invalid(f"{path}.appProtocol", protocol, text) for text in names.qualified_name(protocol)]
    return problems


def _affinity(spec: dict[str, Any]) -> list[FieldError]:
    problems = one_of(spec, "sessionAffinity", AFFINITIES, "spec")
    config = spec.get("sessionAffinityConfig")
    if spec["sessionAffinity"] == "None" and config is not None:
        text = "must not be set when session affinity is None"
        problems.append(forbidden("spec.sessionAffinityConfig", text))
    if spec["sessionAffinity"] == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is not None and not 0 < seconds <= MAX_AFFINITY_S:
            text = f"must be greater than 0 and less than {MAX_AFFINITY_S}"
            problems.append(invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, text))
    return problems


def _addresses(spec: dict[str, Any]) -> list[FieldError]:
    path, given, first = "spec.clusterIPs", spec.get("clusterIPs") or [], spec.get("clusterIP") or ""
    problems: list[FieldError] = []
    if first and given and given[0] != first:
        problems.append(invalid(path, given, "first value must match `clusterIP`"))
    if given and not first:
        problems.append(invalid(path, given, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        here = f"spec.ipFamilies[{index}]"
        if family not in FAMILIES:
            problems.append(not_supported(here, family, FAMILIES))
        if family in spec["ipFamilies"][:index]:
            problems.append(duplicate(here, family))
    problems += one_of(spec, "ipFamilyPolicy", FAMILY_POLICIES, "spec", is_required=False)
    for index, address in enumerate(given or ([first] if first else [])):
        if address == "None" and not index:
            if len(given) > 1:
                problems.append(invalid(path, given, "'None' must be the first and only value"))
        elif not is_address(address):
            problems.append(invalid(f"{path}[{index}]", address, ADDRESS_RULE))
    if len(given) > 2:
        problems.append(invalid(path, given, "may only hold up to 2 values"))
    return problems


def validate_outside_address(text: str, path: str) -> list[FieldError]:
    """An address that is none of a host's own (``ValidateEndpointIP``)."""
    if not is_address(text):
        return [invalid(path, text, ADDRESS_RULE)]
    address = ipaddress.ip_address(text)
    rules = (
        (address.is_unspecified, f"may not be unspecified ({text})"),
        (address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (address.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (address.is_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    )
    return [invalid(path, text, rule) for is_broken, rule in rules if is_broken]


def _port_clashes(spec: dict[str, Any]) -> list[FieldError]:
    ports = spec.get("ports") or []
    problems: list[FieldError] = []
    if spec["type"] == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        problems += [
            forbidden(f"spec.ports[{index}].nodePort", text) for index, port in enumerate(ports) if port.get("nodePort")
        ]
    keys = [(port.get("protocol"), port.get("nodePort")) for port in ports]
    for index, (protocol, number) in enumerate(keys):
        if number and (protocol, number) in keys[:index]:
            problems.append(duplicate(f"spec.ports[{index}].nodePort", number))
    pairs = [(port.get("protocol"), port.get("port") or 0) for port in ports]
    for index, (protocol, number) in enumerate(pairs):
        if (protocol, number) in pairs[:index]:
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number}
            problems.append(duplicate(f"spec.ports[{index}]", {**shown, "TargetPort": 0, "NodePort": 0}))
    return problems


def _balancer(spec: dict[str, Any]) -> list[FieldError]:
    is_balanced = spec["type"] == "LoadBalancer"
    problems: list[FieldError] = []
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and not is_balanced:
        problems.append(forbidden("spec.LoadBalancerSourceRanges", ONLY_BALANCED))
    for index, text in enumerate(ranges):
        if not _is_network(text.strip()):
            problems.append(invalid(f"spec.LoadBalancerSourceRanges[{index}]", text.strip(), CIDR_RULE))
    if spec.get("allocateLoadBalancerNodePorts") is not None and not is_balanced:
        problems.append(forbidden("spec.allocateLoadBalancerNodePorts", ONLY_BALANCED))
    chosen = spec.get("loadBalancerClass")
    if chosen is not None:
        if not is_balanced:
            problems.append(forbidden("spec.loadBalancerClass", ONLY_BALANCED))
        else:
            problems += [invalid("spec.loadBalancerClass", chosen, text) for text in names.qualified_name(chosen)]
    return problems


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _external_traffic(spec: dict[str, Any]) -> list[FieldError]:
    policy = spec.get("externalTrafficPolicy")
    problems: list[FieldError] = []
    if is_reachable_from_outside(spec):
        problems += one_of(spec, "externalTrafficPolicy", POLICIES, "spec")
    elif policy:
        text = "may only be set for externally-accessible services"
        problems.append(invalid("spec.externalTrafficPolicy", policy, text))
    number = spec.get("healthCheckNodePort") or 0
    if number and not needs_health_check(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        problems.append(invalid("spec.healthCheckNodePort", number, text))
    return problems
