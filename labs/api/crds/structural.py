"""What a structural schema does to an object: pruning, nulls, defaults, and unique items of lists.

Source: apiextensions-apiserver pkg/apiserver/schema/{pruning,defaulting,listtype}. A schema is the JSON of
``openAPIV3Schema`` as it is stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from labs.api.objects import clone
from labs.api.strategy import FieldError, duplicate, invalid

Schema = Mapping[str, Any]
META_FIELDS = ("apiVersion", "kind", "metadata")
PRESERVES = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
LIST_TYPE = "x-kubernetes-list-type"
LIST_MAP_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"
RULES = "x-kubernetes-validations"


def property_of(schema: Schema | None, key: str) -> Schema | None:
    """The schema of a field: that of its name, else that of all further fields; None where there is neither."""
    if schema is None:
        return None
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    if key in properties:
        return properties[key]
    further = schema.get("additionalProperties")
    if isinstance(further, Mapping):
        return further
    return {} if further is True else None


def items_of(schema: Schema | None) -> Schema | None:
    """The schema of a list's elements."""
    items = (schema or {}).get("items")
    return items if isinstance(items, Mapping) else None


def prune(obj: dict[str, Any], schema: Schema) -> list[str]:
    """Drop what the schema does not know from a custom resource; the paths of what was dropped, in order."""
    dropped: list[str] = []
    _prune(obj, {**schema, EMBEDDED: True}, "", dropped)
    return sorted(dropped)


def _prune(value: Any, schema: Schema | None, path: str, dropped: list[str]) -> None:
    keeps = bool(schema and schema.get(PRESERVES))
    if isinstance(value, list):
        for index, item in enumerate(value):
            items = items_of(schema)
            if items is not None or not keeps:
                _prune(item, items, f"{path}[{index}]", dropped)
    elif isinstance(value, dict):
        for key in list(value):
            below = f"{path}.{key}" if path else key
            if schema is not None and schema.get(EMBEDDED) and key in META_FIELDS:
                continue
            found = property_of(schema, key)
            if found is not None:
                _prune(value[key], found, below, dropped)
            elif not keeps:
                dropped.append(below)
                del value[key]


def drop_nulls(value: Any, schema: Schema | None) -> None:
    """Drop nulls of fields that may not be null and have no default."""
    if isinstance(value, list):
        for item in value:
            drop_nulls(item, items_of(schema))
    elif isinstance(value, dict):
        for key in list(value):
            found = property_of(schema, key)
            if value[key] is None and found is not None and not found.get("nullable") and found.get("default") is None:
                del value[key]
            else:
                drop_nulls(value[key], found)


def fill_defaults(value: Any, schema: Schema | None) -> None:
    """Set what is missing and has a default, from the outside in."""
    if schema is None:
        return
    if isinstance(value, list):
        items = items_of(schema)
        for index, item in enumerate(value):
            if item is None and items is not None and not items.get("nullable"):
                value[index] = clone(items.get("default"))
            fill_defaults(value[index], items)
    elif isinstance(value, dict):
        for key, found in (schema.get("properties") or {}).items():
            default = found.get("default")
            if default is not None and (key not in value or (value[key] is None and not found.get("nullable"))):
                value[key] = clone(default)
        for key in value:
            fill_defaults(value[key], property_of(schema, key))


def repeated_items(value: Any, schema: Schema | None, path: str = "") -> list[FieldError]:
    """What breaks ``x-kubernetes-list-type``: items that occur twice in a set, keys that do in a map."""
    if schema is None:
        return []
    problems: list[FieldError] = []
    if isinstance(value, list):
        if schema.get(LIST_TYPE) == "set":
            problems += [duplicate(f"{path}[{index}]", value[index]) for index in _second_ones(value)]
        elif schema.get(LIST_TYPE) == "map":
            problems += _repeated_keys(value, schema.get(LIST_MAP_KEYS) or (), path)
        for index, item in enumerate(value):
            problems += repeated_items(item, items_of(schema), f"{path}[{index}]")
    elif isinstance(value, dict):
        named = schema.get("properties") or {}
        for key in sorted(value):
            below = (f"{path}.{key}" if path else key) if key in named else f"{path}[{key}]"
            problems += repeated_items(value[key], property_of(schema, key), below)
    return problems


def _repeated_keys(items: list[Any], keys: Any, path: str) -> list[FieldError]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            return [invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    found = [{key: (item or {})[key] for key in keys if key in (item or {})} for item in items]
    return [duplicate(f"{path}[{index}]", found[index]) for index in _second_ones(found)]


def _second_ones(items: list[Any]) -> list[int]:
    """The places where an item comes for the second time."""
    counts: dict[str, int] = {}
    places = []
    for index, item in enumerate(items):
        text = json.dumps(item, sort_keys=True)
        counts[text] = counts.get(text, 0) + 1
        if counts[text] == 2:
            places.append(index)
    return places


def item_key(item: Any, schema: Schema) -> str | None:
    """What tells an element of a list of type ``map`` apart, or None for a list of another type."""
    if schema.get(LIST_TYPE) != "map" or not isinstance(item, dict):
        return None
    return json.dumps([item.get(key) for key in schema.get(LIST_MAP_KEYS) or ()], sort_keys=True)
