"""Validation of where a pod may run: affinity, tolerations, topology spread.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateAffinity, ValidateTolerations,
validateTopologySpreadConstraints).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.strategies.rules import label_selector
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, not_supported, required

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_affinity(affinity: dict[str, Any], path: str) -> list[FieldError]:
    """What is wrong with an affinity."""
    problems: list[FieldError] = []
    node = affinity.get("nodeAffinity") or {}
    if node.get(REQUIRED_TERMS) is not None:
        here = f"{path}.nodeAffinity.{REQUIRED_TERMS}.nodeSelectorTerms"
        terms = node[REQUIRED_TERMS].get("nodeSelectorTerms") or []
        if not terms:
            problems.append(required(here, "must have at least one node selector term"))
        for index, term in enumerate(terms):
            problems += _node_term(term, f"{here}[{index}]")
    for index, item in enumerate(node.get(PREFERRED_TERMS) or ()):
        here = f"{path}.nodeAffinity.{PREFERRED_TERMS}[{index}]"
        problems += _weight(item, here) + _node_term(item.get("preference") or {}, f"{here}.preference")
    for key in ("podAffinity", "podAntiAffinity"):
        problems += _pod_terms(affinity.get(key) or {}, f"{path}.{key}")
    return problems


def _weight(item: dict[str, Any], path: str) -> list[FieldError]:
    weight = item.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _node_term(term: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, item in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        operator, values = item.get("operator") or "", item.get("values") or []
        if operator in ("In", "NotIn") and not values:
            problems.append(required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            problems.append(
                forbidden(f"{here}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
            )
        elif operator in ("Gt", "Lt") and len(values) != 1:
            problems.append(
                required(f"{here}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
            )
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"):
            problems.append(invalid(f"{here}.operator", operator, "not a valid selector operator"))
        key = item.get("key") or ""
        problems += [invalid(f"{here}.key", key, text) for text in names.qualified_name(key)]
    return problems


def _pod_terms(affinity: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, term in enumerate(affinity.get(REQUIRED_TERMS) or ()):
        problems += _pod_term(term, f"{path}.{REQUIRED_TERMS}[{index}]")
    for index, item in enumerate(affinity.get(PREFERRED_TERMS) or ()):
        here = f"{path}.{PREFERRED_TERMS}[{index}]"
        problems += _weight(item, here) + _pod_term(item.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return problems


def _pod_term(term: dict[str, Any], path: str) -> list[FieldError]:
    problems = label_selector(term.get("labelSelector"), f"{path}.labelSelector")
    problems += label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    key = term.get("topologyKey")
    if not key:
        problems.append(required(f"{path}.topologyKey", "can not be empty"))
    problems += [invalid(f"{path}.topologyKey", key or "", text) for text in names.qualified_name(key or "")]
    return problems


def validate_tolerations(tolerations: Sequence[dict[str, Any]], path: str) -> list[FieldError]:
    """What is wrong with tolerations."""
    problems: list[FieldError] = []
    for index, item in enumerate(tolerations):
        here = f"{path}[{index}]"
        key, operator = item.get("key") or "", item.get("operator") or ""
        problems += [invalid(f"{here}.key", key, text) for text in names.qualified_name(key) if key]
        if not key and operator != "Exists":
            problems.append(
                invalid(
                    f"{here}.operator",
                    operator,
                    'operator must be Exists when `key` is empty, which means "match all values and all keys"',
                )
            )
        if item.get("tolerationSeconds") is not None and item.get("effect") != "NoExecute":
            problems.append(
                invalid(
                    f"{here}.effect",
                    item.get("effect") or "",
                    "effect must be 'NoExecute' when `tolerationSeconds` is set",
                )
            )
        if operator in ("", "Equal"):
            wrong = names.label_value(item.get("value") or "")
            problems += [invalid(f"{here}.operator", item.get("value"), ";".join(wrong))] if wrong else []
        elif operator == "Exists" and item.get("value"):
            problems.append(
                invalid(f"{here}.operator", _go_toleration(item), "value must be empty when `operator` is 'Exists'")
            )
        elif operator not in ("", "Equal", "Exists", "Lt", "Gt"):
            problems.append(not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if item.get("effect") and item["effect"] not in EFFECTS:
            problems.append(not_supported(f"{here}.effect", item["effect"], EFFECTS))
    return problems


def _go_toleration(item: dict[str, Any]) -> dict[str, Any]:
    """As the internal Go type is printed: every field, under its Go name."""
    texts = {key.capitalize(): item.get(key) or "" for key in ("key", "operator", "value", "effect")}
    return {**texts, "TolerationSeconds": item.get("tolerationSeconds")}


def validate_spread(constraints: Sequence[dict[str, Any]], path: str) -> list[FieldError]:
    """What is wrong with topology spread constraints."""
    problems: list[FieldError] = []
    pairs = [(item.get("topologyKey") or "", item.get("whenUnsatisfiable") or "") for item in constraints]
    for index, item in enumerate(constraints):
        here = f"{path}[{index}]"
        skew, key, action = item.get("maxSkew") or 0, item.get("topologyKey") or "", item.get("whenUnsatisfiable") or ""
        if skew <= 0:
            problems.append(invalid(f"{here}.maxSkew", skew, "must be greater than zero"))
        if not key:
            problems.append(required(f"{here}.topologyKey", "can not be empty"))
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            problems.append(not_supported(f"{here}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
        if (key, action) in pairs[index + 1 :]:
            problems.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        domains = item.get("minDomains")
        if domains is not None and domains <= 0:
            problems.append(invalid(f"{here}.minDomains", domains, "must be greater than zero"))
        if domains is not None and action != "DoNotSchedule":
            text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            problems.append(invalid(f"{here}.minDomains", domains, text))
        problems += label_selector(item.get("labelSelector"), f"{here}.labelSelector")
    return problems
