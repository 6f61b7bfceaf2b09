"""Pure rules of placement that the scheduler, taint eviction and Karpenter share.

Sources: component-helpers scheduling/corev1 (helpers.go, nodeaffinity/nodeaffinity.go) and resource/helpers.go; the
toleration rule is api core/v1 toleration.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.gojson import encoded
from labs.api.quantity import milli, value
from labs.api.selectors import Requirement, requirement_faults

Amounts = dict[str, int]
"""Amount by resource name: ``cpu`` in millicores, ``memory`` and ``ephemeral-storage`` in bytes, others in units."""

Taint = Mapping[str, Any]
Toleration = Mapping[str, Any]

HARD_EFFECTS = ("NoSchedule", "NoExecute")
"""Taint effects that keep a pod off a node; PreferNoSchedule only lowers the node's score."""

_LABEL_OPERATORS = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "!",
    "Gt": "gt",
    "Lt": "lt",
}
_FIELD_OPERATORS = ("In", "NotIn")
_INTEGER = re.compile("0|-?[1-9][0-9]*", re.ASCII)
_INT64 = range(-(2**63), 2**63)


def tolerates(toleration: Toleration, taint: Taint, *, allows_comparison: bool = False) -> bool:
    """Whether one toleration covers a taint.

    ``allows_comparison`` is the alpha gate TaintTolerationComparisonOperators (operators Gt and Lt).
    """
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    wanted, actual = toleration.get("value") or "", taint.get("value") or ""
    if operator == "Exists":
        return True
    if operator == "Equal":
        return bool(wanted == actual)
    return allows_comparison and _compares(operator, wanted, actual)


def _compares(operator: str, bound: str, actual: str) -> bool:
    """``compareNumericValues``: both must be integers in their shortest spelling that fit 64 bits."""
    if any(_INTEGER.fullmatch(text) is None or int(text) not in _INT64 for text in (bound, actual)):
        return False
    if operator == "Gt":
        return int(actual) > int(bound)
    return operator == "Lt" and int(actual) < int(bound)


def is_tolerated(taint: Taint, tolerations: Iterable[Toleration], *, allows_comparison: bool = False) -> bool:
    """Whether any of the tolerations covers the taint."""
    return any(tolerates(item, taint, allows_comparison=allows_comparison) for item in tolerations)


def untolerated_taint(
    taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str] = HARD_EFFECTS
) -> Taint | None:
    """The first taint of one of the ``effects`` that no toleration covers, or None."""
    for taint in taints:
        if taint.get("effect") in effects and not is_tolerated(taint, tolerations):
            return taint
    return None


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """One term, parsed: all of its label and field conditions; ``faults`` say why it can match nothing."""

    labels: tuple[Requirement, ...]
    fields: tuple[Requirement, ...]
    faults: tuple[str, ...]

    def matches(self, node_name: str, labels: Mapping[str, str]) -> bool:
        """Whether a node with this name and these labels meets every condition."""
        if self.faults:
            return False
        fields = {"metadata.name": node_name}
        return all(item.matches(labels) for item in self.labels) and all(
            item.matches({item.key: fields.get(item.key, "")}) for item in self.fields if node_name
        )


@dataclass(frozen=True, slots=True)
class NodeSelector:
    """``v1.NodeSelector``, parsed: a node must match one of the terms. Without terms it matches no node."""

    terms: tuple[NodeSelectorTerm, ...]

    def matches(self, node_name: str, labels: Mapping[str, str]) -> bool:
        """Whether the node matches a term; a faulty term matches nothing."""
        return any(term.matches(node_name, labels) for term in self.terms)

    @property
    def error(self) -> str | None:
        """Upstream's text for every fault, or None."""
        return _joined(fault for term in self.terms for fault in term.faults)


def parse_node_selector(selector: Mapping[str, Any] | None) -> NodeSelector:
    """Parse a required node affinity; faults are kept, not raised, and empty terms are left out."""
    terms = (selector or {}).get("nodeSelectorTerms") or ()
    return NodeSelector(
        tuple(
            parse_node_selector_term(term, f"nodeSelectorTerms[{index}]")
            for index, term in enumerate(terms)
            if not _is_empty(term)
        )
    )


def parse_node_selector_term(term: Mapping[str, Any], path: str) -> NodeSelectorTerm:
    """Parse one term; ``path`` begins the texts of its faults."""
    faults: list[str] = []
    labels = _requirements(term.get("matchExpressions"), f"{path}.matchExpressions", _label_faults, faults)
    fields = _requirements(term.get("matchFields"), f"{path}.matchFields", _field_faults, faults)
    return NodeSelectorTerm(labels, fields, tuple(faults))


def _is_empty(term: Mapping[str, Any]) -> bool:
    return not term.get("matchExpressions") and not term.get("matchFields")


def _requirements(
    expressions: Sequence[Mapping[str, Any]] | None,
    path: str,
    check: Callable[[Mapping[str, Any]], list[str]],
    faults: list[str],
) -> tuple[Requirement, ...]:
    found = []
    for index, item in enumerate(expressions or ()):
        wrong = check(item)
        faults += [f"{path}[{index}].{fault}" for fault in wrong]
        if not wrong:
            found.append(Requirement(item["key"], _LABEL_OPERATORS[item["operator"]], tuple(item.get("values") or ())))
    return tuple(found)


