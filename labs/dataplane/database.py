"""An RDS instance: a server outside the cluster, with a standby in another zone.

What it does for one request is a row like the catalogue's. Failover, as RDS does it for a Multi-AZ instance: the
primary stops, DNS leads to the standby after about a minute, and every connection has to be made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from labs.dataplane.instance_types import instance_spec
from labs.dataplane.network import Listener, Network
from labs.dataplane.process import Answer, Check, Place
from labs.dataplane.traffic.cpu import CpuShape
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.station import Profile, Station
from labs.errors import UsageError
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS

FAILOVER_NS = 60 * SECOND_NS
_BYTES_PER_CONNECTION = 9_531_392
"""RDS for PostgreSQL: max_connections = DBInstanceClassMemory / 9531392, at most 5000."""


_CPU = Demand(1.2, 0.8, "lognormal")
_DISK = Demand(0.8, 1.0, "lognormal")


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """One DB instance. ``instance_class`` is ``db.`` and an EC2 type, such as ``db.m5.large``."""

    identifier: str
    instance_class: str = "db.m5.large"
    zone: str = "us-east-1a"
    standby_zone: str | None = "us-east-1b"
    cpu: Demand = _CPU
    disk: Demand = _DISK
    max_connections: int | None = None
    """None: as the class' memory has it."""


class Database:
    """The instance; ``host`` is its endpoint's name."""

    def __init__(self, loop: Loop, streams: Streams, network: Network, ledger: Ledger, config: DatabaseConfig) -> None:
        self._loop = loop
        self._streams = streams
        self._network = network
        self._ledger = ledger
        self.config = config
        account = hashlib.sha256(b"rds").hexdigest()[:12]
        self.host = f"{config.identifier}.{account}.us-east-1.rds.amazonaws.com"
        self.zone = config.zone
        self.station = self._serve(config.zone)

    @property
    def max_connections(self) -> int:
        """Calls that it takes at once; every further one is refused."""
        if self.config.max_connections is not None:
            return self.config.max_connections
        memory_bytes = self._spec_memory_mib() * 1024**2
        return min(5000, memory_bytes // _BYTES_PER_CONNECTION)

    def _spec_memory_mib(self) -> int:
        return instance_spec(self.config.instance_class.removeprefix("db.")).memory_mib

    def _serve(self, zone: str) -> Station:
        config = self.config
        spec = instance_spec(config.instance_class.removeprefix("db."))
        station = Station(
            self._loop,
            config.identifier,
            Profile(config.cpu, config.disk, response_bytes=900),
            CpuShape(spec.vcpus, 1.0),
            workers=self.max_connections,
            queue_limit=0,
            rng=self._streams.numpy(f"rds/{config.identifier}/{zone}"),
            zone=zone,
            index=self._ledger.add_place(config.identifier, "database", zone),
        )
        self._network.set_host(self.host, Listener(station, Place("", zone, ""), _always_healthy))
        return station

    def failover(self) -> None:
        """The standby takes over. Raises UsageError when there is none."""
        standby = self.config.standby_zone
        if standby is None:
            raise UsageError(f"{self.config.identifier} has no standby; make it Multi-AZ first.")
        self.station.kill()
        self.zone = standby if self.zone == self.config.zone else self.config.zone
        self._loop.after(FAILOVER_NS, self._take_over)

    def _take_over(self) -> None:
        self.station = self._serve(self.zone)


def _always_healthy(check: Check, answer: Callable[[Answer], None]) -> None:
    answer(Answer())
