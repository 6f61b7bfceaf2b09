"""PodTopologySpread: filter for DoNotSchedule, score for ScheduleAnyway and for the defaults.

Source: pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring,common}.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

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


def _takes_part(
    pod: PodInfo, node: NodeFacts, constraint: SpreadConstraint, needed: Iterable[SpreadConstraint]
) -> bool:
    """Whether the pods on a node count: it has all needed keys, and the node inclusion policies admit it."""
    placement = pod.placement
    if any(other.topology_key not in node.labels for other in needed):
        return False
    if constraint.honors_affinity and not placement.affinity.matches(node.name, node.labels):
        return False
    return not constraint.honors_taints or untolerated_taint(node.taints, placement.tolerations) is None


def _values(
    pod: PodInfo, constraint: SpreadConstraint, needed: Sequence[SpreadConstraint], cache: Cache
) -> Mapping[str, str]:
    """The value of the constraint's key for each node whose pods count."""
    values = cache.values_of(constraint.topology_key)
    is_open = not constraint.honors_taints and (pod.placement.affinity.is_empty or not constraint.honors_affinity)
    if is_open and all(len(cache.values_of(other.topology_key)) == len(cache.order) for other in needed):
        return values
    facts = ((name, value, cache.facts_of(name)) for name, value in values.items())
    return {
        name: value for name, value, node in facts if node is not None and _takes_part(pod, node, constraint, needed)
    }


def _matching_pods(
    pod: PodInfo, constraint: SpreadConstraint, needed: Sequence[SpreadConstraint], cache: Cache
) -> dict[str, int]:
    """Matching pods by value of the constraint's key, 0 where there are none."""
    values = _values(pod, constraint, needed, cache)
    group = cache.group((constraint.matcher,), counts_terminating=False)
    return group.by_value(constraint.topology_key, values)


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
            _Domains(
                item, int(item.matcher.selector.matches(pod.labels)), _matching_pods(pod, item, constraints, cache)
            )
            for item in constraints
        ]
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
        if other.is_terminating:
            return
        needed = [item.constraint for item in self._domains]
        for item in self._domains:
            is_match = item.constraint.matcher.selects(other, self._cache.namespace_labels)
            if is_match and _takes_part(self._pod, node, item.constraint, needed):
                value = node.labels[item.constraint.topology_key]
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
    needed = constraints if pod.spread else ()
    is_scored = [all(item.topology_key in node.labels for item in needed) for node in facts] if needed else None
    columns, weights = [], []
    for constraint in constraints:
        counts, domain_count = _counts_of(pod, constraint, needed, cache, facts, is_scored)
        columns.append(counts)
        weights.append((math.log(domain_count + 2), constraint.max_skew - 1))
    # Hundreds of nodes have few different rows of counts: one total for each of those.
    rows = list(zip(*columns, strict=True))
    totals = {row: _total(row, weights) for row in dict.fromkeys(rows)}
    return normalised_spread([totals[row] for row in rows], is_scored)


def _total(counts: Sequence[int | None], weights: Sequence[tuple[float, int]]) -> int:
    """The sum of count x ln(domains + 2) + maxSkew - 1 over the constraints whose key a node has."""
    total = 0.0
    for count, (weight, more) in zip(counts, weights, strict=True):
        if count is not None:
            total += count * weight + more
    return math.floor(total + 0.5)


def _counts_of(
    pod: PodInfo,
    constraint: SpreadConstraint,
    needed: Sequence[SpreadConstraint],
    cache: Cache,
    nodes: list[NodeFacts],
    is_scored: list[bool] | None,
) -> tuple[list[int | None], int]:
    """Matching pods in the domain of each node, None where it has none or is not scored; and how many domains."""
    key = constraint.topology_key
    counts: list[int | None]
    if key == HOSTNAME_LABEL:
        by_node = cache.group((constraint.matcher,), counts_terminating=False).by_node
        counts = [by_node.get(node.name, 0) if key in node.labels else None for node in nodes]
        domain_count = len(nodes) if is_scored is None else sum(is_scored)
    else:
        matches = _matching_pods(pod, constraint, needed, cache)
        values = [node.labels.get(key) for node in nodes]
        counts = [None if value is None else matches.get(value, 0) for value in values]
        # A node without the key makes a domain of its own here, as upstream's map lookup does.
        domain_count = len(set(values if is_scored is None else compress(values, is_scored)))
    if is_scored is not None:
        counts = [count if scored else None for count, scored in zip(counts, is_scored, strict=True)]
    return counts, domain_count


def normalised_spread(scores: list[int], is_scored: list[bool] | None) -> list[int]:
    """Few matching pods become many points: 100 x (max + min - score) / max; nodes without the keys get 0.

    ``is_scored`` None: all have them.
    """
    counted = scores if is_scored is None else list(compress(scores, is_scored))
    if not counted:
        return [0] * len(scores)
    low, high = min(counted), max(counted)
    points = [100] * len(scores) if high == 0 else [100 * (high + low - score) // high for score in scores]
    if is_scored is None:
        return points
    return [point if scored else 0 for point, scored in zip(points, is_scored, strict=True)]
