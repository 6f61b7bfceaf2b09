"""One attempt to place one pod: which nodes are searched, which fit, which is best.

Source: pkg/scheduler/schedule_one.go (findNodesThatFitPod, numFeasibleNodesToFind, prioritizeNodes, selectHost).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.failure import NOT_NAMED, Failure
from labs.controlplane.scheduler.filters import node_failure
from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo
from labs.controlplane.scheduler.pod_affinity import PodAffinityFilter
from labs.controlplane.scheduler.podinfo import PodInfo, SpreadConstraint
from labs.controlplane.scheduler.scores import total_scores
from labs.controlplane.scheduler.spread import SpreadFilter
from labs.controlplane.scheduler.volumes import VolumeFilter

MIN_FEASIBLE_NODES = 100
MIN_FEASIBLE_PERCENT = 5


def feasible_nodes_wanted(node_count: int) -> int:
    """How many feasible nodes end the search: all of up to 100, then a falling share, at least 5 %."""
    if node_count < MIN_FEASIBLE_NODES:
        return node_count
    percent = max(MIN_FEASIBLE_PERCENT, 50 - node_count // 125)
    return max(MIN_FEASIBLE_NODES, node_count * percent // 100)


class Filters:
    """Every filter for one pod, with what is counted over the cluster counted once."""

    __slots__ = ("cache", "pod", "pod_affinity", "spread", "volumes")

    def __init__(
        self,
        pod: PodInfo,
        cache: Cache,
        spread: SpreadFilter | None,
        pod_affinity: PodAffinityFilter | None,
        volumes: VolumeFilter | None,
    ) -> None:
        self.pod = pod
        self.cache = cache
        self.spread = spread
        self.pod_affinity = pod_affinity
        self.volumes = volumes

    @classmethod
    def of(cls, pod: PodInfo, cache: Cache, volumes: VolumeFilter | None = None) -> Filters:
        """The filters of a pod in the cluster as it is."""
        return cls(pod, cache, SpreadFilter.of(pod, cache), PodAffinityFilter.of(pod, cache), volumes)

    def copy(self) -> Filters:
        """A copy to try changes on."""
        spread = self.spread.copy() if self.spread is not None else None
        pod_affinity = self.pod_affinity.copy() if self.pod_affinity is not None else None
        return Filters(self.pod, self.cache, spread, pod_affinity, self.volumes)

    def count(self, other: PodInfo, node: NodeFacts, amount: int) -> None:
        """Count another pod in (1) or out (-1) of a node, for trying."""
        if self.spread is not None:
            self.spread.count(other, node, amount)
        if self.pod_affinity is not None:
            self.pod_affinity.count(other, node, amount)
        elif other.affinity.required_anti:
            self.pod_affinity = PodAffinityFilter(self.pod, self.cache, {}, {}, {})
            self.pod_affinity.count(other, node, amount)

    @property
    def is_local(self) -> bool:
        """Whether nothing but the node itself and the pods on it decides."""
        return self.spread is None and self.pod_affinity is None and self.volumes is None and not self.cache.nominated

    def failure(self, node: NodeInfo) -> Failure | None:
        """The first filter that refuses the node, or None; rivals that are nominated for it count as being there."""
        if self.cache.nominated:
            failure = self._failure_beside_rivals(node)
            if failure is not None:
                return failure
        return self._failure(node)

    def _failure_beside_rivals(self, node: NodeInfo) -> Failure | None:
        assert node.facts is not None
        rivals = [
            other
            for other in self.cache.nominated.get(node.facts.name, {}).values()
            if other.uid != self.pod.uid and other.priority >= self.pod.priority and other.uid not in node.pods
        ]
        if not rivals:
            return None
        filters, crowded = self.copy(), node.copy()
        for rival in rivals:
            crowded.add(rival)
            filters.count(rival, node.facts, 1)
        return filters._failure(crowded)

    def _failure(self, node: NodeInfo) -> Failure | None:
        failure = node_failure(self.pod, node)
        if failure is not None or (self.spread is None and self.pod_affinity is None and self.volumes is None):
            return failure
        assert node.facts is not None
        if self.volumes is not None:
            failure = self.volumes.failure(node.facts)
        if failure is None and self.spread is not None:
            failure = self.spread.failure(node.facts)
        if failure is None and self.pod_affinity is not None:
            failure = self.pod_affinity.failure(node.facts)
        return failure


@dataclass(slots=True)
class Search:
    """What a search found. ``examined``: how many nodes were looked at."""

    feasible: list[NodeInfo] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    examined: int = 0


def search(filters: Filters, start: int) -> Search:
    """Look at nodes from index ``start`` on, round the list, until enough of them fit."""
    named = filters.pod.placement.named_nodes
    order = filters.cache.order
    found = Search()
    nominated = filters.cache.nodes.get(filters.pod.nominated_node)
    if nominated is not None and nominated.facts is not None and filters.failure(nominated) is None:
        found.feasible.append(nominated)
        return found
    if named is not None:
        names = [node.facts.name for node in order if node.facts is not None]
        found.failures = {name: NOT_NAMED for name in names if name not in named}
        order = [node for node in order if node.facts is not None and node.facts.name in named]
    first = start % max(1, len(order))
    _look_at(filters, order[first:] + order[:first], found)
    return found


def _look_at(filters: Filters, nodes: list[NodeInfo], found: Search) -> None:
    """Look at nodes in turn until enough of them fit. This runs for hundreds of nodes for each pod."""
    wanted = feasible_nodes_wanted(len(nodes))
    shape = filters.pod.shape if filters.is_local else ""
    feasible = found.feasible
    found.examined = len(nodes)
    for number, node in enumerate(nodes, 1):
        known = node.failures
        failure = known[shape] if shape in known else filters.failure(node)
        if failure is None:
            feasible.append(node)
            if len(feasible) == wanted:
                found.examined = number
                return
        elif node.facts is not None:
            found.failures[node.facts.name] = failure


def best_node(
    pod: PodInfo, default_spread: tuple[SpreadConstraint, ...], cache: Cache, nodes: list[NodeInfo], ties: Random
) -> NodeInfo:
    """The node with the highest score; equals are drawn for. One feasible node is taken without scoring."""
    if len(nodes) == 1:
        return nodes[0]
    scores = total_scores(pod, default_spread, cache, nodes)
    best = max(scores)
    equals = [node for node, score in zip(nodes, scores, strict=True) if score == best]
    return ties.choice(equals) if len(equals) > 1 else equals[0]
