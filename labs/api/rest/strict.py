"""Whether a body fits its type: unknown and double fields, wrong JSON types, quantities.

Source: kubernetes/apiserver pkg/endpoints/handlers/create.go (fieldValidation), sigs.k8s.io/json,
Go's encoding/json (UnmarshalTypeError), apimachinery pkg/api/resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs import errors
from labs.api.crds.structural import prune
from labs.api.go_names import go_place
from labs.api.quantity import parse_quantity
from labs.api.resources import ResourceType
from labs.api.rest.bodies import DoubledObject
from labs.api.schemas import Definition, Field, definition
from labs.api.store import Object
from labs.api.strategy import invalid
from labs.api.zero_values import settle
from labs.errors import ApiError
from labs.units import parse_rfc3339

BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
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
KEPT_NULLS = ("Time", "MicroTime", "JSON", "RawExtension", "FieldsV1", "JSONSchemaPropsOrBool")
"""Types whose null is a value: a time that is not known, or JSON that is kept as it came."""


@dataclass(slots=True)
class _Findings:
    """What a walk over a body found: the paths of unknown and double fields."""

    unknown: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)


class WrongType(ValueError):
    """A value of a JSON type that its field cannot hold; the text is encoding/json's."""

    def __init__(self, shown: str, owner: str, path: str, item: Any, go_type: str) -> None:
        super().__init__(path)
        self.shown = shown
        self.owner = owner
        self.path = path
        self.item = item
        self.go_type = go_type

    def name_place(self, root: Definition) -> None:
        """Say what is wrong, now that the type of the whole body is known."""
        path, go_type = go_place(root, self.path)
        if go_type.startswith("map[") and not self.go_type.startswith("map["):
            go_type = go_type.partition("]")[2]
        self.go_type = go_type or self.go_type
        into = f"Go struct field {self.owner}.{path}" if self.owner else "Go value"
        self.args = (f"json: cannot unmarshal {self.shown} into {into} of type {self.go_type}",)

    def conversion_text(self) -> str:
        """What apimachinery's converter says of it, which reads strategic merge patches."""
        kinds = {bool: "bool", str: "string", int: "int64", float: "float64", list: "slice", dict: "map"}
        found = kinds[type(self.item)]
        if self.go_type.startswith("[]"):
            return f"cannot restore slice from {found}"
        if self.go_type.startswith("map["):
            return f"cannot restore map from {found}"
        if self.go_type.startswith("v1."):
            return f"cannot restore struct from: {found}"
        if (found, self.go_type) == ("int64", "string") or found == "float64":
            return f"cannot convert {found} to {self.go_type}"
        return f"unrecognized type: {self.go_type}"


def check_fields(
    kind: ResourceType, obj: Object, field_validation: str, *, is_applied: bool = False
) -> tuple[str, ...]:
    """Warnings for fields that the kind does not have, by ``fieldValidation``.

    Unknown fields are dropped, and zero values settled unless it is a configuration to apply, whose every field counts.
    Raises 400 for wrong types, and in Strict for unknown and double fields.
    """
    subject = _subject(kind.kind, kind.version)
    try:
        problems = _strict_problems(kind, obj)
    except ValueError as error:
        raise errors.bad_request(f"{subject}: {error}") from None
    if not is_applied:
        settle_zeros(kind, obj)
    if not problems or field_validation == "Ignore":
        return ()
    if field_validation == "Strict":
        raise errors.bad_request(f"{subject}: strict decoding error: {', '.join(problems)}")
    return tuple(problems)


def check_body(group: str, version: str, kind: str, obj: Object, *, names_type: bool = True) -> None:
    """Raise 400 for a body of a published type in which a value is of the wrong type; drop unknown fields.

    ``names_type``: the refusal says what the body was to be.
    """
    root = definition(group, version, kind)
    assert root is not None
    try:
        _walk_root(obj, root, _Findings())
    except ValueError as error:
        raise errors.bad_request(f"{_subject(kind, version)}: {error}" if names_type else str(error)) from None


def check_patched(
    kind: ResourceType, obj: Object, field_validation: str, shown: str, doubles: list[str], *, is_strategic: bool
) -> tuple[str, ...]:
    """The same for a patched object; ``shown`` is how the refusal names it, ``doubles`` is wrong with the patch.

    Raises 422 in place of 400.
    """
    try:
        problems = [*doubles, *_strict_problems(kind, obj)]
    except WrongType as error:
        raise _bad_patch(shown, error.conversion_text() if is_strategic else str(error)) from None
    except ValueError as error:
        raise _bad_patch(shown, str(error)) from None
    settle_zeros(kind, obj)
    if not problems or field_validation == "Ignore":
        return ()
    if field_validation == "Strict":
        raise _bad_patch(shown, f"strict decoding error: {', '.join(problems)}")
    return tuple(problems)


def settle_zeros(kind: ResourceType, obj: Object) -> None:
    """What Go makes of a body's zero values; of a custom resource's in its metadata alone."""
    if kind.custom is not None:
        settle(obj["metadata"], kind.custom.definition.field("metadata").value)
        return
    root = definition(*kind.group_version_kind)
    if root is not None:
        settle(obj, root)


