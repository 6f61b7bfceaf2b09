"""The kubelets' counters in the form that metrics-server and the CloudWatch agent scrape."""

from __future__ import annotations

from labs.api.metrics import KubeletSummary, UsagePoint
from labs.dataplane.stats import StatsReader


class KubeletSummaries:
    """Implements ``labs.api.metrics.KubeletStats`` over the data plane's samples."""

    def __init__(self, stats: StatsReader) -> None:
        self._stats = stats

    def summary(self, node: str) -> KubeletSummary | None:
        """The newest counters of a node, or None where its kubelet does not answer."""
        found = self._stats.summary(node)
        if found is None:
            return None
        containers = {
            (item.namespace, item.pod, item.container): UsagePoint(
                item.start_ns, item.timestamp_ns, item.cpu_used_ns, item.memory_bytes
            )
            for item in found.containers
        }
        own = UsagePoint(found.start_ns, found.timestamp_ns, found.cpu_used_ns, found.memory_bytes)
        return KubeletSummary(own, containers)
