"""A small bench for the request model: one loop, one ledger, stations and clients by a line each."""

from __future__ import annotations

from collections.abc import Sequence

from labs.dataplane.traffic.arrivals import RateProfile
from labs.dataplane.traffic.balancer import Balancer, RandomChoice
from labs.dataplane.traffic.client import Client, Gateway
from labs.dataplane.traffic.cpu import CpuShape
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.policy import Policy
from labs.dataplane.traffic.profile import Profile
from labs.dataplane.traffic.sources import ClosedLoop, OpenLoop
from labs.dataplane.traffic.station import Station
from labs.sim.loop import Loop
from labs.sim.streams import Streams


class Rig:
    """Everything that a test of the request model needs."""

    def __init__(self, seed: int) -> None:
        self.loop = Loop(0)
        self.streams = Streams(seed)
        self.ledger = Ledger()

    def station(
        self,
        cpu: Demand,
        *,
        name: str = "server",
        slots: int = 1,
        speed: float = 1.0,
        workers: int = 1_000,
        queue_limit: int = 1_000_000,
        downstream: Sequence[Client] = (),
        wait: Demand | None = None,
        error_rate: float = 0.0,
    ) -> Station:
        profile = Profile(cpu, wait, response_bytes=100, error_rate=error_rate)
        return Station(
            self.loop,
            name,
            profile,
            CpuShape(slots, speed),
            workers=workers,
            queue_limit=queue_limit,
            rng=self.streams.numpy(f"demand/{name}"),
            downstream=tuple(downstream),
            index=self.ledger.add_place(name, "shop", "us-east-1a"),
        )

    def client(
        self,
        stations: Sequence[Station],
        policy: Policy | None = None,
        *,
        name: str = "client",
        latency_ns: int = 0,
        balancer: Balancer | None = None,
        gateway: Gateway | None = None,
    ) -> Client:
        client = Client(
            self.loop,
            policy or Policy(timeout_ns=None),
            balancer or RandomChoice(self.streams.numpy(f"balancer/{name}")),
            self.streams.numpy(f"client/{name}"),
            gateway,
        )
        client.update(stations, lambda _: latency_ns)
        return client

    def open_loop(self, client: Client, rate_per_s: float, name: str = "shoppers") -> OpenLoop:
        source = OpenLoop(
            self.loop,
            self.ledger,
            name,
            "shop",
            client,
            RateProfile.constant(rate_per_s),
            self.streams.numpy(f"arrivals/{name}"),
        )
        source.start()
        return source

    def closed_loop(self, client: Client, requests: int, concurrency: int) -> ClosedLoop:
        source = ClosedLoop(self.loop, self.ledger, "ab", "shop", client, requests, concurrency)
        source.start()
        return source
