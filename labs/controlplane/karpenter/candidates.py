"""Which nodes may be disrupted now, in which order, and how many: the rules before any consolidation.

Source: kubernetes-sigs/karpenter pkg/controllers/disruption/{types,helpers}.go, pkg/utils/disruption/disruption.go,
pkg/controllers/nodeclaim/disruption/consolidation.go, pkg/controllers/nodeclaim/podevents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object, WatchEvent
from labs.controlplane.karpenter.cluster import (
    INITIALIZED,
    ClusterState,
    ManagedNode,
    is_owned_by_daemon_set,
    is_reschedulable,
    is_true,
)
from labs.controlplane.karpenter.requirements import CAPACITY_TYPE, INSTANCE_TYPE, NODEPOOL, ZONE
from labs.controlplane.pods import condition_of, is_active, is_terminal
from labs.units import SECOND_NS, parse_duration, parse_rfc3339

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
POD_EVENT_PERIOD_NS = 10 * SECOND_NS
EVICTION_COST_MAX = 10.0
DEFAULT_BUDGETS = ({"nodes": "10%"},)
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class DisruptionCandidate:
    """A node that may be disrupted."""

    managed: ManagedNode
    pool: Object
    pods: tuple[Object, ...]
    """Its pods that would need another node."""
    price_usd_per_hour: float
    cost: float

    @property
    def name(self) -> str:
        """The node's name."""
        return self.managed.name

    @property
    def pool_name(self) -> str:
        """The NodePool's name."""
        name: str = self.pool["metadata"]["name"]
        return name


def eviction_cost(pod: Object) -> float:
    """How much a pod minds being moved: 1, more or less by its deletion cost and priority, within ±10."""
    annotations = pod["metadata"].get("annotations") or {}
    text = annotations.get(DELETION_COST, "0")
    deletion_cost = int(text) if text.lstrip("-").isdigit() else 0
    priority = pod["spec"].get("priority") or 0
    cost = 1.0 + deletion_cost / 2**27 + priority / 2**25
    return min(max(cost, -EVICTION_COST_MAX), EVICTION_COST_MAX)


def budget_allowed(budgets: tuple[Mapping[str, Any], ...], reason: str, nodes: int) -> int:
    """How many of a pool's ``nodes`` may be disrupted at once for a reason; budgets with a schedule are left out."""
    allowed = nodes
    for budget in budgets:
        reasons = budget.get("reasons")
        if budget.get("schedule") or (reasons and reason not in reasons):
            continue
        text = str(budget.get("nodes", "10%"))
        limit = math.ceil(nodes * int(text[:-1]) / 100) if text.endswith("%") else int(text)
        allowed = min(allowed, limit)
    return allowed


class Candidates:
    """Finds candidates; remembers when each node's pods last changed, for ``consolidateAfter``."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        self._client = client
        self._state = state
        self._pod_event_ns: dict[str, int] = {}

    def start(self) -> None:
        """Watch pods come, end and go."""
        self._client.subscribe("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        pod, before = event.object, event.previous
        node = pod["spec"].get("nodeName")
        if not node or is_owned_by_daemon_set(pod):
            return
        was_bound = before is not None and before["spec"].get("nodeName")
        is_event = (
            not was_bound
            or (before is not None and is_terminal(pod) != is_terminal(before))
            or (
                before is not None
                and ("deletionTimestamp" in pod["metadata"]) != ("deletionTimestamp" in before["metadata"])
            )
            or event.type == "DELETED"
        )
        now_ns = self._client.now_ns
        if is_event and now_ns - self._pod_event_ns.get(node, -POD_EVENT_PERIOD_NS) >= POD_EVENT_PERIOD_NS:
            self._pod_event_ns[node] = now_ns

    def find(self, nominated: frozenset[str]) -> list[DisruptionCandidate]:
        """The nodes that may be disrupted, cheapest disruption first."""
        pools = {pool["metadata"]["name"]: pool for pool in self._client.list("nodepools.karpenter.sh")}
        prices = self._prices()
        found = []
        for managed in self._state.managed_nodes():
            pool = pools.get(managed.labels.get(NODEPOOL, ""))
            if pool is None or managed.node is None or managed.is_leaving or managed.name in nominated:
                continue
            if managed.labels.get(INITIALIZED) != "true":
                continue
            pods = [pod for pod in self._client.pods_on_node(managed.name) if is_active(pod)]
            if self._is_protected(managed.node, pods):
                continue
            moved = tuple(pod for pod in pods if is_reschedulable(pod))
            price = prices.get(tuple(managed.labels.get(key, "") for key in (CAPACITY_TYPE, INSTANCE_TYPE, ZONE)), 0.0)
            cost = 1.0 + sum(max(0.0, eviction_cost(pod)) for pod in moved)
            found.append(DisruptionCandidate(managed, pool, moved, price, cost))
        return sorted(found, key=lambda item: (-item.price_usd_per_hour / item.cost, item.name))

    def _prices(self) -> dict[tuple[str, ...], float]:
        return {
            (offering.capacity_type, item.name, offering.zone): offering.price_usd_per_hour
            for item in self._state.cloud.instance_types()
            for offering in item.offerings
        }

    def _is_protected(self, node: Object, pods: list[Object]) -> bool:
        for obj in (node, *pods):
            if (obj["metadata"].get("annotations") or {}).get(DO_NOT_DISRUPT) == "true":
                return True
        budgets = self._client.list("poddisruptionbudgets.policy")
        for pod in pods:
            if not is_reschedulable(pod):
                continue
            for budget in budgets:
                if budget["metadata"]["namespace"] != pod["metadata"].get("namespace"):
                    continue
                selector = selector_from_label_selector(budget["spec"].get("selector"))
                allows = (budget.get("status") or {}).get("disruptionsAllowed", 0) > 0
                if not allows and selector.matches(pod["metadata"].get("labels") or {}):
                    return True
        return False

    def is_consolidatable(self, candidate: DisruptionCandidate) -> bool:
        """Whether the node's pods have been at rest for ``consolidateAfter``."""
        after = candidate.pool["spec"].get("disruption", {}).get("consolidateAfter", "0s")
        if after == "Never":
            return False
        initialized = condition_of(candidate.managed.claim, "Initialized")
        assert initialized is not None
        since_ns = parse_rfc3339(initialized["lastTransitionTime"])
        last_ns = max(since_ns, self._pod_event_ns.get(candidate.name, 0))
        return self._client.now_ns - last_ns >= parse_duration(after)

    def within_budgets(self, candidates: list[DisruptionCandidate], reason: str) -> list[DisruptionCandidate]:
        """The candidates that the budgets of their pools leave, in the same order."""
        left = {}
        managed = self._state.managed_nodes()
        for pool_name, pool in {item.pool_name: item.pool for item in candidates}.items():
            own = [item for item in managed if item.labels.get(NODEPOOL) == pool_name and item.node is not None]
            initialized = [item for item in own if item.labels.get(INITIALIZED) == "true"]
            busy = sum(1 for item in initialized if item.is_leaving or not is_true(item.node or {}, "Ready"))
            budgets = tuple(pool["spec"].get("disruption", {}).get("budgets") or DEFAULT_BUDGETS)
            left[pool_name] = max(budget_allowed(budgets, reason, len(initialized)) - busy, 0)
        kept = []
        for candidate in candidates:
            if left[candidate.pool_name] > 0:
                left[candidate.pool_name] -= 1
                kept.append(candidate)
        return kept
