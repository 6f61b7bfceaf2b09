"""The live view: one page that shows the cluster as time passes, and the data that it draws.

The page (``live.html``) is complete in itself: no build step and no request but to this server. What it shows is what
production has: API objects, printed as ``kubectl get`` prints them, and CloudWatch's one-minute data with its delay.
The path holds a token; looking changes nothing and does not count as waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Protocol

from aiohttp import web

from labs.api.store import Object, Store, name_of, namespace_of
from labs.api.tables import render_table
from labs.observability.cloudwatch.alb import NAMESPACE as ALB
from labs.observability.cloudwatch.service import CloudWatch
from labs.units import MINUTE_NS, rfc3339_micro

MINUTES_SHOWN = 30
ZONE_LABEL = "topology.kubernetes.io/zone"
TYPE_LABEL = "node.kubernetes.io/instance-type"
POOL_LABEL = "karpenter.sh/nodepool"

SERIES = {
    "requests": ("RequestCount", "Sum"),
    "p50": ("TargetResponseTime", "p50"),
    "p99": ("TargetResponseTime", "p99"),
    "target_5xx": ("HTTPCode_Target_5XX_Count", "Sum"),
    "elb_5xx": ("HTTPCode_ELB_5XX_Count", "Sum"),
}
ERROR_RATE = "100*(FILL(target_5xx,0)+FILL(elb_5xx,0))/(requests+FILL(elb_5xx,0))"

PAGE_HEADERS = {
    # Nothing but this page's own style and script, and requests to this server.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Watched(Protocol):
    """What the view needs of a world."""

    store: Store
    cloudwatch: CloudWatch

    @property
    def now_ns(self) -> int:
        """The world's time."""
        ...


class LiveDoor:
    """Handlers of the page and of its data."""

    def __init__(self, world: Watched) -> None:
        self._world = world
        self._page = files("labs.server").joinpath("live.html").read_text("utf-8")

    async def page(self, request: web.Request) -> web.Response:
        """The page."""
        return web.Response(text=self._page, content_type="text/html", headers=PAGE_HEADERS)

    async def data(self, request: web.Request) -> web.Response:
        """What the page draws, as JSON; see ``snapshot``."""
        return web.json_response(snapshot(self._world), headers={"Cache-Control": "no-store"})


def snapshot(world: Watched) -> dict[str, Any]:
    """Time, nodes, pods, autoscalers, alarms and the last minutes of traffic, as JSON.

    Latencies are seconds, error rates per cent; a minute without data is null.
    """
    now_ns, store = world.now_ns, world.store
    return {
        "now": rfc3339_micro(now_ns),
        "nodes": [_node(node, cells) for node, cells in _printed(store, ("", "v1", "Node"), "nodes", now_ns)],
        "pods": [_pod(pod, cells) for pod, cells in _printed(store, ("", "v1", "Pod"), "pods", now_ns)],
        "autoscalers": [
            _autoscaler(hpa, cells)
            for hpa, cells in _printed(
                store, ("autoscaling", "v2", "HorizontalPodAutoscaler"), "horizontalpodautoscalers.autoscaling", now_ns
            )
        ],
        "alarms": _alarms(world.cloudwatch),
        "minutes": _minutes(world.cloudwatch, now_ns),
    }


def _printed(
    store: Store, kind: tuple[str, str, str], resource: str, now_ns: int
) -> list[tuple[Object, Mapping[str, Any]]]:
    """Each object with what ``kubectl get`` prints of it, by the names of the columns."""
    objects = store.list(resource)
    table = render_table(kind, objects, now_ns)
    names = [column["name"] for column in table["columnDefinitions"]]
    return [(obj, dict(zip(names, row["cells"], strict=True))) for obj, row in zip(objects, table["rows"], strict=True)]


def _node(node: Object, cells: Mapping[str, Any]) -> dict[str, Any]:
    labels = node["metadata"].get("labels") or {}
    return {
        "name": name_of(node),
        "zone": labels.get(ZONE_LABEL, ""),
        "type": labels.get(TYPE_LABEL, ""),
        "pool": labels.get(POOL_LABEL, ""),
        "status": cells["Status"],
        "age": cells["Age"],
    }


def _pod(pod: Object, cells: Mapping[str, Any]) -> dict[str, Any]:
    owner: Mapping[str, Any] = next(iter(pod["metadata"].get("ownerReferences") or []), {})
    return {
        "name": name_of(pod),
        "namespace": namespace_of(pod),
        "node": pod["spec"].get("nodeName", ""),
        "is_daemon": owner.get("kind") == "DaemonSet",
        "ready": cells["Ready"],
        "status": cells["Status"],
        "restarts": cells["Restarts"],
        "age": cells["Age"],
    }


def _autoscaler(hpa: Object, cells: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name_of(hpa),
        "namespace": namespace_of(hpa),
        "targets": cells["Targets"],
        "min": hpa["spec"].get("minReplicas", 1),
        "max": hpa["spec"]["maxReplicas"],
        "current": hpa.get("status", {}).get("currentReplicas", 0),
        "desired": hpa.get("status", {}).get("desiredReplicas", 0),
    }


def _alarms(cloudwatch: CloudWatch) -> list[dict[str, str]]:
    listed = cloudwatch.call("DescribeAlarms", {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]})
    alarms: Sequence[Mapping[str, Any]] = [*listed["MetricAlarms"], *listed["CompositeAlarms"]]
    return [
        {"name": alarm["AlarmName"], "state": alarm["StateValue"], "reason": alarm.get("StateReason", "")}
        for alarm in alarms
    ]


def _minutes(cloudwatch: CloudWatch, now_ns: int) -> dict[str, Any]:
    """The traffic of the first load balancer that has any."""
    found = cloudwatch.call("ListMetrics", {"Namespace": ALB, "MetricName": "RequestCount"})["Metrics"]
    balancers = [each["Dimensions"] for each in found if len(each["Dimensions"]) == 1]
    end_ns = now_ns // MINUTE_NS * MINUTE_NS
    starts = [end_ns - minute * MINUTE_NS for minute in range(MINUTES_SHOWN, 0, -1)]
    minutes: dict[str, Any] = {"start": [rfc3339_micro(start) for start in starts]}
    if not balancers:
        return minutes
    queries: list[dict[str, Any]] = [
        {"Id": series, "MetricStat": {"Metric": _metric(name, balancers[0]), "Period": 60, "Stat": stat}}
        for series, (name, stat) in SERIES.items()
    ]
    queries.append({"Id": "errors", "Expression": ERROR_RATE})
    period = {"StartTime": starts[0], "EndTime": end_ns, "ScanBy": "TimestampAscending"}
    answer = cloudwatch.call("GetMetricData", {"MetricDataQueries": queries, **period})
    for result in answer["MetricDataResults"]:
        values = dict(zip(result["Timestamps"], result["Values"], strict=True))
        minutes[result["Id"]] = [values.get(start) for start in starts]
    return minutes


def _metric(name: str, dimensions: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"Namespace": ALB, "MetricName": name, "Dimensions": list(dimensions)}
