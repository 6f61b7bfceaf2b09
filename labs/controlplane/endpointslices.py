"""The EndpointSlice controller: a Service's pods in slices of up to 100.

Source: kubernetes/kubernetes pkg/controller/endpointslice/endpointslice_controller.go and
staging/src/k8s.io/endpointslice/{reconciler,utils}.go. Topology hints are not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane import service_endpoints
from labs.controlplane.pods import is_leaving, is_ready, select_pods
from labs.controlplane.runtime import Controller, RetryError, owner_reference
from labs.controlplane.service_endpoints import LAST_CHANGE, TriggerTimes
from labs.units import SECOND_NS

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100

Endpoint = dict[str, Any]
Ports = tuple[tuple[str, str, int, str], ...]
"""Name, protocol, number and application protocol of each."""


@dataclass(slots=True)
class Changes:
    """What to write: endpoints for new slices (with their ports), for existing ones by name, and names to delete."""

    create: list[tuple[Ports, list[Endpoint]]] = field(default_factory=list)
    update: dict[str, tuple[Ports, list[Endpoint]]] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)


def plan_slices(desired: dict[Ports, list[Endpoint]], existing: dict[str, tuple[Ports, list[Endpoint]]]) -> Changes:
    """``reconcileByAddressType``: the fewest writes that make ``existing`` slices hold ``desired`` endpoints.

    ``existing`` is by slice name. A Service without endpoints keeps one empty slice.
    """
    changes = Changes()
    for ports in sorted(desired):
        mine = {name: endpoints for name, (others, endpoints) in existing.items() if others == ports}
        _plan_ports(ports, desired[ports], mine, changes)
    changes.delete += [name for name, (ports, _) in existing.items() if ports not in desired]
    if len(changes.delete) == len(existing) and not changes.create:
        placeholder: tuple[Ports, list[Endpoint]] = ((), [])
        if [existing[name] for name in changes.delete] == [placeholder]:
            changes.delete.clear()
        else:
            changes.create.append(placeholder)
    while changes.create and changes.delete:
        # A slice that would go is filled anew instead: one write, and its name stays.
        changes.update[changes.delete.pop(0)] = changes.create.pop()
    return changes


def _plan_ports(
    ports: Ports, desired: Sequence[Endpoint], existing: dict[str, list[Endpoint]], changes: Changes
) -> None:
    missing = {endpoint["targetRef"]["uid"]: endpoint for endpoint in desired}
    kept: dict[str, list[Endpoint]] = {}
    touched = []
    for name, endpoints in existing.items():
        uids = [endpoint["targetRef"]["uid"] for endpoint in endpoints]
        kept[name] = [missing.pop(uid) for uid in uids if uid in missing]
        if kept[name] != endpoints:
            touched.append(name)
    queue = list(missing.values())
    for name in sorted(touched, key=lambda name: -len(kept[name])):
        _fill(kept[name], queue)
    if queue:
        room = [name for name in existing if name not in touched and len(kept[name]) + len(queue) <= MAX_ENDPOINTS]
        if room:
            fullest = max(room, key=lambda name: len(kept[name]))
            _fill(kept[fullest], queue)
            touched.append(fullest)
    while queue:
        fresh: list[Endpoint] = []
        _fill(fresh, queue)
        changes.create.append((ports, fresh))
    for name in touched:
        if kept[name]:
            changes.update[name] = (ports, kept[name])
        else:
            changes.delete.append(name)


def _fill(endpoints: list[Endpoint], queue: list[Endpoint]) -> None:
    room = MAX_ENDPOINTS - len(endpoints)
    endpoints += queue[:room]
    del queue[:room]


def endpoint_of(pod: Object, service: Object, zone: str) -> Endpoint:
    """``podToEndpoint``: address, conditions, target, node and zone."""
    serving = is_ready(pod)
    publishes_unready = bool(service["spec"].get("publishNotReadyAddresses"))
    endpoint: Endpoint = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publishes_unready or (serving and not is_leaving(pod)),
            "serving": serving,
            "terminating": is_leaving(pod),
        },
        "targetRef": service_endpoints.target_reference(pod),
    }
    hostname = service_endpoints.hostname_of(pod, service)
    if hostname:
        endpoint["hostname"] = hostname
    if pod["spec"].get("nodeName"):
        endpoint["nodeName"] = pod["spec"]["nodeName"]
    if zone:
        endpoint["zone"] = zone
    return endpoint


def ports_of(pod: Object, service: Object) -> Ports:
    """``getEndpointPorts``: the pod's ports, without those that it does not offer."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = service_endpoints.port_number(pod, port)
        if number is not None:
            found.append((port.get("name", ""), port.get("protocol", "TCP"), number, port.get("appProtocol", "")))
    return tuple(found)


