"""One metric of an autoscaler: read it, propose a replica count, and say so in upstream's words.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetric,
computeStatusFor...) and metrics/client.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.client import Selects
from labs.api.metrics import PodSample
from labs.api.quantity import BINARY_SI, DECIMAL_SI, format_milli
from labs.api.selectors import LabelSelector, selector_from_label_selector
from labs.api.store import Object
from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.hpa.pods import Readiness, Sample, read_pod
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.replicas import (
    PodMetrics,
    Proposal,
    Tolerances,
    average_value_replicas,
    per_pod_value_replicas,
    total_milli,
    utilization_replicas,
    value_replicas,
)
from labs.controlplane.hpa.spec import HpaOptions, Target, read_target
from labs.errors import ApiError
from labs.units import SECOND_NS

CUSTOM_METRIC_WINDOW_NS = 60 * SECOND_NS
"""Window of a custom metric whose adapter names none."""

Wire = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """What the metrics of one autoscaler are read for. ``pods`` are objects in wire form."""

    namespace: str
    spec_replicas: int
    status_replicas: int
    selector: Selects
    pods: Sequence[Object]
    tolerances: Tolerances
    options: HpaOptions
    now_ns: int

    def pod_metrics(self, samples: Mapping[str, Sample], resource: str) -> PodMetrics:
        """The pods with ``samples``, for the replica calculator."""
        readiness = Readiness(
            self.now_ns, self.options.cpu_initialization_period_ns, self.options.initial_readiness_delay_ns
        )
        return PodMetrics([read_pod(pod, resource) for pod in self.pods], samples, readiness, resource)


@dataclass(frozen=True, slots=True)
class MetricResult:
    """A valid metric: its proposal, its name in texts, and its entry in status.currentMetrics."""

    replicas: int
    name: str
    status: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetricFailure:
    """A metric that could not be read: ``text`` is the event's, ``error`` the one that the reconcile returns."""

    reason: str
    text: str
    error: str


def evaluate_metric(metric: Wire, workload: Workload, readers: MetricReaders) -> MetricResult | MetricFailure:
    """Read one entry of ``spec.metrics`` and compute its proposal."""
    type_ = metric["type"]
    if type_ == "Resource":
        source = metric["resource"]
        prefix = f"failed to get {source['name']} resource metric value"
        return _resource(type_, "resource", source, prefix, workload, readers)
    if type_ == "ContainerResource":
        source = metric["containerResource"]
        prefix = f"failed to get {source['container']} container metric value"
        return _resource(type_, "containerResource", source, prefix, workload, readers)
    if type_ == "Pods":
        return _pods(metric["pods"], workload, readers)
    if type_ == "Object":
        return _object(metric["object"], workload, readers)
    if type_ == "External":
        return _external(metric["external"], workload, readers)
    text = f'unknown metric source type "{type_}"'
    return MetricFailure("InvalidMetricSourceType", text, text)


def _resource(
    type_: str, field: str, source: Wire, prefix: str, workload: Workload, readers: MetricReaders
) -> MetricResult | MetricFailure:
    resource, container, target = source["name"], source.get("container", ""), read_target(source["target"])
    level = "usage" if target.average_value_milli is not None else "utilization"
    try:
        samples = _resource_samples(resource, container, workload, readers)
        proposal = _resource_proposal(target, workload.pod_metrics(samples, resource), container, workload)
    except MetricError as error:
        text = f"failed to get {resource} {level}: {error}"
        return MetricFailure(f"FailedGet{type_}Metric", text, f"{prefix}: {text}")
    current: dict[str, Any] = {"averageValue": resource_quantity(resource, proposal.usage_milli)}
    name = f"{resource} resource"
    if proposal.utilization_percent is not None:
        current["averageUtilization"] = proposal.utilization_percent
        kind = "container resource" if type_ == "ContainerResource" else "resource"
        name = f"{resource} {kind} utilization (percentage of request)"
    identity = {"name": resource} | ({"container": container} if container else {})
    return MetricResult(proposal.replicas, name, {"type": type_, field: {**identity, "current": current}})


