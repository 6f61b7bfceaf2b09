"""metrics-server: the resource metrics API ``metrics.k8s.io``.

Source: kubernetes-sigs/metrics-server v0.9.0 pkg/scraper, pkg/storage, pkg/api. Two points are kept for each
container and node; a rate is that between them, and the window is the time between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.client import Client, Selects
from labs.api.metrics import KubeletStats, KubeletSummary, PodSample, UsagePoint
from labs.api.quantity import BINARY_SI, DECIMAL_SI, Quantity, format_value
from labs.api.resources import ResourceType
from labs.api.store import Object, name_of, namespace_of
from labs.errors import ApiError, not_found
from labs.units import MILLISECOND_NS, SECOND_NS, rfc3339

METRIC_RESOLUTION_NS = 15 * SECOND_NS
"""``--metric-resolution`` of the published manifest and chart."""
KUBELET_TIMEOUT_NS = 10 * SECOND_NS
FRESH_CONTAINER_MINIMUM_NS = 10 * SECOND_NS
"""A container younger than this has no rate yet: it would be too inaccurate."""
DELAY_PER_NODE_MS = 8
MAX_DELAY_MS = 4000
NANOS_PER_MILLI = 1_000_000

POD_METRICS = ResourceType("metrics.k8s.io", "v1beta1", "PodMetrics", "pods", verbs=("get", "list"))
NODE_METRICS = ResourceType(
    "metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", is_namespaced=False, verbs=("get", "list")
)

PodKey = tuple[str, str]
"""Namespace and name of a pod."""
ContainerPoints = Mapping[str, UsagePoint]


@dataclass(frozen=True, slots=True)
class Batch:
    """The points of one scrape of all nodes."""

    nodes: Mapping[str, UsagePoint] = field(default_factory=dict)
    pods: Mapping[PodKey, ContainerPoints] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Points:
    """The last scrape, and for each of its containers and nodes the point to take the rate from, if there is one."""

    last: Batch = Batch()
    previous: Batch = Batch()


@dataclass(frozen=True, slots=True)
class Usage:
    """A rate: nanocores (whole, cut) over the ``window_ns`` that ended at ``timestamp_ns``, and bytes at its end."""

    cpu_nanocores: int
    memory_bytes: int
    timestamp_ns: int
    window_ns: int


@dataclass(frozen=True, slots=True)
class PodUsage:
    """The use of a pod's containers by name; time and window are those of the container with the earliest point."""

    containers: Mapping[str, Usage]
    timestamp_ns: int
    window_ns: int


def pods_in(summary: KubeletSummary) -> dict[PodKey, dict[str, UsagePoint]]:
    """The pods of a kubelet's answer; one with a container that shows no CPU or no memory is left out."""
    pods: dict[PodKey, dict[str, UsagePoint]] = {}
    incomplete = []
    for (namespace, pod, container), point in summary.containers.items():
        pods.setdefault((namespace, pod), {})[container] = point
        if not point.cpu_ns or not point.working_set_bytes:
            incomplete.append((namespace, pod))
    for key in incomplete:
        pods.pop(key, None)
    return pods


def store(points: Points, batch: Batch, resolution_ns: int = METRIC_RESOLUTION_NS) -> Points:
    """The points after one more scrape."""
    previous_nodes = {}
    for node, point in batch.nodes.items():
        before = _newer_than_before(point, points.last.nodes.get(node), points.previous.nodes.get(node))
        if before is not None:
            previous_nodes[node] = before
    previous_pods = {}
    for key, containers in batch.pods.items():
        last, previous = points.last.pods.get(key, {}), points.previous.pods.get(key, {})
        before_of = {
            name: _container_before(point, last.get(name), previous.get(name), resolution_ns)
            for name, point in containers.items()
        }
        previous_pods[key] = {name: before for name, before in before_of.items() if before is not None}
    return Points(batch, Batch(previous_nodes, previous_pods))


def _container_before(
    point: UsagePoint, last: UsagePoint | None, previous: UsagePoint | None, resolution_ns: int
) -> UsagePoint | None:
    """The point that a container's rate starts from: its own start while it is young, else the one stored before."""
    age_ns = point.timestamp_ns - point.start_ns
    if FRESH_CONTAINER_MINIMUM_NS <= age_ns < resolution_ns:
        return UsagePoint(point.start_ns, point.start_ns, 0, point.working_set_bytes)
    if last is None or point.start_ns >= last.timestamp_ns:
        return None  # new, or restarted since
    return _newer_than_before(point, last, previous)


def _newer_than_before(point: UsagePoint, last: UsagePoint | None, previous: UsagePoint | None) -> UsagePoint | None:
    """The stored point that is older than ``point``: the kubelet may give the same one twice."""
    if last is not None and point.timestamp_ns > last.timestamp_ns:
        return last
    if last is not None and previous is not None and previous.timestamp_ns < point.timestamp_ns:
        return previous
    return None


