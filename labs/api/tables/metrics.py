"""Usage of pods and nodes, as metrics-server prints it.

Source: kubernetes-sigs/metrics-server pkg/api/table.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labs.api.quantity import parse_quantity
from labs.api.tables.printer import NAME, Column, Object, Printer, View, name_of

_RESOURCES = ("cpu", "memory")


def _total(usages: Iterable[Mapping[str, str]], resource: str) -> str:
    amounts = [parse_quantity(usage[resource]) for usage in usages if resource in usage]
    return str(sum(amounts[1:], amounts[0])) if amounts else "0"


def _pod_metrics(metrics: Object, view: View) -> list[Any]:
    usages = [container["usage"] for container in metrics["containers"]]
    return [name_of(metrics), *(_total(usages, resource) for resource in _RESOURCES), metrics["window"]]


def _node_metrics(metrics: Object, view: View) -> list[Any]:
    return [name_of(metrics), *(_total([metrics["usage"]], resource) for resource in _RESOURCES), metrics["window"]]


_COLUMNS = (NAME, *(Column(name, format="quantity") for name in _RESOURCES), Column("Window", format="duration"))

PRINTERS = {
    ("metrics.k8s.io", "PodMetrics"): Printer(_COLUMNS, _pod_metrics),
    ("metrics.k8s.io", "NodeMetrics"): Printer(_COLUMNS, _node_metrics),
}
