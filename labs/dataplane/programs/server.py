"""A program that serves requests: starts up, listens, answers health checks, ends on TERM in its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labs.api.quantity import milli
from labs.dataplane.network import Connection, Listener, Network
from labs.dataplane.process import Answer, Check, Place, Surroundings
from labs.dataplane.programs.catalogue import CallModel, Entry
from labs.dataplane.traffic.cpu import CpuShape, cpu_shape
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.station import Station
from labs.errors import UsageError
from labs.sim.loop import Timer
from labs.units import MILLISECOND_NS, to_ns

_MIB = 1024**2
_EXIT_NS = 20 * MILLISECOND_NS
"""From the signal to the end of a process that does not drain."""


class Service:
    """What outlives one run of the container: the station that callers know, and its connections downstream."""

    __slots__ = ("connections", "listener", "ports", "process", "speed", "station")

    def __init__(
        self, station: Station, place: Place, ports: tuple[int, ...], connections: tuple[Connection, ...], speed: float
    ) -> None:
        self.station = station
        self.ports = ports
        self.connections = connections
        self.speed = speed
        """Cores that a start-up can use, at most 1."""
        self.listener = Listener(station, place, self._check)
        self.process: ServerProcess | None = None

    def _check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        if self.process is not None:
            self.process.check(check, answer)


def container_ports(container: dict[str, object], default: int) -> tuple[int, ...]:
    """The ports that a server listens on: those that its container names, else its program's own."""
    entries = container.get("ports")
    ports = tuple(int(entry["containerPort"]) for entry in entries) if isinstance(entries, list) else ()
    return ports or (default,)


def shape_of(container: dict[str, object], node_vcpus: int) -> CpuShape:
    """The container's CPU by its limit; without one (or with 0), every core of the node."""
    resources = container.get("resources")
    limits = resources.get("limits") if isinstance(resources, dict) else None
    limit = (limits or {}).get("cpu")
    return cpu_shape(milli(limit) or node_vcpus * 1000)


class ServerProcess:
    """One run of a server's container."""

    __slots__ = (
        "_capacity",
        "_cpu_base_ns",
        "_entry",
        "_is_gone",
        "_network",
        "_service",
        "_started_ns",
        "_startup_cpu_ns",
        "_surroundings",
        "_timer",
    )

    def __init__(self, surroundings: Surroundings, entry: Entry, service: Service, network: Network) -> None:
        self._surroundings = surroundings
        self._entry = entry
        self._service = service
        self._network = network
        self._capacity = entry.workers + entry.queue_limit
        self._cpu_base_ns = service.station.cpu_used_ns()
        self._startup_cpu_ns = round(entry.startup_cpu_ms * MILLISECOND_NS)
        self._started_ns = 0
        self._is_gone = False
        self._timer: Timer | None = None

    is_health_steady = False

    def start(self) -> None:
        """Take the address, and listen when the start-up is done."""
        around, entry = self._surroundings, self._entry
        self._started_ns = around.loop.now_ns
        self._service.station.stop_accepting()
        self._service.station.set_ceiling(*self._memory_ceiling())
        for port in self._service.ports:
            self._network.listen(port, self._service.listener)
        factor = around.streams.python("startup").lognormvariate(0.0, entry.startup_sigma)
        startup_ns = to_ns(entry.startup_s * factor / self._service.speed)
        limit, base = around.memory_limit_bytes, entry.memory_mib * _MIB
        if limit is not None and base > limit:
            # Memory is taken evenly while the program loads, and the limit is met on the way.
            self._timer = around.loop.after(round(startup_ns * limit / base), around.run_out_of_memory)
        else:
            self._timer = around.loop.after(startup_ns, self._listen)

    def _memory_ceiling(self) -> tuple[int | None, Callable[[], None]]:
        """How many calls fit into the memory limit (None: all), and what the next one does."""
        around, entry = self._surroundings, self._entry
        limit = around.memory_limit_bytes
        if limit is None or not entry.memory_mib_per_call:
            return None, around.run_out_of_memory
        room = int((limit - entry.memory_mib * _MIB) / (entry.memory_mib_per_call * _MIB))
        fits = room >= self._capacity
        return (None if fits else max(0, room)), around.run_out_of_memory

    def _listen(self) -> None:
        ports = ", ".join(str(port) for port in self._service.ports)
        self._surroundings.log(f"listening on port {ports}")
        self._service.station.open()

    def terminate(self) -> None:
        """SIGTERM: exit, drain or ignore, as the catalogue says."""
        how = self._entry.on_term
        if how == "ignore" or self._is_gone:
            return
        self._surroundings.log("received SIGTERM, " + ("draining" if how == "drain" else "exiting"))
        self._cancel()
        if how == "drain":
            self._service.station.drain(lambda: self._end(0))
        else:
            self._timer = self._surroundings.loop.after(_EXIT_NS, self._end, self._entry.exit_code_on_term)

    def _end(self, exit_code: int) -> None:
        if not self._is_gone:
            self.kill()
            self._surroundings.exited(exit_code)

    def kill(self) -> None:
        """Everything in flight is reset."""
        self._cancel()
        self._is_gone = True
        self._service.station.kill()

    def vanish(self) -> None:
        """The machine is gone: callers wait until they give up."""
        self._cancel()
        self._is_gone = True
        self._service.station.vanish()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """Refused where and while nothing listens; no answer while the accept queue is full or the process stands."""
        station = self._service.station
        if check.kind != "exec" and check.port not in self._service.ports:
            answer(Answer(is_refused=True))
        elif self._is_gone or not station.is_open:
            if not self._is_gone or station.is_refusing:
                answer(Answer(is_refused=True))
        elif check.kind == "exec" or (not station.is_paused and station.inside < self._capacity):
            answer(Answer())

    def cpu_used_ns(self, now_ns: int) -> int:
        """Start-up, requests, and a trickle; for now only."""
        age_ns = now_ns - self._started_ns
        trickle_ns = round(age_ns * self._entry.idle_millicores / 1000)
        startup_ns = to_ns(self._entry.startup_s)
        started = min(1.0, age_ns / startup_ns) if startup_ns else 1.0
        served_ns = self._service.station.cpu_used_ns() - self._cpu_base_ns
        return round(self._startup_cpu_ns * started) + served_ns + trickle_ns

    def memory_bytes(self, now_ns: int) -> int:
        """A base, and what the calls inside hold."""
        entry = self._entry
        held = entry.memory_mib + entry.memory_mib_per_call * self._service.station.inside
        if self._service.station.is_open or not entry.startup_s:
            return round(held * _MIB)
        loaded = min(1.0, (now_ns - self._started_ns) / to_ns(entry.startup_s))
        return round(held * loaded * _MIB)


