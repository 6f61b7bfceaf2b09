"""The three metrics APIs as the autoscaler reads them: plain values and one reader for each API.

Source: kubernetes/metrics pkg/apis/{metrics,custom_metrics,external_metrics}. Values are integer thousandths
(``Quantity.MilliValue``); times are nanoseconds. A reader raises ApiError where the API would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labs.api.client import Selects


@dataclass(frozen=True, slots=True)
class PodSample:
    """One pod's use of one resource: thousandths by container, None where a container lacks the resource."""

    pod: str
    usage_milli: Mapping[str, int | None]
    timestamp_ns: int
    window_ns: int


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One value of the custom metrics API; ``window_ns`` is None where the adapter names no window."""

    described_object: str
    value_milli: int
    timestamp_ns: int
    window_ns: int | None = None


class ResourceMetricsReader(Protocol):
    """``metrics.k8s.io``: what metrics-server serves."""

    def pod_samples(self, resource: str, namespace: str, selector: Selects) -> Sequence[PodSample]:
        """The selected pods that have metrics, in order of name."""
        ...


class CustomMetricsReader(Protocol):
    """``custom.metrics.k8s.io``: metrics that describe an object."""

    def pod_values(
        self, metric: str, namespace: str, selector: Selects, metric_selector: Selects
    ) -> Sequence[MetricValue]:
        """One value for each selected pod that has the metric."""
        ...

    def object_value(self, metric: str, namespace: str, kind: str, name: str, metric_selector: Selects) -> MetricValue:
        """The value that describes one object; a Namespace is asked for by its own name."""
        ...


class ExternalMetricsReader(Protocol):
    """``external.metrics.k8s.io``: metrics of things outside the cluster."""

    def values(self, metric: str, namespace: str, metric_selector: Selects) -> Sequence[int]:
        """The value of each selected series, in thousandths."""
        ...


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """Counters of a container or a node at ``timestamp_ns``: CPU time used since ``start_ns``, memory in use now."""

    start_ns: int
    timestamp_ns: int
    cpu_ns: int
    working_set_bytes: int


@dataclass(frozen=True, slots=True)
class KubeletSummary:
    """What one kubelet's ``/metrics/resource`` says; containers by (namespace, pod, container)."""

    node: UsagePoint | None
    containers: Mapping[tuple[str, str, str], UsagePoint]


class KubeletStats(Protocol):
    """The kubelets' ``/metrics/resource`` endpoints."""

    def summary(self, node: str) -> KubeletSummary | None:
        """The newest counters of a node, or None where its kubelet does not answer."""
        ...