def _bad_patch(shown: str, why: str) -> ApiError:
    """The refusal of a patched object, which has neither kind nor name."""
    problem = invalid("patch", shown, why)
    cause = {"reason": problem.reason, "message": problem.message, "field": problem.field}
    return ApiError(422, "Invalid", f' "" is invalid: patch: {problem.message}', {"causes": [cause]})


def double_fields(value: Any) -> list[str]:
    """What of a body is said more than once."""
    findings = _Findings()
    _find_doubles(value, "", findings)
    return [f'duplicate field "{path}"' for path in findings.double]


def _strict_problems(kind: ResourceType, obj: Object) -> list[str]:
    """Double and unknown fields; the unknown ones are dropped. Raises ValueError for wrong types."""
    root = definition(*kind.group_version_kind)
    findings = _Findings()
    if kind.custom is not None:
        _check_custom(kind, obj, findings)
    elif root is None:
        _find_doubles(obj, "", findings)
    else:
        _walk_root(obj, root, findings)
    doubles = [f'duplicate field "{path}"' for path in findings.double]
    return [*doubles, *(f'unknown field "{path}"' for path in findings.unknown)]


def _check_custom(kind: ResourceType, obj: Object, findings: _Findings) -> None:
    """A custom resource: its metadata have types, and all else is pruned by its schema."""
    assert kind.custom is not None
    _find_doubles(obj, "", findings)
    findings.unknown += prune(obj, kind.custom.schema)
    known = kind.custom.definition
    metadata = _Findings()
    try:
        _walk(obj["metadata"], known.field("metadata").value, "metadata", metadata)
    except WrongType as error:
        error.name_place(known)
        raise
    findings.unknown += metadata.unknown


def _subject(kind: str, version: str) -> str:
    return f'{kind} in version "{version}" cannot be handled as a {kind}'


def _find_doubles(value: Any, path: str, findings: _Findings) -> None:
    for key, item in value.items() if isinstance(value, dict) else ():
        _find_doubles(item, f"{path}.{key}" if path else key, findings)
    if isinstance(value, DoubledObject):
        findings.double += [f"{path}.{key}" if path else key for key in value.doubles]


def _walk_root(obj: Object, root: Definition, findings: _Findings) -> None:
    try:
        _walk(obj, root, "", findings)
    except WrongType as error:
        error.name_place(root)
        raise


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
        elif place.value.name not in KEPT_NULLS and (place.schema or place.value.schema):
            del value[key]  # Go leaves a field that is null as it was: empty


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
    elif isinstance(item, dict) and target.is_map:
        _walk_map(item, target, owner, path, findings)
    elif isinstance(item, dict):
        _walk(item, target, path, findings)


def _walk_map(item: dict[str, Any], target: Definition, owner: Definition, path: str, findings: _Findings) -> None:
    """The values of a map: an error in one names the field that holds the map."""
    if isinstance(item, DoubledObject):
        findings.double += [f"{path}.{key}" for key in item.doubles]
    for key, value in item.items():
        place = target.field(key) if "additionalProperties" in target.schema else None
        if place is None or not place.schema:
            continue
        if value is None:
            item[key] = _zero(place.value)
            continue
        if place.value.name in FREE_NAMES:
            _check_free(value, place.value.name)
        else:
            _check_type(value, place.value, place, owner, path)
            if isinstance(value, dict) and not place.value.is_map:
                _walk(value, place.value, f"{path}.{key}", findings)


def _zero(target: Definition) -> Any:
    """What Go reads null as, where a map's value is no pointer; bytes and lists stay null."""
    if target.name == "Quantity":
        return "0"
    is_text = _types(target.schema) == ("string",) and target.schema.get("format") != "byte"
    return "" if is_text else None


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
    if target.schema.get("format") == "byte" and isinstance(item, str):
        _check_base64(item)
    if not types or (any(_fits(item, name) for name in types) and not _overflows(item, target)):
        return
    shown = _json_name(item)
    if shown == "number" and types[0] == "integer":
        shown = f"number {item}"
    raise WrongType(shown, owner.name, path, item, _go_type(target, place))


def _overflows(item: Any, target: Definition) -> bool:
    bits = {"int32": 31, "int64": 63}.get(target.schema.get("format", ""))
    return bits is not None and isinstance(item, int) and not -(2**bits) <= item < 2**bits


def _check_base64(text: str) -> None:
    """The first thing that Go's decoder stumbles over; line ends are let through."""
    kept = [(place, letter) for place, letter in enumerate(text) if letter not in "\r\n"]
    wrong = next((place for place, letter in kept if letter not in BASE64), None)
    if wrong is None:
        end = "".join(letter for _, letter in kept).find("=")
        body = kept if end < 0 else kept[:end]
        padding = "".join(letter for _, letter in kept[len(body) :])
        if len(kept) % 4 == 0 and padding in ("", "=", "=="):
            return
        wrong = len(text) if end < 0 or len(body) % 4 >= 2 else body[-1][0] + 1 if body else 0
    raise ValueError(f"illegal base64 data at input byte {wrong}")


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
