"""The load balancers of the cluster: one for each Service of type LoadBalancer, one for each Ingress of class alb.

Source: kubernetes-sigs/aws-load-balancer-controller (docs/guide/ingress), kubernetes-sigs/external-dns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.objects import at
from labs.api.store import Object, WatchEvent
from labs.dataplane.load_balancer import CheckTarget, LoadBalancer, settings_of
from labs.dataplane.service_views import EndpointTable, ServicePort
from labs.sim.streams import Streams

EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/hostname"
INGRESSES, INGRESS_CLASSES = "ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io"
ALB_CONTROLLER = "ingress.k8s.aws/alb"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"

Key = tuple[str, str]
"""Namespace, and the Service's name or ``ingress/service:port``."""


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of an Ingress: requests for ``host`` (empty: any) and ``path`` go to a service port."""

    host: str
    path: str
    is_exact: bool
    target: ServicePort

    def matches(self, host: str, path: str) -> bool:
        """Whether a request is meant."""
        wanted, asked = self.host, host
        if wanted.startswith("*."):
            wanted, asked = wanted[2:], host.partition(".")[2]
        is_host = wanted in ("", asked)
        if self.is_exact or not is_host:
            return is_host and path == self.path
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The larger one decides: a host before none, an exact path before a prefix, a long one before a short."""
        return bool(self.host), self.is_exact, len(self.path)


def routes_of(ingress: Object, port_of: Mapping[tuple[str, str], int]) -> list[Route]:
    """The rules of an Ingress, and its default backend last; ``port_of`` gives named ports by service and name."""
    spec, namespace = ingress["spec"], ingress["metadata"]["namespace"]
    routes = []
    for rule in spec.get("rules") or ():
        for item in (rule.get("http") or {}).get("paths") or ():
            target = _backend(item.get("backend"), namespace, port_of)
            if target is not None:
                path = item.get("path") or "/"
                routes.append(Route(rule.get("host") or "", path, item.get("pathType") == "Exact", target))
    default = _backend(spec.get("defaultBackend"), namespace, port_of)
    return routes + ([Route("", "/", False, default)] if default is not None else [])


def _backend(
    backend: dict[str, Any] | None, namespace: str, port_of: Mapping[tuple[str, str], int]
) -> ServicePort | None:
    service = (backend or {}).get("service")
    if service is None:
        return None
    port = service.get("port") or {}
    number = port.get("number") or port_of.get((service["name"], port.get("name", "")), 0)
    return ServicePort(namespace, service["name"], number)


