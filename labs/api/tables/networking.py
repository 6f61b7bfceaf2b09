"""Services and what leads to and from them.

Source: kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.selectors import format_label_selector
from labs.api.tables.printer import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Object,
    Printer,
    View,
    given,
    labels_text,
    listed,
    name_of,
    shortened,
    spec_of,
    status_of,
    texts,
    wide,
)

_LOAD_BALANCER_WIDTH = 16
_SHOWN = 3


def _service(service: Object, view: View) -> list[Any]:
    spec = spec_of(service)
    return [
        name_of(service),
        spec.get("type", ""),
        (spec.get("clusterIPs") or [NONE])[0],
        _external_ip(service, view),
        listed(_port(each) for each in spec.get("ports") or []),
        view.object_age(service),
        labels_text(spec.get("selector")),
    ]


def _port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort", 0) > 0 else ""
    return f"{port['port']}{node_port}/{port.get('protocol', '')}"


def _external_ip(service: Object, view: View) -> str:
    spec = spec_of(service)
    external: list[str] = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return listed(external)
        case "LoadBalancer":
            balancer = _load_balancer(service, view)
            return listed(([balancer] if balancer else []) + external, "<pending>")
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return "<unknown>"


def _load_balancer(object: Object, view: View) -> str:
    """The addresses in order, clipped unless wide."""
    ingress = (status_of(object).get("loadBalancer") or {}).get("ingress") or []
    addresses = {each.get("ip") or each.get("hostname") or "" for each in ingress} - {""}
    text = ",".join(sorted(addresses))
    if view.wide or len(text) <= _LOAD_BALANCER_WIDTH:
        return text
    return text[: _LOAD_BALANCER_WIDTH - 3] + "..."


def _endpoints(endpoints: Object, view: View) -> list[Any]:
    subsets = endpoints.get("subsets") or []
    found = [
        address["ip"] if port is None else _joined(address["ip"], port["port"])
        for subset in subsets
        for port in subset.get("ports") or [None]
        for address in subset.get("addresses") or []
    ]
    text = shortened(found, len(found), _SHOWN) if subsets else NONE
    return [name_of(endpoints), text, view.object_age(endpoints)]


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _endpoint_slice(endpoint_slice: Object, view: View) -> list[Any]:
    ports = [
        str(each["port"]) if each.get("port") is not None else given(each.get("name"), "*")
        for each in endpoint_slice.get("ports") or []
    ]
    addresses = [each for item in endpoint_slice.get("endpoints") or [] for each in item.get("addresses") or []]
    return [
        name_of(endpoint_slice),
        endpoint_slice.get("addressType", ""),
        shortened(ports, len(ports), _SHOWN) or UNSET,
        shortened(addresses, len(addresses), _SHOWN) or UNSET,
        view.object_age(endpoint_slice),
    ]


def _ingress(ingress: Object, view: View) -> list[Any]:
    spec = spec_of(ingress)
    return [
        name_of(ingress),
        given(spec.get("ingressClassName"), NONE),
        _hosts(spec.get("rules") or []),
        _load_balancer(ingress, view),
        "80, 443" if spec.get("tls") else "80",
        view.object_age(ingress),
    ]


def _hosts(rules: list[Object]) -> str:
    hosts: list[str] = []
    for rule in rules:
        if len(hosts) == _SHOWN:
            return f"{','.join(hosts)} + {len(rules) - _SHOWN} more..."
        if rule.get("host"):
            hosts.append(rule["host"])
    return listed(hosts, "*")


def _ingress_class(ingress_class: Object, view: View) -> list[Any]:
    spec = spec_of(ingress_class)
    parameters = spec.get("parameters")
    text = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        text = f"{parameters['kind']}{group}/{parameters['name']}"
    return [name_of(ingress_class), spec.get("controller", ""), text, view.object_age(ingress_class)]


def _network_policy(policy: Object, view: View) -> list[Any]:
    selector = format_label_selector(spec_of(policy).get("podSelector") or {})
    return [name_of(policy), selector, view.object_age(policy)]


def _address(address: Object, view: View) -> list[Any]:
    parent = spec_of(address).get("parentRef") or {}
    group = f".{parent['group']}" if parent.get("group") else ""
    where = f"/{parent['namespace']}" if parent.get("namespace") else ""
    text = f"{parent.get('resource', '')}{group}{where}/{parent.get('name', '')}"
    return [name_of(address), text, view.object_age(address)]


def _service_range(service_range: Object, view: View) -> list[Any]:
    return [name_of(service_range), ",".join(spec_of(service_range).get("cidrs") or ()), view.object_age(service_range)]


PRINTERS = {
    ("", "Service"): Printer(
        (NAME, *texts("Type", "Cluster-IP", "External-IP", "Port(s)"), AGE, *wide("Selector")), _service
    ),
    ("", "Endpoints"): Printer((NAME, *texts("Endpoints"), AGE), _endpoints),
    ("discovery.k8s.io", "EndpointSlice"): Printer(
        (NAME, *texts("AddressType", "Ports", "Endpoints"), AGE), _endpoint_slice
    ),
    ("networking.k8s.io", "Ingress"): Printer((NAME, *texts("Class", "Hosts", "Address", "Ports"), AGE), _ingress),
    ("networking.k8s.io", "IngressClass"): Printer((NAME, *texts("Controller", "Parameters"), AGE), _ingress_class),
    ("networking.k8s.io", "IPAddress"): Printer((NAME, *texts("ParentRef"), AGE), _address),
    ("networking.k8s.io", "ServiceCIDR"): Printer((NAME, *texts("CIDRs"), AGE), _service_range),
    ("networking.k8s.io", "NetworkPolicy"): Printer((NAME, *texts("Pod-Selector"), AGE), _network_policy),
}