def usage_between(previous: UsagePoint, last: UsagePoint) -> Usage | None:
    """The rate between two points, or None where a counter runs backwards."""
    if last.start_ns < previous.start_ns or last.cpu_ns < previous.cpu_ns:
        return None
    window_ns = last.timestamp_ns - previous.timestamp_ns
    nanocores = int((last.cpu_ns - previous.cpu_ns) / (window_ns / SECOND_NS))
    return Usage(nanocores, last.working_set_bytes, last.timestamp_ns, window_ns)


def node_usage(points: Points, node: str) -> Usage | None:
    """The use of a node, or None while there are no two points."""
    last, previous = points.last.nodes.get(node), points.previous.nodes.get(node)
    return usage_between(previous, last) if last is not None and previous is not None else None


def pod_usage(points: Points, key: PodKey) -> PodUsage | None:
    """The use of a pod that was in the last scrape with two points for each container, else None."""
    last, previous = points.last.pods.get(key, {}), points.previous.pods.get(key, {})
    if not previous or any(name not in previous for name in last):
        return None
    rates = {name: usage_between(previous[name], point) for name, point in last.items()}
    containers = {name: usage for name, usage in rates.items() if usage is not None}
    if not containers:
        return None
    earliest = min(containers.values(), key=lambda usage: usage.timestamp_ns)
    return PodUsage(containers, earliest.timestamp_ns, earliest.window_ns)


def wire_usage(usage: Usage) -> dict[str, str]:
    """``usage`` of a metrics object."""
    return {
        "cpu": str(Quantity(usage.cpu_nanocores, -9, DECIMAL_SI)),
        "memory": format_value(usage.memory_bytes, BINARY_SI),
    }


def go_duration(duration_ns: int) -> str:
    """A length below an hour as Go prints it, for example ``15.012s`` or ``1m0s``."""
    minutes, rest_ns = divmod(duration_ns, 60 * SECOND_NS)
    if not minutes and rest_ns and rest_ns < SECOND_NS:
        return f"{rest_ns / MILLISECOND_NS:.6f}".rstrip("0").rstrip(".") + "ms"
    whole, fraction = divmod(rest_ns, SECOND_NS)
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return (f"{minutes}m" if minutes else "") + f"{whole}{decimals}s"


