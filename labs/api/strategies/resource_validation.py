"""Validation of a container's resources.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateContainerResourceRequirements,
validateContainerResourceName, ValidateResourceQuantityValue).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.quantity import parse_quantity
from labs.api.strategies.rules import NOT_NEGATIVE
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

STANDARD_RESOURCES = ("cpu", "memory", "ephemeral-storage")
POD_RESOURCES = ("cpu", "hugepages-", "memory")
HUGE_PAGES = "hugepages-"
NOT_EXTENDED = "doesn't follow extended resource name standard"


def validate_resources(resources: dict[str, Any], path: str, *, of_pod: bool = False) -> list[FieldError]:
    """Names, amounts, and requests within limits; ``of_pod``: of a pod as a whole."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    problems: list[FieldError] = []
    for name, amount in limits.items():
        problems += _amount(name, amount, f"{path}.limits[{name}]", of_pod=of_pod)
        problems += _huge_page(name, amount, f"{path}.limits[{name}]")
    for name, amount in requests.items():
        problems += _amount(name, amount, f"{path}.requests[{name}]", of_pod=of_pod)
        limit = limits.get(name)
        if limit is None:
            if not _is_overcommitable(name):
                text = "Limit must be set for non overcommitable resources"
                problems.append(required(f"{path}.limits", text))
        elif not _is_overcommitable(name) and parse_quantity(limit) != parse_quantity(amount):
            text = f"must be equal to {name} limit of {limit}"
            problems.append(invalid(f"{path}.requests", str(amount), text))
        elif parse_quantity(limit) < parse_quantity(amount):
            why = f"must be less than or equal to {name} limit of {limit}"
            problems.append(invalid(f"{path}.requests", str(amount), why))
        problems += _huge_page(name, amount, f"{path}.requests[{name}]")
    used = {**limits, **requests}
    if any(name.startswith(HUGE_PAGES) for name in used) and not {"cpu", "memory"} & used.keys():
        problems.append(forbidden(path, "HugePages require cpu or memory"))
    return problems


def _huge_page(name: str, amount: Any, path: str) -> list[FieldError]:
    if not name.startswith(HUGE_PAGES):
        return []
    try:
        size = parse_quantity(name.removeprefix(HUGE_PAGES))
    except ValueError:
        size = None
    value = parse_quantity(amount)
    is_divisible = size is not None and size.sign > 0 and value.milli_value() % size.milli_value() == 0
    return [] if is_divisible else [invalid(path, str(amount), f"{amount} is not positive integer multiple of {name}")]


def _is_overcommitable(name: str) -> bool:
    """Native resources are, huge pages and extended resources are not."""
    is_native = "/" not in name or "kubernetes.io/" in name
    return is_native and not name.startswith("hugepages-")


def _amount(name: str, amount: Any, path: str, *, of_pod: bool) -> list[FieldError]:
    problems = _pod_resource_name(name, path) if of_pod else _resource_name(name, path)
    quantity = parse_quantity(amount)
    if quantity.sign < 0:
        return [*problems, invalid(path, str(amount), NOT_NEGATIVE)]
    is_extended = "/" in name and "kubernetes.io/" not in name
    if is_extended and quantity.milli_value() % 1000:
        problems.append(invalid(path, str(amount), "must be an integer"))
    return problems


def _resource_name(name: str, path: str) -> list[FieldError]:
    problems = [invalid(path, name, text) for text in names.qualified_name(name)]
    if problems:
        return problems
    if "/" not in name:
        if name in STANDARD_RESOURCES or name.startswith("hugepages-"):
            return []
        return [
            invalid(path, name, "must be a standard resource type or fully qualified"),
            invalid(path, name, "must be a standard resource for containers"),
        ]
    is_extended = "kubernetes.io/" not in name and not name.startswith("requests.")
    return [] if is_extended else [invalid(path, name, NOT_EXTENDED)]


def _pod_resource_name(name: str, path: str) -> list[FieldError]:
    """``validatePodResourceName``."""
    problems = [invalid(path, name, text) for text in names.qualified_name(name)]
    if problems or name in POD_RESOURCES or name.startswith(HUGE_PAGES):
        return problems
    if "/" not in name and name not in STANDARD_RESOURCES:
        return [invalid(path, name, "must be a standard resource type or fully qualified")]
    return [not_supported(path, name, POD_RESOURCES)]
