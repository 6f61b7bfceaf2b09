"""The network: who listens where, what a name leads to, and how long a packet takes.

A client is told by kube-proxy on its node (a Service's name or cluster IP), by a load balancer (its host name, or
the name that external-dns gives it), or by DNS (a host outside the cluster).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from labs.api.client import Client
from labs.dataplane.addresses import VPC
from labs.dataplane.balancers import Balancers
from labs.dataplane.load_balancer import Address, LoadBalancer
from labs.dataplane.names import Names, is_address
from labs.dataplane.policies import PolicyAgent
from labs.dataplane.process import Answer, Check, Place
from labs.dataplane.service_views import Endpoint, EndpointTable, ServicePort, ServiceProxies
from labs.dataplane.shell.waits import Resolution
from labs.dataplane.traffic.balancer import Balancer, LeastOutstanding, RandomChoice, RoundRobin
from labs.dataplane.traffic.client import Client as TrafficClient
from labs.dataplane.traffic.client import Gateway
from labs.dataplane.traffic.cpu import CpuShape
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.station import Profile, Station
from labs.errors import UsageError
from labs.sim.streams import Streams
from labs.units import MICROSECOND_NS

VPC_ADDRESS = str(VPC[-2])
"""Where policies see load balancers and databases: in the VPC, but no pod's."""
_PORTS = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True, slots=True)
class Latencies:
    """One-way times; medians as measured inside a region."""

    same_node_ns: int = 30 * MICROSECOND_NS
    same_zone_ns: int = 150 * MICROSECOND_NS
    cross_zone_ns: int = 500 * MICROSECOND_NS
    to_balancer_ns: int = 400 * MICROSECOND_NS

    def between(self, a: Place, b: Place) -> int:
        """From ``a`` to ``b``."""
        if a.node and a.node == b.node:
            return self.same_node_ns
        return self.same_zone_ns if a.zone == b.zone else self.cross_zone_ns


@dataclass(frozen=True, slots=True)
class Listener:
    """What answers at one address."""

    station: Station
    place: Place
    check: Callable[[Check, Callable[[Answer], None]], None]


@dataclass(frozen=True, slots=True)
class Connection:
    """One caller's client for one URL, and who calls from where to what."""

    client: TrafficClient
    caller: Place
    target: str
    """``namespace/service``, a load balancer's name, or a host."""
    close: Callable[[], None]


