"""A pod as the scheduler sees it: parsed once, never changed.

Source: pkg/scheduler/framework/types.go (PodInfo, AffinityTerm).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from labs.api.scheduling import (
    NodeAffinity,
    PreferredTerm,
    parse_preferred_terms,
    pod_requests,
    required_node_affinity,
)
from labs.api.selectors import LabelSelector, selector_from_label_selector
from labs.api.store import Object

DEFAULT_SCORED_REQUEST = {"cpu": 100, "memory": 200 * 1024 * 1024}
"""What a container without a request counts as in LeastAllocated (pkg/scheduler/util/pod_resources.go)."""

NamespaceLabels = Callable[[str], Mapping[str, str]]
"""Labels of a namespace, by its name."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What a spec says of the node object alone; pods of one template share it.

    ``named_nodes``: the only nodes to look at, where every required term names nodes; else None.
    """

    signature: str
    node_name: str = ""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    affinity: NodeAffinity = field(default_factory=NodeAffinity)
    preferred: tuple[PreferredTerm, ...] = ()
    images: tuple[str, ...] = ()
    named_nodes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PodMatcher:
    """Chooses pods by namespace and labels; ``namespaces`` None means every namespace."""

    namespaces: frozenset[str] | None
    selector: LabelSelector
    namespace_selector: LabelSelector | None = None

    def selects(self, pod: PodInfo, namespace_labels: NamespaceLabels) -> bool:
        """Whether the pod is chosen."""
        if self.namespaces is not None and pod.namespace not in self.namespaces:
            if self.namespace_selector is None:
                return False
            if not self.namespace_selector.matches(namespace_labels(pod.namespace)):
                return False
        return self.selector.matches(pod.labels)


@dataclass(frozen=True, slots=True)
class Term:
    """A pod affinity term: pods chosen by ``matcher`` within one value of the node label ``topology_key``."""

    topology_key: str
    matcher: PodMatcher


@dataclass(frozen=True, slots=True)
class PodAffinity:
    """Inter-pod terms of a spec; the weight of a preferred anti-affinity term is negative."""

    required: tuple[Term, ...] = ()
    required_anti: tuple[Term, ...] = ()
    preferred: tuple[tuple[int, Term], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the pod has no terms at all."""
        return not (self.required or self.required_anti or self.preferred)


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """One topology spread constraint; ``matcher`` chooses the pods that count."""

    topology_key: str
    max_skew: int
    is_required: bool
    matcher: PodMatcher
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PodInfo:
    """``requests`` is without ``pods``; ``node`` is where the pod is bound or assumed to be, else empty.

    Pods of one ``shape`` get the same answer from every rule that looks at a single node.
    """

    obj: Object
    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    priority: int
    node: str
    requests: Mapping[str, int]
    cpu_millicores: int
    memory_bytes: int
    scored_cpu_millicores: int
    scored_memory_bytes: int
    host_ports: tuple[tuple[str, str, int], ...]
    placement: Placement
    shape: str
    affinity: PodAffinity
    spread: tuple[SpreadConstraint, ...]
    is_terminating: bool

    @property
    def nominated_node(self) -> str:
        """``status.nominatedNodeName``, or empty."""
        name: str = (self.obj.get("status") or {}).get("nominatedNodeName") or ""
        return name

    def on_node(self, node: str) -> PodInfo:
        """The same pod on a node."""
        return replace(self, node=node)


def parse_pod(pod: Object) -> PodInfo:
    """The scheduler's view of a pod."""
    metadata, spec = pod["metadata"], pod["spec"]
    namespace = metadata.get("namespace", "")
    labels = metadata.get("labels") or {}
    requests = pod_requests(pod)
    scored = pod_requests(pod, DEFAULT_SCORED_REQUEST)
    del requests["pods"]
    host_ports = tuple(_host_ports(spec))
    placement = _placement(spec)
    return PodInfo(
        obj=pod,
        uid=metadata["uid"],
        namespace=namespace,
        name=metadata["name"],
        labels=labels,
        priority=spec.get("priority") or 0,
        node=spec.get("nodeName") or "",
        requests=requests,
        cpu_millicores=requests.get("cpu", 0),
        memory_bytes=requests.get("memory", 0),
        scored_cpu_millicores=scored.get("cpu", 0),
        scored_memory_bytes=scored.get("memory", 0),
        host_ports=host_ports,
        placement=placement,
        # Looked up for hundreds of nodes for each pod: one text object for equal ones is found without being compared.
        shape=sys.intern(f"{placement.signature} {requests} {scored} {host_ports}"),
        affinity=_pod_affinity(spec.get("affinity") or {}, namespace),
        spread=tuple(_spread_constraints(spec, namespace, labels)),
        is_terminating="deletionTimestamp" in metadata,
    )


