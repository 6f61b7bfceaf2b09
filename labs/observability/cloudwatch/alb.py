"""The Application Load Balancer's metrics, namespace ``AWS/ApplicationELB``.

Reads a ledger of finished requests; decides nothing. Published each minute for the minute before. A counter at
zero is not published, a latency without requests neither; host counts are gauges and always there. A counter is
stored as so many samples of the value 1, hence Minimum = Maximum = Average = 1 and Sum is the count.
Source of metrics and dimension sets: "CloudWatch metrics for your Application Load Balancer".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labs.observability.cloudwatch.store import Dimensions
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, SECOND_NS

_Part = TypeVar("_Part")

NAMESPACE = "AWS/ApplicationELB"

READABLE_AFTER_NS = 60 * SECOND_NS
"""From the end of a minute to the first read of its data. Unpublished; production shows one to two minutes."""

BEFORE_ALARMS = 50
"""Loop priority of a publication: after the traffic, before the alarms of the same instant."""


@dataclass(frozen=True, slots=True)
class TargetMinute:
    """What one target group did in one zone during one minute.

    ``requests`` counts requests for which a target was chosen, ``responses`` those that a target answered, by
    the first digit of the status; ``response_times_s`` has one entry for each answer.
    """

    load_balancer: str
    target_group: str
    availability_zone: str
    requests: int
    responses: Mapping[int, int]
    response_times_s: NDArray[np.float64]
    healthy_hosts: int
    unhealthy_hosts: int
    connection_errors: int = 0


@dataclass(frozen=True, slots=True)
class BalancerMinute:
    """What one load balancer did by itself in one zone; ``generated`` counts its own replies by status code."""

    load_balancer: str
    availability_zone: str
    generated: Mapping[int, int] = field(default_factory=dict)
    rejected_connections: int = 0
    new_connections: int = 0
    active_connections: int = 0


class RequestLedger(Protocol):
    """What happened, by minute. Load balancers and target groups are named by the tails of their ARNs."""

    def target_minutes(self, start_ns: int) -> Iterable[TargetMinute]:
        """Each target group in each zone, for the minute that begins at ``start_ns``."""
        ...

    def balancer_minutes(self, start_ns: int) -> Iterable[BalancerMinute]:
        """Each load balancer in each zone, for the minute that begins at ``start_ns``."""
        ...


class MetricSink(Protocol):
    """Where publishers write (``service.CloudWatch``)."""

    def put(
        self,
        namespace: str,
        metric: str,
        dimensions: Dimensions,
        timestamp_ns: int,
        values: float | ArrayLike,
        counts: ArrayLike | None = None,
        *,
        unit: str = "None",
        available_at_ns: int | None = None,
    ) -> None:
        """See ``service.CloudWatch.put``."""
        ...


class AlbPublisher:
    """Publishes each whole minute after ``start``."""

    def __init__(self, loop: Loop, sink: MetricSink, ledger: RequestLedger) -> None:
        self._loop = loop
        self._sink = sink
        self._ledger = ledger

    def start(self) -> None:
        """Begins with the minute that is running."""
        next_ns = self._loop.now_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self._loop.at(next_ns, self._publish, priority=BEFORE_ALARMS)

    def _publish(self) -> None:
        minute_ns = self._loop.now_ns - MINUTE_NS
        minute = _Minute(self._sink, minute_ns, self._loop.now_ns + READABLE_AFTER_NS)
        minute.publish_targets(list(self._ledger.target_minutes(minute_ns)))
        minute.publish_balancers(list(self._ledger.balancer_minutes(minute_ns)))
        self._loop.at(self._loop.now_ns + MINUTE_NS, self._publish, priority=BEFORE_ALARMS)


@dataclass(frozen=True, slots=True)
class _Minute:
    sink: MetricSink
    start_ns: int
    available_ns: int

    def publish_targets(self, parts: Sequence[TargetMinute]) -> None:
        for dimensions, members in _grouped(parts, _request_sets).items():
            self._count(dimensions, "RequestCount", sum(member.requests for member in members))
            for digit in (2, 3, 4, 5):
                answered = sum(member.responses.get(digit, 0) for member in members)
                self._count(dimensions, f"HTTPCode_Target_{digit}XX_Count", answered)
            errors = sum(member.connection_errors for member in members)
            self._count(dimensions, "TargetConnectionErrorCount", errors)
            times_s = np.concatenate([member.response_times_s for member in members])
            if times_s.size:
                self._put(dimensions, "TargetResponseTime", times_s, None, "Seconds")
        for dimensions, members in _grouped(parts, _host_sets).items():
            self._gauge(dimensions, "HealthyHostCount", sum(member.healthy_hosts for member in members))
            self._gauge(dimensions, "UnHealthyHostCount", sum(member.unhealthy_hosts for member in members))
        for dimensions, members in _grouped(parts, _per_target_sets).items():
            requests, hosts = sum(m.requests for m in members), sum(m.healthy_hosts for m in members)
            if requests and hosts:
                self._gauge(dimensions, "RequestCountPerTarget", requests / hosts)

    def publish_balancers(self, parts: Sequence[BalancerMinute]) -> None:
        for dimensions, members in _grouped(parts, _balancer_sets).items():
            codes: dict[int, int] = {}
            for member in members:
                for code, count in member.generated.items():
                    codes[code] = codes.get(code, 0) + count
            for digit in (3, 4, 5):
                generated = sum(count for code, count in codes.items() if code // 100 == digit)
                self._count(dimensions, f"HTTPCode_ELB_{digit}XX_Count", generated)
            for code in (500, 502, 503, 504):
                self._count(dimensions, f"HTTPCode_ELB_{code}_Count", codes.get(code, 0))
            self._count(dimensions, "RejectedConnectionCount", sum(m.rejected_connections for m in members))
            self._count(dimensions, "NewConnectionCount", sum(m.new_connections for m in members))
            active = sum(member.active_connections for member in members)
            if active:
                self._gauge(dimensions, "ActiveConnectionCount", active)

    def _count(self, dimensions: Dimensions, metric: str, count: int) -> None:
        if count:
            self._put(dimensions, metric, [1.0], [float(count)], "Count")

    def _gauge(self, dimensions: Dimensions, metric: str, value: float) -> None:
        self._put(dimensions, metric, float(value), None, "Count")

    def _put(
        self,
        dimensions: Dimensions,
        metric: str,
        values: float | ArrayLike,
        counts: list[float] | None,
        unit: str,
    ) -> None:
        self.sink.put(
            NAMESPACE,
            metric,
            dimensions,
            self.start_ns,
            values,
            counts,
            unit=unit,
            available_at_ns=self.available_ns,
        )


def _grouped(parts: Iterable[_Part], sets_of: Callable[[_Part], list[Dimensions]]) -> dict[Dimensions, list[_Part]]:
    """The parts that belong to each dimension set."""
    groups: dict[Dimensions, list[_Part]] = {}
    for part in parts:
        for dimensions in sets_of(part):
            groups.setdefault(dimensions, []).append(part)
    return groups


def _request_sets(part: TargetMinute) -> list[Dimensions]:
    balancer, group, zone = _dimensions(part.load_balancer, part.target_group, part.availability_zone)
    return [(balancer,), (zone, balancer), (balancer, group), (zone, balancer, group)]


def _host_sets(part: TargetMinute) -> list[Dimensions]:
    return _request_sets(part)[2:]


def _per_target_sets(part: TargetMinute) -> list[Dimensions]:
    balancer, group, _ = _dimensions(part.load_balancer, part.target_group, "")
    return [(balancer, group), (group,)]


def _balancer_sets(part: BalancerMinute) -> list[Dimensions]:
    balancer, _, zone = _dimensions(part.load_balancer, "", part.availability_zone)
    return [(balancer,), (zone, balancer)]


def _dimensions(balancer: str, group: str, zone: str) -> Dimensions:
    return (("LoadBalancer", balancer), ("TargetGroup", group), ("AvailabilityZone", zone))
