"""EC2 as far as the cluster needs it: zones, instances, capacity, prices.

Times come from published measurements (awslabs/node-latency-for-k8s; aws/karpenter-provider-aws issues 6165, 6128):
an instance is asked for, boots, its kubelet registers, its network plug-in makes the node ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labs.api.cloud import (
    INSUFFICIENT_CAPACITY,
    ON_DEMAND,
    SPOT,
    FleetError,
    FleetRequest,
    FleetResult,
    Instance,
    InstanceType,
    Offering,
    Override,
    Taint,
)
from labs.dataplane.addresses import SubnetAddresses
from labs.dataplane.instance_types import InstanceSpec, allocatable, capacity, instance_spec, instance_specs
from labs.errors import AwsError
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import MINUTE_NS, SECOND_NS, to_ns

REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
SPOT_PRICE_SHARE = 0.4
"""Spot against on-demand, about the mean of common types; real spot prices move."""

SHUTDOWN_LIMIT_NS = 4 * MINUTE_NS
"""How long EC2 waits for an operating system to shut down before it takes the power away."""

PENDING, RUNNING, STOPPING, STOPPED = "pending", "running", "stopping", "stopped"
SHUTTING_DOWN, TERMINATED = "shutting-down", "terminated"


@dataclass(frozen=True, slots=True)
class Spread:
    """A lognormal length of time by its median in seconds and the deviation of its logarithm."""

    median_s: float
    sigma: float


@dataclass(frozen=True, slots=True)
class CloudTimes:
    """How long EC2 and a new node take: CreateFleet itself, the boot until user data has run, the kubelet until it
    has registered, the network plug-in until the node is ready; and stopping and ending an instance, of which
    ``services`` is the part of the operating system after its pods have ended."""

    create: Spread = Spread(3.0, 0.15)
    boot: Spread = Spread(13.5, 0.10)
    register: Spread = Spread(6.3, 0.15)
    ready: Spread = Spread(7.0, 0.20)
    stop: Spread = Spread(25.0, 0.25)
    terminate: Spread = Spread(40.0, 0.25)
    services: Spread = Spread(2.0, 0.25)


@dataclass(frozen=True, slots=True)
class Launch:
    """What an instance was started with, for its kubelet."""

    labels: Mapping[str, str]
    taints: Sequence[Taint]
    is_prebooted: bool


Watcher = Callable[[Instance, Launch], None]


class Cloud:
    """Implements ``labs.api.cloud.CloudProvider``; watchers hear of every change of an instance's state."""

    def __init__(
        self,
        loop: Loop,
        streams: Streams,
        addresses: SubnetAddresses,
        times: CloudTimes,
        zones: Sequence[str] = ZONES,
    ) -> None:
        self._loop = loop
        self._rng = streams.python("cloud")
        self._addresses = addresses
        self._times = times
        self.zones = tuple(zones)
        self._instances: dict[str, Instance] = {}
        self._launches: dict[str, Launch] = {}
        self._watchers: list[Watcher] = []
        self._without_capacity: dict[Override, None] = {}
        self._dark_zones: dict[str, None] = {}
        self._forced: dict[str, None] = {}
        self.is_shutting_down: Callable[[Instance], bool] = lambda instance: False
        """Whether the operating system of a stopping instance is still at work; EC2 waits for it."""

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher`` at each later change of state, and when a zone's power goes or comes back."""
        self._watchers.append(watcher)

    # Buying.

    def instance_types(self) -> list[InstanceType]:
        """Every type with its offerings as they are now, in order of name."""
        return [self._instance_type(spec) for spec in instance_specs().values()]

    def _instance_type(self, spec: InstanceSpec) -> InstanceType:
        offerings = tuple(
            Offering(zone, kind, self.price(spec.name, kind), self._has_capacity(Override(spec.name, zone, kind)))
            for zone in self.zones
            for kind in (ON_DEMAND, SPOT)
        )
        return InstanceType(
            spec.name, spec.arch, spec.vcpus, spec.memory_mib, capacity(spec), allocatable(spec), offerings
        )

    def price(self, instance_type: str, capacity_type: str = ON_DEMAND) -> float:
        """US dollars per hour. Raises UsageError for an unknown type."""
        share = SPOT_PRICE_SHARE if capacity_type == SPOT else 1.0
        return round(instance_spec(instance_type).price_usd_per_hour * share, 6)

    def set_capacity(self, offering: Override, is_available: bool) -> None:
        """Whether EC2 has instances of this offering to sell."""
        if is_available:
            self._without_capacity.pop(offering, None)
        else:
            self._without_capacity[offering] = None

    def _has_capacity(self, override: Override) -> bool:
        return override not in self._without_capacity and override.zone in self.zones

    def launch(self, request: FleetRequest, is_prebooted: bool = False) -> FleetResult:
        """Buy one instance of the cheapest override that can be had.

        ``is_prebooted``: it runs and its node is ready at once, for a cluster that is there from the beginning.
        """
        by_price = sorted(
            enumerate(request.overrides),
            key=lambda item: (self.price(item[1].instance_type, item[1].capacity_type), item[0]),
        )
        errors: list[FleetError] = []
        for _, override in by_price:
            if self._has_capacity(override):
                return FleetResult(self._create(override, request, is_prebooted), tuple(errors))
            errors.append(FleetError(override, INSUFFICIENT_CAPACITY, _no_capacity_text(override, self.zones)))
        return FleetResult(None, tuple(errors))

    def _create(self, override: Override, request: FleetRequest, is_prebooted: bool) -> Instance:
        address = self._addresses.take(override.zone)
        instance = Instance(
            id=f"i-{self._rng.getrandbits(68):017x}",
            instance_type=override.instance_type,
            zone=override.zone,
            capacity_type=override.capacity_type,
            state=PENDING,
            private_ip=address,
            node_name=f"ip-{address.replace('.', '-')}.ec2.internal",
            launched_ns=self._loop.now_ns,
            tags=dict(request.tags),
        )
        self._launches[instance.id] = Launch(dict(request.labels), tuple(request.taints), is_prebooted)
        self._set(instance)
        boot_ns = 0 if is_prebooted else self._draw_ns(self._times.create) + self._draw_ns(self._times.boot)
        self._loop.after(boot_ns, self._move, instance.id, PENDING, RUNNING)
        return instance

    # Reading.

    def instance(self, instance_id: str) -> Instance | None:
        """The instance, also a terminated one, or None when there never was one."""
        return self._instances.get(instance_id)

    def instances(self) -> list[Instance]:
        """Every instance that is not terminated, in order of launch."""
        return [instance for instance in self._instances.values() if instance.state != TERMINATED]

    def has_power(self, instance: Instance) -> bool:
        """Whether the machine runs: its state is running and its zone is up."""
        return instance.state == RUNNING and instance.zone not in self._dark_zones

    # Ending.

    def terminate(self, instance_id: str) -> None:
        """Begin to end an instance; harmless when it is ending. Raises AwsError for an unknown id."""
        instance = self._require(instance_id)
        if instance.state not in (SHUTTING_DOWN, TERMINATED):
            self._move(instance_id, instance.state, SHUTTING_DOWN)
            self._end_later(instance_id, self._times.terminate, SHUTTING_DOWN, TERMINATED)

    def stop(self, instance_id: str, is_forced: bool = False) -> None:
        """Stop an instance, which keeps its id, address and node name. Raises AwsError as EC2 does.

        ``is_forced``: without telling its operating system (``StopInstances`` with ``Force``).
        """
        self._require_state(instance_id, RUNNING, "stopped")
        if is_forced:
            self._forced[instance_id] = None
        self._move(instance_id, RUNNING, STOPPING)
        self._end_later(instance_id, self._times.stop, STOPPING, STOPPED)

    def is_forced(self, instance: Instance) -> bool:
        """Whether an instance that stops does so without its operating system being told."""
        return instance.id in self._forced

    def _end_later(self, instance_id: str, spread: Spread, before: str, after: str) -> None:
        now_ns = self._loop.now_ns
        self._loop.after(self._draw_ns(spread), self._end, instance_id, before, after, now_ns + SHUTDOWN_LIMIT_NS)

    def _end(self, instance_id: str, before: str, after: str, deadline_ns: int) -> None:
        if self.is_shutting_down(self._instances[instance_id]) and self._loop.now_ns < deadline_ns:
            self._loop.after(SECOND_NS, self._end, instance_id, before, after, deadline_ns)
            return
        self._forced.pop(instance_id, None)
        self._move(instance_id, before, after)

    def start(self, instance_id: str) -> None:
        """Start a stopped instance. Raises AwsError as EC2 does."""
        self._require_state(instance_id, STOPPED, "started")
        launch = self._launches[instance_id]
        self._launches[instance_id] = replace(launch, is_prebooted=False)
        self._move(instance_id, STOPPED, PENDING)
        self._loop.after(self._draw_ns(self._times.boot), self._move, instance_id, PENDING, RUNNING)

    def fail_zone(self, zone: str) -> None:
        """The zone loses power: its machines stop without a word while EC2 still calls them running."""
        self._dark_zones[zone] = None
        self._tell_zone(zone)

    def is_dark(self, zone: str) -> bool:
        """Whether a zone has no power."""
        return zone in self._dark_zones

    def restore_zone(self, zone: str) -> None:
        """Power is back: machines boot."""
        self._dark_zones.pop(zone, None)
        self._tell_zone(zone)

    def _tell_zone(self, zone: str) -> None:
        for instance in self.instances():
            if instance.zone == zone and instance.state == RUNNING:
                self._set(instance)

    def _require(self, instance_id: str) -> Instance:
        instance = self._instances.get(instance_id)
        if instance is None:
            raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
        return instance

    def _require_state(self, instance_id: str, state: str, wish: str) -> None:
        if self._require(instance_id).state != state:
            text = f"The instance '{instance_id}' is not in a state from which it can be {wish}."
            raise AwsError("IncorrectInstanceState", text)

    def _move(self, instance_id: str, before: str, after: str) -> None:
        instance = self._instances[instance_id]
        if instance.state == before:
            self._set(replace(instance, state=after))
            if after == TERMINATED:
                self._addresses.give_back(instance.private_ip)

    def _set(self, instance: Instance) -> None:
        self._instances[instance.id] = instance
        for watcher in self._watchers:
            watcher(instance, self._launches[instance.id])

    def _draw_ns(self, spread: Spread) -> int:
        return to_ns(spread.median_s * self._rng.lognormvariate(0.0, spread.sigma))


def _no_capacity_text(override: Override, zones: Sequence[str]) -> str:
    others = ", ".join(zone for zone in zones if zone != override.zone)
    return (
        f"We currently do not have sufficient {override.instance_type} capacity in the Availability Zone you "
        f"requested ({override.zone}). Our system will be working on provisioning additional capacity. You can "
        f"currently get {override.instance_type} capacity by not specifying an Availability Zone in your request "
        f"or choosing {others}."
    )
