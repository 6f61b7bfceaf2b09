"""What a printer is made of, and the cells that many kinds share.

Source: kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from labs.api.durations import human_duration
from labs.api.schemas import definitions
from labs.units import parse_rfc3339

Object = Mapping[str, Any]
NONE = "<none>"
UNSET = "<unset>"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True, slots=True)
class View:
    """When and how wide to print."""

    now_ns: int
    wide: bool = True

    def age(self, time: str | None) -> str:
        """How long ago ``time`` (RFC 3339) was; ``<unknown>`` without one."""
        return human_duration(self.now_ns - parse_rfc3339(time)) if time else "<unknown>"

    def object_age(self, object: Object) -> str:
        """The AGE cell."""
        return self.age(object["metadata"].get("creationTimestamp"))


@cache
def _descriptions() -> Mapping[str, Mapping[str, str]]:
    """What a server says of each kind's columns, apart from Name and Age."""
    packed = files("labs.api.data").joinpath("column_descriptions.json.gz").read_bytes()
    loaded: dict[str, Mapping[str, str]] = json.loads(gzip.decompress(packed))
    return loaded


@dataclass(frozen=True, slots=True)
class Column:
    """One column; kubectl shows those of priority above 0 only with ``-o wide``."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    field: str = ""  # of ObjectMeta, whose description is the column's

    def definition(self, kind: str = "") -> dict[str, Any]:
        """The ``TableColumnDefinition``, in the table of this kind."""
        described = definitions()[_METADATA]["properties"][self.field]["description"] if self.field else ""
        described = _descriptions().get(kind, {}).get(self.name, described)
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": described,
            "priority": self.priority,
        }


Cells = Callable[[Object, View], list[Any]]
Conditions = Callable[[Object], list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Printer:
    """Columns and how to fill a row of them.

    ``cells`` gives the cells of the wide row. When not wide, a row keeps the cells at ``default_cells``: unless given
    those of the columns with priority 0.
    """

    columns: tuple[Column, ...]
    cells: Cells
    conditions: Conditions | None = None
    default_cells: tuple[int, ...] | None = None

    def row(self, object: Object, view: View) -> dict[str, Any]:
        """The ``TableRow`` without its ``object``."""
        cells = self.cells(object, view)
        if not view.wide:
            shown = self.default_cells
            if shown is None:
                shown = tuple(index for index, column in enumerate(self.columns) if column.priority == 0)
            cells = [cells[index] for index in shown]
        conditions = self.conditions(object) if self.conditions else []
        return {"cells": cells, "conditions": conditions} if conditions else {"cells": cells}


NAME = Column("Name", format="name", field="name")
AGE = Column("Age", field="creationTimestamp")


def texts(*names: str) -> tuple[Column, ...]:
    """Text columns."""
    return tuple(Column(name) for name in names)


def integers(*names: str) -> tuple[Column, ...]:
    """Number columns."""
    return tuple(Column(name, "integer") for name in names)


def booleans(*names: str) -> tuple[Column, ...]:
    """Truth columns."""
    return tuple(Column(name, "boolean") for name in names)


def wide(*names: str) -> tuple[Column, ...]:
    """Text columns that only ``-o wide`` shows."""
    return tuple(Column(name, priority=1) for name in names)


def name_of(object: Object) -> str:
    """The NAME cell."""
    return str(object["metadata"].get("name", ""))


def spec_of(object: Object) -> dict[str, Any]:
    """The spec, empty where there is none."""
    return object.get("spec") or {}


def status_of(object: Object) -> dict[str, Any]:
    """The status, empty where there is none."""
    return object.get("status") or {}


def listed(items: Iterable[str], empty: str = NONE) -> str:
    """``items`` with commas between, or ``empty``."""
    return ",".join(items) or empty


def given(text: str | None, missing: str) -> str:
    """``text``, an empty one included, or ``missing`` for None."""
    return missing if text is None else text


def labels_text(labels: Mapping[str, str] | None) -> str:
    """``labels.FormatLabels``."""
    return listed(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def container_cells(template: Object) -> list[str]:
    """The CONTAINERS and IMAGES cells of a pod template."""
    containers = spec_of(template).get("containers") or []
    return [",".join(each.get(key, "") for each in containers) for key in ("name", "image")]


def shortened(items: list[str], count: int, limit: int, separator: str = ",") -> str:
    """At most ``limit`` of ``items``, and how many of ``count`` are left out."""
    text = separator.join(items[:limit])
    return f"{text} + {count - limit} more..." if count > limit else text


def is_true(object: Object, condition: str) -> bool:
    """Whether the first status condition of the type ``condition`` is True."""
    for each in status_of(object).get("conditions") or []:
        if each.get("type") == condition:
            return bool(each.get("status") == "True")
    return False
