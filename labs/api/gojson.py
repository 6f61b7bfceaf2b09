"""JSON as Go's encoding/json takes it and as fmt prints it, so that messages come out in upstream's words."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from labs.api.gosyntax import syntax_fault

_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def decode(text: str) -> Any:
    """The value that ``text`` spells. Raises ValueError with the decoder's text."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ValueError(syntax_fault(text)) from error


def type_name(value: Any) -> str:
    """What the decoder calls a value that does not fit: ``object``, ``array``, ``string``, ``number``, ``bool``."""
    return "null" if value is None else _NAMES[type(value)]


def printed(value: Any) -> str:
    """``fmt.Sprintf("%v", value)`` of a decoded JSON value: maps with their keys in order."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{printed(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(printed, value)) + "]"
    return _float(value) if isinstance(value, float) else str(value)


def is_identical(first: Any, second: Any) -> bool:
    """``reflect.DeepEqual``: equal in value and in kind, so that 1, 1.0 and true all differ."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(is_identical(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(is_identical, first, second))
    return bool(first == second)


def encoded(value: Any) -> str:
    """``json.Marshal``: compact, and safe to stand in HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _float(number: float) -> str:
    """``%v`` of a float64: the shortest text, with an exponent below 1e-4 and from 1e21 on."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    exponent = math.floor(math.log10(abs(number)))
    if -4 <= exponent < 21:
        text = f"{number:f}" if "e" in repr(number) else repr(number)
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, power = repr(number).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(power):+03d}"
