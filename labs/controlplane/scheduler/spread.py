"""PodTopologySpread: filter for DoNotSchedule, score for ScheduleAnyway and for the defaults.

Source: pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring,common}.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labs.api.scheduling import untolerated_taint
from labs.api.selectors import LabelSelector
from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.failure import SPREAD_LABEL_MISSING, SPREAD_SKEWED, Failure
from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo
from labs.controlplane.scheduler.podinfo import PodInfo, PodMatcher, SpreadConstraint
from labs.controlplane.zones import ZONE_LABEL

HOSTNAME_LABEL = "kubernetes.io/hostname"
DEFAULT_SPREAD = ((HOSTNAME_LABEL, 3), (ZONE_LABEL, 5))
"""Topology key and maxSkew of the constraints of pods that have none (ScheduleAnyway)."""


def default_constraints(namespace: str, selector: LabelSelector) -> tuple[SpreadConstraint, ...]:
    """The cluster's default constraints for a pod that services or a controller choose by ``selector``."""
    matcher = PodMatcher(frozenset((namespace,)), selector)
    return tuple(SpreadConstraint(key, max_skew, False, matcher) for key, max_skew in DEFAULT_SPREAD)


def _counts(pod: PodInfo, node: NodeFacts, constraint: SpreadConstraint) -> bool:
    """Whether the node takes part, by the constraint's node inclusion policies."""
    placement = pod.placement
    if constraint.honors_affinity and not placement.affinity.matches(node.name, node.labels):
        return False
    return not constraint.honors_taints or untolerated_taint(node.taints, placement.tolerations) is None


def _has_keys(node: NodeFacts, constraints: Iterable[SpreadConstraint]) -> bool:
    return all(constraint.topology_key in node.labels for constraint in constraints)


@dataclass(slots=True)
class _Domains:
    """One required constraint: matching pods by value of its key; ``self_match``: whether the pod counts itself."""

    constraint: SpreadConstraint
    self_match: int
    matches: dict[str, int]

    def minimum(self) -> int:
        """The global minimum: 0 with fewer domains than minDomains; without any domain nothing is skewed."""
        if len(self.matches) < self.constraint.min_domains:
            return 0
        return min(self.matches.values())

    def is_skewed_by(self, value: str, minimum: int) -> bool:
        return self.matches.get(value, 0) + self.self_match - minimum > self.constraint.max_skew


class SpreadFilter:
    """The required constraints of one pod, counted once for a cycle."""

    __slots__ = ("_cache", "_domains", "_minima", "_pod")

    def __init__(self, pod: PodInfo, cache: Cache, domains: list[_Domains]) -> None:
        self._pod = pod
        self._cache = cache
        self._domains = domains
        self._minima = [item.minimum() for item in domains]

    @classmethod
    def of(cls, pod: PodInfo, cache: Cache) -> SpreadFilter | None:
        """The filter of a pod, or None when it has no required constraint."""
        constraints = [item for item in pod.spread if item.is_required]
        if not constraints:
            return None
        domains = [
            _Domains(item, int(item.matcher.selector.matches(pod.labels)), {}) for item in constraints
        ]
        by_node = [cache.group((item.matcher,), counts_terminating=False).by_node for item in constraints]
        for info in cache.order:
            facts = info.facts
            if facts is None or not _has_keys(facts, constraints):
                continue
            for item, counts in zip(domains, by_node, strict=True):
                if _counts(pod, facts, item.constraint):
                    value = facts.labels[item.constraint.topology_key]
                    item.matches[value] = item.matches.get(value, 0) + counts.get(facts.name, 0)
        return cls(pod, cache, domains)

    def failure(self, node: NodeFacts) -> Failure | None:
        """Why the pod may not go to the node, or None."""
        for item, minimum in zip(self._domains, self._minima, strict=True):
            value = node.labels.get(item.constraint.topology_key)
            if value is None:
                return SPREAD_LABEL_MISSING
            if item.is_skewed_by(value, minimum):
                return SPREAD_SKEWED
        return None

    def copy(self) -> SpreadFilter:
        """A copy to try changes on."""
        domains = [_Domains(item.constraint, item.self_match, dict(item.matches)) for item in self._domains]
        return SpreadFilter(self._pod, self._cache, domains)

    def count(self, other: PodInfo, node: NodeFacts, amount: int) -> None:
        """Count another pod in (1) or out (-1) of a node."""
        if other.is_terminating or not _has_keys(node, [item.constraint for item in self._domains]):
            return
        for item in self._domains:
            constraint = item.constraint
            if constraint.matcher.selects(other, self._cache.namespace_labels) and _counts(self._pod, node, constraint):
                value = node.labels[constraint.topology_key]
                item.matches[value] = item.matches.get(value, 0) + amount
        self._minima = [item.minimum() for item in self._domains]


def spread_scores(
    pod: PodInfo, defaults: tuple[SpreadConstraint, ...], cache: Cache, nodes: Sequence[NodeInfo]
) -> list[int] | None:
    """Points from 0 to 100 for each feasible node, or None when the pod has no soft constraint."""
    constraints = tuple(item for item in pod.spread if not item.is_required) if pod.spread else defaults
    if not constraints:
        return None
    facts = [info.facts for info in nodes if info.facts is not None]
    needs_keys = bool(pod.spread)
    is_scored = [not needs_keys or _has_keys(node, constraints) for node in facts]
    totals = [0.0] * len(facts)
    for constraint in constraints:
        _add_constraint(totals, pod, constraint, cache, facts, is_scored, constraints if needs_keys else ())
    return normalised_spread([math.floor(total + 0.5) for total in totals], is_scored)


def _add_constraint(
    totals: list[float],
    pod: PodInfo,
    constraint: SpreadConstraint,
    cache: Cache,
    nodes: list[NodeFacts],
    is_scored: list[bool],
    needed: tuple[SpreadConstraint, ...],
) -> None:
    key = constraint.topology_key
    counts = cache.group((constraint.matcher,), counts_terminating=False).by_node
    more = constraint.max_skew - 1
    if key == HOSTNAME_LABEL:
        weight = math.log(sum(is_scored) + 2)
        for index, node in enumerate(nodes):
            if is_scored[index] and key in node.labels:
                totals[index] += counts.get(node.name, 0) * weight + more
        return
    # A value that is missing counts as the value "" here, as upstream's map lookup does.
    domains = {node.labels.get(key, ""): 0 for node, scored in zip(nodes, is_scored, strict=True) if scored}
    for name, count in counts.items():
        facts = cache.facts_of(name)
        if facts is None or not _has_keys(facts, needed) or not _counts(pod, facts, constraint):
            continue
        value = facts.labels.get(key, "")
        if value in domains:
            domains[value] += count
    weight = math.log(len(domains) + 2)
    points = {value: count * weight + more for value, count in domains.items()}
    for index, node in enumerate(nodes):
        if is_scored[index] and key in node.labels:
            totals[index] += points[node.labels[key]]


def normalised_spread(scores: list[int], is_scored: list[bool]) -> list[int]:
    """Few matching pods become many points: 100 x (max + min - score) / max; nodes without the keys get 0."""
    counted = [score for score, scored in zip(scores, is_scored, strict=True) if scored]
    if not counted:
        return [0] * len(scores)
    low, high = min(counted), max(counted)
    if high == 0:
        return [100 if scored else 0 for scored in is_scored]
    return [
        100 * (high + low - score) // high if scored else 0 for score, scored in zip(scores, is_scored, strict=True)
    ]