class Balancers:
    """Keeps the balancers in step with Services and Ingresses, and finds the one that a host name means."""

    def __init__(self, client: Client, streams: Streams, table: EndpointTable, check: CheckTarget) -> None:
        self._client = client
        self._controller = Client(client.api, "ingress", "controller")
        self._streams = streams
        self._table = table
        self._check = check
        self.groups: dict[Key, LoadBalancer] = {}
        """Every target group with its balancer; an Ingress may have several behind one balancer."""
        self._routes: dict[Key, list[Route]] = {}
        """The rules of each Ingress, by namespace and name."""

    def start(self) -> None:
        """Watch Services and Ingresses from now on."""
        self._client.subscribe("services", self._service_changed)
        self._client.subscribe(INGRESSES, self._ingress_changed)
        self._client.subscribe(INGRESS_CLASSES, lambda _: self._balance_ingresses())
        for service in self._client.list("services"):
            self._balance_service(service)
        self._balance_ingresses()

    def endpoints_changed(self, namespace: str, service: str) -> None:
        """The endpoints of a Service changed: tell its target groups."""
        for balancer in self.groups.values():
            if (balancer.key.namespace, balancer.key.service) == (namespace, service):
                balancer.endpoints_changed()

    def refresh(self) -> None:
        """Push the targets of every group again."""
        for balancer in self.groups.values():
            balancer.refresh()

    def find(self, host: str, path: str) -> LoadBalancer | None:
        """The target group that a request for ``host`` and ``path`` goes to; None when no balancer has the name."""
        if not host:
            return None
        for (namespace, name), balancer in self.groups.items():
            if not balancer.ingress and host in (balancer.hostname, *self._names("services", namespace, name)):
                return balancer
        for (namespace, name), routes in self._routes.items():
            found = self._find_route(namespace, name, routes, host, path)
            if found is not None:
                return found
        return None

    def _find_route(self, namespace: str, name: str, routes: list[Route], host: str, path: str) -> LoadBalancer | None:
        first = self.groups[_group_key(name, routes[0].target)]
        names = {route.host for route in routes} | set(self._names(INGRESSES, namespace, name))
        matching = [route for route in routes if route.matches(host, path or "/")]
        if host != first.hostname and host not in names and not any(route.host for route in matching):
            return None
        if not matching:
            return None
        # The first of equals decides, as the controller numbers its rules in order.
        best = max(matching, key=lambda route: route.rank)
        return self.groups[_group_key(name, best.target)]

    def _names(self, resource: str, namespace: str, name: str) -> Iterator[str]:
        """The names that external-dns gives."""
        obj = self._client.get(resource, namespace, name)
        text = at(obj, "metadata", "annotations", EXTERNAL_DNS) or ""
        return (part.strip() for part in text.split(",") if part.strip())

    # Services.

    def _service_changed(self, event: WatchEvent) -> None:
        key = (event.object["metadata"]["namespace"], event.object["metadata"]["name"])
        # As it is by now: it may have gone since the event.
        service = self._client.get("services", *key)
        if service is None:
            self._drop(key)
        else:
            self._balance_service(service)

    def _drop(self, key: Key) -> None:
        balancer = self.groups.pop(key, None)
        if balancer is not None:
            balancer.stop()

    def _balance_service(self, service: Object) -> None:
        """Give a Service of type LoadBalancer its balancer, and keep the balancer's settings in step."""
        metadata, spec = service["metadata"], service["spec"]
        key = (metadata["namespace"], metadata["name"])
        if spec.get("type") != "LoadBalancer":
            self._drop(key)
            return
        balancer = self.groups.get(key)
        if balancer is not None:
            balancer.settings = settings_of(service)
            return
        balancer = self._new_group(key, ServicePort(*key, spec["ports"][0]["port"]), service, "")
        status = {**(service.get("status") or {}), "loadBalancer": {"ingress": [{"hostname": balancer.hostname}]}}
        self._client.set_status("services", service, status)

    def _new_group(self, key: Key, target: ServicePort, owner: Object, ingress: str) -> LoadBalancer:
        stream = self._streams.python(f"alb/{'/'.join(key)}")
        balancer = LoadBalancer(
            self._client.loop, stream, self._table, target, settings_of(owner), self._check, ingress
        )
        self.groups[key] = balancer
        balancer.start()
        return balancer

    # Ingresses.

    def _ingress_changed(self, event: WatchEvent) -> None:
        key = (event.object["metadata"]["namespace"], event.object["metadata"]["name"])
        ingress = self._client.get(INGRESSES, *key)
        if ingress is None:
            self._drop_ingress(*key, keeping=())
        else:
            self._balance_ingress(ingress)

    def _balance_ingresses(self) -> None:
        for ingress in self._client.list(INGRESSES):
            self._balance_ingress(ingress)

    def _is_ours(self, ingress: Object) -> bool:
        named = ingress["spec"].get("ingressClassName")
        if named is None:
            return bool(at(ingress, "metadata", "annotations", CLASS_ANNOTATION) == "alb")
        return bool(at(self._client.get(INGRESS_CLASSES, "", named), "spec", "controller") == ALB_CONTROLLER)

    def _drop_ingress(self, namespace: str, name: str, keeping: tuple[Key, ...]) -> None:
        gone = [
            key
            for key, group in self.groups.items()
            if group.ingress == name and key[0] == namespace and key not in keeping
        ]
        for key in gone:
            self._drop(key)
        if not keeping:
            self._routes.pop((namespace, name), None)

    def _balance_ingress(self, ingress: Object) -> None:
        """Give an Ingress its balancer with a target group for each service that its rules name."""
        metadata = ingress["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        services = self._client.list("services", namespace)
        port_of = {
            (service["metadata"]["name"], port.get("name", "")): port["port"]
            for service in services
            for port in service["spec"].get("ports") or ()
        }
        routes = routes_of(ingress, port_of) if self._is_ours(ingress) else []
        keys = {_group_key(name, route.target): route.target for route in routes}
        self._drop_ingress(namespace, name, keeping=tuple(keys))
        if not routes:
            return
        self._routes[namespace, name] = routes
        for key, target in keys.items():
            if key in self.groups:
                self.groups[key].settings = settings_of(ingress)
            else:
                self._new_group(key, target, ingress, name)
        self._publish(ingress, self.groups[next(iter(keys))].hostname)

    def _publish(self, ingress: Object, hostname: str) -> None:
        wanted = {"ingress": [{"hostname": hostname}]}
        status = ingress.get("status") or {}
        if status.get("loadBalancer") != wanted:
            self._controller.set_status(INGRESSES, ingress, {**status, "loadBalancer": wanted})
            self._controller.events.record(ingress, "Normal", "SuccessfullyReconciled", "Successfully reconciled")


def _group_key(ingress: str, target: ServicePort) -> Key:
    return target.namespace, f"{ingress}/{target.service}:{target.port}"
