"""Protobuf bodies, which kubectl's imperative commands send, as the JSON data that they stand for.

Source: apimachinery pkg/runtime/serializer/protobuf, pkg/runtime/generated.proto (Unknown); the field tables
(``labs/api/data``) are made from k8s.io/api.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from labs.units import SECOND_NS, rfc3339, rfc3339_micro

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
GROUP_FOLDERS = {"": "core", "rbac.authorization.k8s.io": "rbac"}
MAX_DEPTH = 100

Row = tuple[str, str, str, bool]


@cache
def _tables() -> Mapping[str, Mapping[str, Row]]:
    packed = files("labs.api.data").joinpath("protobuf_fields.json.gz").read_bytes()
    loaded: dict[str, dict[str, Row]] = json.loads(gzip.decompress(packed))
    return loaded


def decode_protobuf(body: bytes) -> dict[str, Any]:
    """The object of a body with kind and apiVersion. Raises ValueError when it cannot be read."""
    if not body.startswith(MAGIC):
        raise ValueError(f"provided data does not appear to be a protobuf message, expected prefix {list(MAGIC)}")
    envelope = dict(_fields(body[len(MAGIC) :]))
    type_meta = dict(_fields(_bytes(envelope.get(1, b""))))
    api_version, kind = _bytes(type_meta.get(1, b"")).decode(), _bytes(type_meta.get(2, b"")).decode()
    message = f"{_folder(api_version)}.{kind}"
    if message not in _tables():
        message = f"meta/v1.{kind}"  # options travel under the version of the kind that they are for
    if message not in _tables():
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **_message(_bytes(envelope.get(2, b"")), message, 0)}


def _folder(api_version: str) -> str:
    group, _, version = api_version.rpartition("/")
    return f"{GROUP_FOLDERS.get(group, group.partition('.')[0])}/{version}"


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("proto: wrong wireType")
    return value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ValueError("unexpected EOF")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and raw values: integers of varints, bytes of all else."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"proto: illegal wireType {wire}")
        if position + size > len(data):
            raise ValueError("unexpected EOF")
        yield number, data[position : position + size]
        position += size


def _message(data: bytes, name: str, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ValueError("proto: message is nested too deeply")
    rows = _tables().get(name, {})
    result: dict[str, Any] = {}
    for number, raw in _fields(data):
        row = rows.get(str(number))
        if row is None:
            continue
        key, kind, form, keeps_zero = row
        if form == "inline":
            result.update(_message(_bytes(raw), kind, depth + 1))
        elif form == "map":
            entry = dict(_fields(_bytes(raw)))
            label = _bytes(entry.get(1, b"")).decode()
            result.setdefault(key, {})[label] = _value(entry.get(2, _zero(kind)), kind, depth)
        elif form == "list":
            result.setdefault(key, []).append(_value(raw, kind, depth))
        else:
            value = _value(raw, kind, depth)
            if keeps_zero or value not in ("", 0, False, None):
                result[key] = value
    return {key: value for key, value in result.items() if value is not None}


def _zero(kind: str) -> int | bytes:
    return 0 if kind in ("int", "bool") else b""


def _value(raw: int | bytes, kind: str, depth: int) -> Any:
    if kind == "int":
        number = raw if isinstance(raw, int) else 0
        return number - (1 << 64) if number >> 63 else number
    if kind == "bool":
        return bool(raw)
    data = _bytes(raw)
    if kind == "string":
        return data.decode()
    if kind == "bytes":
        return base64.b64encode(data).decode()
    if kind == "double":
        return struct.unpack("<d", data)[0]
    special = _SPECIAL.get(kind)
    return special(data) if special else _message(data, kind, depth + 1)


def _signed(value: int | bytes) -> int:
    number: int = _value(value, "int", 0)
    return number


def _quantity(data: bytes) -> str:
    return _bytes(dict(_fields(data)).get(1, b"")).decode()


def _int_or_string(data: bytes) -> int | str:
    found = dict(_fields(data))
    return _bytes(found.get(3, b"")).decode() if found.get(1) else _signed(found.get(2, 0))


def _nanoseconds(data: bytes) -> int | None:
    found = dict(_fields(data))
    seconds = _signed(found.get(1, 0))
    return seconds * SECOND_NS + _signed(found.get(2, 0)) if seconds > 0 else None


def _time(data: bytes) -> str | None:
    moment_ns = _nanoseconds(data)
    return None if moment_ns is None else rfc3339(moment_ns)


def _micro_time(data: bytes) -> str | None:
    moment_ns = _nanoseconds(data)
    return None if moment_ns is None else rfc3339_micro(moment_ns)


def _raw_json(data: bytes) -> Any:
    raw = _bytes(dict(_fields(data)).get(1, b""))
    return json.loads(raw) if raw else None


_SPECIAL = {
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "meta/v1.Time": _time,
    "meta/v1.MicroTime": _micro_time,
    "meta/v1.FieldsV1": _raw_json,
    "runtime.RawExtension": _raw_json,
}
