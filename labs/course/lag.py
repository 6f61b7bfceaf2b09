"""Where an autoscaler's seconds go: the time of each step of a scale-up, from what the Kubernetes API recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from kubernetes import client as kubernetes_client
from labs.course.figures import HATCHES
from labs.course.palette import NAVY, PLUM, VERMILION

COLUMNS = ["decision", "step", "begin_s", "length_s"]
LOOKS = (NAVY, VERMILION, PLUM)
SHORTEST_LABELLED_S = 1.0


@dataclass(frozen=True, slots=True)
class ScalingRecords:
    """What the API knows of a Deployment's pods and of what they run on; pods and nodes that left are not in it."""

    workload: str
    pods: Sequence[Any]
    nodes: Mapping[str, Any]
    claims: Mapping[str, Mapping[str, Any]]
    """NodeClaims by the node that came of them."""
    events: Sequence[Any]


def copy_records(namespace: str, workload: str) -> ScalingRecords:
    """Read the pods labelled ``app=<workload>``, the nodes, Karpenter's NodeClaims, and the namespace's events."""
    core = kubernetes_client.CoreV1Api()
    claims = kubernetes_client.CustomObjectsApi().list_cluster_custom_object("karpenter.sh", "v1", "nodeclaims")
    return ScalingRecords(
        workload,
        core.list_namespaced_pod(namespace, label_selector=f"app={workload}").items,
        {node.metadata.name: node for node in core.list_node().items},
        {claim["status"].get("nodeName", ""): claim for claim in claims["items"] if "status" in claim},
        core.list_namespaced_event(namespace).items,
    )


def scaling_steps(records: ScalingRecords, started: datetime, measured: Mapping[datetime, datetime]) -> pd.DataFrame:
    """A row for each step of each scale-up since ``started``: decision, step, begin_s and length_s since then.

    The steps of a decision are those of its last pod to become Ready; pods that are not Ready are left out.
    ``measured``: time of a look at the metrics API -> end of the newest window that it had then.
    """
    rows: list[dict[str, Any]] = []
    before = started
    for number, (decided, pods) in enumerate(_decisions(records, started), 1):
        windows = [window for look, window in measured.items() if look <= decided]
        first = {"metrics window ends": max([*windows, before]), "HPA decides": decided}
        paths = [first | _pod_steps(pod, records) for pod in pods]
        slowest = max(paths, key=lambda path: path["pod Ready"])
        begin = before
        for step, end in slowest.items():
            end = max(begin, end)
            times_s = [(time - started).total_seconds() for time in (begin, end)]
            rows.append(dict(zip(COLUMNS, (number, step, times_s[0], times_s[1] - times_s[0]), strict=True)))
            begin = end
        before = begin
    return pd.DataFrame(rows, columns=COLUMNS)


def _decisions(records: ScalingRecords, started: datetime) -> Iterator[tuple[datetime, list[Any]]]:
    """The time of each decision, and the pods that were made because of it and became Ready."""
    about = [event for event in records.events if event.involved_object.name == records.workload]
    times = sorted(event.last_timestamp for event in about if event.reason == "SuccessfulRescale")
    times = [time for time in times if time >= started]
    for time, following in zip_longest(times, times[1:]):
        born = [pod for pod in records.pods if pod.metadata.creation_timestamp >= time]
        born = [pod for pod in born if following is None or pod.metadata.creation_timestamp < following]
        ready = [pod for pod in born if "Ready" in _true_since(pod)]
        if ready:
            yield time, ready


def _pod_steps(pod: Any, records: ScalingRecords) -> dict[str, datetime]:
    since = _true_since(pod)
    about = [event for event in records.events if event.involved_object.name == pod.metadata.name]
    pulls = [event.last_timestamp for event in about if event.reason == "Pulled"]
    return {
        "Deployment makes pods": pod.metadata.creation_timestamp,
        **_node_steps(pod.spec.node_name, records),
        "scheduler binds the pod": since["PodScheduled"],
        "image is pulled": min(pulls, default=since["PodScheduled"]),
        "container starts": pod.status.container_statuses[0].state.running.started_at,
        "pod Ready": since["Ready"],
    }


def _node_steps(name: str, records: ScalingRecords) -> dict[str, datetime]:
    """The steps of a node that Karpenter bought; none when it was there all along."""
    claim, node = records.claims.get(name), records.nodes[name]
    if claim is None:
        return {}
    return {
        "Karpenter orders a node": datetime.fromisoformat(claim["metadata"]["creationTimestamp"]),
        "machine boots, registers": node.metadata.creation_timestamp,
        "network starts, node Ready": _true_since(node)["Ready"],
    }


def _true_since(item: Any) -> dict[str, datetime]:
    return {each.type: each.last_transition_time for each in item.status.conditions if each.status == "True"}


def draw_steps(ax: Axes, steps: pd.DataFrame) -> Axes:
    """Bars over seconds: a row for each step, a colour and hatch for each decision."""
    for place, (number, part) in enumerate(steps.groupby("decision")):
        colour, hatch = LOOKS[place % len(LOOKS)], HATCHES[place % len(HATCHES)]
        bars = ax.barh(part["step"], part["length_s"], left=part["begin_s"], label=f"decision {number}")
        plt.setp(bars, facecolor=colour, hatch=hatch, edgecolor="white")
        texts = [f"{length:.0f} s" if length >= SHORTEST_LABELLED_S else "" for length in part["length_s"]]
        ax.bar_label(bars, texts, padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlim(0, max((steps["begin_s"] + steps["length_s"]).max() * 1.06, 1))
    ax.set_xlabel("seconds since the spike began")
    ax.legend(loc="lower left", frameon=False)
    return ax
