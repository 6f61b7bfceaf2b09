"""The algebra of node requirements: a key's allowed values as a set or the complement of one.

Source: kubernetes-sigs/karpenter pkg/scheduling/{requirement,requirements}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
HOSTNAME = "kubernetes.io/hostname"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
ARCH = "kubernetes.io/arch"
OS = "kubernetes.io/os"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
NODEPOOL = "karpenter.sh/nodepool"

WELL_KNOWN_PREFIXES = ("karpenter.k8s.aws/instance-",)
WELL_KNOWN = frozenset((ZONE, REGION, HOSTNAME, INSTANCE_TYPE, ARCH, OS, CAPACITY_TYPE, NODEPOOL))


def is_well_known(key: str) -> bool:
    """Whether a label is one that a new node will have although no NodePool names it."""
    return key in WELL_KNOWN or key.startswith(WELL_KNOWN_PREFIXES)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Allowed values of a label: ``values``, or when ``is_complement`` all but those, within (above, below)."""

    key: str
    values: frozenset[str]
    is_complement: bool = False
    above: int | None = None
    below: int | None = None

    def allows(self, value: str) -> bool:
        """Whether a node may have this value."""
        if (value in self.values) == self.is_complement:
            return False
        return self._is_within_bounds(value)

    def _is_within_bounds(self, value: str) -> bool:
        if self.above is None and self.below is None:
            return True
        if not value.lstrip("-").isdigit():
            return False
        number = int(value)
        return (self.above is None or number > self.above) and (self.below is None or number < self.below)

    @property
    def allows_absence(self) -> bool:
        """Whether a node without the label will do (NotIn, DoesNotExist)."""
        if self.is_complement:
            return bool(self.values)
        return not self.values

    @property
    def is_impossible(self) -> bool:
        """Whether no value is left (also the form of DoesNotExist)."""
        return not self.is_complement and not self.values

    def intersect(self, other: Requirement) -> Requirement:
        """What both allow."""
        above = max((bound for bound in (self.above, other.above) if bound is not None), default=None)
        below = min((bound for bound in (self.below, other.below) if bound is not None), default=None)
        if self.is_complement and other.is_complement:
            return Requirement(self.key, self.values | other.values, True, above, below)
        listed, rest = (other, self) if self.is_complement else (self, other)
        bounds = Requirement(self.key, frozenset(), True, above, below)
        kept = frozenset(value for value in listed.values if rest.allows(value) and bounds.allows(value))
        return Requirement(self.key, kept)

    def to_wire(self) -> dict[str, Any]:
        """The requirement as a NodeClaim spells it."""
        values = sorted(self.values)
        if not self.is_complement:
            return {
                "key": self.key,
                "operator": "In" if values else "DoesNotExist",
                **({"values": values} if values else {}),
            }
        if values:
            return {"key": self.key, "operator": "NotIn", "values": values}
        if self.above is not None:
            return {"key": self.key, "operator": "Gt", "values": [str(self.above)]}
        if self.below is not None:
            return {"key": self.key, "operator": "Lt", "values": [str(self.below)]}
        return {"key": self.key, "operator": "Exists"}


def requirement_of(term: Mapping[str, Any]) -> Requirement:
    """A requirement from its wire form {key, operator, values}."""
    key, operator = term["key"], term["operator"]
    values = frozenset(term.get("values") or ())
    match operator:
        case "In":
            return Requirement(key, values)
        case "NotIn":
            return Requirement(key, values, is_complement=True)
        case "Exists":
            return Requirement(key, frozenset(), is_complement=True)
        case "DoesNotExist":
            return Requirement(key, frozenset())
    bound = int(next(iter(values)))
    match operator:
        case "Gt":
            return Requirement(key, frozenset(), True, above=bound)
        case "Gte":
            return Requirement(key, frozenset(), True, above=bound - 1)
        case "Lt":
            return Requirement(key, frozenset(), True, below=bound)
    assert operator == "Lte", operator
    return Requirement(key, frozenset(), True, below=bound + 1)


class Requirements:
    """Requirements by key; never changed, ``with_added`` gives a new one."""

    __slots__ = ("_by_key",)

    def __init__(self, requirements: Iterable[Requirement] = ()) -> None:
        by_key: dict[str, Requirement] = {}
        for requirement in requirements:
            known = by_key.get(requirement.key)
            by_key[requirement.key] = requirement if known is None else known.intersect(requirement)
        self._by_key = by_key

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Requirements:
        """Each label as a requirement of exactly its value."""
        return cls(Requirement(key, frozenset((value,))) for key, value in labels.items())

    @classmethod
    def from_terms(cls, terms: Iterable[Mapping[str, Any]]) -> Requirements:
        """From a list in wire form."""
        return cls(requirement_of(term) for term in terms)

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._by_key.values())

    def get(self, key: str) -> Requirement | None:
        """The requirement on a key, or None."""
        return self._by_key.get(key)

    def with_added(self, added: Iterable[Requirement]) -> Requirements:
        """These and ``added``, intersected key by key."""
        return Requirements([*self, *added])

    def is_compatible(self, asked: Requirements, *, may_define_well_known: bool) -> bool:
        """Whether a node of these requirements can satisfy ``asked``.

        A key that these do not name is acceptable when it is well known (a new node will have it) and
        ``may_define_well_known``, or when ``asked`` allows the label to be absent.
        """
        for requirement in asked:
            own = self._by_key.get(requirement.key)
            if own is None:
                if may_define_well_known and is_well_known(requirement.key):
                    continue
                if not requirement.allows_absence:
                    return False
            elif own.intersect(requirement).is_impossible and not (own.allows_absence and requirement.allows_absence):
                return False
        return True
