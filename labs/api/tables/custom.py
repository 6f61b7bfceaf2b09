"""Custom resources: the columns that their definition asks for.

Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor. Of JSONPath it understands what such columns
use: ``.name``, ``['name']``, ``[0]``, ``[-1]``, ``[*]`` and ``[?(@.path=="value")]``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.api.tables.printer import NAME, Object, View, name_of
from labs.api.tables.render import Table, as_table

_STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\]\\]|\\.)+)
      | \['(?P<quoted>[^']*)'\]
      | \[(?P<index>-?[0-9]+)\]
      | (?P<all>\[\*\])
      | \[\?\(\s*@(?P<path>[^=!<>\s]+)\s*==\s*["'](?P<value>[^"']*)["']\s*\)\]""",
    re.VERBOSE,
)
_DEFAULT_COLUMNS = ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)


def render_crd_table(columns: Sequence[Mapping[str, Any]] | None, objects: Iterable[Object], now_ns: int) -> Table:
    """The Table of custom resources. ``columns`` is the version's ``additionalPrinterColumns``; None or empty asks for
    Age alone. A path that finds nothing gives a null cell."""
    wanted = columns or _DEFAULT_COLUMNS
    view = View(now_ns)
    described = [_described(column) for column in wanted]
    rows = [{"cells": [name_of(each), *(_cell(column, each, view) for column in wanted)]} for each in objects]
    return as_table([NAME.definition(), *described], rows)


def _described(column: Mapping[str, Any]) -> dict[str, Any]:
    unsaid = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    return {
        "name": column["name"],
        "type": column["type"],
        "format": column.get("format", ""),
        "description": column.get("description") or unsaid,
        "priority": column.get("priority", 0),
    }


def find_values(path: str, object: Any) -> list[Any]:
    """Every value that a JSONPath such as ``.status.conditions[?(@.type=="Ready")].status`` finds."""
    found = [object]
    for step in _STEP.finditer(path):
        found = [value for each in found for value in _stepped(each, step)]
    return found


def _stepped(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["quoted"] if step["name"] is None else re.sub(r"\\(.)", r"\1", step["name"])
    if name is not None:
        return [value[name]] if isinstance(value, dict) and name in value else []
    if step["all"]:
        return list(value.values() if isinstance(value, dict) else value) if isinstance(value, dict | list) else []
    if not isinstance(value, list):
        return []
    if step["index"] is not None:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    return [each for each in value if step["value"] in map(_text, find_values(step["path"], each))]


def _cell(column: Mapping[str, Any], object: Object, view: View) -> Any:
    found = find_values(column["jsonPath"], object)
    value = found[0] if found else None
    if value is None:
        return None
    match column["type"]:
        case "string":
            return _text(value)
        case "integer" | "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return (int(value) if column["type"] == "integer" else float(value)) if is_number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _age(value, view)
    return None


def _age(value: Any, view: View) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return view.age(value)
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