class Servers:
    """Builds server processes; a container that restarts keeps its station."""

    def __init__(self, network: Network, ledger: Ledger, vcpus_of: Callable[[str], int]) -> None:
        self._network = network
        self._ledger = ledger
        self._vcpus_of = vcpus_of
        self._services: dict[tuple[str, str], Service] = {}

    def create(self, around: Surroundings, entry: Entry) -> ServerProcess:
        """A new run of a server. Raises UsageError when a host that it calls is unknown."""
        key = (around.pod["metadata"]["uid"], around.container["name"])
        service = self._services.get(key)
        if service is None:
            service = self._services[key] = self._new_service(around, entry)
        service.process = ServerProcess(around, entry, service, self._network)
        return service.process

    def shape_of(self, around: Surroundings) -> CpuShape:
        """The CPU of a container on its node."""
        return shape_of(around.container, self._vcpus_of(around.place.node))

    def station(self, uid: str, container: str) -> Station | None:
        """The station of a container that serves, for faults; None when it does not."""
        service = self._services.get((uid, container))
        return service.station if service is not None else None

    def forget(self, uid: str, containers: Sequence[str]) -> None:
        """The pod is gone: its addresses are vacant and its connections closed."""
        for container in containers:
            service = self._services.pop((uid, container), None)
            if service is None:
                continue
            for port in service.ports:
                self._network.leave(port, service.listener)
            for connection in service.connections:
                connection.close()

    def _new_service(self, around: Surroundings, entry: Entry) -> Service:
        metadata = around.pod["metadata"]
        name = metadata["name"]
        connections = tuple(self._connect(around, call) for call in entry.calls)
        shape = self.shape_of(around)
        station = Station(
            around.loop,
            name,
            entry.profile(),
            shape,
            workers=entry.workers,
            queue_limit=entry.queue_limit,
            rng=around.streams.numpy(f"station/{metadata['namespace']}/{name}/{around.container['name']}"),
            downstream=tuple(connection.client for connection in connections),
            zone=around.place.zone,
            index=self._ledger.add_place(name, service_label(around), around.place.zone),
        )
        speed = min(1.0, shape.slots * shape.speed)
        return Service(station, around.place, container_ports(around.container, entry.port), connections, speed)

    def _connect(self, around: Surroundings, call: CallModel) -> Connection:
        metadata = around.pod["metadata"]
        url = around.environment.get(call.env) or call.url
        name = f"{metadata['namespace']}/{metadata['name']}/{around.container['name']}/{call.env or call.url}"
        connection = self._network.connect(url, around.place, metadata["namespace"], call.policy(), name)
        if connection is None:
            raise UsageError(f"could not resolve host of {url!r}: Name or service not known")
        return connection


def service_label(around: Surroundings) -> str:
    """What the pod is part of: its name label, else its container's name."""
    labels = around.pod["metadata"].get("labels") or {}
    label: str = labels.get("app.kubernetes.io/name") or labels.get("app") or around.container["name"]
    return label
