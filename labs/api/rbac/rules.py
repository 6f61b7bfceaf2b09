"""Policy rules: what one allows, and whether some cover others.

Source: kubernetes/kubernetes pkg/apis/rbac/v1/evaluation_helpers.go, pkg/registry/rbac/validation/policy_compact.go,
plugin/pkg/auth/authorizer/rbac/rbac.go; k8s.io/component-helpers auth/rbac/validation/policy_comparator.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labs.api.strategy import show

Rule = Mapping[str, Sequence[str]]
ALL = "*"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What somebody asks to do: a verb on a resource, or on a ``path`` that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def combined_resource(self) -> str:
        """``pods`` or ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def values(rule: Rule, key: str) -> Sequence[str]:
    """A list of a rule, empty when it has none."""
    return rule.get(key) or ()


def allows(rule: Rule, inquiry: Inquiry) -> bool:
    """``RuleAllows``."""
    if not _has(values(rule, "verbs"), inquiry.verb):
        return False
    if inquiry.path:
        return any(_matches_url(pattern, inquiry.path) for pattern in values(rule, "nonResourceURLs"))
    named = values(rule, "resourceNames")
    return (
        _has(values(rule, "apiGroups"), inquiry.group)
        and any(_matches_resource(item, inquiry) for item in values(rule, "resources"))
        and (not named or inquiry.name in named)
    )


def _has(allowed: Sequence[str], wanted: str) -> bool:
    return ALL in allowed or wanted in allowed


def _matches_resource(allowed: str, inquiry: Inquiry) -> bool:
    if allowed in (ALL, inquiry.combined_resource):
        return True
    return bool(inquiry.subresource) and allowed == f"*/{inquiry.subresource}"


def _matches_url(pattern: str, path: str) -> bool:
    return pattern in (ALL, path) or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def uncovered(owned: Sequence[Rule], granted: Sequence[Rule]) -> list[Rule]:
    """``Covers``: the single rights of ``granted`` that no rule of ``owned`` holds."""
    return [
        right for rule in granted for right in _single_rights(rule) if not any(_covers(held, right) for held in owned)
    ]


def _single_rights(rule: Rule) -> Iterator[Rule]:
    """``BreakdownRule``: one rule for each group, resource, verb and name."""
    for group in values(rule, "apiGroups"):
        for resource in values(rule, "resources"):
            for verb in values(rule, "verbs"):
                right = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                yield from ({**right, "resourceNames": [name]} for name in values(rule, "resourceNames"))
                if not values(rule, "resourceNames"):
                    yield right
    for url in values(rule, "nonResourceURLs"):
        for verb in values(rule, "verbs"):
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(held: Rule, right: Rule) -> bool:
    names, wanted_names = values(held, "resourceNames"), values(right, "resourceNames")
    return (
        all(_has(values(held, "verbs"), verb) for verb in right["verbs"])
        and all(_has(values(held, "apiGroups"), group) for group in values(right, "apiGroups"))
        and all(_covers_resource(values(held, "resources"), item) for item in values(right, "resources"))
        and all(
            any(_matches_url(pattern, url) for pattern in values(held, "nonResourceURLs"))
            for url in values(right, "nonResourceURLs")
        )
        and (not names or (bool(wanted_names) and all(name in names for name in wanted_names)))
    )


def _covers_resource(held: Sequence[str], wanted: str) -> bool:
    if _has(held, wanted):
        return True
    _, slash, subresource = wanted.partition("/")
    return bool(slash) and f"*/{subresource}" in held


def compacted(rights: Sequence[Rule]) -> list[Rule]:
    """``CompactRules``: rights that differ only in their verb become one rule."""
    joined: dict[tuple[str, str, str | None], dict[str, Sequence[str]]] = {}
    others: list[Rule] = []
    for right in rights:
        if "resources" not in right:
            others.append(right)
            continue
        names = values(right, "resourceNames")
        key = (right["apiGroups"][0], right["resources"][0], names[0] if names else None)
        known = joined.setdefault(key, {**right, "verbs": []})
        known["verbs"] = [*known["verbs"], *right["verbs"]]
    return [*others, *joined.values()]


def described(rule: Rule) -> str:
    """``CompactString``: a rule as refusals print it."""
    names = (
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("NonResourceURLs", "nonResourceURLs"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    return "{" + ", ".join(f"{shown}:{quoted_list(values(rule, key))}" for shown, key in names if rule.get(key)) + "}"


def quoted_list(texts: Sequence[str]) -> str:
    """Texts as Go's ``%q`` prints a list."""
    return "[" + " ".join(show(text) for text in texts) + "]"
