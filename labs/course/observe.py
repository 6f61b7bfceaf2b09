"""Watching the shop through the interfaces that production has: the Kubernetes API and CloudWatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import boto3
import pandas as pd

from kubernetes import client as kubernetes_client
from labs.course.connect import Lab
from labs.errors import UsageError

ZONE_LABEL = "topology.kubernetes.io/zone"
STARTING, READY, NOT_READY, LEAVING = "starting", "ready", "not ready", "terminating"


class Observer:
    """Looks at pods and nodes every few seconds while time passes.

    ``pods`` has a row for each look and pod (time, pod, node, zone, state), ``nodes`` one for each look and node
    (time, node, zone, ready).
    """

    def __init__(self, lab: Lab, namespace: str, selector: str) -> None:
        self._lab = lab
        self._namespace = namespace
        self._selector = selector
        self._core = kubernetes_client.CoreV1Api()
        self._looked: datetime | None = None
        self._pods: list[dict[str, Any]] = []
        self._nodes: list[dict[str, Any]] = []

    def look(self) -> None:
        """Take one look; a second one at the same time adds nothing."""
        now = self._lab.now()
        if self._looked == now:
            return
        self._looked = now
        for pod in self._core.list_namespaced_pod(self._namespace, label_selector=self._selector).items:
            zone = (pod.metadata.labels or {}).get(ZONE_LABEL, "")
            row = {"time": now, "pod": pod.metadata.name, "node": pod.spec.node_name or "", "zone": zone}
            self._pods.append(row | {"state": pod_state(pod)})
        for node in self._core.list_node().items:
            zone = (node.metadata.labels or {}).get(ZONE_LABEL, "")
            row = {"time": now, "node": node.metadata.name, "zone": zone}
            self._nodes.append(row | {"ready": is_true(node.status.conditions, "Ready")})

    def watch(self, length_s: int, *, every_s: int = 5, until: Callable[[], Any] | None = None) -> None:
        """Look every ``every_s`` for ``length_s``, or until ``until()`` is true. Raises UsageError for a bad length."""
        if every_s <= 0 or length_s < every_s:
            raise UsageError(f"Watch for at least {max(every_s, 1)} s, not {length_s} s.")
        self.look()
        for _ in range(length_s // every_s):
            self._lab.wait(every_s)
            self.look()
            if until is not None and until():
                return

    @property
    def pods(self) -> pd.DataFrame:
        """Everything seen of pods."""
        return pd.DataFrame(self._pods, columns=["time", "pod", "node", "zone", "state"])

    @property
    def nodes(self) -> pd.DataFrame:
        """Everything seen of nodes."""
        return pd.DataFrame(self._nodes, columns=["time", "node", "zone", "ready"])

    @property
    def ready_pods(self) -> pd.Series[int]:
        """How many pods were ready at each look."""
        return count_ready(self.pods, self.nodes)

    @property
    def ready_nodes(self) -> pd.Series[int]:
        """How many nodes were ready at each look."""
        counts: pd.Series[int] = self.nodes.groupby("time")["ready"].sum()
        return counts


def count_ready(pods: pd.DataFrame, nodes: pd.DataFrame) -> pd.Series[int]:
    """How many of an Observer's pods were ready at each look; one at which there was no pod is known by its nodes."""
    counts = pods["state"].eq(READY).astype(int).groupby(pods["time"]).sum()
    return counts.reindex(counts.index.union(pd.DatetimeIndex(nodes["time"].unique())), fill_value=0)


def is_true(conditions: Any, type: str) -> bool:
    """Whether a list of the client's condition models has one of ``type`` that is True."""
    return any(item.type == type and item.status == "True" for item in conditions or ())


def pod_state(pod: Any) -> str:
    """One word for a pod: starting, ready, not ready (it was, and is not now) or terminating."""
    if pod.metadata.deletion_timestamp is not None:
        return LEAVING
    if is_true(pod.status.conditions, "Ready"):
        return READY
    return NOT_READY if pod.status.phase == "Running" else STARTING


def metric_query(id: str, namespace: str, metric: str, dimensions: Mapping[str, str], stat: str) -> dict[str, Any]:
    """One entry of GetMetricData's ``MetricDataQueries`` with one-minute data."""
    listed = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    found = {"Namespace": namespace, "MetricName": metric, "Dimensions": listed}
    return {"Id": id, "MetricStat": {"Metric": found, "Period": 60, "Stat": stat}}


def metric_frame(cloudwatch: Any, queries: list[dict[str, Any]], start: datetime, end: datetime) -> pd.DataFrame:
    """What GetMetricData answers, as a table: a row for each minute with data (its start), a column for each Id."""
    columns: dict[str, pd.Series[float]] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            index = pd.DatetimeIndex(pd.to_datetime(result["Timestamps"], utc=True))
            series = pd.Series(result["Values"], index=index, dtype="float64")
            columns[result["Id"]] = pd.concat([columns[result["Id"]], series]) if result["Id"] in columns else series
    return pd.DataFrame(columns).sort_index().rename_axis("minute")


def alarm_changes(cloudwatch: Any, alarm: str, since: datetime) -> pd.DataFrame:
    """The state changes of an alarm, oldest first: columns time and summary."""
    history = cloudwatch.describe_alarm_history(
        AlarmName=alarm, HistoryItemType="StateUpdate", StartDate=since, ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    rows = [{"time": pd.Timestamp(item["Timestamp"]), "summary": item["HistorySummary"]} for item in history]
    return pd.DataFrame(rows, columns=["time", "summary"]).astype({"time": "datetime64[ns, UTC]"})


def raised_at(alarm: str, since: datetime) -> list[datetime]:
    """The times after ``since`` at which an alarm changed to ALARM, oldest first, by CloudWatch's history."""
    changes = alarm_changes(boto3.client("cloudwatch"), alarm, since)
    raised = changes["time"][changes["summary"].str.endswith("to ALARM") & (changes["time"] > since)]
    return [time.to_pydatetime() for time in raised]


def alarm_after_s(alarm: str, since: datetime, until: datetime | None = None) -> int | None:
    """Whole seconds from ``since`` until an alarm first spoke; None when it was silent (up to ``until``)."""
    times = [time for time in raised_at(alarm, since) if until is None or time <= until]
    return round((times[0] - since).total_seconds()) if times else None