def _host_ports(spec: Mapping[str, Any]) -> Iterable[tuple[str, str, int]]:
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"]


def _placement(spec: Mapping[str, Any]) -> Placement:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    return _parsed_placement(
        json.dumps(
            [
                spec.get("nodeName") or "",
                spec.get("tolerations"),
                spec.get("nodeSelector"),
                node_affinity,
                [container.get("image") or "" for container in spec.get("containers") or ()],
            ]
        )
    )


@lru_cache(maxsize=4096)
def _parsed_placement(signature: str) -> Placement:
    node_name, tolerations, node_selector, node_affinity, images = json.loads(signature)
    preferred = (node_affinity or {}).get("preferredDuringSchedulingIgnoredDuringExecution")
    return Placement(
        signature,
        node_name,
        tuple(tolerations or ()),
        required_node_affinity({"nodeSelector": node_selector, "affinity": {"nodeAffinity": node_affinity}}),
        parse_preferred_terms(preferred),
        tuple(images),
        _named_nodes((node_affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution")),
    )


def _named_nodes(required: Mapping[str, Any] | None) -> frozenset[str] | None:
    """PreFilterResult of NodeAffinity: the nodes that the terms' ``metadata.name In`` fields name."""
    named: frozenset[str] = frozenset()
    for item in (required or {}).get("nodeSelectorTerms") or ():
        fields = [match for match in item.get("matchFields") or () if match["operator"] == "In"]
        if not fields:
            return None
        named |= frozenset.intersection(*(frozenset(match["values"]) for match in fields))
    return named or None


def _pod_affinity(affinity: Mapping[str, Any], namespace: str) -> PodAffinity:
    attract, repel = affinity.get("podAffinity") or {}, affinity.get("podAntiAffinity") or {}
    if not attract and not repel:
        return _NO_AFFINITY
    return PodAffinity(
        _required_terms(attract, namespace),
        _required_terms(repel, namespace),
        (*_preferred_terms(attract, namespace, 1), *_preferred_terms(repel, namespace, -1)),
    )


_NO_AFFINITY = PodAffinity()


def _required_terms(affinity: Mapping[str, Any], namespace: str) -> tuple[Term, ...]:
    return tuple(
        _term(item, namespace) for item in affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    )


def _preferred_terms(affinity: Mapping[str, Any], namespace: str, sign: int) -> Iterable[tuple[int, Term]]:
    for item in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield sign * item["weight"], _term(item["podAffinityTerm"], namespace)


def _term(term: Mapping[str, Any], namespace: str) -> Term:
    selector = selector_from_label_selector(term.get("labelSelector"))
    raw_namespace_selector = term.get("namespaceSelector")
    listed = term.get("namespaces")
    if raw_namespace_selector is None:
        matcher = PodMatcher(frozenset(listed or (namespace,)), selector)
    else:
        by_labels = selector_from_label_selector(raw_namespace_selector)
        names = None if by_labels.is_empty else frozenset(listed or ())
        matcher = PodMatcher(names, selector, None if by_labels.is_empty else by_labels)
    return Term(term["topologyKey"], matcher)


def _spread_constraints(
    spec: Mapping[str, Any], namespace: str, labels: Mapping[str, str]
) -> Iterable[SpreadConstraint]:
    for item in spec.get("topologySpreadConstraints") or ():
        yield SpreadConstraint(
            item["topologyKey"],
            item["maxSkew"],
            item["whenUnsatisfiable"] == "DoNotSchedule",
            PodMatcher(frozenset((namespace,)), _spread_selector(item, labels)),
            item.get("minDomains") or 1,
            item.get("nodeAffinityPolicy", "Honor") == "Honor",
            item.get("nodeTaintsPolicy", "Ignore") == "Honor",
        )


def _spread_selector(constraint: Mapping[str, Any], labels: Mapping[str, str]) -> LabelSelector:
    selector = constraint.get("labelSelector")
    same = [key for key in constraint.get("matchLabelKeys") or () if key in labels]
    if selector is None or not same:
        return selector_from_label_selector(selector)
    more = [{"key": key, "operator": "In", "values": [labels[key]]} for key in same]
    return selector_from_label_selector(
        {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *more]}
    )
