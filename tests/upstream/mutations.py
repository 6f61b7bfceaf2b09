"""Systematic mutations of an object: by the values that it has, and by the fields that its schema would let it have."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from labs.api.schemas import definitions

Path = tuple[str | int, ...]
Named = Iterator[tuple[str, Any]]

LONG = "a" * 300
SAMPLES_DEPTH_MAX = 3
_REFERENCE = "#/$defs/"


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside of a value, with its path; the value itself first."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))


def put(base: Any, path: Path, value: Any) -> Any:
    """A copy of ``base`` with another value at the path."""
    changed = copy.deepcopy(base)
    _parent(changed, path)[path[-1]] = value
    return changed


def drop(base: Any, path: Path) -> Any:
    """A copy of ``base`` without the value at the path."""
    changed = copy.deepcopy(base)
    del _parent(changed, path)[path[-1]]
    return changed


def _parent(value: Any, path: Path) -> Any:
    for part in path[:-1]:
        value = value[part]
    return value


def text(path: Path) -> str:
    """A path as it stands in a mutation's name."""
    return ".".join(str(part) for part in path)


def by_value(base: dict[str, Any]) -> Named:
    """Each value deleted, made null and replaced by others, of its type and not: name and object."""
    for path, value in walk(base):
        if not path or path[0] in ("apiVersion", "kind"):
            continue
        yield f"{text(path)}:delete", drop(base, path)
        yield f"{text(path)}:null", put(base, path, None)
        for name, new in others(value):
            yield f"{text(path)}:{name}", put(base, path, new)
    yield "root:unknown", {**copy.deepcopy(base), "nosuchField": {"a": 1}}


def others(value: Any) -> Named:
    """Values to try in place of this one: name and value."""
    if isinstance(value, bool):
        yield from (("wrong", "yes"), ("flip", not value), ("number", 1))
    elif isinstance(value, int):
        yield from (("wrong", "x"), ("bool", True), ("quoted", "7"), ("negative", -1), ("zero", 0), ("big", 70_000))
        yield from (("over-int32", 2**31), ("over-int64", 2**63), ("fraction", 1.5))
    elif isinstance(value, str):
        yield from _other_texts(value)
    elif isinstance(value, list):
        yield from _other_lists(value)
    elif isinstance(value, dict):
        yield from (("wrong", []), ("text", "x"), ("empty", {}), ("unknown", {**value, "nosuchField": 1}))
        yield from (("bad-key", {**value, "bad key!": "x"}), ("bad-value", {**value, "k": "b c!"}))
        yield "long-key", {**value, LONG: "x"}


def _other_texts(value: str) -> Named:
    yield from (("number", 5), ("bool", True), ("object", {}), ("list", ["a"]), ("empty", ""), ("bad", "Bad_Name!"))
    yield from (("long", LONG), ("space", "a b"), ("other", "other"), ("dot", "a.b"), ("slash", "a/b"))
    if value[:1].isdigit():
        yield from (("negative", "-1"), ("percent", "150%"), ("word", "abc"), ("fraction", "0.5"), ("milli", "1m"))
        yield from (("zero", "0"), ("big", "1000000Gi"), ("negative-number", -3), ("zero-number", 0))
    if value.startswith("/"):
        yield from (("relative", "x/../y"), ("dots", "/a/../b"), ("only-dots", ".."), ("colon", "/a:b"))


