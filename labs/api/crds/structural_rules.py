"""Whether a schema is structural, and so can be pruned and defaulted by.

Source: apiextensions-apiserver pkg/apiserver/schema/{validation,complete}.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from labs.api.crds.go_regexp import compiled
from labs.api.crds.structural import (
    EMBEDDED,
    INT_OR_STRING,
    LIST_MAP_KEYS,
    LIST_TYPE,
    MAP_TYPE,
    PRESERVES,
    RULES,
    Schema,
    items_of,
)
from labs.api.strategy import FieldError, forbidden, invalid, required

ROOT, ITEM, FIELD = "at the root", "for specified array items", "for specified object fields"
INT_OR_STRING_TYPES = [{"type": "integer"}, {"type": "string"}]
NESTED_FORBIDDEN = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    (PRESERVES, "must be false to be structural"),
    (EMBEDDED, "must be false to be structural"),
    (INT_OR_STRING, "must be false to be structural"),
    (LIST_MAP_KEYS, "must be empty to be structural"),
    (LIST_TYPE, "must be undefined to be structural"),
    (MAP_TYPE, "must be undefined to be structural"),
    (RULES, "must be empty to be structural"),
)
"""What may not be said inside allOf, anyOf, oneOf and not."""


def structural_problems(schema: Schema, path: str) -> list[FieldError]:
    """``ValidateStructural``: everything that keeps a schema from being structural, in order of its text."""
    problems = [*_invariants(schema, ROOT, path), *_completeness(schema, schema, path, path)]
    return sorted(problems, key=lambda problem: f"{problem.field}: {problem.message}")


def _properties(schema: Schema) -> Mapping[str, Schema]:
    return schema.get("properties") or {}


def _invariants(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    items, further = items_of(schema), schema.get("additionalProperties")
    if kind == "array" and items is None:
        yield required(f"{path}.items", "must be specified")
    if items is not None:
        yield from _invariants(items, ITEM, f"{path}.items")
    for key, below in _properties(schema).items():
        yield from _invariants(below, FIELD, f"{path}.properties[{key}]")
    if further is not None and level == ROOT:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(further, Mapping):
        yield from _invariants(further, FIELD, f"{path}.additionalProperties")
    if schema.get(INT_OR_STRING):
        for mark in (PRESERVES, EMBEDDED):
            if schema.get(mark):
                yield invalid(f"{path}.{mark}", True, f"must be false if {INT_OR_STRING} is true")
    yield from _value_rules(schema, path, may_type=bool(schema.get(INT_OR_STRING)))
    yield from _type_rules(schema, kind, level, path)
    yield from _metadata_rules(schema, level, path)


def _type_rules(schema: Schema, kind: str, level: str, path: str) -> Iterator[FieldError]:
    if schema.get(EMBEDDED) and kind != "object":
        text = f"must be object if {EMBEDDED} is true"
        yield invalid(f"{path}.type", kind, text) if kind else required(f"{path}.type", text)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVES):
        yield required(f"{path}.type", f"must not be empty {level}")
    if schema.get(EMBEDDED) and schema.get("additionalProperties") is not None:
        yield forbidden(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if level == ROOT and kind and kind != "object":
        yield invalid(f"{path}.type", kind, "must be object at the root")
    if schema.get(EMBEDDED) and not schema.get(PRESERVES) and not _properties(schema):
        yield required(f"{path}.properties", f"must not be empty if {EMBEDDED} is true without {PRESERVES}")


def _metadata_rules(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    is_object = level == ROOT or bool(schema.get(EMBEDDED))
    for key in ("kind", "apiVersion"):
        found = _properties(schema).get(key)
        if is_object and found is not None and found.get("type") != "string":
            yield invalid(f"{path}.properties[{key}].type", found.get("type") or "", "must be string")
    metadata = _properties(schema).get("metadata")
    if metadata is None:
        return
    below = f"{path}.properties[metadata]"
    if is_object and metadata.get("type") != "object":
        yield invalid(f"{below}.type", metadata.get("type") or "", "must be object")
    said = set(metadata) - {"type", "default", "properties", "description"}
    if level == ROOT and (said or set(_properties(metadata)) - {"name", "generateName"}):
        text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(below, text)


def _value_rules(schema: Schema, path: str, *, may_type: bool = False) -> Iterator[FieldError]:
    """What alternatives may say; ``may_type``: the two patterns of int-or-string are let pass."""
    if not (may_type and schema.get("anyOf") == INT_OR_STRING_TYPES):
        for index, each in enumerate(schema.get("anyOf") or ()):
            yield from _nested(each, f"{path}.anyOf[{index}]")
    for index, each in enumerate(schema.get("allOf") or ()):
        is_first = may_type and index == 0
        yield from _nested(each, f"{path}.allOf[{index}]", may_type=is_first)
    for index, each in enumerate(schema.get("oneOf") or ()):
        yield from _nested(each, f"{path}.oneOf[{index}]")
    if schema.get("not") is not None:
        yield from _nested(schema["not"], f"{path}.not")
    pattern = schema.get("pattern")
    if pattern:
        try:
            compiled(pattern)
        except re.error as error:
            text = f"must be a valid regular expression, but isn't: error parsing regexp: {error}"
            yield invalid(f"{path}.pattern", pattern, text)


def _nested(schema: Schema, path: str, *, may_type: bool = False) -> Iterator[FieldError]:
    yield from _value_rules(schema, path, may_type=may_type)
    items = items_of(schema)
    if items is not None:
        yield from _nested(items, f"{path}.items")
    for key, below in _properties(schema).items():
        yield from _nested(below, f"{path}.properties[{key}]")
    for key, text in NESTED_FORBIDDEN:
        if schema.get(key):
            yield forbidden(f"{path}.{key}", text)
    if "metadata" in _properties(schema):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _completeness(value: Schema, schema: Schema, path: str, nested: str) -> Iterator[FieldError]:
    """Every field that an alternative names must be there outside of alternatives."""
    for word in ("allOf", "anyOf", "oneOf"):
        for index, each in enumerate(value.get(word) or ()):
            yield from _nested_completeness(each, schema, path, f"{nested}.{word}[{index}]")
    if value.get("not") is not None:
        yield from _nested_completeness(value["not"], schema, path, f"{nested}.not")


def _nested_completeness(value: Schema, schema: Any, path: str, nested: str) -> Iterator[FieldError]:
    if schema is None:
        yield required(path, f"because it is defined in {nested}")
        return
    yield from _completeness(value, schema, path, nested)
    items = items_of(value)
    if items is not None:
        yield from _nested_completeness(items, items_of(schema), f"{path}.items", f"{nested}.items")
    for key, below in _properties(value).items():
        place = f".properties[{key}]"
        yield from _nested_completeness(below, _properties(schema).get(key), path + place, nested + place)
