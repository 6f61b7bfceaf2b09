"""Plain-dict objects: copying them, and reading nested fields."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
_LEAVES = frozenset((str, int, bool, float, type(None)))


def clone(value: Any) -> Any:
    """A deep copy of JSON data; several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        # A copy in C, then a look at the values: most objects have more leaves than branches.
        copied = dict(value)
        for key, item in value.items():
            if item.__class__ not in _LEAVES:
                copied[key] = clone(item)
        return copied
    if isinstance(value, list):
        return [item if item.__class__ in _LEAVES else clone(item) for item in value]
    return value


def at(value: Any, *path: str) -> Any:
    """The value under nested keys, or None where one of them is missing."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
