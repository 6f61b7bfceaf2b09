"""What each node's kube-proxy believes about a Service, and how clients on that node hear of it.

Source: kubernetes pkg/proxy (minSyncPeriod 1 s; with no ready endpoint, those that serve while they terminate).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.sim.streams import Streams
from labs.units import SECOND_NS

ENDPOINT_SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
SYNC_NS = SECOND_NS


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One address of a Service port."""

    ip: str
    port: int
    is_ready: bool
    is_serving: bool
    is_terminating: bool
    zone: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self.ip, self.port


@dataclass(frozen=True, slots=True, order=True)
class ServicePort:
    """One port of a Service."""

    namespace: str
    service: str
    port: int


def slice_endpoints(slices: Sequence[Object], port_name: str) -> tuple[Endpoint, ...]:
    """The endpoints of the port of that name (empty for an unnamed one), in order of address."""
    found: dict[tuple[str, int], Endpoint] = {}
    for each in slices:
        ports = [entry["port"] for entry in each.get("ports") or () if (entry.get("name") or "") == port_name]
        for entry in each.get("endpoints") or ():
            for port in ports:
                endpoint = _endpoint(entry, port)
                found[endpoint.address] = endpoint
    return tuple(sorted(found.values()))


def _endpoint(entry: Mapping[str, Any], port: int) -> Endpoint:
    conditions = entry.get("conditions") or {}
    is_ready = conditions.get("ready") is not False
    is_serving = conditions.get("serving", is_ready) is not False
    is_terminating = bool(conditions.get("terminating"))
    return Endpoint(entry["addresses"][0], port, is_ready, is_serving, is_terminating, entry.get("zone") or "")


def routable(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """Where kube-proxy sends new connections: ready endpoints, or for want of them serving ones that terminate."""
    ready = tuple(endpoint for endpoint in endpoints if endpoint.is_ready)
    if ready:
        return ready
    return tuple(endpoint for endpoint in endpoints if endpoint.is_serving and endpoint.is_terminating)


class EndpointTable:
    """The endpoints of every Service as the API has them now."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._slices: dict[tuple[str, str], dict[str, Object]] = {}
        self._listeners: list[Callable[[str, str], None]] = []

    def start(self) -> None:
        """Watch Services and EndpointSlices, beginning with those that exist."""
        self._client.subscribe(ENDPOINT_SLICES, self._slice_changed)
        self._client.subscribe("services", self._service_changed)
        for each in self._client.list(ENDPOINT_SLICES):
            self._keep(each)

    def on_change(self, listener: Callable[[str, str], None]) -> None:
        """Call ``listener`` with namespace and name of each Service whose endpoints or spec change."""
        self._listeners.append(listener)

    def endpoints(self, key: ServicePort) -> tuple[Endpoint, ...]:
        """All endpoints of a Service port, ready or not; empty when there is no such Service or port."""
        service = self._client.get("services", key.namespace, key.service)
        for port in (service["spec"].get("ports") or ()) if service is not None else ():
            if port["port"] == key.port:
                slices = self._slices.get((key.namespace, key.service), {})
                return slice_endpoints([slices[name] for name in sorted(slices)], port.get("name") or "")
        return ()

    def _keep(self, each: Object) -> str:
        metadata = each["metadata"]
        service: str = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL, "")
        self._slices.setdefault((metadata["namespace"], service), {})[metadata["name"]] = each
        return service

    def _slice_changed(self, event: WatchEvent) -> None:
        metadata = event.object["metadata"]
        service = self._keep(event.object)
        if event.type == "DELETED":
            del self._slices[metadata["namespace"], service][metadata["name"]]
        self._tell(metadata["namespace"], service)

    def _service_changed(self, event: WatchEvent) -> None:
        self._tell(event.object["metadata"]["namespace"], event.object["metadata"]["name"])

    def _tell(self, namespace: str, service: str) -> None:
        for listener in self._listeners:
            listener(namespace, service)


Push = Callable[[Sequence[Endpoint]], None]
"""Tells one client which endpoints there are."""


@dataclass(slots=True)
class _View:
    known: tuple[Endpoint, ...]
    pushes: dict[int, Push] = field(default_factory=dict)
    is_stale: bool = False


class ServiceProxies:
    """kube-proxy of every node, as far as somebody on the node calls the Service."""

    def __init__(self, client: Client, streams: Streams, table: EndpointTable) -> None:
        self._loop = client.loop
        self._rng = streams.python("kube-proxy")
        self._table = table
        self._phases_ns: dict[str, int] = {}
        self._views: dict[tuple[str, ServicePort], _View] = {}
        self._next_token = 0
        table.on_change(self._changed)

    def attach(self, node: str, key: ServicePort, push: Push) -> int:
        """Call ``push`` now and whenever the node's view of the Service changes; returns a token for ``detach``."""
        view = self._views.get((node, key))
        if view is None:
            view = self._views[node, key] = _View(routable(self._table.endpoints(key)))
        self._next_token = token = self._next_token + 1
        view.pushes[token] = push
        push(view.known)
        return token

    def detach(self, node: str, key: ServicePort, token: int) -> None:
        """No more calls for ``token``."""
        view = self._views[node, key]
        del view.pushes[token]
        if not view.pushes:
            del self._views[node, key]

    def refresh(self) -> None:
        """Push what every view holds: something else now listens at one of the addresses."""
        for view in self._views.values():
            _push(view)

    def _changed(self, namespace: str, service: str) -> None:
        for (node, key), view in self._views.items():
            if (key.namespace, key.service) == (namespace, service) and not view.is_stale:
                view.is_stale = True
                self._loop.after(self._until_sync_ns(node), self._sync, node, key)

    def _until_sync_ns(self, node: str) -> int:
        phase_ns = self._phases_ns.get(node)
        if phase_ns is None:
            phase_ns = self._phases_ns[node] = self._rng.randrange(SYNC_NS)
        return (phase_ns - self._loop.now_ns) % SYNC_NS

    def _sync(self, node: str, key: ServicePort) -> None:
        view = self._views.get((node, key))
        if view is None:
            return
        view.is_stale = False
        known = routable(self._table.endpoints(key))
        if known != view.known:
            view.known = known
            _push(view)


def _push(view: _View) -> None:
    for push in view.pushes.values():
        push(view.known)