def _resource_samples(resource: str, container: str, workload: Workload, readers: MetricReaders) -> dict[str, Sample]:
    prefix = f"unable to get metrics for resource {resource}"
    try:
        samples = readers.resource.pod_samples(resource, workload.namespace, workload.selector)
    except ApiError as error:
        raise MetricError(f"{prefix}: unable to fetch metrics from resource metrics API: {error.message}") from error
    if not samples:
        raise MetricError(f"{prefix}: no metrics returned from resource metrics API")
    values = {}
    for sample in samples:
        if container and container not in sample.usage_milli:
            where = f"container {container} not present in metrics for pod {workload.namespace}/{sample.pod}"
            raise MetricError(f"{prefix}: failed to get container metrics: {where}")
        value = _sample_value(sample, container)
        if value is not None:
            values[sample.pod] = Sample(value, sample.timestamp_ns, sample.window_ns)
    return values


def _sample_value(sample: PodSample, container: str) -> int | None:
    """The container's use, or that of all; None when one lacks the resource."""
    uses = [sample.usage_milli[container]] if container else list(sample.usage_milli.values())
    known = [use for use in uses if use is not None]
    return sum(known) if uses and len(known) == len(uses) else None


def _resource_proposal(target: Target, metrics: PodMetrics, container: str, workload: Workload) -> Proposal:
    current, tolerances = workload.spec_replicas, workload.tolerances
    if target.average_value_milli is not None:
        return average_value_replicas(current, target.average_value_milli, metrics, tolerances)
    assert target.utilization_percent is not None, "the API server refuses a resource metric without a target"
    is_pod_level_enabled = workload.options.is_pod_level_resources_enabled
    return utilization_replicas(
        current, target.utilization_percent, metrics, tolerances, container, is_pod_level_enabled
    )


def _pods(source: Wire, workload: Workload, readers: MetricReaders) -> MetricResult | MetricFailure:
    metric, target = source["metric"], read_target(source["target"])
    name = metric["name"]
    try:
        samples = _custom_samples(metric, workload, readers)
        assert target.average_value_milli is not None, "the API server refuses a pods metric without averageValue"
        proposal = average_value_replicas(
            workload.spec_replicas, target.average_value_milli, workload.pod_metrics(samples, ""), workload.tolerances
        )
    except MetricError as error:
        return MetricFailure("FailedGetPodsMetric", str(error), f"failed to get pods metric value: {error}")
    current = {"averageValue": format_milli(proposal.usage_milli)}
    status = {"type": "Pods", "pods": {"metric": dict(metric), "current": current}}
    return MetricResult(proposal.replicas, f"pods metric {name}", status)


def _custom_samples(metric: Wire, workload: Workload, readers: MetricReaders) -> dict[str, Sample]:
    prefix, selector = f"unable to get metric {metric['name']}", _metric_selector(metric)
    try:
        values = readers.custom.pod_values(metric["name"], workload.namespace, workload.selector, selector)
    except ApiError as error:
        raise MetricError(f"{prefix}: unable to fetch metrics from custom metrics API: {error.message}") from error
    if not values:
        raise MetricError(f"{prefix}: no metrics returned from custom metrics API")
    return {
        value.described_object: Sample(
            value.value_milli,
            value.timestamp_ns,
            CUSTOM_METRIC_WINDOW_NS if value.window_ns is None else value.window_ns,
        )
        for value in values
    }


def _object(source: Wire, workload: Workload, readers: MetricReaders) -> MetricResult | MetricFailure:
    metric, described, target = source["metric"], source["describedObject"], read_target(source["target"])
    name, is_average = metric["name"], target.type == "AverageValue"
    try:
        usage_milli = _object_value_milli(metric, described, workload, readers)
        proposal = _total_proposal(target, usage_milli, workload)
    except MetricError as error:
        inner = f"failed to get {name} object metric: {error}" if is_average else str(error)
        return MetricFailure("FailedGetObjectMetric", str(error), f"failed to get object metric value: {inner}")
    current = {"averageValue" if is_average else "value": format_milli(proposal.usage_milli)}
    text = _external_name(metric) if is_average else f"{described['kind']} metric {name}"
    status = {"metric": dict(metric), "current": current, "describedObject": dict(described)}
    return MetricResult(proposal.replicas, text, {"type": "Object", "object": status})


