"""Indexes over the pods on nodes, kept up to date pod by pod, so that no cycle has to look at all pods.

``PodGroups`` answers "how many pods that this selector chooses are on each node", ``TermIndex`` answers "which affinity
terms do the pods on nodes carry, and where".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from labs.controlplane.scheduler.podinfo import NamespaceLabels, PodInfo, PodMatcher, Term

MAX_GROUPS = 4096
"""Groups kept; when there are more, all are dropped and those in use are counted again."""


class PodGroup:
    """Pods on nodes that every one of the matchers chooses, counted by node."""

    __slots__ = ("_by_value", "by_node", "counts_terminating", "matchers")

    def __init__(self, matchers: tuple[PodMatcher, ...], counts_terminating: bool) -> None:
        self.matchers = matchers
        self.counts_terminating = counts_terminating
        self.by_node: dict[str, int] = {}
        self._by_value: dict[str, tuple[Mapping[str, str], dict[str, int]]] = {}

    def by_value(self, key: str, values: Mapping[str, str]) -> dict[str, int]:
        """The counts as sums by the value of a node label, which ``values`` has by node; 0 where there are none.

        They are kept for as long as ``values`` is the same mapping, which nobody changes.
        """
        known = self._by_value.get(key)
        if known is None or known[0] is not values:
            sums = dict.fromkeys(values.values(), 0)
            for node, count in self.by_node.items():
                if node in values:
                    sums[values[node]] += count
            known = self._by_value[key] = (values, sums)
        return dict(known[1])

    def selects(self, pod: PodInfo, namespace_labels: NamespaceLabels) -> bool:
        """Whether the pod is one of the group's, wherever it is."""
        if pod.is_terminating and not self.counts_terminating:
            return False
        return all(matcher.selects(pod, namespace_labels) for matcher in self.matchers)

    def count(self, node: str, amount: int) -> None:
        """Change the count of a node."""
        count = self.by_node.get(node, 0) + amount
        if count:
            self.by_node[node] = count
        else:
            self.by_node.pop(node, None)
        for values, sums in self._by_value.values():
            if node in values:
                sums[values[node]] += amount


class PodGroups:
    """The groups that somebody asked for, found again by one label that their pods must have."""

    def __init__(self, namespace_labels: NamespaceLabels) -> None:
        self._namespace_labels = namespace_labels
        self._groups: dict[tuple[tuple[PodMatcher, ...], bool], PodGroup] = {}
        self._by_label: dict[tuple[str, str], list[PodGroup]] = {}
        self._without_label: list[PodGroup] = []

    def group(self, matchers: tuple[PodMatcher, ...], counts_terminating: bool, pods: Iterable[PodInfo]) -> PodGroup:
        """The group of the matchers; ``pods`` (all that are on nodes) is read when it is asked for the first time."""
        key = (matchers, counts_terminating)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MAX_GROUPS:
                self.clear()
            group = self._groups[key] = PodGroup(matchers, counts_terminating)
            self._bucket_of(group).append(group)
            for pod in pods:
                if group.selects(pod, self._namespace_labels):
                    group.count(pod.node, 1)
        return group

    def clear(self) -> None:
        """Forget every group."""
        self._groups.clear()
        self._by_label.clear()
        self._without_label.clear()

    def _bucket_of(self, group: PodGroup) -> list[PodGroup]:
        for matcher in group.matchers:
            for item in matcher.selector.requirements or ():
                if item.operator in ("=", "==", "in") and len(item.values) == 1:
                    return self._by_label.setdefault((item.key, item.values[0]), [])
        return self._without_label

    def count(self, pod: PodInfo, amount: int) -> None:
        """Count a pod in (1) or out (-1) of every group that it belongs to."""
        for label in pod.labels.items():
            self._count_in(self._by_label.get(label, ()), pod, amount)
        self._count_in(self._without_label, pod, amount)

    def _count_in(self, groups: Iterable[PodGroup], pod: PodInfo, amount: int) -> None:
        for group in groups:
            if group.selects(pod, self._namespace_labels):
                group.count(pod.node, amount)


class TermIndex:
    """Weight of each distinct term that pods on nodes carry, by node."""

    def __init__(self) -> None:
        self.terms: dict[Term, dict[str, int]] = {}

    def add(self, term: Term, node: str, weight: int) -> None:
        """Add to the weight of a term on a node; what becomes 0 is dropped."""
        nodes = self.terms.setdefault(term, {})
        total = nodes.get(node, 0) + weight
        if total:
            nodes[node] = total
            return
        nodes.pop(node, None)
        if not nodes:
            del self.terms[term]
