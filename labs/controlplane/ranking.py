"""Which pods a ReplicaSet deletes first.

Source: kubernetes/kubernetes pkg/controller/controller_utils.go (ActivePodsWithRanks) and
pkg/apis/core/v1/helper/helpers.go (GetDeletionCostFromPodAnnotations).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key

from labs.api.store import Object
from labs.controlplane.pods import is_active, is_ready, phase_of, ready_since_ns
from labs.units import parse_rfc3339

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}
_COST = re.compile("-[0-9]+|[1-9][0-9]*|0", re.ASCII)
_LN_2 = math.log(2)


@dataclass(frozen=True, slots=True)
class RankedPod:
    """What decides about a pod's place; ``related_on_node`` counts the controller's active pods on its node.

    ``ready_since_ns`` and ``created_ns`` are None where the pod does not say.
    """

    uid: str
    node: str
    phase: str
    is_ready: bool
    ready_since_ns: int | None
    deletion_cost: int
    related_on_node: int
    restarts: int
    sidecar_restarts: int
    created_ns: int | None


def deletion_cost(text: str | None) -> int:
    """The annotation as a number; 0 when it is absent or not a plain 32-bit integer."""
    if text is None or _COST.fullmatch(text) is None:
        return 0
    cost = int(text)
    return cost if -(2**31) <= cost < 2**31 else 0


def is_deleted_before(first: RankedPod, second: RankedPod, now_ns: int | None) -> bool:
    """``ActivePodsWithRanks.Less``; without ``now_ns`` ages are compared as they are, not by their logarithm."""
    if first.node != second.node and not (first.node and second.node):
        return not first.node
    for one, other in (
        (_PHASE_ORDER.get(first.phase, 0), _PHASE_ORDER.get(second.phase, 0)),
        (first.is_ready, second.is_ready),
        (first.deletion_cost, second.deletion_cost),
        (-first.related_on_node, -second.related_on_node),
    ):
        if one != other:
            return one < other
    if first.is_ready and second.is_ready and first.ready_since_ns != second.ready_since_ns:
        return _is_newer(first, second, first.ready_since_ns, second.ready_since_ns, now_ns)
    if first.restarts != second.restarts:
        return first.restarts > second.restarts
    if first.sidecar_restarts != second.sidecar_restarts:
        return first.sidecar_restarts > second.sidecar_restarts
    if first.created_ns != second.created_ns:
        return _is_newer(first, second, first.created_ns, second.created_ns, now_ns)
    return False


def _is_newer(
    first: RankedPod, second: RankedPod, first_ns: int | None, second_ns: int | None, now_ns: int | None
) -> bool:
    if first_ns is None or second_ns is None:
        return first_ns is None
    if now_ns is None:
        return first_ns > second_ns
    difference = _age_bucket(now_ns - first_ns) - _age_bucket(now_ns - second_ns)
    return first.uid < second.uid if difference == 0 else difference < 0


def _age_bucket(age_ns: int) -> int:
    """``int64(math.Log2(float64(age)))`` in Go's own steps, since they round up just below a power of two."""
    if age_ns <= 0:
        return -1
    fraction, exponent = math.frexp(age_ns)
    if fraction == 0.5:
        return exponent - 1
    return int(math.log(fraction) * (1 / _LN_2) + exponent)


def rank_for_deletion(pods: Iterable[RankedPod], now_ns: int | None) -> list[RankedPod]:
    """The pods, those to be deleted first in front; pods that nothing tells apart go by uid."""

    def compare(first: RankedPod, second: RankedPod) -> int:
        if is_deleted_before(first, second, now_ns):
            return -1
        return 1 if is_deleted_before(second, first, now_ns) else 0

    return sorted(sorted(pods, key=lambda pod: pod.uid), key=cmp_to_key(compare))


def choose_for_deletion(pods: list[Object], related: Iterable[Object], count: int, now_ns: int) -> list[Object]:
    """The ``count`` of ``pods`` to delete; ``related`` are all pods of the same controller's ReplicaSets."""
    if count >= len(pods):
        return pods
    on_node = Counter(pod["spec"].get("nodeName", "") for pod in related if is_active(pod))
    by_uid = {pod["metadata"]["uid"]: pod for pod in pods}
    ranked = rank_for_deletion((ranked_pod(pod, on_node[pod["spec"].get("nodeName", "")]) for pod in pods), now_ns)
    return [by_uid[pod.uid] for pod in ranked[:count]]


def ranked_pod(pod: Object, related_on_node: int) -> RankedPod:
    """What of a pod decides about its place."""
    metadata = pod["metadata"]
    restarts, sidecar_restarts = _max_restarts(pod)
    created = metadata.get("creationTimestamp")
    return RankedPod(
        uid=metadata["uid"],
        node=pod["spec"].get("nodeName", ""),
        phase=phase_of(pod),
        is_ready=is_ready(pod),
        ready_since_ns=ready_since_ns(pod),
        deletion_cost=deletion_cost((metadata.get("annotations") or {}).get(DELETION_COST)),
        related_on_node=related_on_node,
        restarts=restarts,
        sidecar_restarts=sidecar_restarts,
        created_ns=parse_rfc3339(created) if created else None,
    )


def _max_restarts(pod: Object) -> tuple[int, int]:
    """The highest restart count of the containers, and of the sidecars (init containers that stay)."""
    status = pod.get("status") or {}
    sidecars = {
        container["name"]
        for container in pod["spec"].get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    regular = [item.get("restartCount", 0) for item in status.get("containerStatuses") or ()]
    side = [
        item.get("restartCount", 0) for item in status.get("initContainerStatuses") or () if item["name"] in sidecars
    ]
    return max(regular, default=0), max(side, default=0)
