"""Whether a body fits its type: unknown and double fields, wrong JSON types, quantities.

Source: kubernetes/apiserver pkg/endpoints/handlers/create.go (fieldValidation), sigs.k8s.io/json,
Go's encoding/json (UnmarshalTypeError), apimachinery pkg/api/resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs import errors
from labs.api.quantity import parse_quantity
from labs.api.resources import ResourceType
from labs.api.rest.bodies import DoubledObject
from labs.api.schemas import Definition, Field, definition
from labs.api.store import Object
from labs.units import parse_rfc3339

JSON_NAMES = ((bool, "bool"), (str, "string"), (list, "array"), (dict, "object"), ((int, float), "number"))
FREE_NAMES = (
    "Quantity",
    "IntOrString",
    "JSON",
    "RawExtension",
    "FieldsV1",
    "Time",
    "MicroTime",
    "JSONSchemaPropsOrBool",
)


@dataclass(slots=True)
class _Findings:
    """What a walk over a body found: the paths of unknown and double fields."""

    unknown: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)


def check_fields(kind: ResourceType, obj: Object, field_validation: str) -> tuple[str, ...]:
    """Warnings for fields that the kind does not have, by ``fieldValidation``.

    Unknown fields are dropped. Raises 400 for wrong types, and in Strict for unknown and double fields.
    """
    return check_body(kind.group, kind.version, kind.kind, obj, field_validation)


def check_body(group: str, version: str, kind: str, obj: Object, field_validation: str = "Ignore") -> tuple[str, ...]:
    """``check_fields`` for a body of any published type."""
    root = definition(group, version, kind)
    subject = f'{kind} in version "{version}" cannot be handled as a {kind}'
    findings = _Findings()
    try:
        if root is None:
            _find_doubles(obj, "", findings)
            _walk_value(obj["metadata"], _object_meta(), Definition("ObjectMeta", {}), "metadata", findings)
        else:
            _walk(obj, root, "", findings)
    except ValueError as error:
        raise errors.bad_request(f"{subject}: {error}") from None
    problems = [f'duplicate field "{path}"' for path in findings.double]
    problems += [f'unknown field "{path}"' for path in findings.unknown]
    if not problems or field_validation == "Ignore":
        return ()
    if field_validation == "Strict":
        raise errors.bad_request(f"{subject}: strict decoding error: {', '.join(problems)}")
    return tuple(problems)


def _object_meta() -> Field:
    """What every kind has, whether its own schema is known or not."""
    pod = definition("", "v1", "Pod")
    assert pod is not None
    return pod.field("metadata")


def _find_doubles(value: Any, path: str, findings: _Findings) -> None:
    for key, item in value.items() if isinstance(value, dict) else ():
        _find_doubles(item, f"{path}.{key}" if path else key, findings)
    if isinstance(value, DoubledObject):
        findings.double += [f"{path}.{key}" if path else key for key in value.doubles]


def _walk(value: Any, owner: Definition, path: str, findings: _Findings) -> None:
    """Check an object against its type; drop what the type does not have."""
    if isinstance(value, DoubledObject):
        findings.double += [f"{path}.{key}" if path else key for key in value.doubles]
    for key in list(value):
        below = f"{path}.{key}" if path else key
        if not owner.has_field(key):
            findings.unknown.append(below)
            del value[key]
            continue
        item, place = value[key], owner.field(key)
        if item is not None:
            _walk_value(item, place, owner, below, findings)
        elif place.value.name not in FREE_NAMES and _types(place.value.schema)[:1] in (("object",), ("array",)):
            del value[key]  # Go reads null as the absence of a struct, a map or a list


def _walk_value(item: Any, place: Field | None, owner: Definition, path: str, findings: _Findings) -> None:
    if place is None or not place.schema:
        return
    target = place.value
    if target.name in FREE_NAMES:
        _check_free(item, target.name)
        return
    _check_type(item, target, place, owner, path)
    if isinstance(item, list):
        element = place.element
        for index, each in enumerate(item):
            if each is None and _types(element.schema)[:1] in _GO_ZEROS:
                item[index] = each = _GO_ZEROS[_types(element.schema)[:1]]()
            _walk_element(each, element, owner, f"{path}[{index}]", findings)
    elif isinstance(item, dict) and (not target.is_map or "additionalProperties" in target.schema):
        _walk(item, target, path, findings)


def _walk_element(item: Any, element: Definition, owner: Definition, path: str, findings: _Findings) -> None:
    if item is None:
        return
    _check_type(item, element, None, owner, path)
    if isinstance(item, dict) and not element.is_map:
        _walk(item, element, path, findings)


def _check_free(item: Any, name: str) -> None:
    if name == "Quantity":
        if isinstance(item, (dict, list, bool)):
            raise ValueError(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        parse_quantity(item)
    elif name == "IntOrString" and not isinstance(item, (int, str)):
        raise ValueError(f"json: cannot unmarshal {_json_name(item)} into Go value of type int32")
    elif name in ("Time", "MicroTime"):
        _check_time(item, name)


def _check_time(item: Any, name: str) -> None:
    if not isinstance(item, str):
        raise ValueError(f"json: cannot unmarshal {_json_name(item)} into Go value of type string")
    try:
        parse_rfc3339(item)
    except ValueError:
        layout = "2006-01-02T15:04:05Z07:00" if name == "Time" else "2006-01-02T15:04:05.000000Z07:00"
        raise ValueError(f'parsing time "{item}" as "{layout}": cannot parse "{item}" as "2006"') from None


def _json_name(value: Any) -> str:
    return next((name for types, name in JSON_NAMES if isinstance(value, types)), "null")


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The JSON types that a schema allows, empty for any."""
    found = schema.get("type", ())
    return (found,) if isinstance(found, str) else tuple(name for name in found if name != "null")


_GO_ZEROS: dict[tuple[str, ...], type] = {("object",): dict, ("string",): str, ("integer",): int}
"""What Go reads null as, where a list's element is no pointer."""

_ACCEPTED: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def _check_type(item: Any, target: Definition, place: Field | None, owner: Definition, path: str) -> None:
    types = _types(target.schema)
    if not types or any(_fits(item, name) for name in types):
        return
    dotted = "".join(_without_indexes(path))
    into = f"Go struct field {owner.name}.{dotted}" if owner.name else "Go value"
    shown = _json_name(item)
    if shown == "number" and types[0] == "integer":
        shown = f"number {item}"
    raise ValueError(f"json: cannot unmarshal {shown} into {into} of type {_go_type(target, place)}")


def _fits(item: Any, name: str) -> bool:
    if isinstance(item, bool) and name != "boolean":
        return False
    return isinstance(item, _ACCEPTED[name])


def _without_indexes(path: str) -> Iterator[str]:
    is_index = False
    for letter in path:
        is_index = letter == "[" or (is_index and letter != "]")
        if not is_index and letter != "]":
            yield letter


def _go_type(target: Definition, place: Field | None) -> str:
    name = _types(target.schema)[0]
    if name == "integer":
        return str(target.schema.get("format", "int64"))
    if name == "array":
        element = place.element if place is not None else Definition("", {"type": "string"})
        return f"[]v1.{element.name}" if element.name else f"[]{_go_type(element, None)}"
    if name == "object":
        return f"v1.{target.name}" if target.name else "map[string]string"
    return {"boolean": "bool", "number": "float64"}.get(name, name)
