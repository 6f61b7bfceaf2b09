"""What a kind adds to the general rules of create and update, and the vocabulary of its refusals.

Upstream: kubernetes/kubernetes pkg/registry/<group>/<kind>/strategy.go; apimachinery
pkg/util/validation/field/errors.go. Each function gets a private copy that it may change; ``validate``
functions only read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.gotext import quoted
from labs.api.resources import ResourceType
from labs.errors import ApiError

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of a 422: ``reason`` (FieldValueInvalid, FieldValueRequired, ...), ``message``, ``field``."""

    reason: str
    field: str
    message: str


def show(value: Any) -> str:
    """A value as Go prints it in a field error."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """``field.Invalid``."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {show(value)}: {detail}")


def required(field: str, detail: str = "") -> FieldError:
    """``field.Required``."""
    return FieldError("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def forbidden(field: str, detail: str) -> FieldError:
    """``field.Forbidden``."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def duplicate(field: str, value: Any) -> FieldError:
    """``field.Duplicate``."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {show(value)}")


def not_found(field: str, value: Any) -> FieldError:
    """``field.NotFound``."""
    return FieldError("FieldValueNotFound", field, f"Not found: {show(value)}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """``field.NotSupported``; the caller gives the supported values in the order to be printed."""
    listed = ", ".join(quoted(item) for item in supported)
    message = f"Unsupported value: {show(value)}: supported values: {listed}"
    return FieldError("FieldValueNotSupported", field, message)


def too_long(field: str, limit_bytes: int) -> FieldError:
    """``field.TooLong``."""
    unit = "byte" if limit_bytes == 1 else "bytes"
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit_bytes} {unit}")


def _nothing(obj: Object) -> None:
    return None


def _nothing_on_update(new: Object, old: Object) -> None:
    return None


def _no_errors(obj: Object) -> list[FieldError]:
    return []


def _no_warnings(obj: Object) -> list[str]:
    return []


def _no_update_errors(new: Object, old: Object) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True)
class Part:
    """A subresource that writes a part of its object: ``merge(sent, old)`` gives the new object, ``validate(new, old)``
    says what is wrong with it."""

    merge: Callable[[Object, Object], Object]
    validate: Callable[[Object, Object], list[FieldError]] = _no_update_errors


@dataclass(frozen=True, slots=True)
class Strategy:
    """``default`` fills what the API defaults; ``prepare_*`` resets what a client may not set.

    ``compares_first``: an update is compared with the old object before it is validated as a whole.
    """

    default: Callable[[Object], None] = _nothing
    prepare_for_create: Callable[[Object], None] = _nothing
    prepare_for_update: Callable[[Object, Object], None] = _nothing_on_update
    validate: Callable[[Object], list[FieldError]] = _no_errors
    validate_update: Callable[[Object, Object], list[FieldError]] = _no_update_errors
    validate_status: Callable[[Object, Object], list[FieldError]] = _no_update_errors
    warn: Callable[[Object], list[str]] = _no_warnings
    """What a client is told of a new object, or of a changed one."""
    is_ratcheting: bool = False
    """``validate_update`` is the whole check of an update, and lets pass what was wrong before it."""
    compares_first: bool = False
    parts: Mapping[str, Part] = dataclasses.field(default_factory=dict, hash=False)
    """By subresource."""


def raise_invalid(kind: ResourceType, name: str, problems: list[FieldError], *, as_resource: bool = False) -> None:
    """Raise 422 Invalid when there are problems; the text and causes are field.ErrorList's.

    ``as_resource``: the object is called by its resource, as upstream's store does, and not by its kind.
    """
    if not problems:
        return
    problems = list(dict.fromkeys(problems))
    texts = [f"{problem.field}: {problem.message}" for problem in problems]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    called = kind.plural if as_resource else kind.kind
    dotted = f"{called}.{kind.group}" if kind.group else called
    details: dict[str, Any] = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    details["kind"] = called
    details["causes"] = [
        {"reason": problem.reason, "message": problem.message, "field": problem.field} for problem in problems
    ]
    raise ApiError(422, "Invalid", f'{dotted} "{name}" is invalid: {joined}', details)