def _label_faults(item: Mapping[str, Any]) -> list[str]:
    operator = item.get("operator", "")
    if operator not in _LABEL_OPERATORS:
        return [_unsupported(operator, tuple(_LABEL_OPERATORS))]
    values = tuple(item.get("values") or ())
    no_values = "null" if item.get("values") is None else "[]"
    return requirement_faults(item.get("key", ""), _LABEL_OPERATORS[operator], values, no_values)


def _field_faults(item: Mapping[str, Any]) -> list[str]:
    operator = item.get("operator", "")
    if operator not in _FIELD_OPERATORS:
        return [_unsupported(operator, _FIELD_OPERATORS)]
    values = item.get("values")
    if len(values or ()) != 1:
        listed = encoded(values)
        return [f"values: Invalid value: {listed}: must have one element"]
    return []


def _unsupported(operator: str, supported: tuple[str, ...]) -> str:
    texts = ", ".join(f'"{name}"' for name in supported)
    return f"operator: Unsupported value: {encoded(operator)}: supported values: {texts}"


def _joined(faults: Iterable[str]) -> str | None:
    distinct = list(dict.fromkeys(faults))
    if not distinct:
        return None
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


@dataclass(frozen=True, slots=True)
class NodeAffinity:
    """What a pod requires of its node: ``spec.nodeSelector`` and the required node affinity, parsed."""

    node_selector: tuple[tuple[str, str], ...] = ()
    required: NodeSelector | None = None

    def matches(self, node_name: str, labels: Mapping[str, str]) -> bool:
        """Whether the node is allowed."""
        if any(labels.get(key) != wanted for key, wanted in self.node_selector):
            return False
        return self.required is None or self.required.matches(node_name, labels)

    @property
    def is_empty(self) -> bool:
        """Whether every node is allowed."""
        return not self.node_selector and self.required is None

    def error(self, node_name: str, labels: Mapping[str, str]) -> str | None:
        """Upstream's error where a faulty term was looked at and no other term matched, else None."""
        is_selected = all(labels.get(key) == wanted for key, wanted in self.node_selector)
        if self.required is None or not is_selected or self.required.matches(node_name, labels):
            return None
        return self.required.error


def required_node_affinity(pod_spec: Mapping[str, Any]) -> NodeAffinity:
    """The node requirements of a pod's spec."""
    required = ((pod_spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return NodeAffinity(
        tuple((pod_spec.get("nodeSelector") or {}).items()),
        None if required is None else parse_node_selector(required),
    )


@dataclass(frozen=True, slots=True)
class PreferredTerm:
    """A node selector term that is worth ``weight`` points."""

    weight: int
    term: NodeSelectorTerm


def parse_preferred_terms(terms: Iterable[Mapping[str, Any]] | None) -> tuple[PreferredTerm, ...]:
    """Preferred node affinity, without terms of weight 0 and empty ones. Raises ValueError for a faulty term."""
    parsed = tuple(
        PreferredTerm(item["weight"], parse_node_selector_term(item["preference"], f"[{index}]"))
        for index, item in enumerate(terms or ())
        if item.get("weight") and not _is_empty(item.get("preference") or {})
    )
    error = _joined(fault for item in parsed for fault in item.term.faults)
    if error is not None:
        raise ValueError(error)
    return parsed


def preference_score(terms: Iterable[PreferredTerm], node_name: str, labels: Mapping[str, str]) -> int:
    """Sum of the weights of the terms that the node matches."""
    return sum(item.weight for item in terms if item.term.matches(node_name, labels))


def amounts(resources: Mapping[str, Any] | None) -> Amounts:
    """A resource list (``requests``, ``allocatable``) as integers."""
    return {name: milli(quantity) if name == "cpu" else value(quantity) for name, quantity in (resources or {}).items()}


def pod_requests(pod: Mapping[str, Any], default: Mapping[str, int] | None = None) -> Amounts:
    """What a pod occupies on its node, ``pods`` (1) included.

    max(containers + sidecars, each init step with the sidecars before it), then pod-level requests replace the sums,
    then overhead is added. ``default`` stands in for what a container does not request. Source: PodRequests.
    """
    spec = pod["spec"]
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container, default))
    _with_init_containers(total, spec.get("initContainers") or (), default)
    total |= amounts((spec.get("resources") or {}).get("requests"))
    _add(total, amounts(spec.get("overhead")))
    total["pods"] = 1
    return total


def _container_requests(container: Mapping[str, Any], default: Mapping[str, int] | None) -> Amounts:
    requested = amounts((container.get("resources") or {}).get("requests"))
    return {**default, **requested} if default else requested


def _with_init_containers(
    total: Amounts, containers: Iterable[Mapping[str, Any]], default: Mapping[str, int] | None
) -> None:
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        requested = _container_requests(container, default)
        if container.get("restartPolicy") == "Always":
            _add(total, requested)
            _add(sidecars, requested)
            requested = dict(sidecars)
        else:
            _add(requested, sidecars)
        for name, amount in requested.items():
            peak[name] = max(peak.get(name, 0), amount)
    for name, amount in peak.items():
        total[name] = max(total.get(name, 0), amount)


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount
