"""A spike seen through the Kubernetes API: room on the nodes, each decision of the HPA, two runs compared (lab 04)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from kubernetes.utils import parse_quantity
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kubernetes import client as kubernetes_client
from labs.course import figures
from labs.course.connect import Lab
from labs.course.lag import ScalingRecords, copy_records
from labs.course.manifests import PROJECT_ROOT
from labs.course.observe import Observer
from labs.course.palette import NAVY, TAIL
from labs.course.shop import NAMESPACE

APP, JOB = "frontend", "spike"
LOOK_S, LATER_LOOK_S = 5, 10
BEFORE_S, LONGEST_S = 60, 3600
MOMENTS_MAX = 6
NODE_DOLLARS_AN_HOUR = 0.096
"""An m6i.large on demand in us-east-1."""


@dataclass(frozen=True, slots=True)
class Spike:
    """One run: what an Observer saw, what the HPA said at each look, and the API's records at the spike's end."""

    looks: Observer
    readings: Sequence[Mapping[str, Any]]
    records: ScalingRecords
    started: datetime
    ended: datetime

    @property
    def length_s(self) -> float:
        """From the Job's creation to its completion."""
        return (self.ended - self.started).total_seconds()


def watch_spike(lab: Lab, send: Callable[[], object], after_minutes: int) -> Spike:
    """Look for a minute, call ``send`` (it creates the Job), look until that has succeeded, and ``after_minutes`` more.

    Records are copied when the Job ends: pods and nodes that are no longer needed will soon be gone. Three more
    minutes then pass, so that CloudWatch has the last ones.
    """
    looks, readings = Observer(lab, NAMESPACE, f"app={APP}"), []
    looks.watch(BEFORE_S)
    started = lab.wait(LOOK_S)
    send()
    jobs = kubernetes_client.BatchV1Api()

    def is_over() -> bool:
        readings.append(read_hpa(lab))
        return bool(jobs.read_namespaced_job(JOB, NAMESPACE).status.succeeded)

    looks.watch(LONGEST_S, every_s=LOOK_S, until=is_over)
    ended = jobs.read_namespaced_job(JOB, NAMESPACE).status.completion_time
    records = copy_records(NAMESPACE, APP)
    looks.watch(after_minutes * 60, every_s=LATER_LOOK_S, until=lambda: readings.append(read_hpa(lab)))
    lab.wait("3 min")
    return Spike(looks, readings, records, started, ended)


def read_hpa(lab: Lab) -> dict[str, Any]:
    """What the HPA says now, and up to when the CPU was measured that it can know of."""
    scaler = kubernetes_client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler(APP, NAMESPACE).status
    kind = ("metrics.k8s.io", "v1beta1", NAMESPACE, "pods")
    found = kubernetes_client.CustomObjectsApi().list_namespaced_custom_object(*kind, label_selector=f"app={APP}")
    return {
        "time": lab.now(),
        "measured": max(datetime.fromisoformat(each["timestamp"]) for each in found["items"]),
        "pods": scaler.current_replicas,
        "percent": scaler.current_metrics[0].resource.current.average_utilization,
        "desired": scaler.desired_replicas,
        "limited": next(each.reason for each in scaler.conditions if each.type == "ScalingLimited"),
    }


def manifest_text(path: str) -> str:
    """A manifest of the project as it stands in its file."""
    return (PROJECT_ROOT / path).read_text(encoding="utf-8")


def millicores(containers: Sequence[Any]) -> int:
    """The CPU that some containers request together."""
    amounts = [(each.resources.requests or {}).get("cpu", "0") for each in containers if each.resources]
    return int(sum(parse_quantity(amount) for amount in amounts) * 1000)


def node_room() -> pd.DataFrame:
    """A row for each node: zone, type, and in millicores what is allocatable, requested by its pods, and free."""
    core = kubernetes_client.CoreV1Api()
    pods = [pod for pod in core.list_pod_for_all_namespaces().items if pod.status.phase in ("Pending", "Running")]
    rows = []
    for node in core.list_node().items:
        requested = sum(millicores(pod.spec.containers) for pod in pods if pod.spec.node_name == node.metadata.name)
        allocatable = int(parse_quantity(node.status.allocatable["cpu"]) * 1000)
        rows.append({
            "zone": node.metadata.labels["topology.kubernetes.io/zone"],
            "type": node.metadata.labels["node.kubernetes.io/instance-type"],
            "allocatable": allocatable,
            "requested": requested,
            "free": allocatable - requested,
        })  # fmt: skip
    return pd.DataFrame(rows)


def daemon_millicores() -> int:
    """The CPU that the DaemonSets' pods request on each node."""
    sets = kubernetes_client.AppsV1Api().list_daemon_set_for_all_namespaces().items
    return sum(millicores(each.spec.template.spec.containers) for each in sets)


def decisions(spike: Spike) -> pd.DataFrame:
    """A row for each reading at which the HPA wanted another number of pods than there was.

    Columns: time, second since the start, pods, ready (of them), percent, desired, limited.
    """
    seen = pd.DataFrame(spike.readings).drop_duplicates(["pods", "desired", "limited"])
    seen = seen[seen["desired"] != seen["pods"]]
    ready = spike.looks.ready_pods
    seen["second"] = [round((time - spike.started).total_seconds()) for time in seen["time"]]
    known = [int(ready[ready.index <= time].iloc[-1]) for time in seen["time"]]
    seen["ready"] = [min(count, pods) for count, pods in zip(known, seen["pods"], strict=True)]
    return seen


def decision_moments(spike: Spike, seen: pd.DataFrame) -> list[int]:
    """Seconds worth a picture: the start, a look after each decision, and when its pods were ready."""
    ready, moments = spike.looks.ready_pods, {0}
    for row in seen.to_dict("records"):
        done = ready.index[(ready.index >= row["time"]) & (ready == row["desired"])]
        moments |= {row["second"] + LOOK_S, *[round((time - spike.started).total_seconds()) for time in done[:1]]}
    return sorted(moments)[:MOMENTS_MAX]


def draw_spike(spike: Spike, minutes: pd.DataFrame, title: str) -> tuple[Figure, list[Axes]]:
    """Four panels over the same minutes: pods by node, requests a second, latency, error rate; the spike is shaded."""
    made, axes = figures.figure(4, title, row_height=1.75)
    pods, requests, latency, errors = axes
    figures.draw_pods_by_node(pods, spike.looks.pods, spike.started)
    lines = {"requests": ("requests", NAVY, "-")}
    figures.draw_minutes(requests, minutes, lines, spike.started, factor=1 / 60)
    figures.name_panel(requests, "Requests at the load balancer, mean of each minute", "per second")
    figures.draw_latency(latency, minutes[["p50", "p99"]], spike.started)
    figures.limit_line(latency, 1, "SLO: p99 below 1 s")
    figures.draw_error_rate(errors, minutes["error_percent"], spike.started)
    figures.limit_line(errors, 5, "alarm: 5 %")
    for ax in axes:
        figures.shade(ax, 0, spike.length_s / 60, "spike" if ax is pods else "")
    figures.label_minutes(axes, "minutes since the spike began")
    return made, axes


def spike_summary(spike: Spike, minutes: pd.DataFrame) -> dict[str, float]:
    """The numbers by which two runs are compared; dollars are those of nodes that were not there at the start."""
    pods, nodes = spike.looks.ready_pods, spike.looks.ready_nodes
    all_ready_at = pods.index[pods == pods.max()][0]
    hours = nodes.index.to_series().diff().shift(-1).dt.total_seconds().fillna(0) / 3600
    return {
        "most pods": pods.max(),
        "seconds until they were ready": (all_ready_at - spike.started).total_seconds(),
        "most nodes": nodes.max(),
        "highest p99 of a minute, s": minutes["p99"].max(),
        "failed requests": minutes["failed"].sum(),
        "worst minute, % failed": minutes["error_percent"].max(),
        "extra nodes, US dollars": NODE_DOLLARS_AN_HOUR * float(((nodes - nodes.iloc[0]) * hours).sum()),
    }


def draw_two_runs(runs: Mapping[str, tuple[Spike, pd.DataFrame]], title: str) -> tuple[Figure, list[Axes]]:
    """A column for each of two runs, on the same scales: pods and nodes, p99, error rate."""
    made, axes = figures.figure(3, title, columns=len(runs), row_height=1.9)
    for column, (name, (spike, minutes)) in enumerate(runs.items()):
        fleet, p99, errors = axes[column :: len(runs)]
        figures.draw_replicas_and_nodes(fleet, spike.looks.pods, spike.looks.nodes, spike.started)
        figures.draw_minutes(p99, minutes, {"p99": ("p99", TAIL, "-")}, spike.started)
        figures.name_panel(p99, "Latency, p99", "seconds")
        figures.limit_line(p99, 1, "SLO: 1 s")
        figures.draw_error_rate(errors, minutes["error_percent"], spike.started)
        worst = minutes["error_percent"].idxmax()
        at = float(figures.minutes_since([worst], spike.started)[0])
        text = f"{minutes['failed'].sum():.0f} failed in all"
        figures.point_at(errors, at, minutes["error_percent"].max(), text, beside=(-12, -6))
        for ax in (fleet, p99, errors):
            figures.shade(ax, 0, spike.length_s / 60, f"spike, {name} run" if ax is fleet else "")
            ax.set_ylabel("" if column else ax.get_ylabel())
    if (legend := axes[0].get_legend()) is not None:
        legend.remove()  # the last column has the same
    figures.label_minutes(axes, "minutes since the spike began")
    return made, axes
