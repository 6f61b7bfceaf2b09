"""What a pending pod asks of a node, in the form that the solver works on; preferences can be given up.

Source: kubernetes-sigs/karpenter pkg/controllers/provisioning/scheduling/{preferences,topology}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from labs.api.client import Selects
from labs.api.scheduling import pod_requests
from labs.api.selectors import format_label_selector, selector_from_label_selector
from labs.api.store import Object
from labs.controlplane.karpenter.requirements import Requirements

PREFER_NO_SCHEDULE = {"operator": "Exists", "effect": "PreferNoSchedule"}


@dataclass(frozen=True, slots=True)
class TopologyTerm:
    """A spread constraint or a pod affinity term. ``identity`` tells equal terms of different pods apart."""

    kind: str
    """spread, affinity or anti-affinity."""
    topology_key: str
    namespaces: tuple[str, ...]
    selector: Selects
    identity: tuple[str, str, tuple[str, ...], str]
    max_skew: int = 1
    min_domains: int = 0
    weight: int = 0
    is_required: bool = True

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a pod counts for this term."""
        return namespace in self.namespaces and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Demand:
    """A pod as the solver sees it. The first of ``required_terms`` and ``preferred_terms`` is in force."""

    namespace: str
    name: str
    uid: str
    created: str
    labels: Mapping[str, str]
    requests: Mapping[str, int]
    tolerations: tuple[Mapping[str, Any], ...]
    node_selector: Requirements
    required_terms: tuple[Requirements, ...]
    preferred_terms: tuple[tuple[int, Requirements], ...]
    topology: tuple[TopologyTerm, ...]

    @property
    def node_requirements(self) -> Requirements:
        """What is in force now."""
        found = self.node_selector
        if self.required_terms:
            found = found.with_added(self.required_terms[0])
        if self.preferred_terms:
            found = found.with_added(self.preferred_terms[0][1])
        return found

    @property
    def sort_key(self) -> tuple[int, int, str, str]:
        """Largest CPU request first, then memory, then the oldest, then by uid."""
        return -self.requests.get("cpu", 0), -self.requests.get("memory", 0), self.created, self.uid

    def relaxed(self) -> Demand | None:
        """The same with one preference less, or None when only requirements are left."""
        if len(self.required_terms) > 1:
            return replace(self, required_terms=self.required_terms[1:])
        for kind in ("affinity", "anti-affinity"):
            preferences = [term for term in self.topology if term.kind == kind and not term.is_required]
            if preferences:
                return self._without(max(preferences, key=lambda term: term.weight))
        if self.preferred_terms:
            return replace(self, preferred_terms=self.preferred_terms[1:])
        for term in self.topology:
            if not term.is_required:
                return self._without(term)
        if PREFER_NO_SCHEDULE not in self.tolerations:
            return replace(self, tolerations=(*self.tolerations, PREFER_NO_SCHEDULE))
        return None

    def _without(self, dropped: TopologyTerm) -> Demand:
        return replace(self, topology=tuple(term for term in self.topology if term is not dropped))


def demand_of(pod: Object) -> Demand:
    """The demand of a pod."""
    metadata, spec = pod["metadata"], pod["spec"]
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = (node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms"
    ) or []
    preferred = node_affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
    by_weight = sorted(preferred, key=lambda term: -term["weight"])
    return Demand(
        metadata.get("namespace", ""),
        metadata["name"],
        metadata["uid"],
        metadata["creationTimestamp"],
        metadata.get("labels") or {},
        pod_requests(pod),
        tuple(spec.get("tolerations") or ()),
        Requirements.from_labels(spec.get("nodeSelector") or {}),
        tuple(Requirements.from_terms(term.get("matchExpressions") or ()) for term in required),
        tuple((t["weight"], Requirements.from_terms(t["preference"].get("matchExpressions") or ())) for t in by_weight),
        (*_spread_terms(pod), *_affinity_terms(pod)),
    )


def _term(
    kind: str, key: str, namespaces: tuple[str, ...], selector: dict[str, Any] | None, **more: Any
) -> TopologyTerm:
    identity = (kind, key, namespaces, format_label_selector(selector))
    return TopologyTerm(kind, key, namespaces, selector_from_label_selector(selector), identity, **more)


def _spread_terms(pod: Object) -> list[TopologyTerm]:
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    terms = []
    for constraint in pod["spec"].get("topologySpreadConstraints") or ():
        selector = dict(constraint.get("labelSelector") or {})
        own = {key: labels[key] for key in constraint.get("matchLabelKeys") or () if key in labels}
        if own:
            selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **own}
        terms.append(
            _term(
                "spread",
                constraint["topologyKey"],
                (metadata.get("namespace", ""),),
                selector,
                max_skew=constraint["maxSkew"],
                min_domains=constraint.get("minDomains") or 0,
                is_required=constraint.get("whenUnsatisfiable") != "ScheduleAnyway",
            )
        )
    return terms


def _affinity_terms(pod: Object) -> list[TopologyTerm]:
    own_namespace = pod["metadata"].get("namespace", "")
    affinity = pod["spec"].get("affinity") or {}
    terms = []
    for field, kind in (("podAffinity", "affinity"), ("podAntiAffinity", "anti-affinity")):
        part = affinity.get(field) or {}
        weighted = [(0, True, term) for term in part.get("requiredDuringSchedulingIgnoredDuringExecution") or ()]
        weighted += [
            (item["weight"], False, item["podAffinityTerm"])
            for item in part.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
        for weight, is_required, term in weighted:
            namespaces = tuple(term.get("namespaces") or (own_namespace,))
            terms.append(
                _term(
                    kind,
                    term["topologyKey"],
                    namespaces,
                    term.get("labelSelector"),
                    weight=weight,
                    is_required=is_required,
                )
            )
    return terms