def _object_value_milli(metric: Wire, described: Wire, workload: Workload, readers: MetricReaders) -> int:
    kind, namespace = described["kind"], workload.namespace
    selector = _metric_selector(metric)
    name = namespace if kind == "Namespace" and described.get("apiVersion", "v1") == "v1" else described["name"]
    try:
        return readers.custom.object_value(metric["name"], namespace, kind, name, selector).value_milli
    except ApiError as error:
        where = f"unable to get metric {metric['name']} on {kind} {namespace}/{described['name']}"
        why = f"unable to fetch metrics from custom metrics API: {error.message}"
        raise MetricError(f"{where}: {why}") from error


def _external(source: Wire, workload: Workload, readers: MetricReaders) -> MetricResult | MetricFailure:
    metric, target = source["metric"], read_target(source["target"])
    name, is_average = metric["name"], target.average_value_milli is not None
    try:
        proposal = _total_proposal(target, _external_value_milli(metric, workload, readers), workload)
    except MetricError as error:
        what = f"failed to get {name} external metric" if is_average else f"failed to get external metric {name}"
        whole = f"failed to get {name} external metric value: {what}: {error}"
        return MetricFailure("FailedGetExternalMetric", str(error), whole)
    current = {"averageValue" if is_average else "value": format_milli(proposal.usage_milli)}
    status = {"type": "External", "external": {"metric": dict(metric), "current": current}}
    return MetricResult(proposal.replicas, _external_name(metric), status)


def _external_value_milli(metric: Wire, workload: Workload, readers: MetricReaders) -> int:
    name, selector = metric["name"], _metric_selector(metric)
    try:
        values = readers.external.values(name, workload.namespace, selector)
        why = "" if values else "no metrics returned from external metrics API"
    except ApiError as error:
        values, why = (), f"unable to fetch metrics from external metrics API: {error.message}"
    if why:
        printed = print_label_selector(metric.get("selector"))
        where = f"unable to get external metric {workload.namespace}/{name}/{printed}"
        raise MetricError(f"{where}: {why}")
    return total_milli(values)


def _metric_selector(metric: Wire) -> LabelSelector:
    """The series that the metric selects: all of them where it says nothing."""
    try:
        return selector_from_label_selector(metric.get("selector") or {})
    except ValueError as error:
        raise MetricError(str(error)) from error


def _total_proposal(target: Target, usage_milli: int, workload: Workload) -> Proposal:
    """The proposal for a value that belongs to the workload as a whole."""
    tolerances = workload.tolerances
    if target.average_value_milli is not None:
        return per_pod_value_replicas(workload.status_replicas, target.average_value_milli, usage_milli, tolerances)
    assert target.value_milli is not None, "the API server refuses an object or external metric without a target"
    pods = [read_pod(pod, "") for pod in workload.pods]
    return value_replicas(workload.spec_replicas, target.value_milli, usage_milli, pods, tolerances)


def _external_name(metric: Wire) -> str:
    return f"external metric {metric['name']}({print_label_selector(metric.get('selector'))})"


def resource_quantity(resource: str, amount_milli: int) -> str:
    """An amount of a resource as status prints it: memory in binary units, everything else in decimal ones."""
    return format_milli(amount_milli, BINARY_SI if resource == "memory" else DECIMAL_SI)


def print_label_selector(selector: Wire | None) -> str:
    """A ``LabelSelector`` as Go's ``%+v`` prints a pointer to it."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{requirement['key']},Operator:{requirement['operator']},"
        f"Values:[{' '.join(requirement.get('values') or ())}],}},"
        for requirement in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
