"""From metric values to a replica count.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go. Amounts are
integer thousandths; integer division truncates and ratios are float64, as upstream's are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.hpa.pods import Pod, PodGroups, Readiness, Sample, group_pods, requests_milli

MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1
DEFAULT_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far the usage ratio may lie from 1 without any scaling, by direction."""

    down: float = DEFAULT_TOLERANCE
    up: float = DEFAULT_TOLERANCE

    def is_within(self, ratio: float) -> bool:
        """Whether ``ratio`` is close enough to 1; the bounds are included."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Proposal:
    """A replica count, with the level that status reports for it; ``utilization_percent`` only of a request."""

    replicas: int
    usage_milli: int
    utilization_percent: int | None = None


@dataclass(frozen=True, slots=True)
class PodMetrics:
    """A metric of pods: the pods, the samples by pod name, and what decides whether a pod counts."""

    pods: Sequence[Pod]
    samples: Mapping[str, Sample]
    readiness: Readiness
    resource: str = ""

    def group(self) -> tuple[PodGroups, dict[str, int]]:
        """The pod groups and the values that count. Raises MetricError when there is none."""
        if not self.pods:
            raise MetricError("no pods returned by selector while calculating replica count")
        groups = group_pods(self.pods, self.samples, self.resource, self.readiness)
        left_out = {*groups.ignored, *groups.unready}
        values = {name: sample.value_milli for name, sample in self.samples.items() if name not in left_out}
        if not values:
            raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
        return groups, values


@dataclass(frozen=True, slots=True)
class _Load:
    """The ratio of use to target, and the two forms in which status reports it."""

    ratio: float
    usage_milli: int
    utilization_percent: int | None = None


class _UtilizationTarget:
    """A target in percent of the request."""

    def __init__(self, percent: int, requests: Mapping[str, int]) -> None:
        self._percent = percent
        self._requests = requests

    def load(self, values: Mapping[str, int]) -> _Load:
        known = [name for name in values if name in self._requests]
        requested = sum(self._requests[name] for name in known)
        if requested == 0:
            raise MetricError("no metrics returned matched known pods")
        used = sum(values[name] for name in known)
        percent = truncated_division(used * 100, requested)
        return _Load(percent / self._percent, truncated_division(used, len(known)), percent)

    def value_of_missing(self, pod: str) -> int:
        """All of the request, or the target where that is more."""
        return truncated_division(self._requests[pod] * max(100, self._percent), 100)


class _ValueTarget:
    """A target as an average value of each pod."""

    def __init__(self, target_milli: int) -> None:
        self._target_milli = target_milli

    def load(self, values: Mapping[str, int]) -> _Load:
        average_milli = truncated_division(sum(values.values()), len(values))
        return _Load(average_milli / self._target_milli, average_milli)

    def value_of_missing(self, pod: str) -> int:
        return self._target_milli


def utilization_replicas(
    current: int,
    target_percent: int,
    metrics: PodMetrics,
    tolerances: Tolerances,
    container: str = "",
    is_pod_level_enabled: bool = True,
) -> Proposal:
    """Replicas for a Resource or ContainerResource metric with averageUtilization. Raises MetricError."""
    groups, values = metrics.group()
    requests = requests_milli(metrics.pods, metrics.resource, container, is_pod_level_enabled)
    return _pod_metric_replicas(current, _UtilizationTarget(target_percent, requests), groups, values, tolerances)


def average_value_replicas(current: int, target_milli: int, metrics: PodMetrics, tolerances: Tolerances) -> Proposal:
    """Replicas for a Resource, ContainerResource or Pods metric with averageValue. Raises MetricError."""
    groups, values = metrics.group()
    return _pod_metric_replicas(current, _ValueTarget(target_milli), groups, values, tolerances)


def _pod_metric_replicas(
    current: int,
    target: _UtilizationTarget | _ValueTarget,
    groups: PodGroups,
    values: dict[str, int],
    tolerances: Tolerances,
) -> Proposal:
    first = target.load(values)

    def proposal(replicas: int) -> Proposal:
        return Proposal(replicas, first.usage_milli, first.utilization_percent)

    is_up_with_unready = bool(groups.unready) and first.ratio > 1.0
    if not is_up_with_unready and not groups.missing:
        if tolerances.is_within(first.ratio):
            return proposal(current)
        return proposal(_ceil_int32(first.ratio * groups.ready_count))
    filled = dict(values)
    if first.ratio < 1.0:
        filled |= {pod: target.value_of_missing(pod) for pod in groups.missing}
    elif first.ratio > 1.0:
        filled |= dict.fromkeys((*groups.missing, *groups.unready), 0)
    second = target.load(filled)
    if tolerances.is_within(second.ratio) or _is_reversed(first.ratio, second.ratio):
        return proposal(current)
    replicas = _ceil_int32(second.ratio * len(filled))
    if (second.ratio < 1.0 and replicas > current) or (second.ratio > 1.0 and replicas < current):
        return proposal(current)
    return proposal(replicas)


def _is_reversed(first: float, second: float) -> bool:
    return (first < 1.0 < second) or (second < 1.0 < first)


def value_replicas(
    current: int, target_milli: int, usage_milli: int, pods: Collection[Pod], tolerances: Tolerances
) -> Proposal:
    """Replicas for an Object or External metric with a ``value`` target. Raises MetricError when there is no pod."""
    ratio = float(usage_milli) / float(target_milli)
    if current == 0:
        return Proposal(_ceil_int32(ratio), usage_milli)
    if tolerances.is_within(ratio):
        return Proposal(current, usage_milli)
    if not pods:
        raise MetricError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    ready_count = sum(pod.is_running_and_ready for pod in pods)
    return Proposal(_ceil_int32(ratio * ready_count), usage_milli)


def per_pod_value_replicas(
    status_replicas: int, target_milli: int, usage_milli: int, tolerances: Tolerances
) -> Proposal:
    """Replicas for an Object or External metric with an ``averageValue`` target."""
    ratio = _divided(float(usage_milli), float(target_milli) * status_replicas)
    replicas = status_replicas
    if not tolerances.is_within(ratio):
        replicas = _ceil_int32(float(usage_milli) / float(target_milli))
    return Proposal(replicas, _per_pod_usage_milli(usage_milli, status_replicas))


def _per_pod_usage_milli(usage_milli: int, replicas: int) -> int:
    if float(usage_milli) >= float(MAX_INT64):
        return MAX_INT64
    return 0 if replicas == 0 else math.ceil(float(usage_milli) / replicas)


def total_milli(values_milli: Iterable[int]) -> int:
    """The sum of an external metric's series, held at the largest int64."""
    total = 0
    for value in values_milli:
        total += value
        if total > MAX_INT64:
            return MAX_INT64
    return total


