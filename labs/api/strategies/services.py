"""Services: defaults, cluster IPs and node ports, validation.

Source: kubernetes/kubernetes pkg/apis/core/v1/defaults.go, pkg/registry/core/service/storage/alloc.go,
pkg/apis/core/validation (ValidateService).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labs.api import names
from labs.api.store import Store
from labs.api.strategies.container_validation import port_number
from labs.api.strategies.rules import label_map, one_of
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, duplicate, invalid, not_supported, required
from labs.sim.streams import Streams

SERVICE_RANGE = ipaddress.IPv4Network("172.20.0.0/16")
"""The service range that EKS gives a cluster whose VPC lies in 10.0.0.0/8."""
FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITY_TIMEOUT_S = 10800
OUT_OF_RANGE = (
    f"provided port is not in the valid range. The range of valid ports is {FIRST_NODE_PORT}-{LAST_NODE_PORT}"
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    spec["type"] = spec.get("type") or "ClusterIP"
    if spec["sessionAffinity"] == "ClientIP" and not (spec.get("sessionAffinityConfig") or {}).get("clientIP"):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_TIMEOUT_S}}
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if port.get("targetPort") in (None, "", 0) and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
    if spec["type"] == "LoadBalancer":
        set_missing(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        set_missing(spec, internalTrafficPolicy="Cluster")


def _validate(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems: list[FieldError] = []
    is_headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not is_headless and spec["type"] != "ExternalName":
        problems.append(required("spec.ports"))
    problems += _ports(spec)
    problems += label_map(spec.get("selector"), "spec.selector")
    problems += one_of(spec, "sessionAffinity", ("ClientIP", "None"), "spec")
    if spec["type"] not in TYPES:
        problems.append(not_supported("spec.type", spec["type"], TYPES))
    if spec["type"] == "ExternalName":
        name = (spec.get("externalName") or "").rstrip(".")
        if not name:
            problems.append(required("spec.externalName"))
        problems += [invalid("spec.externalName", name, text) for text in names.dns1123_subdomain(name) if name]
    if is_headless and spec["type"] in ("NodePort", "LoadBalancer"):
        text = f"may not be set to 'None' for {spec['type']} services"
        problems.append(invalid("spec.clusterIPs[0]", "None", text))
    address = spec.get("clusterIP")
    if address and not is_headless and not _is_address(address):
        problems.append(
            invalid("spec.clusterIPs[0]", address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        )
    return problems


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ports(spec: dict[str, Any]) -> list[FieldError]:
    ports = spec.get("ports") or []
    problems: list[FieldError] = []
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name") or ""
        if len(ports) > 1 and not name:
            problems.append(required(f"{path}.name"))
        elif name:
            problems += [invalid(f"{path}.name", name, text) for text in names.dns1123_label(name)]
            if name in seen_names:
                problems.append(duplicate(f"{path}.name", name))
            seen_names.add(name)
        problems += port_number(port.get("port") or 0, f"{path}.port")
        problems += one_of(port, "protocol", ("SCTP", "TCP", "UDP"), path)
        target = port.get("targetPort")
        if isinstance(target, int):
            problems += port_number(target, f"{path}.targetPort")
        elif target:
            problems += [invalid(f"{path}.targetPort", target, text) for text in names.port_name(target)]
        key = (port.get("protocol", ""), port.get("port") or 0)
        if key in seen_ports:
            shown = {"protocol": key[0], "port": key[1]}
            problems.append(duplicate(path, shown))
        seen_ports.add(key)
        number = port.get("nodePort")
        if number and not FIRST_NODE_PORT <= number <= LAST_NODE_PORT:
            problems.append(invalid(f"{path}.nodePort", number, OUT_OF_RANGE))
    return problems


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old["spec"], new["spec"]
    if before["type"] == "ExternalName" or after["type"] == "ExternalName":
        return []
    problems: list[FieldError] = []
    if before.get("clusterIP") and before["clusterIP"] != after.get("clusterIP"):
        problems.append(
            invalid(
                "spec.clusterIPs[0]", after.get("clusterIPs") or [after.get("clusterIP")], "may not change once set"
            )
        )
    return problems


@dataclass(frozen=True, slots=True)
class Allocator:
    """Hands out cluster IPs and node ports that no stored service has."""

    store: Store
    streams: Streams

    def prepare(self, obj: Object) -> None:
        """Addresses and initial status of a new service."""
        obj["status"] = {"loadBalancer": {}}
        self.allocate(obj)

    def prepare_update(self, new: Object, old: Object) -> None:
        """Keep what was allocated; allocate what a changed type needs."""
        before, after = old["spec"], new["spec"]
        if after["type"] != "ExternalName" and not after.get("clusterIP") and before.get("clusterIP"):
            after["clusterIP"] = before["clusterIP"]
        if (
            after["type"] != "ExternalName"
            and not after.get("clusterIPs")
            and after.get("clusterIP") == before.get("clusterIP")
        ):
            after["clusterIPs"] = before.get("clusterIPs")
        taken = {(port.get("port"), port.get("protocol")): port.get("nodePort") for port in before.get("ports") or ()}
        for port in after.get("ports") or ():
            kept = taken.get((port.get("port"), port.get("protocol")))
            if kept and after["type"] in ("NodePort", "LoadBalancer"):
                port["nodePort"] = port.get("nodePort") or kept
        self.allocate(new)

    def allocate(self, obj: Object) -> None:
        """Cluster IP, IP families and node ports that are not given."""
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(key, None)
            return
        given = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), None)
        address = given or self._free_address()
        spec["clusterIP"] = address
        spec["clusterIPs"] = spec.get("clusterIPs") or [address]
        set_missing(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
        needs_ports = spec["type"] == "NodePort" or (
            spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        )
        for port in (spec.get("ports") or ()) if needs_ports else ():
            if not port.get("nodePort"):
                port["nodePort"] = self._free_port(spec.get("ports") or ())

    def _free_address(self) -> str:
        taken = {obj["spec"].get("clusterIP") for obj in self.store.list("services")}
        draw = self.streams.python("services/cluster-ip")
        while True:
            address = str(SERVICE_RANGE[draw.randrange(256, SERVICE_RANGE.num_addresses - 1)])
            if address not in taken:
                return address

    def _free_port(self, own: Iterable[dict[str, Any]]) -> int:
        services = self.store.list("services")
        taken = {port.get("nodePort") for obj in services for port in obj["spec"].get("ports") or ()}
        taken |= {port.get("nodePort") for port in own}
        draw = self.streams.python("services/node-port")
        while True:
            number = draw.randrange(FIRST_NODE_PORT + 86, LAST_NODE_PORT + 1)
            if number not in taken:
                return number


def service_strategy(store: Store, streams: Streams) -> Strategy:
    """The rules of services, with addresses from this store."""
    allocator = Allocator(store, streams)
    return Strategy(
        default=_default,
        prepare_for_create=allocator.prepare,
        prepare_for_update=allocator.prepare_update,
        validate=_validate,
        validate_update=_validate_update,
    )
