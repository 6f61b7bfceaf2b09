"""What Go writes of a field that nobody set, and leaves out of one that was set to nothing.

A body is decoded into Go structs and encoded again: ``paused: false`` is gone, ``status: {}`` is there. Which of the
two holds for a field follows from its Go type and JSON tag (``labs/api/data/zero_values.json.gz``).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from labs.api.schemas import Definition

LEFT_OUT = "drop"
_ZEROS: dict[str, Any] = {"null": None, "text": "", "number": 0, "bool": False, "quantity": "0", "duration": "0s"}


@cache
def _rules() -> Mapping[str, Mapping[str, str]]:
    """By the full name of a type: what becomes of each of its fields."""
    packed = files("labs.api.data").joinpath("zero_values.json.gz").read_bytes()
    loaded: dict[str, Mapping[str, str]] = json.loads(gzip.decompress(packed))
    return loaded


@cache
def zero_fields(full_name: str) -> Mapping[str, Any]:
    """The fields that a type always shows, with their zero values; a struct's is an empty object."""
    shown = {key: code for key, code in _rules().get(full_name, {}).items() if code != LEFT_OUT}
    return {key: {} if code == "struct" else _ZEROS[code] for key, code in shown.items()}


def settle(value: dict[str, Any], owner: Definition) -> None:
    """Make an object of a type what it is after Go has read and written it."""
    rules = _rules().get(owner.full_name, {})
    for key in list(value):
        item = value[key]
        if not item and rules.get(key) == LEFT_OUT:
            del value[key]
        elif isinstance(item, (dict, list)):
            _settle_below(item, owner, key)
    for key, zero in zero_fields(owner.full_name).items():
        if value.get(key) is None:
            value[key] = {} if zero == {} else zero
            if zero == {}:
                _settle_below(value[key], owner, key)


def _settle_below(item: Any, owner: Definition, key: str) -> None:
    place = owner.find(key)
    if place is None or not place.schema:
        return
    if isinstance(item, list):
        element = place.element
        for each in item if not element.is_map else ():
            if isinstance(each, dict):
                settle(each, element)
    elif not place.value.is_map:
        settle(item, place.value)
    elif "additionalProperties" in place.value.schema:
        element = place.value.field("").value
        for each in item.values() if not element.is_map else ():
            if isinstance(each, dict):
                settle(each, element)
