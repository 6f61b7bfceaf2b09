"""Objects as Go prints them in a refusal: every field of the internal type, under its Go name and in its order.

The types (``labs/api/data/go_types.json.gz``) are those that the API server keeps objects in. A field error that is
about a whole struct holds its JSON (apimachinery pkg/util/validation/field/errors.go); a refused change of a spec holds
a unified diff of the two (apimachinery pkg/util/diff).
"""

from __future__ import annotations

import difflib
import gzip
import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

Row = tuple[str, str, str, bool]
"""Go name, wire name, type and whether it is left out when it is empty; an embedded struct has no names."""

_ZEROS: dict[str, Any] = {"string": "", "bool": False, "number": 0, "quantity": "0", "intstr": 0}


@cache
def _types() -> dict[str, list[Row]]:
    raw = files("labs.api.data").joinpath("go_types.json.gz").read_bytes()
    return {name: [tuple(row) for row in rows] for name, rows in json.loads(gzip.decompress(raw)).items()}


def go_form(type_name: str, value: Any) -> Any:
    """A value in wire form as its Go type, ``core.Toleration`` or ``[]core.Toleration``, is written in JSON."""
    if type_name.startswith("*"):
        return None if value is None else go_form(type_name[1:], value)
    if type_name.startswith("[]"):
        return None if value is None else [go_form(type_name[2:], item) for item in value]
    if type_name.startswith("map:"):
        return None if value is None else {key: go_form(type_name[4:], value[key]) for key in sorted(value)}
    rows = _types().get(type_name)
    if rows is not None:
        return dict(_fields(rows, value or {}))
    return _ZEROS.get(type_name) if value is None else value


def _fields(rows: Iterable[Row], value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for go_name, wire_name, type_name, is_optional in rows:
        if not go_name:
            inner = (value.get("metadata") or {}) if type_name == "v1.ObjectMeta" else value
            yield from _fields(_types()[type_name], inner)
            continue
        item = value.get(wire_name)
        if not (is_optional and not item):
            yield go_name, go_form(type_name, item)


def go_diff(type_name: str, old: Any, new: Any) -> str:
    """What changed between two values of a Go type, as a unified diff."""
    before, after = (_lines(go_form(type_name, value)) for value in (old, new))
    told = difflib.unified_diff(before, after, n=3)
    return "".join(line for line in told if line not in ("--- \n", "+++ \n"))


def _lines(form: Any) -> list[str]:
    text = json.dumps(form, indent=1, ensure_ascii=False)
    for letter, code in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(letter, code)
    return [f"{line}\n" for line in text.split("\n")]