class MetricsServer:
    """Scrapes every kubelet each ``resolution_ns`` and answers ``metrics.k8s.io``; the HPA reads it, too."""

    def __init__(self, client: Client, kubelets: KubeletStats, resolution_ns: int = METRIC_RESOLUTION_NS) -> None:
        self._client = client
        self._kubelets = kubelets
        self._resolution_ns = resolution_ns
        self._delays = client.api.streams.python("metrics-server")
        self.points = Points()

    def start(self) -> None:
        """Scrape now and from then on; serve both resources."""
        self._client.api.register_virtual(POD_METRICS, PodMetricsResource(self))
        self._client.api.register_virtual(NODE_METRICS, NodeMetricsResource(self))
        self._tick(None)

    @property
    def is_ready(self) -> bool:
        """Whether there is a rate to serve; before that the real server answers “no metrics to serve”."""
        return bool(self.points.previous.nodes) or any(self.points.previous.pods.values())

    def _tick(self, _: None) -> None:
        """Ask all nodes, each after a short random delay, and store what they say once all are done."""
        loop = self._client.loop
        loop.post(loop.now_ns + self._resolution_ns, self._tick, None)
        nodes = [name_of(node) for node in self._client.list("nodes")]
        scrape = _Scrape(len(nodes))
        max_delay_ms = min(DELAY_PER_NODE_MS * len(nodes), MAX_DELAY_MS)
        for node in nodes:
            delay_ns = self._delays.randrange(max_delay_ms) * MILLISECOND_NS
            loop.post(loop.now_ns + delay_ns, self._ask, (scrape, node))
        if not nodes:
            self.points = store(self.points, Batch(), self._resolution_ns)

    def _ask(self, asked: tuple[_Scrape, str]) -> None:
        scrape, node = asked
        summary = self._kubelets.summary(node)
        if summary is None:
            loop = self._client.loop
            loop.post(loop.now_ns + KUBELET_TIMEOUT_NS, self._finish, scrape)
            return
        if summary.node is not None and summary.node.cpu_ns and summary.node.working_set_bytes:
            scrape.nodes[node] = summary.node
        for key, containers in pods_in(summary).items():
            pod = self._client.get("pods", *key)
            if pod is not None and pod["spec"].get("nodeName") == node:
                scrape.pods[key] = containers
        self._finish(scrape)

    def _finish(self, scrape: _Scrape) -> None:
        scrape.waiting -= 1
        if scrape.waiting == 0:
            self.points = store(self.points, Batch(scrape.nodes, scrape.pods), self._resolution_ns)

    def check_ready(self, resource: str) -> None:
        """Raises the 503 of an API service without a ready server behind it."""
        if not self.is_ready:
            text = f"the server is currently unable to handle the request (get {resource})"
            raise ApiError(503, "ServiceUnavailable", text)

    def pod_metrics(self, namespace: str | None = None, selector: Selects | None = None) -> list[Object]:
        """``PodMetrics`` of the selected pods that have metrics, in order of namespace and name."""
        found = []
        for pod in self._client.list("pods", namespace, selector):
            usage = pod_usage(self.points, (namespace_of(pod), name_of(pod)))
            if usage is not None:
                found.append(self._pod_object(pod, usage))
        return found

    def node_metrics(self, selector: Selects | None = None) -> list[Object]:
        """``NodeMetrics`` of the selected nodes that have metrics, in order of name."""
        found = []
        for node in self._client.list("nodes", None, selector):
            usage = node_usage(self.points, name_of(node))
            if usage is not None:
                times = self._times(usage.timestamp_ns, usage.window_ns)
                found.append(self._object(NODE_METRICS, node, {**times, "usage": wire_usage(usage)}))
        return found

    def _pod_object(self, pod: Object, usage: PodUsage) -> Object:
        containers = [{"name": name, "usage": wire_usage(use)} for name, use in usage.containers.items()]
        times = self._times(usage.timestamp_ns, usage.window_ns)
        return self._object(POD_METRICS, pod, {**times, "containers": containers})

    def _times(self, timestamp_ns: int, window_ns: int) -> dict[str, str]:
        return {"timestamp": rfc3339(timestamp_ns), "window": go_duration(window_ns)}

    def _object(self, kind: ResourceType, measured: Object, body: Mapping[str, Any]) -> Object:
        source = measured["metadata"]
        metadata = {key: source[key] for key in ("name", "namespace") if source.get(key)}
        metadata["creationTimestamp"] = rfc3339(self._client.now_ns)
        if source.get("labels"):
            metadata["labels"] = source["labels"]
        return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata, **body}

    def pod_samples(self, resource: str, namespace: str, selector: Selects) -> Sequence[PodSample]:
        """What the autoscaler reads (``ResourceMetricsReader``). Times have whole seconds, as on the wire."""
        self.check_ready(POD_METRICS.resource)
        samples = []
        for pod in self._client.list("pods", namespace, selector):
            usage = pod_usage(self.points, (namespace, name_of(pod)))
            if usage is not None:
                amounts = {name: _amount_milli(use, resource) for name, use in usage.containers.items()}
                timestamp_ns = usage.timestamp_ns // SECOND_NS * SECOND_NS
                samples.append(PodSample(name_of(pod), amounts, timestamp_ns, usage.window_ns))
        return samples


@dataclass(slots=True)
class _Scrape:
    """A scrape under way."""

    waiting: int
    nodes: dict[str, UsagePoint] = field(default_factory=dict)
    pods: dict[PodKey, ContainerPoints] = field(default_factory=dict)


def _amount_milli(usage: Usage, resource: str) -> int | None:
    """Thousandths of a resource, rounded up as ``Quantity.MilliValue`` does; None for one that is not measured."""
    if resource == "cpu":
        return -(-usage.cpu_nanocores // NANOS_PER_MILLI)
    return usage.memory_bytes * 1000 if resource == "memory" else None


class PodMetricsResource:
    """``pods.metrics.k8s.io`` as the API server serves it."""

    def __init__(self, server: MetricsServer) -> None:
        self._server = server

    def get(self, namespace: str, name: str) -> Object:
        """The metrics of a pod. Raises 404, and 503 before the first rate."""
        self._server.check_ready(POD_METRICS.resource)
        found = _named(self._server.pod_metrics(namespace), name)
        if found is None:
            raise not_found("podmetrics.metrics.k8s.io", f"{namespace}/{name}")
        return found

    def list(self, namespace: str | None) -> list[Object]:
        """The metrics of all pods. Raises 503 before the first rate."""
        self._server.check_ready(POD_METRICS.resource)
        return self._server.pod_metrics(namespace)


class NodeMetricsResource:
    """``nodes.metrics.k8s.io`` as the API server serves it."""

    def __init__(self, server: MetricsServer) -> None:
        self._server = server

    def get(self, namespace: str, name: str) -> Object:
        """The metrics of a node. Raises 404, and 503 before the first rate."""
        self._server.check_ready(NODE_METRICS.resource)
        found = _named(self._server.node_metrics(), name)
        if found is None:
            raise not_found("nodemetrics.metrics.k8s.io", name)
        return found

    def list(self, namespace: str | None) -> list[Object]:
        """The metrics of all nodes. Raises 503 before the first rate."""
        self._server.check_ready(NODE_METRICS.resource)
        return self._server.node_metrics()


def _named(objects: Iterable[Object], name: str) -> Object | None:
    return next((obj for obj in objects if name_of(obj) == name), None)
