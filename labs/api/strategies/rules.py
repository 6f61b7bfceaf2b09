"""Small validation rules that several kinds share.

Source: apimachinery pkg/api/validation, pkg/apis/meta/v1/validation (label selectors).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

NOT_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def one_of(
    holder: dict[str, Any], key: str, allowed: Sequence[str], path: str, *, is_required: bool = True
) -> list[FieldError]:
    """A choice: missing is Required (unless optional), any other value NotSupported.

    The message names the choices in the order of ``allowed``: upstream's sets are sorted, its slices are not.
    """
    value = holder.get(key)
    if value in allowed:
        return []
    if not value:
        return [required(f"{path}.{key}")] if is_required and value == "" else []
    return [not_supported(f"{path}.{key}" if path else key, value, allowed)]


def name_in(holder: dict[str, Any], key: str, rule: names.Rule, path: str) -> list[FieldError]:
    """An optional name that must follow a rule."""
    value = holder.get(key)
    return [invalid(f"{path}.{key}", value, text) for text in rule(value)] if value else []


def not_negative(holder: dict[str, Any], key: str, path: str) -> list[FieldError]:
    """An optional number that must be 0 or more."""
    value = holder.get(key)
    return [invalid(f"{path}.{key}", value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def immutable(new: dict[str, Any], old: dict[str, Any], key: str, path: str) -> list[FieldError]:
    """A field that may never change."""
    if new.get(key) == old.get(key):
        return []
    return [invalid(f"{path}.{key}" if path else key, new.get(key), IMMUTABLE)]


def label_map(labels: dict[str, str] | None, path: str) -> list[FieldError]:
    """``ValidateLabels``."""
    problems: list[FieldError] = []
    for key, value in (labels or {}).items():
        problems += [invalid(path, key, text) for text in names.qualified_name(key)]
        problems += [invalid(path, value, text) for text in names.label_value(value)]
    return problems


def label_selector(selector: dict[str, Any] | None, path: str) -> list[FieldError]:
    """``ValidateLabelSelector``."""
    if selector is None:
        return []
    problems = label_map(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, item in enumerate(selector.get("matchExpressions") or ()):
        problems += _expression(item, f"{path}.matchExpressions[{index}]")
    return problems


def _expression(item: dict[str, Any], path: str) -> list[FieldError]:
    operator, values = item.get("operator") or "", item.get("values") or []
    problems: list[FieldError] = []
    if operator in ("In", "NotIn") and not values:
        problems.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist") and values:
        problems.append(
            forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        )
    elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        problems.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = item.get("key") or ""
    problems += [invalid(f"{path}.key", key, text) for text in names.qualified_name(key)]
    for index, value in enumerate(values):
        problems += [invalid(f"{path}.values[{index}]", value, text) for text in names.label_value(value)]
    return problems


def int_or_percent(value: Any, path: str) -> list[FieldError]:
    """``ValidatePositiveIntOrPercent``."""
    if isinstance(value, str):
        return [invalid(path, value, text) for text in names.percent(value)]
    if isinstance(value, int) and value < 0:
        return [invalid(path, value, NOT_NEGATIVE)]
    return []


def at_most_all(value: Any, path: str) -> list[FieldError]:
    """``IsNotMoreThan100Percent``."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []
