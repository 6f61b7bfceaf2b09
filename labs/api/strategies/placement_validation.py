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

NODE_POLICIES = ("Honor", "Ignore")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_affinity(affinity: dict[str, Any], path: str) -> list[FieldError]:
    """What is wrong with an affinity."""
    problems: list[FieldError] = []
    node = affinity.get("nodeAffinity") or {}
    if node.get(REQUIRED_TERMS) is not None:
        problems += validate_node_selector(node[REQUIRED_TERMS], f"{path}.nodeAffinity.{REQUIRED_TERMS}")
    for index, item in enumerate(node.get(PREFERRED_TERMS) or ()):
        here = f"{path}.nodeAffinity.{PREFERRED_TERMS}[{index}]"
        problems += _weight(item, here) + _node_term(item.get("preference") or {}, f"{here}.preference")
    for key in ("podAffinity", "podAntiAffinity"):
        problems += _pod_terms(affinity.get(key) or {}, f"{path}.{key}")
    return problems


def _weight(item: dict[str, Any], path: str) -> list[FieldError]:
    weight = item.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def validate_node_selector(selector: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateNodeSelector``: what must hold, so that its values must be label values."""
    here, terms = f"{path}.nodeSelectorTerms", selector.get("nodeSelectorTerms") or []
    if not terms:
        return [required(here, "must have at least one node selector term")]
    return [
        problem
        for index, term in enumerate(terms)
        for problem in _node_term(term, f"{here}[{index}]", checks_values=True)
    ]


def _node_term(term: dict[str, Any], path: str, *, checks_values: bool = False) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, item in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{index}]"
        problems += _node_values(item, here)
        key = item.get("key") or ""
        problems += [invalid(f"{here}.key", key, text) for text in names.qualified_name(key)]
        for place, value in enumerate(item.get("values") or ()) if checks_values else ():
            problems += [invalid(f"{here}.values[{place}]", value, text) for text in names.label_value(value)]
    for index, item in enumerate(term.get("matchFields") or ()):
        problems += _node_field(item, f"{path}.matchFields[{index}]")
    return problems


def _node_values(item: dict[str, Any], path: str) -> list[FieldError]:
    operator, values = item.get("operator") or "", item.get("values") or []
    if operator in ("In", "NotIn"):
        text = "must be specified when `operator` is 'In' or 'NotIn'"
        return [] if values else [required(f"{path}.values", text)]
    if operator in ("Exists", "DoesNotExist"):
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        return [forbidden(f"{path}.values", text)] if values else []
    if operator in ("Gt", "Lt"):
        text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        return [] if len(values) == 1 else [required(f"{path}.values", text)]
    return [invalid(f"{path}.operator", operator, "not a valid selector operator")]


def _node_field(item: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateNodeFieldSelectorRequirement``: only the name can be selected by."""
    operator, values, key = item.get("operator") or "", item.get("values") or [], item.get("key") or ""
    problems: list[FieldError] = []
    if operator not in ("In", "NotIn"):
        problems.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        problems.append(required(f"{path}.values", text))
    if key != "metadata.name":
        return [*problems, invalid(f"{path}.key", key, "not a valid field selector key")]
    for place, value in enumerate(values):
        problems += [invalid(f"{path}.values[{place}]", value, text) for text in names.dns1123_subdomain(value)]
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
    for name in term.get("namespaces") or ():
        problems += [invalid(f"{path}.namespace", name, text) for text in names.dns1123_label(name)]
    problems += _label_keys(term, path)
    key = term.get("topologyKey")
    if not key:
        problems.append(required(f"{path}.topologyKey", "can not be empty"))
    problems += [invalid(f"{path}.topologyKey", key or "", text) for text in names.qualified_name(key or "")]
    return problems


def _label_keys(holder: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateMatchLabelKeysAndMismatchLabelKeys``."""
    selector = holder.get("labelSelector")
    matched, mismatched = holder.get("matchLabelKeys") or [], holder.get("mismatchLabelKeys") or []
    problems: list[FieldError] = []
    for field, keys in (("matchLabelKeys", matched), ("mismatchLabelKeys", mismatched)):
        if keys and selector is None:
            problems.append(forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set"))
            continue
        for index, key in enumerate(keys):
            problems += [invalid(f"{path}.{field}[{index}]", key, text) for text in names.qualified_name(key)]
    seen = set((selector or {}).get("matchLabels") or {})
    for item in (selector or {}).get("matchExpressions") or ():
        key = item.get("key") or ""
        if key in matched and key in seen:
            text = "exists in both matchLabelKeys and labelSelector"
            problems.append(invalid(f"{path}[{len(matched) - 1 - matched[::-1].index(key)}]", key, text))
        seen.add(key)
    for index, key in enumerate(matched):
        if key in mismatched:
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            problems.append(invalid(f"{path}.matchLabelKeys[{index}]", key, text))
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
                invalid(f"{here}.operator", item["value"], "value must be empty when `operator` is 'Exists'")
            )
        elif operator not in ("", "Equal", "Exists", "Lt", "Gt"):
            problems.append(not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if item.get("effect") and item["effect"] not in EFFECTS:
            problems.append(not_supported(f"{here}.effect", item["effect"], EFFECTS))
    return problems


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
        for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if item.get(policy) is not None and item[policy] not in NODE_POLICIES:
                problems.append(not_supported(f"{here}.{policy}", item[policy], NODE_POLICIES))
        problems += _label_keys(item, here)
        problems += label_selector(item.get("labelSelector"), f"{here}.labelSelector")
    return problems
