"""The metrics APIs that a cluster has; one that it lacks refuses every call as the API server does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from labs.api.client import Selects
from labs.api.metrics import (
    CustomMetricsReader,
    ExternalMetricsReader,
    MetricValue,
    PodSample,
    ResourceMetricsReader,
)
from labs.errors import ApiError


def _not_served(resource: str) -> ApiError:
    return ApiError(404, "NotFound", f"the server could not find the requested resource (get {resource})")


class _NoResourceMetrics:
    def pod_samples(self, resource: str, namespace: str, selector: Selects) -> Sequence[PodSample]:
        raise _not_served("pods.metrics.k8s.io")


class _NoCustomMetrics:
    """No adapter: the client does not even find a version to ask for."""

    def pod_values(
        self, metric: str, namespace: str, selector: Selects, metric_selector: Selects
    ) -> Sequence[MetricValue]:
        raise ApiError(404, "NotFound", "no custom metrics API (custom.metrics.k8s.io) registered")

    def object_value(self, metric: str, namespace: str, kind: str, name: str, metric_selector: Selects) -> MetricValue:
        raise ApiError(404, "NotFound", "no custom metrics API (custom.metrics.k8s.io) registered")


class _NoExternalMetrics:
    def values(self, metric: str, namespace: str, metric_selector: Selects) -> Sequence[int]:
        raise _not_served(f"{metric}.external.metrics.k8s.io")


@dataclass(frozen=True, slots=True)
class MetricReaders:
    """The three metrics APIs."""

    resource: ResourceMetricsReader = field(default_factory=_NoResourceMetrics)
    custom: CustomMetricsReader = field(default_factory=_NoCustomMetrics)
    external: ExternalMetricsReader = field(default_factory=_NoExternalMetrics)
