"""Plain-dict objects: copying them, and reading nested fields."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def clone(value: Any) -> Any:
    """A deep copy of JSON data; several times faster than ``copy.deepcopy``."""
    if isinstance(value, dict):
        return {key: clone(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) if isinstance(item, (dict, list)) else item for item in value]
    return value


def at(value: Any, *path: str) -> Any:
    """The value under nested keys, or None where one of them is missing."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
