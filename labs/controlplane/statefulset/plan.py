"""What a StatefulSet does next: which pods to create, delete and replace, and which wait for others.

Source: kubernetes/kubernetes pkg/controller/statefulset/stateful_set_control.go (updateStatefulSet, processReplica,
processCondemned, updateStatefulSetAfterInvariantEstablished).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.controlplane.intstr import scaled_value


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod of a set, by its ordinal."""

    ordinal: int
    revision: str
    is_ready: bool
    is_available: bool
    is_leaving: bool = False
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """Where a set's pods begin (``start``), how many there are, and whether each waits for the one before."""

    start: int
    count: int
    is_ordered: bool
    partition: int = 0
    max_unavailable: int = 1
    replaces_old: bool = True

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Order:
        """From a StatefulSet's spec. ``maxUnavailable`` in percent is rounded up, and is at least one."""
        strategy = spec.get("updateStrategy") or {}
        rolling = strategy.get("rollingUpdate") or {}
        limit = scaled_value(rolling.get("maxUnavailable", 1), spec["replicas"], rounds_up=True)
        return cls(
            start=(spec.get("ordinals") or {}).get("start", 0),
            count=spec["replicas"],
            is_ordered=spec.get("podManagementPolicy") != "Parallel",
            partition=rolling.get("partition", 0),
            max_unavailable=max(1, limit),
            replaces_old=strategy.get("type") != "OnDelete",
        )

    def __contains__(self, ordinal: int) -> bool:
        return self.start <= ordinal < self.start + self.count

    def keeps_current(self, ordinal: int) -> bool:
        """Whether a pod made now stays at the current revision, not the updated one."""
        return self.replaces_old and ordinal < self.start + self.partition


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordinals to act on, in order. ``replace``: ended pods, deleted to be made anew."""

    create: tuple[int, ...] = ()
    replace: tuple[int, ...] = ()
    scale_down: tuple[int, ...] = ()
    update: tuple[int, ...] = ()


def plan(order: Order, replicas: Iterable[Replica], update_revision: str) -> Plan:
    """The next step: fill and mend first, then shrink, then replace old pods from the highest ordinal down."""
    by_ordinal = {replica.ordinal: replica for replica in replicas}
    create: list[int] = []
    replace: list[int] = []
    for ordinal in range(order.start, order.start + order.count):
        replica = by_ordinal.get(ordinal)
        if replica is None:
            create.append(ordinal)
        elif replica.has_ended and not replica.is_leaving:
            replace.append(ordinal)
        elif not order.is_ordered or (replica.is_available and not replica.is_leaving):
            continue
        if order.is_ordered:
            return Plan(tuple(create), tuple(replace))
    condemned = [by_ordinal[ordinal] for ordinal in sorted(by_ordinal, reverse=True) if ordinal not in order]
    scale_down, is_waiting = _scale_down(order, condemned, by_ordinal)
    if is_waiting or create or replace:
        return Plan(tuple(create), tuple(replace), scale_down)
    return Plan(scale_down=scale_down, update=_update(order, by_ordinal, update_revision))


def _scale_down(
    order: Order, condemned: Sequence[Replica], by_ordinal: Mapping[int, Replica]
) -> tuple[tuple[int, ...], bool]:
    """Condemned pods to delete now, and whether the rest of the sync waits for them."""
    if not order.is_ordered:
        return tuple(replica.ordinal for replica in condemned if not replica.is_leaving), False
    if not condemned:
        return (), False
    last = condemned[0]
    unhealthy = [ordinal for ordinal in sorted(by_ordinal) if not by_ordinal[ordinal].is_ready]
    is_blocked = not last.is_available and unhealthy[:1] not in ([], [last.ordinal])
    return () if last.is_leaving or is_blocked else (last.ordinal,), True


def _update(order: Order, by_ordinal: Mapping[int, Replica], update_revision: str) -> tuple[int, ...]:
    if not order.replaces_old:
        return ()
    members = [by_ordinal[ordinal] for ordinal in sorted(by_ordinal, reverse=True) if ordinal in order]
    unavailable = sum(replica.is_leaving or not replica.is_available for replica in members)
    old = [
        replica.ordinal
        for replica in members
        if replica.revision != update_revision
        and not replica.is_leaving
        and replica.ordinal >= order.start + order.partition
    ]
    return tuple(old[: max(0, order.max_unavailable - unavailable)])