def _ports_to_wire(ports: Ports) -> list[dict[str, Any]] | None:
    """No ports are null on the wire."""
    return [
        {"name": name, "protocol": protocol, "port": number, **({"appProtocol": app} if app else {})}
        for name, protocol, number, app in ports
    ] or None


def _ports_from_wire(ports: Iterable[dict[str, Any]] | None) -> Ports:
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port["port"], port.get("appProtocol", ""))
        for port in ports or ()
    )


class EndpointSliceController(Controller):
    """Keeps the slices of every Service with a selector."""

    max_retries = 15
    base_backoff_ns = SECOND_NS

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._trigger_times = TriggerTimes()

    def start(self) -> None:
        """Watch Services, pods and the slices themselves."""
        self.watch("services", self.enqueue_object)
        self.watch("pods", self._on_pod)
        self.client.subscribe(SLICES, self._on_slice)

    def _on_pod(self, event: WatchEvent) -> None:
        service_endpoints.enqueue_services_of(self, event)

    def _on_slice(self, event: WatchEvent) -> None:
        """Someone else's change of a slice is put right; the controller's own changes nothing more."""
        metadata = event.object["metadata"]
        labels = metadata.get("labels") or {}
        if labels.get(MANAGED_BY) == CONTROLLER_NAME and SERVICE_NAME in labels:
            self.enqueue(metadata["namespace"], labels[SERVICE_NAME])

    def reconcile(self, namespace: str, name: str) -> None:
        """Write the slices of one Service. Raises RetryError while a pod's node is not known."""
        service = self.client.get("services", namespace, name)
        if service is None:
            self._trigger_times.forget(namespace, name)
            return
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return
        pods = select_pods(self.client, namespace, {"matchLabels": selector})
        trigger_time = self._trigger_times.update(service, pods)
        desired, unplaced = self._desired(service, pods)
        self._write(service, desired, trigger_time)
        if unplaced:
            raise RetryError(f"unknown node of pod {unplaced[0]}")

    def _desired(self, service: Object, pods: list[Object]) -> tuple[dict[Ports, list[Endpoint]], list[str]]:
        desired: dict[Ports, list[Endpoint]] = {}
        unplaced = []
        for pod in pods:
            if not service_endpoints.is_member(pod, includes_terminating=True):
                continue
            node = self.client.get("nodes", "", pod["spec"].get("nodeName", ""))
            if node is None and not service["spec"].get("publishNotReadyAddresses"):
                unplaced.append(pod["metadata"]["name"])
                continue
            labels = node["metadata"].get("labels") or {} if node is not None else {}
            endpoint = endpoint_of(pod, service, labels.get("topology.kubernetes.io/zone", ""))
            desired.setdefault(ports_of(pod, service), []).append(endpoint)
        return desired, unplaced

    def _write(self, service: Object, desired: dict[Ports, list[Endpoint]], trigger_time: str) -> None:
        namespace, uid = service["metadata"]["namespace"], service["metadata"]["uid"]
        labels = service_endpoints.copied_labels(
            service, {SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: CONTROLLER_NAME}
        )
        current = {
            item["metadata"]["name"]: item
            for item in self.client.owned_by(SLICES, uid)
            if (item["metadata"].get("labels") or {}).get(MANAGED_BY) == CONTROLLER_NAME
            and "deletionTimestamp" not in item["metadata"]
        }
        existing = {
            name: (_ports_from_wire(item.get("ports")), list(item.get("endpoints") or []))
            for name, item in current.items()
        }
        changes = plan_slices(desired, existing)
        for name, item in current.items():
            if item["metadata"].get("labels") != labels and name not in changes.delete:
                changes.update.setdefault(name, existing[name])
        annotations = {LAST_CHANGE: trigger_time} if trigger_time else {}
        for ports, endpoints in changes.create:
            self.client.create(SLICES, _new_slice(service, labels, annotations, ports, endpoints))
        for name, (ports, endpoints) in changes.update.items():
            self.client.update(SLICES, _changed_slice(current[name], labels, annotations, ports, endpoints))
        for name in changes.delete:
            self.client.delete(SLICES, namespace, name)


def _new_slice(
    service: Object, labels: dict[str, str], annotations: dict[str, str], ports: Ports, endpoints: list[Endpoint]
) -> Object:
    metadata: dict[str, Any] = {
        "generateName": f"{service['metadata']['name']}-",
        "namespace": service["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [owner_reference(service)],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": endpoints or None,
        "ports": _ports_to_wire(ports),
    }


def _changed_slice(
    item: Object, labels: dict[str, str], annotations: dict[str, str], ports: Ports, endpoints: list[Endpoint]
) -> Object:
    metadata = {**item["metadata"], "labels": labels}
    others = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != LAST_CHANGE}
    if others or annotations:
        metadata["annotations"] = others | annotations
    return {**item, "metadata": metadata, "endpoints": endpoints or None, "ports": _ports_to_wire(ports)}