def desired_replicas(
    current_replicas: int,
    usage_millicores: float | Sequence[float],
    request_millicores: int,
    target_percent: int,
    tolerance: float = DEFAULT_TOLERANCE,
) -> int:
    """The replica count for CPU utilization, before any limit: the rule ``ceil(replicas x use / target)``.

    ``usage_millicores`` is the use of every pod, or a list with one number for each; each pod requests
    ``request_millicores``. When the list is shorter than ``current_replicas``, the others count as pods without a
    metric. Raises MetricError when there is no number at all.
    """
    if isinstance(usage_millicores, (int, float)):
        usage_millicores = [usage_millicores] * current_replicas
    names = [f"pod-{index}" for index in range(max(current_replicas, len(usage_millicores)))]
    ready = [Pod(name, requests_milli={"main": request_millicores}) for name in names]
    samples = {name: Sample(math.ceil(use)) for name, use in zip(names, usage_millicores, strict=False)}
    # No resource name: every pod here is ready, so that the rules for starting pods have nothing to say.
    metrics = PodMetrics(ready, samples, Readiness(now_ns=0))
    return utilization_replicas(current_replicas, target_percent, metrics, Tolerances(tolerance, tolerance)).replicas


def truncated_division(dividend: int, divisor: int) -> int:
    """Integer division that rounds towards zero, as Go's does."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _divided(dividend: float, divisor: float) -> float:
    """Division by the rules of IEEE 754, which Go keeps to: 0/0 is NaN, x/0 is infinite."""
    if divisor == 0.0:
        return math.nan if dividend == 0.0 else math.copysign(math.inf, dividend)
    return dividend / divisor


def _ceil_int32(number: float) -> int:
    return MAX_INT32 if number > MAX_INT32 else math.ceil(number)
