"""Scaling a Deployment while several of its ReplicaSets have pods: each gets its share.

Source: kubernetes/kubernetes pkg/controller/deployment/sync.go (scale) and deployment/util/deployment_util.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labs.controlplane.deployment.facts import Deployment, ReplicaSet, Scaling
from labs.controlplane.deployment.limits import max_surge
from labs.controlplane.deployment.rolling import total_replicas

_COUNT = re.compile("[+-]?[0-9]+", re.ASCII)


def annotation_value(text: str | None) -> int | None:
    """``getNonNegativeInt32FromAnnotation``: the count, or None when it is absent or none."""
    if text is None or _COUNT.fullmatch(text) is None:
        return None
    count = int(text)
    return count if 0 <= count < 2**31 else None


def needs_annotations(deployment: Deployment, item: ReplicaSet) -> bool:
    """``ReplicasAnnotationsNeedUpdate``."""
    wanted = (str(deployment.replicas), str(deployment.replicas + max_surge(deployment)))
    return (item.desired_annotation, item.max_annotation) != wanted


def is_saturated(deployment: Deployment, item: ReplicaSet | None) -> bool:
    """Whether the set alone has all the pods that the Deployment wants, and all are available."""
    if item is None:
        return False
    wanted = deployment.replicas
    return item.replicas == annotation_value(item.desired_annotation) == item.available_replicas == wanted


def active_or_latest(new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> ReplicaSet | None:
    """The one set that asks for pods, or the newest when none does; None when several do."""
    sets = [*old, *([new] if new else [])]
    active = [item for item in sets if item.replicas > 0]
    if len(active) > 1 or not sets:
        return None
    if active:
        return active[0]
    return new or max(old, key=lambda item: item.age_order)


def proportion(deployment: Deployment, item: ReplicaSet, to_add: int, added: int) -> int:
    """``GetReplicaSetProportion``: how many of ``to_add`` the set gets when ``added`` are given out already."""
    if item.replicas == 0 or to_add in (0, added):
        return 0
    share = _fraction(deployment, item)
    return min(share, to_add - added) if to_add > 0 else max(share, to_add - added)


def _fraction(deployment: Deployment, item: ReplicaSet) -> int:
    if deployment.replicas == 0:
        return -item.replicas
    before = annotation_value(item.max_annotation) or deployment.status.replicas
    if before == 0:
        return 0
    size = item.replicas * (deployment.replicas + max_surge(deployment)) / before
    # Go's RoundToInt32: half away from zero, unlike Python's round.
    return int(size - 0.5 if size < 0 else size + 0.5) - item.replicas


def plan_scale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> list[Scaling]:
    """``DeploymentController.scale``: the new sizes in the order in which they are written."""
    # Looking for that one set has upstream's list sorted by now.
    old = sorted(old, key=lambda item: item.age_order, reverse=True)
    single = active_or_latest(new, old)
    if single is not None:
        return [] if single.replicas == deployment.replicas else [Scaling(single.name, deployment.replicas)]
    if is_saturated(deployment, new):
        return [Scaling(item.name, 0) for item in old if item.replicas > 0]
    if deployment.strategy != "RollingUpdate":
        return []
    active = [item for item in [*old, *([new] if new else [])] if item.replicas > 0]
    return [
        scaling
        for scaling, item in _shares(deployment, active)
        if scaling.replicas != item.replicas or needs_annotations(deployment, item)
    ]


def _shares(deployment: Deployment, active: list[ReplicaSet]) -> list[tuple[Scaling, ReplicaSet]]:
    allowed = deployment.replicas + max_surge(deployment) if deployment.replicas > 0 else 0
    to_add = allowed - total_replicas(active)
    if to_add != 0:
        # The largest first; of two alike, the newer grows first and the older shrinks first.
        active = sorted(active, key=lambda item: item.age_order, reverse=to_add > 0)
        active.sort(key=lambda item: -item.replicas)
    sizes, added = [], 0
    for item in active:
        share = proportion(deployment, item, to_add, added)
        sizes.append(item.replicas + share)
        added += share
    if active and to_add != 0:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return [(Scaling(item.name, size), item) for item, size in zip(active, sizes, strict=True)]