class Network:
    """Joins names, addresses and stations; see ``connect`` and ``listen``."""

    def __init__(self, client: Client, streams: Streams, latencies: Latencies) -> None:
        self._client = client
        self._streams = streams
        self._latencies = latencies
        self._listeners: dict[Address, Listener] = {}
        self._vacant: dict[Address, Station] = {}
        self._places: dict[Station, Place] = {}
        self._hosts: dict[str, Listener] = {}
        self._host_pushes: dict[str, list[Callable[[], None]]] = {}
        self._table = EndpointTable(client)
        self._proxies = ServiceProxies(client, streams, self._table)
        self._balancing = Balancers(client, streams, self._table, self._check_target)
        self._policies = PolicyAgent(client, self._repush)
        self._names = Names(client, self._outside_address)
        self._address_pushes: list[Callable[[], None]] = []
        self._walled: dict[Address, Station] = {}
        """What a caller reaches at an address that policies keep from it: nobody answers."""
        self.connections: dict[TrafficClient, Connection] = {}
        """Every open connection, for faults that lie between two places."""

    def start(self) -> None:
        """Watch Services, Ingresses, endpoints and policies from now on."""
        self._table.on_change(self._balancing.endpoints_changed)
        self._table.start()
        self._balancing.start()
        self._policies.start()

    @property
    def balancers(self) -> Mapping[tuple[str, str], LoadBalancer]:
        """Every target group with its load balancer."""
        return self._balancing.groups

    # Listening.

    @property
    def listeners(self) -> Mapping[Address, Listener]:
        """What answers at each address now, for whoever measures it."""
        return self._listeners

    def listen(self, port: int, listener: Listener) -> None:
        """From now on ``listener`` answers at its pod's address and ``port``."""
        address = (listener.place.pod_ip, port)
        is_new = self._listeners.get(address) is None or self._listeners[address].station is not listener.station
        self._listeners[address] = listener
        self._places[listener.station] = listener.place
        if is_new:
            self._vacant.pop(address, None)
            self._refresh()

    def leave(self, port: int, listener: Listener) -> None:
        """The pod is gone; calls to its address are refused."""
        address = (listener.place.pod_ip, port)
        if self._listeners.get(address) is listener:
            del self._listeners[address]
            self._vacant[address] = listener.station

    def set_host(self, host: str, listener: Listener) -> None:
        """A host outside the cluster; DNS leads there from now on."""
        self._hosts[host] = listener
        self._places[listener.station] = listener.place
        for push in self._host_pushes.get(host, ()):
            push()

    def check(self, address: Address, check: Check, answer: Callable[[Answer], None]) -> None:
        """Ask for the health of whatever answers at an address."""
        listener = self._listeners.get(address)
        if listener is None:
            answer(Answer(is_refused=True))
        else:
            listener.check(check, answer)

    def _check_target(self, address: Address, check: Check, answer: Callable[[Answer], None]) -> None:
        """A load balancer's health check: no answer where policies keep it out."""
        if self._policies.enforcement.allows(VPC_ADDRESS, *address):
            self.check(address, check, answer)

    def _repush(self) -> None:
        """Other policies hold from now on: every caller's view may differ."""
        self._refresh()
        for pushes in self._host_pushes.values():
            for push in pushes:
                push()

    def _refresh(self) -> None:
        self._proxies.refresh()
        self._balancing.refresh()
        for push in self._address_pushes:
            push()

    def _station(self, endpoint: Endpoint) -> Station:
        """The station at an address, or one that refuses every call where nothing listens."""
        listener = self._listeners.get(endpoint.address)
        if listener is not None:
            return listener.station
        station = self._vacant.get(endpoint.address)
        if station is None:
            station = self._vacant[endpoint.address] = self._idle_station(endpoint)
            station.stop_accepting()
        return station

    def _idle_station(self, endpoint: Endpoint) -> Station:
        station = Station(
            self._client.loop,
            endpoint.ip,
            Profile(Demand(0.0)),
            CpuShape(1, 1.0),
            workers=1,
            queue_limit=0,
            rng=self._streams.numpy("network/vacant"),
            zone=endpoint.zone,
            index=-1,
        )
        self._places[station] = Place("", endpoint.zone, endpoint.ip)
        return station

    def _allows(self, caller: str, target: str, port: int) -> bool:
        """Whether policies let a caller at an address find a target by name and reach it."""
        enforcement = self._policies.enforcement
        return enforcement.allows(caller, target, port) and enforcement.resolves_names(caller)

    def _wall(self, endpoint: Endpoint) -> Station:
        """What is reached in place of an address that policies forbid: packets are lost, callers time out."""
        wall = self._walled.get(endpoint.address)
        if wall is None:
            wall = self._walled[endpoint.address] = self._idle_station(endpoint)
            wall.vanish()
        return wall

    # Calling.

    def _outside_address(self, host: str) -> str:
        listener = self._hosts.get(host)
        if listener is not None:
            return listener.place.pod_ip or VPC_ADDRESS
        return VPC_ADDRESS if self._balancing.find(host, "/") is not None else ""

    def resolve(self, name: str, namespace: str, caller: Place) -> Resolution:
        """What the cluster's DNS tells a pod at ``caller``; nothing where policies keep it from asking."""
        if (
            not is_address(name)
            and name != "localhost"
            and not self._policies.enforcement.resolves_names(caller.pod_ip)
        ):
            return Resolution(name, is_timed_out=True)
        return self._names.resolve(name, namespace)

    def connect(self, url: str, caller: Place, namespace: str, policy: Policy, name: str) -> Connection | None:
        """A client for ``url`` as a pod at ``caller`` in ``namespace`` has it; None when the name is unknown.

        A Service need not exist yet: until it does, there is no endpoint. ``name`` names the random stream.
        Raises UsageError for what is no URL.
        """
        host, port, path = _split(url)
        if host in ("localhost", "127.0.0.1"):
            host = caller.pod_ip
        balancer = self._balancing.find(host, path)
        if balancer is not None:
            return self._through_balancer(balancer, caller, port, policy, name)
        if host in self._hosts:
            return self._to_host(host, caller, port, policy, name)
        key = self._service_for(host, port, namespace)
        if key is None:
            address = host if is_address(host) else self._pod_address(host, namespace)
            return self._to_address((address, port), caller, policy, name) if address else None
        service = self._client.get("services", key.namespace, key.service)
        if service is not None and service["spec"].get("type") == "ExternalName":
            return self.connect(f"//{service['spec']['externalName']}:{port}", caller, namespace, policy, name)
        return self._to_service(key, caller, policy, name)

    def _service_for(self, host: str, port: int, namespace: str) -> ServicePort | None:
        for service in self._client.list("services"):
            if host and service["spec"].get("clusterIP") == host:
                return ServicePort(service["metadata"]["namespace"], service["metadata"]["name"], port)
        labels = host.removesuffix(".cluster.local").removesuffix(".svc").split(".")
        if len(labels) > 2 or not labels[0]:
            return None
        return ServicePort(labels[1] if len(labels) > 1 else namespace, labels[0], port)

    def _through_balancer(
        self, balancer: LoadBalancer, caller: Place, port: int, policy: Policy, name: str
    ) -> Connection:
        choice: Balancer = LeastOutstanding() if balancer.settings.uses_least_outstanding else RoundRobin()
        gateway = Gateway(self._latencies.to_balancer_ns, balancer.settings.idle_timeout_ns)
        client = self._new_client(policy, choice, name, gateway)
        latencies = self._latencies
        # Cross-zone balancing is on: a request comes from a balancer node in any of three zones.
        behind_ns = (latencies.same_zone_ns + 2 * latencies.cross_zone_ns) // 3

        def push(endpoints: Sequence[Endpoint]) -> None:
            is_let_out = self._allows(caller.pod_ip, VPC_ADDRESS, port)
            client.update(
                [
                    self._station(endpoint)
                    if is_let_out and self._policies.enforcement.allows(VPC_ADDRESS, *endpoint.address)
                    else self._wall(endpoint)
                    for endpoint in endpoints
                ],
                lambda _: behind_ns,
            )

        token = balancer.attach(push)
        return self._opened(client, caller, balancer.target, lambda: balancer.detach(token))

    def _to_service(self, key: ServicePort, caller: Place, policy: Policy, name: str) -> Connection:
        stream = self._streams.numpy(f"pick/{name}")
        client = self._new_client(policy, RandomChoice(stream), name, None)

        def push(endpoints: Sequence[Endpoint]) -> None:
            stations = [
                self._station(endpoint) if self._allows(caller.pod_ip, *endpoint.address) else self._wall(endpoint)
                for endpoint in endpoints
            ]
            client.update(stations, self._latency_from(caller))

        token = self._proxies.attach(caller.node, key, push)
        target = f"{key.namespace}/{key.service}"
        return self._opened(client, caller, target, lambda: self._proxies.detach(caller.node, key, token))

    def _to_host(self, host: str, caller: Place, port: int, policy: Policy, name: str) -> Connection:
        client = self._new_client(policy, RoundRobin(), name, None)

        def push() -> None:
            is_let_out = self._allows(caller.pod_ip, VPC_ADDRESS, port)
            station = self._hosts[host].station if is_let_out else self._wall(Endpoint(host, port, True, True, False))
            client.update([station], self._latency_from(caller))

        push()
        pushes = self._host_pushes.setdefault(host, [])
        pushes.append(push)
        return self._opened(client, caller, host, lambda: pushes.remove(push))

    def _pod_address(self, host: str, namespace: str) -> str:
        """The address of a pod behind a headless Service by its own name, or an empty text."""
        addresses = self._names.resolve(host, namespace).addresses
        return addresses[0] if addresses else ""

    def _to_address(self, address: Address, caller: Place, policy: Policy, name: str) -> Connection:
        """Straight to a pod, past every Service."""
        client = self._new_client(policy, RoundRobin(), name, None)
        endpoint = Endpoint(*address, True, True, False)

        def push() -> None:
            is_let_in = self._policies.enforcement.allows(caller.pod_ip, *address)
            client.update([self._station(endpoint) if is_let_in else self._wall(endpoint)], self._latency_from(caller))

        push()
        self._address_pushes.append(push)
        return self._opened(client, caller, address[0], lambda: self._address_pushes.remove(push))

    def _latency_from(self, caller: Place) -> Callable[[Station], int]:
        return lambda station: self._latencies.between(caller, self._places[station])

    def _new_client(self, policy: Policy, choice: Balancer, name: str, gateway: Gateway | None) -> TrafficClient:
        return TrafficClient(self._client.loop, policy, choice, self._streams.numpy(f"client/{name}"), gateway)

    def _opened(self, client: TrafficClient, caller: Place, target: str, detach: Callable[[], None]) -> Connection:
        def close() -> None:
            if self.connections.pop(client, None) is not None:
                detach()

        connection = Connection(client, caller, target, close)
        self.connections[client] = connection
        return connection


def _split(url: str) -> tuple[str, int, str]:
    """Host, port and path."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80), parts.path
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL ({error}); write for example http://frontend:80/.") from None
