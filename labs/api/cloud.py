"""What the control plane asks of the cloud: which instances there are to buy, and buying and ending them.

Source: aws/karpenter-provider-aws pkg/providers/{instance,instancetype}; EC2 CreateFleet (type instant).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

ON_DEMAND = "on-demand"
SPOT = "spot"

INSUFFICIENT_CAPACITY = "InsufficientInstanceCapacity"
"""EC2's code when a zone has no room for a type."""


@dataclass(frozen=True, slots=True)
class Offering:
    """One way to buy an instance type."""

    zone: str
    capacity_type: str
    price_usd_per_hour: float
    is_available: bool = True


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One row of the price list; ``capacity`` and ``allocatable`` are resource lists in wire form."""

    name: str
    arch: str
    vcpus: int
    memory_mib: int
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    offerings: tuple[Offering, ...]


@dataclass(frozen=True, slots=True)
class Taint:
    """A node taint."""

    key: str
    effect: str
    value: str = ""

    def to_wire(self) -> dict[str, str]:
        """The taint as the API has it."""
        wire = {"key": self.key, "effect": self.effect}
        return {**wire, "value": self.value} if self.value else wire


@dataclass(frozen=True, slots=True)
class Override:
    """One acceptable combination of a fleet request."""

    instance_type: str
    zone: str
    capacity_type: str = ON_DEMAND


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """One instance, of whichever override is the cheapest that can be had."""

    overrides: Sequence[Override]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that the kubelet registers with."""
    taints: Sequence[Taint] = ()
    """Taints that the kubelet registers with."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as EC2 describes it now; ``state`` is pending, running, stopping, stopped,
    shutting-down or terminated."""

    id: str
    instance_type: str
    zone: str
    capacity_type: str
    state: str
    private_ip: str
    node_name: str
    launched_ns: int
    tags: Mapping[str, str]

    @property
    def provider_id(self) -> str:
        """``spec.providerID`` of its node."""
        return f"aws:///{self.zone}/{self.id}"


@dataclass(frozen=True, slots=True)
class FleetError:
    """Why one override could not be had."""

    override: Override
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class FleetResult:
    """CreateFleet's answer: an instance, or None and an error for each override."""

    instance: Instance | None
    errors: tuple[FleetError, ...] = ()


class CloudProvider(Protocol):
    """What Karpenter needs of a cloud."""

    def instance_types(self) -> Sequence[InstanceType]:
        """Every type with its offerings as they are now, in order of name."""
        ...

    def launch(self, request: FleetRequest) -> FleetResult:
        """Buy one instance. A lack of capacity is a value, not an exception."""
        ...

    def terminate(self, instance_id: str) -> None:
        """Begin to end an instance; harmless when it is ending. Raises AwsError for an unknown id."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """The instance, also a terminated one, or None when there never was one."""
        ...

    def instances(self) -> Sequence[Instance]:
        """Every instance that is not terminated, in order of launch."""
        ...
