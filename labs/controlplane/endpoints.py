"""The Endpoints controller: the older list of a Service's pods.

Source: kubernetes/kubernetes pkg/controller/endpoint/endpoints_controller.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane import service_endpoints
from labs.controlplane.pods import is_ready, select_pods
from labs.controlplane.runtime import Controller
from labs.controlplane.service_endpoints import LAST_CHANGE, MANAGED_BY_ENDPOINTS, TriggerTimes
from labs.units import SECOND_NS

Ports = tuple[tuple[tuple[str, Any], ...], ...]


def endpoint_subsets(service: Object, pods: list[Object]) -> list[dict[str, Any]]:
    """The subsets: pods with the same ports together, each list sorted by address."""
    publishes_unready = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[Ports, tuple[list[Any], list[Any]]] = {}
    for pod in pods:
        ports = _ports(service, pod)
        if not ports or not service_endpoints.is_member(pod, includes_terminating=publishes_unready):
            continue
        ready, not_ready = groups.setdefault(ports, ([], []))
        (ready if publishes_unready or is_ready(pod) else not_ready).append(_address(service, pod))
    return [_subset(ports, *groups[ports]) for ports in sorted(groups)]


def _ports(service: Object, pod: Object) -> Ports:
    found = []
    for port in service["spec"].get("ports") or ():
        number = service_endpoints.port_number(pod, port)
        if number is not None:
            optional = {key: port[key] for key in ("name", "appProtocol") if port.get(key)}
            entry = {"port": number, "protocol": port.get("protocol", "TCP"), **optional}
            found.append(tuple(sorted(entry.items())))
    return tuple(sorted(found))


def _address(service: Object, pod: Object) -> dict[str, Any]:
    address: dict[str, Any] = {"ip": pod["status"]["podIP"]}
    hostname = service_endpoints.hostname_of(pod, service)
    if hostname:
        address["hostname"] = hostname
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    return address | {"targetRef": service_endpoints.target_reference(pod)}


def _subset(ports: Ports, ready: list[Any], not_ready: list[Any]) -> dict[str, Any]:
    subset: dict[str, Any] = {}
    for field, addresses in (("addresses", ready), ("notReadyAddresses", not_ready)):
        if addresses:
            subset[field] = sorted(addresses, key=lambda item: (_octets(item["ip"]), item["targetRef"]["uid"]))
    return subset | {"ports": [dict(port) for port in ports]}


def _octets(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(".") if part.isdecimal())


class EndpointsController(Controller):
    """Writes one Endpoints object for each Service with a selector."""

    max_retries = 15
    base_backoff_ns = SECOND_NS

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._trigger_times = TriggerTimes()

    def start(self) -> None:
        """Watch Services and pods."""
        self.watch("services", self.enqueue_object)
        self.watch("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        service_endpoints.enqueue_services_of(self, event)

    def reconcile(self, namespace: str, name: str) -> None:
        """Write the Endpoints of one Service, or delete them with it."""
        service = self.client.get("services", namespace, name)
        if service is None:
            self._trigger_times.forget(namespace, name)
            self.client.delete("endpoints", namespace, name)
            return
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return
        pods = select_pods(self.client, namespace, {"matchLabels": selector})
        trigger_time = self._trigger_times.update(service, pods)
        self._write(service, endpoint_subsets(service, pods), trigger_time)

    def _write(self, service: Object, subsets: list[dict[str, Any]], trigger_time: str) -> None:
        namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
        labels = service_endpoints.copied_labels(service, {MANAGED_BY_ENDPOINTS: "endpoint-controller"})
        current = self.client.get("endpoints", namespace, name)
        metadata = dict(current["metadata"]) if current is not None else {"name": name, "namespace": namespace}
        if current is not None and current.get("subsets", []) == subsets and metadata.get("labels") == labels:
            return
        annotations = dict(metadata.pop("annotations", None) or {})
        annotations.pop(LAST_CHANGE, None)
        if trigger_time:
            annotations[LAST_CHANGE] = trigger_time
        metadata |= {"labels": labels, **({"annotations": annotations} if annotations else {})}
        wanted = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        if subsets:
            wanted["subsets"] = subsets
        if current is None:
            self.client.create("endpoints", wanted)
        else:
            self.client.update("endpoints", wanted)
