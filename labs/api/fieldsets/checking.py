"""Whether a configuration to apply fits its type, in the words of structured-merge-diff.

Source: sigs.k8s.io/structured-merge-diff typed/{validate,helpers}.go. Unlike any other write, an apply refuses a field
that the type does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labs.api.fieldsets.compare import field_of, items_by_path
from labs.api.gojson import printed
from labs.api.schemas import Definition, Field

FREE_NAMES = ("Quantity", "IntOrString", "JSON", "RawExtension", "FieldsV1", "JSONSchemaPropsOrBool")
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}


def typed_problems(config: Mapping[str, Any], kind: Definition) -> str:
    """Everything that is wrong with a configuration, empty when nothing is."""
    found = list(_map_problems(config, kind, ""))
    return "\n  ".join(["errors:", *found]) if len(found) > 1 else "".join(found)


def _at(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text


def _map_problems(value: Mapping[str, Any], owner: Definition, path: str) -> Iterator[str]:
    is_open = owner.is_map or owner.schema.get("x-kubernetes-preserve-unknown-fields")
    for key in sorted(value):
        if not owner.has_field(key) and not is_open:
            yield _at(f"{path}.{key}", "field not declared in schema")
            continue
        field = field_of(owner, key)
        if field is not None and field.schema:
            yield from _value_problems(value[key], field, field.value, f"{path}.{key}")


def _value_problems(value: Any, field: Field | None, target: Definition, path: str) -> Iterator[str]:
    types = target.schema.get("type") or ()
    kinds = {types} if isinstance(types, str) else {name for name in types if name != "null"}
    if value is None or target.name in FREE_NAMES or len(kinds) > 1 or target.schema.get("x-kubernetes-int-or-string"):
        return
    if "properties" in target.schema or "object" in kinds:
        if not isinstance(value, dict):
            yield _at(path, f"expected map, got &{{{printed(value)}}}")
        elif target.schema.get("properties") or target.schema.get("additionalProperties"):
            yield from _map_problems(value, target, path)
    elif "array" in kinds:
        if not isinstance(value, list):
            yield _at(path, f"expected list, got &{{{printed(value)}}}")
        elif field is not None:
            yield from _list_problems(value, field, path)
    else:
        yield from _scalar_problems(value, kinds, path)


def _scalar_problems(value: Any, kinds: set[str], path: str) -> Iterator[str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kinds & {"integer", "number"} and not is_number:
        found = _GO_TYPES.get(type(value), "map[string]interface {}")
        yield _at(path, f"expected numeric (int or float), got {found}")
    elif kinds == {"string"} and not isinstance(value, str):
        yield _at(path, f"expected string, got &value.valueUnstructured{{Value:{printed(value)}}}")
    elif kinds == {"boolean"} and not isinstance(value, bool):
        yield _at(path, f"expected boolean, got &{{{printed(value)}}}")


def _list_problems(items: list[Any], field: Field, path: str) -> Iterator[str]:
    if field.list_type == "atomic":
        for index, item in enumerate(items):
            yield from _value_problems(item, None, field.element, f"{path}[{index}]")
        return
    seen: set[str] = set()
    for index, item in enumerate(items):
        keys = ", ".join(f'"{key}"' for key in field.list_map_keys)
        if field.list_type == "map" and not isinstance(item, dict):
            yield _at(path, f"element {index}: associative list with keys may not have non-map elements")
            continue
        place = next(iter(items_by_path([item], field)))
        if place == "k:{}":
            omitted = f"all key fields [{keys}] (and doesn't have default values for any key fields)"
            yield _at(path, f"element {index}: associative list with keys has an element that omits {omitted}")
            continue
        shown = element_text(place)
        if place in seen:
            yield _at(path, f"duplicate entries for key {shown}")
        seen.add(place)
        if isinstance(item, dict):
            yield from _map_problems(item, field.element, path + shown)


def element_text(place: str) -> str:
    """A path element as Go prints it: ``[name="web"]``, ``[="a"]``."""
    if place.startswith("v:"):
        return f"[={place[2:]}]"
    parts = place[3:-1].split(",")
    return "[" + ",".join(part.replace('"', "", 2).replace(":", "=", 1) for part in parts) + "]"
