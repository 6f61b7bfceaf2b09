"""InterPodAffinity: required terms as a filter, preferred ones as a score.

Source: pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.failure import EXISTING_ANTI_AFFINITY, POD_AFFINITY, POD_ANTI_AFFINITY, Failure
from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo
from labs.controlplane.scheduler.podinfo import PodInfo, Term

Pairs = dict[str, dict[str, int]]
"""A number for each topology key and value; keys without values and zeros are not kept."""


def _add(pairs: Pairs, key: str, value: str, amount: int) -> None:
    values = pairs.setdefault(key, {})
    total = values.get(value, 0) + amount
    if total:
        values[value] = total
        return
    values.pop(value, None)
    if not values:
        del pairs[key]


def _add_at(pairs: Pairs, key: str, node: NodeFacts, amount: int) -> None:
    if key in node.labels:
        _add(pairs, key, node.labels[key], amount)


def _add_nodes(pairs: Pairs, key: str, by_node: Mapping[str, int], cache: Cache, factor: int = 1) -> None:
    for value, amount in cache.by_value(key, by_node).items():
        _add(pairs, key, value, factor * amount)


def _copied(pairs: Pairs) -> Pairs:
    return {key: dict(values) for key, values in pairs.items()}


class PodAffinityFilter:
    """The required terms around one pod, counted once for a cycle."""

    __slots__ = ("_affinity", "_anti", "_cache", "_existing_anti", "_pod")

    def __init__(self, pod: PodInfo, cache: Cache, affinity: Pairs, anti: Pairs, existing_anti: Pairs) -> None:
        self._pod = pod
        self._cache = cache
        self._affinity = affinity
        self._anti = anti
        self._existing_anti = existing_anti

    @classmethod
    def of(cls, pod: PodInfo, cache: Cache) -> PodAffinityFilter | None:
        """The filter of a pod, or None when neither it nor a pod on a node has a term that concerns it."""
        existing_anti: Pairs = {}
        for term, by_node in cache.anti_affinity.terms.items():
            if term.matcher.selects(pod, cache.namespace_labels):
                _add_nodes(existing_anti, term.topology_key, by_node, cache)
        required, required_anti = pod.affinity.required, pod.affinity.required_anti
        if not (existing_anti or required or required_anti):
            return None
        affinity: Pairs = {}
        if required:
            together = cache.group(tuple(term.matcher for term in required), counts_terminating=True)
            for term in required:
                _add_nodes(affinity, term.topology_key, together.by_node, cache)
        anti: Pairs = {}
        for term in required_anti:
            group = cache.group((term.matcher,), counts_terminating=True)
            _add_nodes(anti, term.topology_key, group.by_node, cache)
        return cls(pod, cache, affinity, anti, existing_anti)

    def failure(self, node: NodeFacts) -> Failure | None:
        """Why the pod may not go to the node, or None."""
        if self._pod.affinity.required and not self._is_affinity_met(node):
            return POD_AFFINITY
        if any(node.labels.get(key) in values for key, values in self._anti.items()):
            return POD_ANTI_AFFINITY
        if any(node.labels.get(key) in values for key, values in self._existing_anti.items()):
            return EXISTING_ANTI_AFFINITY
        return None

    def _is_affinity_met(self, node: NodeFacts) -> bool:
        required = self._pod.affinity.required
        if any(term.topology_key not in node.labels for term in required):
            return False
        if all(node.labels[term.topology_key] in self._affinity.get(term.topology_key, ()) for term in required):
            return True
        # The first pod of a group that wants to be near itself.
        return not self._affinity and self._selects_all(required, self._pod)

    def _selects_all(self, terms: tuple[Term, ...], pod: PodInfo) -> bool:
        return all(term.matcher.selects(pod, self._cache.namespace_labels) for term in terms)

    def copy(self) -> PodAffinityFilter:
        """A copy to try changes on."""
        pairs = (_copied(self._affinity), _copied(self._anti), _copied(self._existing_anti))
        return PodAffinityFilter(self._pod, self._cache, *pairs)

    def count(self, other: PodInfo, node: NodeFacts, amount: int) -> None:
        """Count another pod in (1) or out (-1) of a node."""
        labels_of = self._cache.namespace_labels
        for term in other.affinity.required_anti:
            if term.matcher.selects(self._pod, labels_of):
                _add_at(self._existing_anti, term.topology_key, node, amount)
        required = self._pod.affinity.required
        if required and self._selects_all(required, other):
            for term in required:
                _add_at(self._affinity, term.topology_key, node, amount)
        for term in self._pod.affinity.required_anti:
            if term.matcher.selects(other, labels_of):
                _add_at(self._anti, term.topology_key, node, amount)


def pod_affinity_scores(pod: PodInfo, cache: Cache, nodes: Sequence[NodeInfo]) -> list[int] | None:
    """Points from 0 to 100 for each feasible node, or None when no term concerns the pod."""
    pairs: Pairs = {}
    for weight, term in pod.affinity.preferred:
        group = cache.group((term.matcher,), counts_terminating=True)
        _add_nodes(pairs, term.topology_key, group.by_node, cache, weight)
    for term, by_node in cache.scored_affinity.terms.items():
        if term.matcher.selects(pod, cache.namespace_labels):
            _add_nodes(pairs, term.topology_key, by_node, cache)
    if not pairs:
        return None
    sums = [
        sum(values.get(node.labels[key], 0) for key, values in pairs.items() if key in node.labels)
        for node in (info.facts for info in nodes)
        if node is not None
    ]
    low, high = min(sums), max(sums)
    if low == high:
        return None
    return [int(100 * ((total - low) / (high - low))) for total in sums]
