"""Validation of a Job's podFailurePolicy.

Source: kubernetes/kubernetes pkg/apis/batch/validation/validation.go (validatePodFailurePolicy).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.strategy import FieldError, duplicate, invalid, not_supported, required

MAX_RULES = 20
MAX_EXIT_CODES = 255
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
OPERATORS = ("In", "NotIn")
STATUSES = ("False", "True", "Unknown")


def validate_failure_policy(policy: dict[str, Any], spec: dict[str, Any], path: str) -> list[FieldError]:
    """Each rule by itself, and against the Job's containers."""
    rules = policy.get("rules") or []
    problems: list[FieldError] = []
    if len(rules) > MAX_RULES:
        text = f"Too many: {len(rules)}: must have at most {MAX_RULES} items"
        problems.append(FieldError("FieldValueTooMany", f"{path}.rules", text))
    template = spec["template"]["spec"]
    containers = {item.get("name") for key in ("containers", "initContainers") for item in template.get(key) or ()}
    for index, rule in enumerate(rules):
        problems += _rule(rule, spec, containers, f"{path}.rules[{index}]")
    return problems


def _rule(rule: dict[str, Any], spec: dict[str, Any], containers: set[Any], path: str) -> list[FieldError]:
    action = rule.get("action") or ""
    problems: list[FieldError] = []
    if not action:
        problems.append(required(f"{path}.action", f"valid values: {_quoted(ACTIONS)}"))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        problems.append(invalid(f"{path}.action", action, "requires the backoffLimitPerIndex to be set"))
    elif action not in ACTIONS:
        problems.append(not_supported(f"{path}.action", action, ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        problems += _exit_codes(codes, containers, f"{path}.onExitCodes")
    for index, condition in enumerate(conditions):
        problems += _condition(condition, f"{path}.onPodConditions[{index}]")
    if codes is not None and conditions:
        text = "specifying both OnExitCodes and OnPodConditions is not supported"
        problems.append(invalid(path, "", text))
    elif codes is None and not conditions:
        problems.append(invalid(path, "", "specifying one of OnExitCodes and OnPodConditions is required"))
    return problems


def _exit_codes(codes: dict[str, Any], containers: set[Any], path: str) -> list[FieldError]:
    operator, values = codes.get("operator") or "", codes.get("values") or []
    problems: list[FieldError] = []
    if not operator:
        problems.append(required(f"{path}.operator", f"valid values: {_quoted(OPERATORS)}"))
    elif operator not in OPERATORS:
        problems.append(not_supported(f"{path}.operator", operator, OPERATORS))
    named = codes.get("containerName")
    if named is not None and named not in containers:
        text = "must be one of the container or initContainer names in the pod template"
        problems.append(invalid(f"{path}.containerName", named, text))
    if not values:
        problems.append(invalid(f"{path}.values", values or None, "at least one value is required"))
    elif len(values) > MAX_EXIT_CODES:
        text = f"Too many: {len(values)}: must have at most {MAX_EXIT_CODES} items"
        problems.append(FieldError("FieldValueTooMany", f"{path}.values", text))
    for index, value in enumerate(values):
        here = f"{path}.values[{index}]"
        if operator == "In" and value == 0:
            problems.append(invalid(here, value, "must not be 0 for the In operator"))
        if value in values[:index]:
            problems.append(duplicate(here, value))
        elif index and value < values[index - 1]:
            problems.append(invalid(f"{path}.values", values, "must be ordered"))
            break
    return problems


def _condition(condition: dict[str, Any], path: str) -> list[FieldError]:
    kind, status = condition.get("type") or "", condition.get("status") or ""
    problems = [invalid(f"{path}.type", kind, text) for text in names.qualified_name(kind)]
    if not status:
        problems.append(required(f"{path}.status", f"valid values: {_quoted(STATUSES)}"))
    elif status not in STATUSES:
        problems.append(not_supported(f"{path}.status", status, STATUSES))
    return problems


def _quoted(values: tuple[str, ...]) -> str:
    return ", ".join(f'"{value}"' for value in values)
