"""Instance types as the solver sees them: requirements, room for pods, price.

Source: aws/karpenter-provider-aws pkg/providers/instancetype/types.go; cache lifetimes pkg/cache/cache.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from labs.api.cloud import InstanceType, Offering
from labs.api.scheduling import Amounts, amounts
from labs.controlplane.karpenter.requirements import (
    ARCH,
    CAPACITY_TYPE,
    INSTANCE_TYPE,
    OS,
    REGION,
    ZONE,
    Requirement,
    Requirements,
)
from labs.units import MINUTE_NS

ICE_CACHE_NS = 3 * MINUTE_NS
"""How long an offering that had no capacity is left out."""

_TYPE_NAME = re.compile(r"(?P<family>(?P<category>[a-z]+)(?P<generation>\d+)[a-z0-9-]*)\.(?P<size>[a-z0-9-]+)")
_LABEL_PREFIX = "karpenter.k8s.aws/instance-"


@lru_cache(maxsize=1024)
def instance_labels(name: str, arch: str, vcpus: int, memory_mib: int) -> Mapping[str, str]:
    """The labels that a node gets from its instance type."""
    labels = {INSTANCE_TYPE: name, ARCH: arch, OS: "linux"}
    parts = _TYPE_NAME.fullmatch(name)
    if parts is not None:
        labels |= {_LABEL_PREFIX + key: value for key, value in parts.groupdict().items()}
    return labels | {_LABEL_PREFIX + "cpu": str(vcpus), _LABEL_PREFIX + "memory": str(memory_mib)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance type with the offerings that can be had now."""

    name: str
    labels: Mapping[str, str]
    requirements: Requirements
    allocatable: Amounts
    capacity: Mapping[str, str]
    allocatable_wire: Mapping[str, str]
    offerings: tuple[Offering, ...]

    def cheapest(self, asked: Requirements) -> Offering | None:
        """The cheapest offering that the requirements allow, or None."""
        fitting = [offering for offering in self.offerings if is_offered(offering, asked)]
        return min(fitting, key=lambda offering: (offering.price_usd_per_hour, offering.zone), default=None)


def is_offered(offering: Offering, asked: Requirements) -> bool:
    """Whether requirements allow an offering's zone and capacity type."""
    for key, value in ((ZONE, offering.zone), (CAPACITY_TYPE, offering.capacity_type)):
        requirement = asked.get(key)
        if requirement is not None and not requirement.allows(value):
            return False
    return True


def candidates(
    instance_types: Sequence[InstanceType], unavailable: Mapping[tuple[str, str, str], int], now_ns: int
) -> list[Candidate]:
    """Types with at least one offering; ``unavailable`` holds when (capacity type, type, zone) ran out last."""
    found = []
    for item in instance_types:
        offerings = tuple(
            offering
            for offering in item.offerings
            if unavailable.get((offering.capacity_type, item.name, offering.zone), -ICE_CACHE_NS) + ICE_CACHE_NS
            <= now_ns
        )
        if not offerings:
            continue
        labels = instance_labels(item.name, item.arch, item.vcpus, item.memory_mib)
        requirements = Requirements.from_labels(labels).with_added(
            (
                Requirement(ZONE, frozenset(offering.zone for offering in offerings)),
                Requirement(CAPACITY_TYPE, frozenset(offering.capacity_type for offering in offerings)),
                Requirement(REGION, frozenset(offering.zone[:-1] for offering in offerings)),
            )
        )
        found.append(
            Candidate(
                item.name, labels, requirements, amounts(item.allocatable), item.capacity, item.allocatable, offerings
            )
        )
    return found


def fits(requests: Mapping[str, int], allocatable: Mapping[str, int]) -> bool:
    """Whether requests fit in an allocatable amount."""
    return all(amount <= allocatable.get(name, 0) for name, amount in requests.items() if amount)


def total(*parts: Mapping[str, int]) -> Amounts:
    """The sum of resource amounts."""
    summed: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            summed[name] = summed.get(name, 0) + amount
    return summed
