"""Where the pods of a spread constraint or an affinity term are, counted by domain, while placements are simulated.

Source: kubernetes-sigs/karpenter pkg/controllers/provisioning/scheduling/{topology,topologygroup}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labs.api.store import Object
from labs.controlplane.karpenter.demand import Demand, TopologyTerm, demand_of
from labs.controlplane.karpenter.requirements import HOSTNAME, Requirement, Requirements


@dataclass(frozen=True, slots=True)
class PlacedPod:
    """A pod that has a node: what topology terms see of it."""

    pod: Object
    node_labels: Mapping[str, str]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        namespace: str = self.pod["metadata"].get("namespace", "")
        return namespace

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.pod["metadata"].get("labels") or {}


class _Group:
    """Counts of one term."""

    __slots__ = ("counts", "term")

    def __init__(self, term: TopologyTerm, domains: Iterable[str]) -> None:
        self.term = term
        self.counts = dict.fromkeys(domains, 0)

    def add(self, domain: str) -> None:
        self.counts[domain] = self.counts.get(domain, 0) + 1

    def allowed(self, demand: Demand, pod: Requirements, node: Requirements) -> frozenset[str]:
        """Domains in which the pod may be placed on a node with these requirements."""
        on_node = self._domains(node)
        match self.term.kind:
            case "spread":
                return self._spread(demand, on_node, pod)
            case "affinity":
                return self._affinity(demand, on_node)
        return frozenset(domain for domain in on_node if not self.counts.get(domain, 0))

    def _domains(self, requirements: Requirements) -> list[str]:
        requirement = requirements.get(self.term.topology_key)
        if requirement is None:
            return sorted(self.counts)
        listed = set(self.counts) | (set() if requirement.is_complement else requirement.values)
        return sorted(domain for domain in listed if requirement.allows(domain))

    def _spread(self, demand: Demand, on_node: list[str], pod: Requirements) -> frozenset[str]:
        own = 1 if self.term.selects(demand.namespace, demand.labels) else 0
        lowest = self._lowest(pod)
        counted = [(self.counts.get(domain, 0), domain) for domain in on_node]
        fitting = [(count, domain) for count, domain in counted if count + own - lowest <= self.term.max_skew]
        return frozenset((min(fitting)[1],)) if fitting else frozenset()

    def _lowest(self, pod: Requirements) -> int:
        if self.term.topology_key == HOSTNAME:
            return 0  # a new node can always be had
        domains = [domain for domain in self._domains(pod) if domain in self.counts]
        if len(domains) < self.term.min_domains:
            return 0
        return min((self.counts[domain] for domain in domains), default=0)

    def _affinity(self, demand: Demand, on_node: list[str]) -> frozenset[str]:
        occupied = frozenset(domain for domain in on_node if self.counts.get(domain, 0))
        if occupied or any(self.counts.values()):
            return occupied
        is_first_of_group = self.term.selects(demand.namespace, demand.labels)
        return frozenset(on_node[:1]) if is_first_of_group else frozenset()


class Topology:
    """All groups of one simulation, filled from the pods that are placed already."""

    def __init__(self, domains: Mapping[str, Iterable[str]], placed: list[PlacedPod]) -> None:
        self._domains = {key: list(values) for key, values in domains.items()}
        self._placed = placed
        self._groups: dict[tuple[str, str, tuple[str, ...], str], _Group] = {}
        self._inverse: dict[tuple[str, str, tuple[str, ...], str], _Group] = {}
        for item in placed:
            affinity = item.pod["spec"].get("affinity") or {}
            if "podAntiAffinity" in affinity:
                self._add_inverse(demand_of(item.pod), item.node_labels)

    def _add_inverse(self, demand: Demand, node_labels: Mapping[str, str]) -> None:
        for term in demand.topology:
            if term.kind == "anti-affinity" and term.is_required and term.topology_key in node_labels:
                group = self._inverse.setdefault(term.identity, _Group(term, self._domains.get(term.topology_key, ())))
                group.add(node_labels[term.topology_key])

    def _group(self, term: TopologyTerm) -> _Group:
        group = self._groups.get(term.identity)
        if group is None:
            group = self._groups[term.identity] = _Group(term, self._domains.get(term.topology_key, ()))
            for item in self._placed:
                domain = item.node_labels.get(term.topology_key)
                if domain is not None and term.selects(item.namespace, item.labels):
                    group.add(domain)
        group.term = term
        return group

    def narrow(self, demand: Demand, pod: Requirements, node: Requirements) -> list[Requirement] | None:
        """What the topology terms add to a node's requirements, or None when they rule the node out."""
        groups = [self._group(term) for term in demand.topology]
        groups += [group for group in self._inverse.values() if group.term.selects(demand.namespace, demand.labels)]
        added: list[Requirement] = []
        for group in groups:
            domains = group.allowed(demand, pod, node)
            if not domains:
                return None
            added.append(Requirement(group.term.topology_key, domains))
        return added

    def record(self, demand: Demand, node: Requirements) -> None:
        """The pod is placed on a node with these requirements."""
        for term in demand.topology:
            self._group(term)
        for group in self._groups.values():
            if group.term.selects(demand.namespace, demand.labels):
                self._count(group, node)
        for term in demand.topology:
            if term.kind == "anti-affinity" and term.is_required:
                group = self._inverse.setdefault(term.identity, _Group(term, self._domains.get(term.topology_key, ())))
                self._count(group, node)

    def _count(self, group: _Group, node: Requirements) -> None:
        requirement = node.get(group.term.topology_key)
        if requirement is None or requirement.is_complement:
            return
        # A node that could still be in several domains blocks all of them for anti-affinity.
        if len(requirement.values) == 1 or group.term.kind == "anti-affinity":
            for domain in sorted(requirement.values):
                group.add(domain)
