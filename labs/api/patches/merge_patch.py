"""JSON merge patch (RFC 7386).

Source: gopkg.in/evanphx/json-patch.v4 merge.go, the version that kube-apiserver and kubectl use.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from labs.api.patches.errors import PatchError


def apply_merge_patch(document: Any, patch: Any) -> Any:
    """``jsonpatch.MergePatch``: ``document`` with ``patch`` merged in. Raises PatchError unless the patch is an
    object or a list, or when the document is null."""
    if document is None:
        raise PatchError("Invalid JSON Document")
    if not isinstance(patch, dict | list):
        raise PatchError("Invalid JSON Patch")
    if isinstance(document, dict) and isinstance(patch, dict):
        return _merged(document, patch)
    return _without_nulls(patch)


def create_merge_patch(original: dict[str, Any], modified: dict[str, Any]) -> dict[str, Any]:
    """``jsonpatch.CreateMergePatch``: the patch that turns ``original`` into ``modified``.

    It works in 64-bit floats, so a whole number above 2**53 comes out rounded.
    """
    return _difference(_as_floats(original), _as_floats(modified))


def _as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    is_rounded = isinstance(value, int) and abs(value) > 2**53
    return int(Decimal(repr(float(value)))) if is_rounded else value


def _difference(original: dict[str, Any], modified: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in modified.items():
        before = original.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if changes := _difference(before, value):
                patch[key] = changes
        elif key not in original or not _is_equal(before, value):
            patch[key] = value
    return patch | dict.fromkeys(key for key in original if key not in modified)


def _merged(document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
            continue
        before = result.get(key)
        if not isinstance(before, dict):
            result[key] = _without_nulls(value)
        else:
            result[key] = _merged(before, value) if isinstance(value, dict) else value
    return result


def _without_nulls(value: Any) -> Any:
    """Nulls go from maps but stay in lists."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _is_equal(first: Any, second: Any) -> bool:
    """Numbers are equal whatever their spelling, but are never booleans."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_is_equal(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_is_equal, first, second))
    return isinstance(first, bool) == isinstance(second, bool) and bool(first == second)
