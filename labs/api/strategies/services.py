"""Services: defaults, cluster IPs and node ports, validation.

Source: kubernetes/kubernetes pkg/apis/core/v1/defaults.go, pkg/registry/core/service/storage/alloc.go,
pkg/apis/core/validation (ValidateService).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labs.api.store import Store
from labs.api.strategies.service_validation import (
    is_reachable_from_outside,
    needs_health_check,
    validate_service,
)
from labs.api.strategies.warnings import warn_of_service
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, invalid
from labs.sim.streams import Streams

SERVICE_RANGE = ipaddress.IPv4Network("172.20.0.0/16")
"""The service range that EKS gives a cluster whose VPC lies in 10.0.0.0/8."""
FIRST_NODE_PORT, LAST_NODE_PORT = 30000, 32767
AFFINITY_TIMEOUT_S = 10800
OUT_OF_RANGE = (
    f"provided port is not in the valid range. The range of valid ports is {FIRST_NODE_PORT}-{LAST_NODE_PORT}"
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    spec["type"] = spec.get("type") or "ClusterIP"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["sessionAffinity"] == "ClientIP" and not (spec.get("sessionAffinityConfig") or {}).get("clientIP"):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_TIMEOUT_S}}
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if port.get("targetPort") in (None, "", 0) and "port" in port:
            port["targetPort"] = port["port"]
    if is_reachable_from_outside(spec):
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy") or "Cluster"
    if spec["type"] == "LoadBalancer":
        set_missing(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        set_missing(spec, internalTrafficPolicy="Cluster")


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
        _drop_what_depended_on_type(after, before)
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
        if _is_headless_by_hand(spec):
            # Its endpoints are written by hand and may be of either family, whatever the cluster has.
            set_missing(spec, ipFamilies=["IPv4"], ipFamilyPolicy="RequireDualStack")
            if spec["ipFamilyPolicy"] != "SingleStack" and len(spec["ipFamilies"]) == 1:
                spec["ipFamilies"] = [*spec["ipFamilies"], "IPv6" if spec["ipFamilies"] == ["IPv4"] else "IPv4"]
        set_missing(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
        needs_ports = spec["type"] == "NodePort" or (
            spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
        )
        for port in (spec.get("ports") or ()) if needs_ports else ():
            if not port.get("nodePort"):
                port["nodePort"] = self._free_port(spec.get("ports") or ())
        if needs_health_check(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = self._free_port(spec.get("ports") or ())

    def check(self, obj: Object) -> list[FieldError]:
        """The rules of the object itself; where it keeps them, whether what it asks for can be had."""
        return validate_service(obj) or self._refusals(obj)

    def _refusals(self, obj: Object) -> list[FieldError]:
        """What the allocators of a cluster with one family of addresses refuse."""
        spec = obj["spec"]
        problems: list[FieldError] = []
        is_by_hand = _is_headless_by_hand(spec)
        for index, family in enumerate(spec.get("ipFamilies") or ()):
            if family != "IPv4" and not is_by_hand:
                text = "not configured on this cluster"
                problems.append(invalid(f"spec.ipFamilies[{index}]", family, text))
        if spec.get("ipFamilyPolicy") == "RequireDualStack" and not is_by_hand:
            text = "this cluster is not configured for dual-stack services"
            problems.append(invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], text))
        services = self.store.list("services")
        others = [item for item in services if not _is_same(item, obj)]
        is_new = len(others) == len(services)
        address = spec.get("clusterIP")
        if is_new and not problems and address and address != "None" and spec["type"] != "ExternalName":
            problems += _address_refusal(address, spec, others)
        taken = {port.get("nodePort") for item in others for port in item["spec"].get("ports") or ()}
        for index, port in enumerate(spec.get("ports") or ()):
            number = port.get("nodePort")
            if number and not FIRST_NODE_PORT <= number <= LAST_NODE_PORT:
                problems.append(invalid(f"spec.ports[{index}].nodePort", number, OUT_OF_RANGE))
            elif number and number in taken:
                text = "provided port is already allocated"
                problems.append(invalid(f"spec.ports[{index}].nodePort", number, text))
        return problems

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


def _drop_what_depended_on_type(after: dict[str, Any], before: dict[str, Any]) -> None:
    """``dropTypeDependentFields``: what a changed type rules out goes, unless the write itself sets it."""
    was_balanced, is_balanced = (spec["type"] == "LoadBalancer" for spec in (before, after))
    has_ports = [spec["type"] in ("NodePort", "LoadBalancer") for spec in (before, after)]
    rules = (
        ("allocateLoadBalancerNodePorts", was_balanced and not is_balanced),
        ("loadBalancerClass", was_balanced and not is_balanced),
        ("healthCheckNodePort", needs_health_check(before) and not needs_health_check(after)),
        ("externalTrafficPolicy", is_reachable_from_outside(before) and not is_reachable_from_outside(after)),
    )
    for key, is_moot in rules:
        if is_moot and after.get(key) == before.get(key):
            after.pop(key, None)
    known = {port.get("nodePort") for port in before.get("ports") or ()}
    ports = after.get("ports") or []
    if has_ports == [True, False] and all(port.get("nodePort") in (None, *known) for port in ports):
        for port in ports:
            port.pop("nodePort", None)


def _is_headless_by_hand(spec: dict[str, Any]) -> bool:
    return spec.get("clusterIP") == "None" and not spec.get("selector")


def _is_same(one: Object, other: Object) -> bool:
    keys = ("namespace", "name")
    return [one["metadata"].get(key) for key in keys] == [other["metadata"].get(key) for key in keys]


def _address_refusal(address: str, spec: dict[str, Any], others: Iterable[Object]) -> list[FieldError]:
    why = ""
    if ipaddress.ip_address(address) not in SERVICE_RANGE:
        why = "the provided network does not match the current range"
    elif any(item["spec"].get("clusterIP") == address for item in others):
        why = "provided IP is already allocated"
    text = f"failed to allocate IP {address}: {why}"
    return [invalid("spec.clusterIPs", spec.get("clusterIPs") or [address], text)] if why else []


def service_strategy(store: Store, streams: Streams) -> Strategy:
    """The rules of services, with addresses from this store."""
    allocator = Allocator(store, streams)
    return Strategy(
        default=_default,
        prepare_for_create=allocator.prepare,
        prepare_for_update=allocator.prepare_update,
        validate=allocator.check,
        validate_update=_validate_update,
        compares_first=True,
        warn=warn_of_service,
    )
