"""Finds the printer of a kind and prints a table.

Sources: kubernetes pkg/printers/tablegenerator.go, apiserver pkg/registry/rest/table.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.api.tables import autoscaling, cluster, metrics, networking, pods, storage, workloads
from labs.api.tables.printer import NAME, Column, Object, Printer, View, name_of

Table = dict[str, Any]

_ZERO_TIME = "0001-01-01T00:00:00Z"


def _default_cells(object: Object, view: View) -> list[Any]:
    return [name_of(object), object["metadata"].get("creationTimestamp") or _ZERO_TIME]


_DEFAULT = Printer((NAME, Column("Created At", "date", field="creationTimestamp")), _default_cells)
_PRINTERS: Mapping[tuple[str, str], Printer] = {
    **pods.PRINTERS,
    **workloads.PRINTERS,
    **autoscaling.PRINTERS,
    **networking.PRINTERS,
    **cluster.PRINTERS,
    **storage.PRINTERS,
    **metrics.PRINTERS,
}


def render_table(
    resource_kind: tuple[str, str, str], objects: Iterable[Object], now_ns: int, wide: bool = True
) -> Table:
    """The ``meta.k8s.io/v1`` Table of ``objects`` of the kind (group, version, kind), a row for each.

    The API server always prints wide and leaves it to kubectl to hide columns. A kind without a printer gets Name and
    Created At. The caller fills in each row's ``object`` and the list's metadata.
    """
    group, _, kind = resource_kind
    printer = _PRINTERS.get((group, kind), _DEFAULT)
    view = View(now_ns, wide)
    columns = [column.definition(kind) for column in printer.columns if wide or column.priority == 0]
    return as_table(columns, [printer.row(each, view) for each in objects])


def as_table(columns: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> Table:
    """The Table object around columns and rows."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": list(columns),
        "rows": list(rows),
    }
