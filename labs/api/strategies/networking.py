"""networking.k8s.io/v1: Ingresses, IngressClasses and NetworkPolicies.

Source: kubernetes/kubernetes pkg/apis/networking/{v1/defaults.go,validation/validation.go},
pkg/registry/networking/*/strategy.go.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from labs.api import names
from labs.api.objects import at
from labs.api.strategies.probe_validation import port_number
from labs.api.strategies.rules import immutable, label_selector, name_in, one_of
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
NO_RULES = "either `defaultBackend` or `rules` must be specified"
ABSOLUTE = "must be an absolute path"
BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
BAD_ENDS = ("/..", "/.")
MAX_CONTROLLER_CHARACTERS = 250


def _prepare_ingress(obj: Object) -> None:
    obj["status"] = {"loadBalancer": {}}


def _default_ingress(obj: Object) -> None:
    obj.setdefault("spec", {})


def _validate_ingress(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    annotated = at(obj, "metadata", "annotations", CLASS_ANNOTATION)
    is_new = "resourceVersion" not in obj["metadata"]
    if is_new and annotated is not None and spec.get("ingressClassName") is not None:
        text = "can not be set when the class field is also set"
        problems.append(invalid(f"annotations.{CLASS_ANNOTATION}", annotated, text))
    if not spec.get("rules") and spec.get("defaultBackend") is None:
        problems.append(invalid("spec", spec.get("rules"), NO_RULES))
    if spec.get("defaultBackend") is not None:
        problems += _backend_problems(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        path = f"spec.rules[{index}]"
        if rule.get("host"):
            problems += _rule_host_problems(rule["host"], f"{path}.host")
        if rule.get("http") is not None:
            problems += _paths_problems(rule["http"].get("paths") or [], f"{path}.http.paths")
    for index, tls in enumerate(spec.get("tls") or ()):
        for place, host in enumerate(tls.get("hosts") or ()):
            problems += _host_problems(host, f"spec.tls[{index}].hosts[{place}]")
        problems += name_in(tls, "secretName", names.dns1123_subdomain, f"spec.tls[{index}]")
    return problems + name_in(spec, "ingressClassName", names.dns1123_subdomain, "spec")


def _rule_host_problems(host: str, path: str) -> list[FieldError]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _host_problems(host, path)
    return [invalid(path, host, "must be a DNS name, not an IP address")]


def _host_problems(host: str, path: str) -> list[FieldError]:
    rule = names.dns1123_subdomain
    return [invalid(path, host, text) for text in rule(host.removeprefix("*.") if "*" in host else host)]


def _paths_problems(paths: list[dict[str, Any]], path: str) -> list[FieldError]:
    problems = [] if paths else [required(path)]
    for index, item in enumerate(paths):
        problems += _path_problems(item, f"{path}[{index}]")
        problems += _backend_problems(item.get("backend") or {}, f"{path}[{index}].backend")
    return problems


def _path_problems(item: dict[str, Any], path: str) -> list[FieldError]:
    kind, text = item.get("pathType"), item.get("path") or ""
    if kind is None:
        return [required(f"{path}.pathType", "pathType must be specified")]
    if kind not in PATH_TYPES:
        return [not_supported(f"{path}.pathType", kind, PATH_TYPES)]
    if kind == "ImplementationSpecific":
        return [] if not text or text.startswith("/") else [invalid(f"{path}.path", text, ABSOLUTE)]
    problems = [] if text.startswith("/") else [invalid(f"{path}.path", text, ABSOLUTE)]
    if not text:
        return problems
    problems += [invalid(f"{path}.path", text, f"must not contain '{bad}'") for bad in BAD_SEQUENCES if bad in text]
    return problems + [
        invalid(f"{path}.path", text, f"cannot end with '{bad}'") for bad in BAD_ENDS if text.endswith(bad)
    ]


def _backend_problems(backend: dict[str, Any], path: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if service is None:
        return [] if resource is not None else [invalid(path, "", "resource or service backend is required")]
    problems: list[FieldError] = []
    name, port = service.get("name") or "", service.get("port") or {}
    if not name:
        problems.append(required(f"{path}.service.name"))
    else:
        problems += [invalid(f"{path}.service.name", name, text) for text in names.dns1123_label(name)]
    if port.get("name") and port.get("number"):
        problems.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        path = f"{path}.service.port.name"
        problems += [invalid(path, port["name"], text) for text in names.port_name(port["name"])]
    elif port.get("number"):
        problems += port_number(port["number"], f"{path}.service.port.number")
    else:
        problems.append(required(path, "port name or number is required"))
    return problems


def _validate_class(obj: Object) -> list[FieldError]:
    controller = at(obj, "spec", "controller") or ""
    if not controller:
        return [required("spec.controller")]
    problems: list[FieldError] = []
    if len(controller) > MAX_CONTROLLER_CHARACTERS:
        text = f"Too long: may not be more than {MAX_CONTROLLER_CHARACTERS} bytes"
        problems.append(FieldError("FieldValueTooLong", "spec.controller", text))
    domain, _, path = controller.partition("/")
    if not domain or not path:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [*problems, invalid("spec.controller", controller, text)]
    return problems + [invalid("spec.controller", domain, text) for text in names.dns1123_subdomain(domain)]


def _validate_class_update(new: Object, old: Object) -> list[FieldError]:
    return immutable(new["spec"], old["spec"], "controller", "spec")


def _default_policy(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, podSelector={})
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for port in rule.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate_policy(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = label_selector(spec["podSelector"], "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for place, port in enumerate(rule.get("ports") or ()):
                problems += _port_problems(port, f"{path}.ports[{place}]")
            for place, peer in enumerate(rule.get(peers) or ()):
                problems += _peer_problems(peer, f"{path}.{peers}[{place}]")
    types = spec["policyTypes"]
    if len(types) > 2:
        return [*problems, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    allowed = ("Egress", "Ingress")
    return problems + [
        not_supported(f"spec.policyTypes[{index}]", kind, allowed)
        for index, kind in enumerate(types)
        if kind not in allowed
    ]


def _port_problems(port: dict[str, Any], path: str) -> list[FieldError]:
    problems = one_of(port, "protocol", ("SCTP", "TCP", "UDP"), path)
    number, end = port.get("port"), port.get("endPort")
    if isinstance(number, str):
        problems += [invalid(f"{path}.port", number, text) for text in names.port_name(number)]
        if end is not None:
            problems.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
    elif number is not None:
        problems += port_number(number, f"{path}.port")
        if end is not None and end < number:
            problems.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
        if end is not None:
            problems += port_number(end, f"{path}.endPort")
    elif end is not None:
        problems.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return problems


def _peer_problems(peer: dict[str, Any], path: str) -> list[FieldError]:
    selectors = [key for key in ("podSelector", "namespaceSelector") if peer.get(key) is not None]
    problems = [item for key in selectors for item in label_selector(peer[key], f"{path}.{key}")]
    block = peer.get("ipBlock")
    if block is not None:
        problems += _block_problems(block, f"{path}.ipBlock")
        if selectors:
            problems.append(forbidden(path, "may not specify both ipBlock and another peer"))
    elif not selectors:
        problems.append(required(path, "must specify a peer"))
    return problems


def _block_problems(block: dict[str, Any], path: str) -> list[FieldError]:
    text = block.get("cidr") or ""
    if not text:
        return [required(f"{path}.cidr")]
    bad = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    network = network_of(text)
    if network is None:
        return [invalid(f"{path}.cidr", text, bad)]
    problems: list[FieldError] = []
    for index, excepted in enumerate(block.get("except") or ()):
        inner = network_of(excepted)
        if inner is None:
            problems.append(invalid(f"{path}.except[{index}]", excepted, bad))
        elif inner == network or not (inner.version == network.version and _is_inside(inner, network)):
            problems.append(invalid(f"{path}.except[{index}]", excepted, "must be a strict subset of `cidr`"))
    return problems


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_of(text: str) -> Network | None:
    """A CIDR range, or None."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _is_inside(inner: Network, outer: Network) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


INGRESS = Strategy(default=_default_ingress, prepare_for_create=_prepare_ingress, validate=_validate_ingress)
INGRESS_CLASS = Strategy(validate=_validate_class, validate_update=_validate_class_update)
NETWORK_POLICY = Strategy(default=_default_policy, validate=_validate_policy)
