"""How much of a zone is down, and how fast nodes in it may be tainted NoExecute.

Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go (ComputeZoneState, setLimiterInZone,
ReducedQPSFunc) and scheduler/rate_limited_queue.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from labs.controlplane.rate_limit import TokenBucket

EVICTION_BURST = 1
UNHEALTHY_ZONE_THRESHOLD = 0.55


class ZoneState(Enum):
    """State of a zone; Initial is a zone that no pass has judged yet."""

    INITIAL = "Initial"
    NORMAL = "Normal"
    PARTIAL_DISRUPTION = "PartialDisruption"
    FULL_DISRUPTION = "FullDisruption"


@dataclass(frozen=True, slots=True)
class EvictionLimits:
    """Flags of kube-controller-manager: rates in nodes per second."""

    node_eviction_rate: float = 0.1
    secondary_node_eviction_rate: float = 0.01
    unhealthy_zone_threshold: float = UNHEALTHY_ZONE_THRESHOLD
    large_cluster_size_threshold: int = 50


def zone_state(ready: Sequence[bool], threshold: float = UNHEALTHY_ZONE_THRESHOLD) -> ZoneState:
    """State of a zone, from whether each of its nodes is ready (Unknown and missing count as not ready)."""
    unhealthy = ready.count(False)
    if unhealthy and unhealthy == len(ready):
        return ZoneState.FULL_DISRUPTION
    if unhealthy > 2 and unhealthy / len(ready) >= threshold:
        return ZoneState.PARTIAL_DISRUPTION
    return ZoneState.NORMAL


def eviction_rate(state: ZoneState, zone_size: int, limits: EvictionLimits) -> float:
    """Nodes per second that may be tainted in a zone; 0 stops it."""
    if state is not ZoneState.PARTIAL_DISRUPTION:
        return limits.node_eviction_rate
    return limits.secondary_node_eviction_rate if zone_size > limits.large_cluster_size_threshold else 0.0


class TaintQueue:
    """Nodes of one zone that wait for their NoExecute taint, oldest first, at a limited rate."""

    def __init__(self, rate: float, now_ns: int) -> None:
        self._waiting: dict[str, None] = {}
        self._is_tainted: dict[str, None] = {}
        self._rate = rate
        self._bucket: TokenBucket | None = TokenBucket(rate, EVICTION_BURST, now_ns) if rate else None

    @property
    def is_moving(self) -> bool:
        """Whether a node waits and the rate is not 0."""
        return bool(self._waiting) and self._bucket is not None

    def set_rate(self, rate: float, now_ns: int) -> None:
        """Change the rate; a used-up bucket stays used up."""
        if rate == self._rate:
            return
        was_empty = self._bucket is not None and not self._bucket.try_take(now_ns)
        self._rate = rate
        self._bucket = TokenBucket(rate, EVICTION_BURST, now_ns) if rate else None
        if was_empty and self._bucket is not None:
            self._bucket.try_take(now_ns)

    def add(self, node: str) -> None:
        """Queue a node, unless it is queued or was handled and has not been removed since."""
        if node not in self._is_tainted:
            self._waiting.setdefault(node)

    def remove(self, node: str) -> None:
        """Forget a node: it may be queued again."""
        self._waiting.pop(node, None)
        self._is_tainted.pop(node, None)

    def take(self, now_ns: int) -> str | None:
        """The next node that may be tainted now, or None."""
        if not self._waiting or self._bucket is None or not self._bucket.try_take(now_ns):
            return None
        node = next(iter(self._waiting))
        del self._waiting[node]
        self._is_tainted[node] = None
        return node
