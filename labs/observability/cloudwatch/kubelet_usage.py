"""Use of the last minute from the kubelets' counters: the ``Usage`` that Container Insights samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from labs.api.metrics import KubeletStats, UsagePoint
from labs.observability.cloudwatch.container_insights import ContainerUsage, PodUsage
from labs.sim.loop import Loop

_Source = tuple[str, ...]


class KubeletUsage:
    """Rates between two readings; the kubelets are read once for each time that is asked about."""

    def __init__(self, loop: Loop, stats: KubeletStats, node_names: Callable[[], Iterable[str]]) -> None:
        self._loop = loop
        self._stats = stats
        self._node_names = node_names
        self._read_ns = -1
        self._points: dict[_Source, UsagePoint] = {}
        self._nodes: dict[str, ContainerUsage] = {}
        self._pods: dict[tuple[str, str], dict[str, ContainerUsage]] = {}

    def pod(self, namespace: str, name: str) -> PodUsage | None:
        """See ``container_insights.Usage``."""
        self._refresh()
        containers = self._pods.get((namespace, name))
        return None if containers is None else PodUsage(containers)

    def node(self, name: str) -> ContainerUsage | None:
        """See ``container_insights.Usage``."""
        self._refresh()
        return self._nodes.get(name)

    def _refresh(self) -> None:
        if self._read_ns == self._loop.now_ns:
            return
        self._read_ns = self._loop.now_ns
        before, self._points = self._points, {}
        self._nodes, self._pods = {}, {}
        for node in self._node_names():
            summary = self._stats.summary(node)
            if summary is None:
                continue
            if summary.node is not None:
                self._nodes[node] = self._use(before, (node,), summary.node)
            for (namespace, pod, container), point in summary.containers.items():
                use = self._use(before, (namespace, pod, container), point)
                self._pods.setdefault((namespace, pod), {})[container] = use

    def _use(self, before: dict[_Source, UsagePoint], source: _Source, point: UsagePoint) -> ContainerUsage:
        """The mean since the last reading, or since the start when there is none of this life."""
        self._points[source] = point
        last = before.get(source)
        if last is None or last.start_ns != point.start_ns or last.timestamp_ns >= point.timestamp_ns:
            used_ns, length_ns = point.cpu_ns, point.timestamp_ns - point.start_ns
        else:
            used_ns, length_ns = point.cpu_ns - last.cpu_ns, point.timestamp_ns - last.timestamp_ns
        millicores = 1000 * used_ns / length_ns if length_ns > 0 else 0.0
        return ContainerUsage(millicores, float(point.working_set_bytes))
