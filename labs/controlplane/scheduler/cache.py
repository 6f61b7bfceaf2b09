"""What the scheduler knows of the cluster: nodes with the pods on them, in the order in which they are searched.

Source: pkg/scheduler/backend/cache/{cache,node_tree}.go. Upstream copies a snapshot for each cycle; here a cycle is one
callback, so that the cache itself is the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest

from labs.controlplane.scheduler.nodeinfo import NodeFacts, NodeInfo
from labs.controlplane.scheduler.pod_groups import PodGroup, PodGroups, TermIndex
from labs.controlplane.scheduler.podinfo import NamespaceLabels, PodInfo, PodMatcher

HARD_POD_AFFINITY_WEIGHT = 1
"""Score weight of another pod's required affinity to the incoming pod."""


class Cache:
    """Nodes by name; pods count from when they are assumed, and move when the watch says that they are elsewhere."""

    def __init__(self, namespace_labels: NamespaceLabels) -> None:
        self.namespace_labels = namespace_labels
        self.nodes: dict[str, NodeInfo] = {}
        self.anti_affinity = TermIndex()
        self.scored_affinity = TermIndex()
        self.nominated: dict[str, dict[str, PodInfo]] = {}
        self._pods: dict[str, PodInfo] = {}
        self._groups = PodGroups(namespace_labels)
        self._zones: dict[str, dict[str, None]] = {}
        self._order: list[NodeInfo] | None = None
        self._image_nodes: dict[str, int] = {}
        self._soft_tainted = 0
        self._label_values: dict[str, dict[str, str]] = {}

    @property
    def order(self) -> list[NodeInfo]:
        """Nodes with an object: one of each zone in turn, zones and nodes as they were first seen."""
        if self._order is None:
            turns = zip_longest(*self._zones.values())
            self._order = [self.nodes[name] for name in chain.from_iterable(turns) if name is not None]
        return self._order

    @property
    def has_soft_taints(self) -> bool:
        """Whether any node has a PreferNoSchedule taint."""
        return self._soft_tainted > 0

    def nodes_with_image(self, image: str) -> int:
        """How many nodes have an image."""
        return self._image_nodes.get(image, 0)

    @property
    def has_images(self) -> bool:
        """Whether any node reports images."""
        return bool(self._image_nodes)

    def set_node(self, facts: NodeFacts) -> NodeFacts | None:
        """Take a node in or change it; returns its facts before."""
        info = self.nodes.setdefault(facts.name, NodeInfo(None))
        old = info.facts
        self._count_facts(old, facts)
        info.set_facts(facts)
        if old is None or old.labels != facts.labels:
            self._label_values.clear()
        if old is None or old.zone != facts.zone:
            self._leave_zone(old)
            self._zones.setdefault(facts.zone, {})[facts.name] = None
            self._order = None
        return old

    def remove_node(self, name: str) -> NodeFacts | None:
        """Drop a node; the pods on it are kept until they are gone."""
        info = self.nodes.get(name)
        if info is None or info.facts is None:
            return None
        old = info.facts
        self._count_facts(old, None)
        self._leave_zone(old)
        self._order = None
        self._label_values.clear()
        info.set_facts(None)
        if not info.pods:
            del self.nodes[name]
        return old

    def _leave_zone(self, facts: NodeFacts | None) -> None:
        if facts is None:
            return
        del self._zones[facts.zone][facts.name]
        if not self._zones[facts.zone]:
            del self._zones[facts.zone]

    def _count_facts(self, old: NodeFacts | None, new: NodeFacts | None) -> None:
        for facts, sign in ((old, -1), (new, 1)):
            if facts is None:
                continue
            self._soft_tainted += sign * facts.has_soft_taints
            for image in facts.images:
                self._image_nodes[image] = self._image_nodes.get(image, 0) + sign
                if not self._image_nodes[image]:
                    del self._image_nodes[image]

    def pods(self) -> Iterator[PodInfo]:
        """Pods on nodes, assumed ones included."""
        return iter(self._pods.values())

    def pod(self, uid: str) -> PodInfo | None:
        """The pod, when it is on a node."""
        return self._pods.get(uid)

    def set_pod(self, pod: PodInfo) -> None:
        """Put a pod on ``pod.node``, or take its new state."""
        self.remove_pod(pod.uid)
        self._pods[pod.uid] = pod
        self.nodes.setdefault(pod.node, NodeInfo(None)).add(pod)
        self._index(pod, 1)

    def exchange_pod(self, pod: PodInfo) -> None:
        """Take the new state of a pod that stays on its node and counts as before."""
        for pods in (self._pods, self.nodes[pod.node].pods):
            del pods[pod.uid]
            pods[pod.uid] = pod

    def remove_pod(self, uid: str) -> None:
        """Take a pod off its node; nothing happens when it is on none."""
        pod = self._pods.pop(uid, None)
        if pod is None:
            return
        info = self.nodes[pod.node]
        info.remove(pod)
        if info.facts is None and not info.pods:
            del self.nodes[pod.node]
        self._index(pod, -1)

    def _index(self, pod: PodInfo, sign: int) -> None:
        self._groups.count(pod, sign)
        affinity = pod.affinity
        if affinity.is_empty:
            return
        for term in affinity.required_anti:
            self.anti_affinity.add(term, pod.node, sign)
        for term in affinity.required:
            self.scored_affinity.add(term, pod.node, sign * HARD_POD_AFFINITY_WEIGHT)
        for weight, term in affinity.preferred:
            self.scored_affinity.add(term, pod.node, sign * weight)

    def group(self, matchers: tuple[PodMatcher, ...], *, counts_terminating: bool) -> PodGroup:
        """The pods on nodes that all ``matchers`` choose, counted by node."""
        return self._groups.group(matchers, counts_terminating, self._pods.values())

    def values_of(self, key: str) -> Mapping[str, str]:
        """The value of a node label by node, in search order; nodes without it are left out."""
        values = self._label_values.get(key)
        if values is None:
            nodes = (info.facts for info in self.order)
            values = {node.name: node.labels[key] for node in nodes if node is not None and key in node.labels}
            self._label_values[key] = values
        return values

    def by_value(self, key: str, by_node: Mapping[str, int]) -> dict[str, int]:
        """Numbers by node as sums by the value of a node label; nodes without the label are left out."""
        values = self.values_of(key)
        sums: dict[str, int] = {}
        for name, amount in by_node.items():
            value = values.get(name)
            if value is not None:
                sums[value] = sums.get(value, 0) + amount
        return sums

    def forget_groups(self) -> None:
        """Count the groups anew when they are next asked for: labels of namespaces have changed."""
        self._groups.clear()

    def facts_of(self, node: str) -> NodeFacts | None:
        """The facts of a node, or None when it has no object."""
        info = self.nodes.get(node)
        return info.facts if info is not None else None

    def nominate(self, pod: PodInfo, node: str) -> None:
        """Note that a pod waits for room on a node; an empty name withdraws it."""
        self.withdraw(pod.uid)
        if node:
            self.nominated.setdefault(node, {})[pod.uid] = pod

    def withdraw(self, uid: str) -> None:
        """Forget the nomination of a pod."""
        for node in [node for node, pods in self.nominated.items() if uid in pods]:
            del self.nominated[node][uid]
            if not self.nominated[node]:
                del self.nominated[node]
