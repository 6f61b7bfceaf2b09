"""Words that steer a strategic merge patch from inside it, and how a field's strategies read.

Source: apimachinery pkg/util/strategicpatch/patch.go and pkg/util/mergepatch/errors.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.gojson import printed
from labs.api.patches.errors import PatchError
from labs.api.schemas import Definition, Field

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM_LIST = "$deleteFromPrimitiveList"
ELEMENT_ORDER = "$setElementOrder"

_GO_TYPES = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    type(None): "%!s(<nil>)",
}


def strategy_of(field: Field) -> tuple[bool, str]:
    """(whether keys are retained, the other strategy: ``merge``, ``replace`` or empty) of a field."""
    others = [strategy for strategy in field.patch_strategies if strategy != "retainKeys"]
    return len(others) < len(field.patch_strategies), others[0] if others else ""


def field_rules(definition: Definition, key: str) -> Field:
    """The rules of the field ``key``. Raises PatchError where the type has no such field."""
    try:
        return definition.field(key)
    except ValueError as error:
        raise PatchError(str(error)) from error


def field_of(key: str, prefix: str) -> str:
    """The field that a directive such as ``$setElementOrder/containers`` is about. Raises PatchError."""
    word, slash, name = key.partition("/")
    if not slash or word != prefix:
        listed = "primitive list" if prefix == DELETE_FROM_LIST else "setElementOrder list"
        raise PatchError(f"invalid patch format of {listed}")
    return name


def without_directives(value: Any) -> tuple[Any, bool]:
    """``removeDirectives``: the value to keep, and whether to keep it at all."""
    if isinstance(value, dict):
        if PATCH in value:
            return None, False
        return {key: kept for key, item in value.items() for kept, stays in [without_directives(item)] if stays}, True
    if isinstance(value, list):
        return [kept for item in value for kept, stays in [without_directives(item)] if stays], True
    return value, True


def without_nulls(value: Any) -> Any:
    """``discardNullValuesFromPatch``: nulls go from maps at every depth, and stay in lists."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def as_list(value: Any) -> list[Any]:
    """``value``, which must be a list. Raises PatchError."""
    return list(_expected(list, value))


def as_map(value: Any) -> dict[str, Any]:
    """``value``, which must be a map. Raises PatchError."""
    return dict(_expected(dict, value))


def missing_merge_key(item: dict[str, Any], merge_key: str) -> PatchError:
    """``ErrNoMergeKey``."""
    return PatchError(f"map: {printed(item)} does not contain declared merge key: {merge_key}")


def unknown_directive(directive: Any, patch: dict[str, Any]) -> PatchError:
    """``ErrBadPatchType``."""
    return PatchError(f"unknown patch type: {_as_text(directive)} in map: {printed(patch)}")


def _as_text(value: Any) -> str:
    """``%s`` of a value, which complains of what is no text."""
    if isinstance(value, str | list | dict):
        return printed(value)
    return _GO_TYPES[type(None)] if value is None else f"%!s({_GO_TYPES[type(value)]}={printed(value)})"


def _expected(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise PatchError(f"expected a {_GO_TYPES[kind]}, but received a {_GO_TYPES[type(value)]}")
    return value
