"""What a pod's worker needs of its node."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from labs.api.client import Client
from labs.api.store import Object
from labs.dataplane.images import ImageStore
from labs.dataplane.kubelet.logs import LogStore
from labs.dataplane.kubelet.machine import Outside
from labs.dataplane.kubelet.volumes import VolumeStore
from labs.dataplane.process import Programs
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS, to_ns

RELIST_NS = SECOND_NS
"""The kubelet looks at the container runtime this often (generic PLEG)."""


@dataclass(frozen=True, slots=True)
class StartTimes:
    """Uniform spans of the steps before a container runs, in seconds; estimates for containerd and the VPC CNI."""

    sandbox_s: tuple[float, float] = (0.4, 0.9)
    create_s: tuple[float, float] = (0.08, 0.2)


class Addresses(Protocol):
    """The free addresses of a zone."""

    def take(self, zone: str) -> str:
        """An address that nobody has."""
        ...

    def give_back(self, address: str) -> None:
        """Nobody has it any more."""
        ...


@dataclass(slots=True)
class Host:
    """One node as its pods' workers see it."""

    client: Client
    streams: Streams
    rng: random.Random
    name: str
    zone: str
    ip: str
    images: ImageStore
    programs: Programs
    logs: LogStore
    outside: Outside
    volumes: VolumeStore
    allocatable: Mapping[str, str]
    addresses: Addresses
    times: StartTimes
    relist_phase_ns: int
    forget: Callable[[str], None]
    is_connected: bool = field(default=True)
    """Whether the kubelet reaches the API server."""

    @property
    def loop(self) -> Loop:
        """The clock."""
        return self.client.loop

    def until_relist_ns(self) -> int:
        """From now to the kubelet's next look at the runtime."""
        return (self.relist_phase_ns - self.loop.now_ns) % RELIST_NS or RELIST_NS

    def draw_ns(self, span_s: tuple[float, float]) -> int:
        """A uniform draw from a span of seconds."""
        return to_ns(self.rng.uniform(*span_s))

    def event(self, pod: Object, type: str, reason: str, message: str, field_path: str = "") -> None:
        """Record an event about a pod, when the API server can be reached."""
        if self.is_connected:
            self.client.events.record(pod, type, reason, message, field_path=field_path, host=self.name)
