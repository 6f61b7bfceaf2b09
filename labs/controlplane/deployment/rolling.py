"""One step of a rolling update: first the new ReplicaSet up, else the old ones down.

Source: kubernetes/kubernetes pkg/controller/deployment/rolling.go and deployment/util (NewRSNewReplicas).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labs.controlplane.deployment.facts import Deployment, ReplicaSet, Scaling
from labs.controlplane.deployment.limits import max_unavailable
from labs.controlplane.intstr import scaled_value


@dataclass(frozen=True, slots=True)
class Plan:
    """What to scale, in order; ``error`` is why the plan ends there, empty when it does not."""

    scalings: tuple[Scaling, ...] = ()
    error: str = ""


def total_replicas(sets: Iterable[ReplicaSet]) -> int:
    """Sum of what is asked for."""
    return sum(item.replicas for item in sets)


def new_replicas(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet) -> int:
    """``NewRSNewReplicas``: the size of the new set next; ``sets`` are all, the new one included.

    Raises ValueError for a strategy or a surge that validation would refuse.
    """
    if deployment.strategy == "Recreate":
        return deployment.replicas
    if deployment.strategy != "RollingUpdate":
        raise ValueError(f"deployment type {deployment.strategy} isn't supported")
    most = deployment.replicas + scaled_value(deployment.max_surge, deployment.replicas, rounds_up=True)
    current = total_replicas(sets)
    if current >= most:
        return new.replicas
    return new.replicas + min(most - current, deployment.replicas - new.replicas)


def plan_new(deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet) -> Plan:
    """``reconcileNewReplicaSet``: at most one scaling, of the new set."""
    if new.replicas == deployment.replicas:
        return Plan()
    if new.replicas > deployment.replicas:
        return Plan((Scaling(new.name, deployment.replicas),))
    size = new_replicas(deployment, sets, new)
    return Plan() if size == new.replicas else Plan((Scaling(new.name, size),))


def plan_old(deployment: Deployment, sets: Sequence[ReplicaSet], old: Sequence[ReplicaSet], new: ReplicaSet) -> Plan:
    """``reconcileOldReplicaSets``: unhealthy pods go first, then as many as availability allows.

    ``sets`` are all, ``old`` the old ones that ask for pods.
    """
    if total_replicas(old) == 0:
        return Plan()
    least = deployment.replicas - max_unavailable(deployment)
    budget = total_replicas(sets) - least - (new.replicas - new.available_replicas)
    if budget <= 0:
        return Plan()
    cleaned = _clean_unhealthy(old, budget)
    if cleaned.error:
        return cleaned
    sizes = {scaling.name: scaling.replicas for scaling in cleaned.scalings}
    remaining = [replace(item, replicas=sizes.get(item.name, item.replicas)) for item in old]
    available = sum(item.available_replicas for item in remaining) + new.available_replicas
    return Plan(cleaned.scalings + _scale_down_old(remaining, available - least))


def _clean_unhealthy(old: Sequence[ReplicaSet], budget: int) -> Plan:
    scalings: list[Scaling] = []
    for item in sorted(old, key=lambda one: one.age_order):
        if budget <= 0:
            break
        if item.replicas in (0, item.available_replicas):
            continue
        cut = min(budget, item.replicas - item.available_replicas)
        if cut < 0:
            # The set's status still counts pods of its former size.
            why = f"got invalid request to scale down {item.name} {item.replicas} -> {item.replicas - cut}"
            return Plan(tuple(scalings), f"when cleaning up unhealthy replicas, {why}")
        scalings.append(Scaling(item.name, item.replicas - cut))
        budget -= cut
    return Plan(tuple(scalings))


def _scale_down_old(old: Sequence[ReplicaSet], budget: int) -> tuple[Scaling, ...]:
    scalings: list[Scaling] = []
    for item in sorted(old, key=lambda one: one.age_order):
        if budget <= 0:
            break
        if item.replicas > 0:
            cut = min(item.replicas, budget)
            scalings.append(Scaling(item.name, item.replicas - cut))
            budget -= cut
    return tuple(scalings)