def _other_lists(value: list[Any]) -> Named:
    yield from (("wrong", {}), ("text", "x"), ("empty", []), ("null-element", [None]))
    if value:
        yield "twice", [*value, copy.deepcopy(value[0])]
        yield "wrong-element", [*value, 5]
        yield "empty-element", [*value, {} if isinstance(value[0], dict) else ""]
        if isinstance(value[0], str):
            yield "other-element", [*value, "other-x"]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without a reference; ``name`` is the name of the type that it referred to."""
    while "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        schema = {**definitions()[name], "name": name}
    return schema


def type_of(schema: dict[str, Any]) -> str:
    """The JSON type that a schema asks for, empty where it asks for none."""
    told = schema.get("type", "")
    return str(told[0] if isinstance(told, list) else told)


def schema_of(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a manifest's kind, or None where none is published."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    wanted = {"group": group, "version": version, "kind": manifest["kind"]}
    for schema in definitions().values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return dict(schema)
    return None


def additions(base: dict[str, Any]) -> Named:
    """Each field that is absent, with each of its samples: name and object. Status and identity stay."""
    root = schema_of(base)
    if root is not None:
        rules = {key: rule for key, rule in root["properties"].items() if key not in ("apiVersion", "kind", "status")}
        yield from _additions(base, base, {**root, "properties": rules}, ())


def _additions(base: Any, value: Any, schema: dict[str, Any], path: Path) -> Named:
    schema = resolved(schema)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _additions(base, item, schema["items"], (*path, index))
    if not isinstance(value, dict):
        return
    rules = schema.get("properties", {})
    for key, rule in rules.items():
        for name, new in samples(rule) if key not in value else ():
            yield f"{text((*path, key))}:+{name}", put(base, (*path, key), new)
    for key, item in value.items():
        inner = rules.get(key) or schema.get("additionalProperties")
        if isinstance(inner, dict):
            yield from _additions(base, item, inner, (*path, key))


_SCALARS: dict[str, tuple[tuple[str, Any], ...]] = {
    "quantity": (("quantity", "1"), ("negative", "-1"), ("bad", "x"), ("fraction", "0.5")),
    "int-or-string": (("one", 1), ("negative", -1), ("percent", "10%"), ("over", "101%"), ("bad", "Bad_!")),
    "time": (("time", "2026-03-02T09:00:00Z"), ("bad", "yesterday")),
    "string": (("word", "abc"), ("bad", "Bad_Name!"), ("empty", ""), ("long", LONG), ("wrong", 5), ("path", "/a/b")),
    "integer": (("one", 1), ("negative", -1), ("zero", 0), ("big", 70_000), ("wrong", "x")),
    "number": (("fraction", 1.5), ("wrong", "x")),
    "boolean": (("true", True), ("false", False), ("wrong", "x")),
}


def samples(schema: dict[str, Any], depth: int = 0) -> list[tuple[str, Any]]:
    """Values of a schema, and some that are none: name and value; the first is a fair one."""
    schema = resolved(schema)
    name = schema.get("name", "")
    for end, form in (("Quantity", "quantity"), ("IntOrString", "int-or-string"), ("Time", "time")):
        if name.endswith(end):
            return list(_SCALARS[form])
    told = type_of(schema)
    if told in _SCALARS:
        return list(_SCALARS[told])
    if told == "array":
        elements = samples(schema["items"], depth + 1)
        several = [(f"of-{label}", [element]) for label, element in elements]
        return [("empty", []), *several, ("two", [elements[0][1]] * 2)]
    if isinstance(schema.get("additionalProperties"), dict):
        values = samples(schema["additionalProperties"], depth + 1)
        keyed = [(f"of-{label}", {"k": value}) for label, value in values]
        return [("empty", {}), *keyed, ("bad-key", {"bad key!": values[0][1]})]
    return [("empty", {}), *_structs(schema, depth)]


def _structs(schema: dict[str, Any], depth: int) -> Named:
    """Objects with one field, with all of them and with those that are required."""
    if depth >= SAMPLES_DEPTH_MAX or "properties" not in schema:
        return
    found = {key: samples(rule, depth + 1) for key, rule in schema["properties"].items()}
    for key, values in found.items():
        for label, value in values[: 4 if depth == 0 else 2]:
            yield f"{key}-{label}", {key: value}
    yield "full", {key: values[0][1] for key, values in found.items()}
    yield "required", {key: found[key][0][1] for key in schema.get("required", ())}
