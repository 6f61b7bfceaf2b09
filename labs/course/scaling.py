"""One autoscaler, watched from reading to reading; its rule as a staircase, and what it wanted over time (lab 01)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from kubernetes.utils import parse_quantity
from matplotlib.axes import Axes

from kubernetes import client as kubernetes_client
from labs.controlplane.hpa.replicas import desired_replicas
from labs.course.connect import Lab
from labs.course.figures import limit_line, minutes_since, name_panel
from labs.course.palette import BLACK, FAULT, FAULT_TEXT, NAVY, VERMILION

APP, NAMESPACE = "frontend", "shop"
PERIOD_S = 15
"""How often the HPA looks, unless its controller is told otherwise."""
LOOKS = ((VERMILION, (0, (4, 1.5))), (NAVY, "-"))
BAND: dict[str, Any] = {"color": FAULT, "alpha": 0.16, "linewidth": 0}


def pod_use_m() -> dict[str, float]:
    """The CPU use of each frontend that metrics-server has a number for, in millicores."""
    kind = ("metrics.k8s.io", "v1beta1", NAMESPACE, "pods")
    found = kubernetes_client.CustomObjectsApi().list_namespaced_custom_object(*kind, label_selector=f"app={APP}")
    return {
        each["metadata"]["name"]: 1000 * float(sum(parse_quantity(one["usage"]["cpu"]) for one in each["containers"]))
        for each in found["items"]
    }


def percent_read(hpa: Any) -> int | None:
    """The CPU use that an HPA says it read, in whole percent of the request; None while it has none."""
    known = [metric.resource for metric in hpa.status.current_metrics or [] if metric.resource]
    return known[0].current.average_utilization if known else None


def next_reading(lab: Lab) -> int:
    """Wait until the frontend's HPA writes another reading; returns the percent. Raises WaitTimeout."""
    before = _average_value()
    lab.wait(until=lambda: _average_value() != before, every="1 s")
    percent = percent_read(_read_hpa())
    assert percent is not None
    return percent


def _read_hpa() -> Any:
    return kubernetes_client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler(APP, NAMESPACE)


def _average_value() -> str:
    value: str = _read_hpa().status.current_metrics[0].resource.current.average_value
    return value


def watch_hpa(lab: Lab, minutes: int, request_m: int) -> pd.DataFrame:
    """A row for each reading of the frontend's HPA in so many minutes.

    Columns: time; percent, what it read; measured, how many pods have a number just before or just after it looked
    (pods come and go in the second in which it acts); pods, of how many; rule, what the rule alone makes of that
    within the HPA's limits; hpa, what the HPA decided; reason, its word for that.
    """
    rows = []
    for _ in range(60 // PERIOD_S * minutes):
        lab.wait(PERIOD_S - 1)
        before = set(pod_use_m())
        percent = next_reading(lab)
        measured = len(before.union(pod_use_m()))
        row = {"time": lab.now(), "percent": percent, "measured": measured}
        rows.append(row | _decision(percent, measured, request_m))
    return pd.DataFrame(rows)


def _decision(percent: int, measured: int, request_m: int) -> dict[str, Any]:
    hpa = _read_hpa()
    spec, status = hpa.spec, hpa.status
    target = spec.metrics[0].resource.target.average_utilization
    wanted = desired_replicas(status.current_replicas, [percent * request_m / 100] * measured, request_m, target)
    return {
        "pods": status.current_replicas,
        "rule": min(max(wanted, spec.min_replicas), spec.max_replicas),
        "hpa": status.desired_replicas,
        "reason": {each.type: each.reason for each in status.conditions}["AbleToScale"],
    }


def draw_staircase(
    ax: Axes, percents: Sequence[int], wanted: Mapping[str, Sequence[int]], band: tuple[int, int], target: int
) -> Axes:
    """Pods wanted against use in percent; ``wanted``: label -> a number for each percent, drawn in this order.

    ``band``: the percents between which nothing happens; ``target``: the percent that the autoscaler keeps to.
    """
    ax.axvspan(*band, **BAND)
    for (label, pods), (colour, dashes) in zip(wanted.items(), LOOKS, strict=True):
        ax.step(percents, pods, where="post", color=colour, linestyle=dashes, label=label)
    ax.axvline(target, color=BLACK, linewidth=1)
    lowest = min(min(pods) for pods in wanted.values())
    ax.text(target, lowest, f" target {target} %", fontsize=8, color=BLACK)
    ax.text(band[0], max(max(pods) for pods in wanted.values()), " tolerance", fontsize=8, va="top", color=FAULT_TEXT)
    ax.legend(loc="upper left", frameon=False)
    ax.set_xlabel("CPU use in % of the request")
    return ax


def draw_reading(ax: Axes, seen: pd.DataFrame, zero: datetime, band: tuple[int, int], target: int) -> Axes:
    """What the autoscaler read, over minutes since ``zero``; ``seen`` has the columns time and percent."""
    ax.axhspan(*band, **BAND)
    ax.step(minutes_since(seen["time"], zero), seen["percent"], where="post", color=NAVY)
    ax.set_ylim(bottom=0)
    limit_line(ax, target, f"target {target} %")
    return name_panel(ax, "CPU use as the HPA reads it; the band is its tolerance", "% of the request")


def draw_wishes(ax: Axes, seen: pd.DataFrame, zero: datetime, held: tuple[datetime, datetime]) -> Axes:
    """Pods by the rule alone and by the autoscaler; ``seen`` has the columns time, rule and hpa.

    ``held``: the last wish for more pods, and the moment in which the autoscaler gave them up.
    """
    minutes = minutes_since(seen["time"], zero)
    for column, label, (colour, dashes) in zip(("rule", "hpa"), ("the rule alone", "the HPA"), LOOKS, strict=True):
        ax.step(minutes, seen[column], where="post", color=colour, linestyle=dashes, label=label)
    ax.set_ylim(0, seen["hpa"].max() * 1.25)
    begin, end = minutes_since(held, zero).tolist()
    height = float(seen["hpa"].max()) * 1.08
    arrow = {"arrowstyle": "<->", "color": FAULT_TEXT}
    ax.annotate("", (begin, height), (end, height), arrowprops=arrow)
    length_s = (held[1] - held[0]).total_seconds()
    ax.text((begin + end) / 2, height, f"held for {length_s:.0f} s", ha="center", va="bottom", color=FAULT_TEXT)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, frameon=False, fontsize=8.5)
    return name_panel(ax, "Pods wanted", "pods")
