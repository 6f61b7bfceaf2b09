"""Where pending pods would go: on nodes that exist, on nodes that are planned, or on new ones. Pure.

Source: kubernetes-sigs/karpenter pkg/controllers/provisioning/scheduling/{scheduler,nodeclaim,existingnode,queue}.go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.scheduling import Amounts, untolerated_taint
from labs.controlplane.karpenter.catalogue import Candidate, fits, total
from labs.controlplane.karpenter.demand import Demand
from labs.controlplane.karpenter.requirements import HOSTNAME, NODEPOOL, Requirement, Requirements
from labs.controlplane.karpenter.topology import Topology

INSTANCE_TYPES_MAX = 600
SOLVER_EFFECTS = ("NoSchedule", "NoExecute", "PreferNoSchedule")


@dataclass(frozen=True, slots=True)
class Pool:
    """A NodePool as the solver sees it. ``limits`` and ``used`` are amounts over the whole pool."""

    name: str
    weight: int
    requirements: Requirements
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    candidates: tuple[Candidate, ...]
    daemon_requests: Mapping[str, int]
    limits: Mapping[str, int]
    used: Mapping[str, int]


@dataclass(slots=True)
class ExistingNode:
    """A node, or one that is on its way, with the room it has left."""

    name: str
    claim_name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]
    free: Amounts
    is_initialized: bool
    requirements: Requirements = field(init=False)
    demands: list[Demand] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.requirements = Requirements.from_labels(self.labels)

    def add(self, demand: Demand, topology: Topology) -> bool:
        """Place the pod here if it may and can be."""
        if untolerated_taint(self.taints, demand.tolerations, SOLVER_EFFECTS) is not None:
            return False
        if not fits(demand.requests, self.free):
            return False
        asked = demand.node_requirements
        if not self.requirements.is_compatible(asked, may_define_well_known=False):
            return False
        narrowed = topology.narrow(demand, asked, self.requirements)
        if narrowed is None or not self.requirements.is_compatible(Requirements(narrowed), may_define_well_known=False):
            return False
        self.free = total(self.free, {name: -amount for name, amount in demand.requests.items()})
        self.demands.append(demand)
        topology.record(demand, self.requirements)
        return True


@dataclass(slots=True)
class PlannedClaim:
    """A node to buy: requirements over its pods, and the instance types that still fit."""

    pool: Pool
    requirements: Requirements
    candidates: list[Candidate]
    requests: Amounts
    demands: list[Demand] = field(default_factory=list)

    def add(self, demand: Demand, topology: Topology) -> str:
        """Place the pod here; returns why not, or an empty text."""
        taint = untolerated_taint(self.pool.taints, demand.tolerations, SOLVER_EFFECTS)
        if taint is not None:
            return f"did not tolerate taint {taint['key']}={taint.get('value', '')}:{taint['effect']}"
        asked = demand.node_requirements
        if not self.requirements.is_compatible(asked, may_define_well_known=True):
            return "incompatible requirements"
        requirements = self.requirements.with_added(asked)
        narrowed = topology.narrow(demand, asked, requirements)
        if narrowed is None:
            return "unsatisfiable topology constraint"
        requirements = requirements.with_added(narrowed)
        if any(item.is_impossible for item in requirements):
            return "unsatisfiable topology constraint"
        requests = total(self.requests, demand.requests)
        candidates = fitting(self.candidates, requirements, requests)
        if not candidates:
            return "no instance type satisfied resources and requirements"
        self.requirements, self.requests, self.candidates = requirements, requests, candidates
        self.demands.append(demand)
        topology.record(demand, requirements)
        return ""

    @property
    def smallest(self) -> Amounts:
        """Per resource the least that the cheapest choice could add to the pool."""
        smallest: Amounts = {}
        for candidate in self.candidates:
            for name, amount in candidate.allocatable.items():
                smallest[name] = min(smallest.get(name, amount), amount)
        return smallest


def fitting(
    candidates: Sequence[Candidate], requirements: Requirements, requests: Mapping[str, int]
) -> list[Candidate]:
    """The types that satisfy requirements, hold the requests and can be bought, cheapest first."""
    found = []
    for candidate in candidates:
        if not _is_allowed(candidate.requirements, requirements) or not fits(requests, candidate.allocatable):
            continue
        offering = candidate.cheapest(requirements)
        if offering is not None:
            found.append((offering.price_usd_per_hour, candidate.name, candidate))
    found.sort(key=lambda item: item[:2])
    return [candidate for _, _, candidate in found]


def _is_allowed(own: Requirements, asked: Requirements) -> bool:
    # A type says nothing of labels that come from the NodePool, or of the hostname.
    return own.is_compatible(
        Requirements(item for item in asked if own.get(item.key) is not None), may_define_well_known=False
    )


@dataclass(slots=True)
class Placement:
    """What a simulation found: nodes to buy, where each other pod goes, and why the rest fits nowhere."""

    claims: list[PlannedClaim] = field(default_factory=list)
    existing: dict[tuple[str, str], ExistingNode] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)


class Solver:
    """Simulates one batch of pods. ``existing`` and ``topology`` are its own to change."""

    def __init__(self, pools: Sequence[Pool], existing: Sequence[ExistingNode], topology: Topology) -> None:
        self._pools = sorted(pools, key=lambda pool: (-pool.weight, pool.name))
        self._existing = sorted(existing, key=lambda node: (not node.is_initialized, node.name))
        self._topology = topology
        self._placement = Placement()
        self._hostnames = 0
        self._used: dict[str, Amounts] = {pool.name: dict(pool.used) for pool in pools}

    def solve(self, demands: Sequence[Demand]) -> Placement:
        """Place every demand, giving up preferences one at a time where needed."""
        queue = deque(sorted(demands, key=lambda demand: demand.sort_key))
        without_progress = 0
        while queue and without_progress <= len(queue):
            demand = queue.popleft()
            why = self._place(demand)
            while why and (relaxed := demand.relaxed()) is not None:
                demand = relaxed
                why = self._place(demand)
            if not why:
                without_progress = 0
                self._placement.failures.pop((demand.namespace, demand.name), None)
                continue
            # Affinity to a pod that comes later in the queue can still be met in another round.
            self._placement.failures[(demand.namespace, demand.name)] = why
            without_progress += 1
            queue.append(demand)
        return self._placement

    def _place(self, demand: Demand) -> str:
        for node in self._existing:
            if node.add(demand, self._topology):
                self._placement.existing[(demand.namespace, demand.name)] = node
                return ""
        for claim in sorted(self._placement.claims, key=lambda claim: len(claim.demands)):
            if not claim.add(demand, self._topology):
                return ""
        return self._buy(demand)

    def _buy(self, demand: Demand) -> str:
        reasons = []
        for pool in self._pools:
            self._hostnames += 1
            own = (
                Requirement(NODEPOOL, frozenset((pool.name,))),
                Requirement(HOSTNAME, frozenset((f"hostname-placeholder-{self._hostnames:04d}",))),
            )
            claim = PlannedClaim(
                pool,
                pool.requirements.with_added(Requirements.from_labels(pool.labels)).with_added(own),
                self._within_limits(pool),
                dict(pool.daemon_requests),
            )
            if not claim.candidates:
                reasons.append(f'all available instance types exceed limits for nodepool: "{pool.name}"')
                continue
            why = claim.add(demand, self._topology)
            if not why:
                del claim.candidates[INSTANCE_TYPES_MAX:]
                self._placement.claims.append(claim)
                self._used[pool.name] = total(self._used[pool.name], claim.smallest)
                return ""
            reasons.append(f'incompatible with nodepool "{pool.name}", {why}')
        return "; ".join(reasons) or "no nodepools found"

    def _within_limits(self, pool: Pool) -> list[Candidate]:
        used = self._used[pool.name]
        return [
            candidate
            for candidate in pool.candidates
            if all(
                used.get(name, 0) + candidate.allocatable.get(name, 0) <= limit for name, limit in pool.limits.items()
            )
        ]
