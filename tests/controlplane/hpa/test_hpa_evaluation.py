"""Texts of one metric: its name, its errors, its status."""

from typing import Any

import pytest

from labs.api.metrics import PodSample
from labs.api.selectors import parse_label_selector
from labs.controlplane.hpa.evaluation import (
    MetricFailure,
    MetricResult,
    Workload,
    evaluate_metric,
    print_label_selector,
    resource_quantity,
)
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.replicas import Tolerances
from labs.controlplane.hpa.spec import HpaOptions
from labs.units import SECOND_NS

NOW_NS = 1_800_000_000 * SECOND_NS


class OnePod:
    """Resource metrics of the one pod `web`."""

    def __init__(self, usage_milli: dict[str, int | None]) -> None:
        self._sample = PodSample("web", usage_milli, NOW_NS, 15 * SECOND_NS)

    def pod_samples(self, resource: str, namespace: str, selector: object) -> list[PodSample]:
        return [self._sample]


def workload() -> Workload:
    requests = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    spec = {"containers": [{"name": "main", "resources": requests}]}
    pod = {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec, "status": {"phase": "Running"}}
    selector = parse_label_selector("app=web")
    return Workload("shop", 1, 1, selector, [pod], Tolerances(), HpaOptions(), NOW_NS)


def resource_metric(**target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "memory", "target": target}}


EXTERNAL = {
    "type": "External",
    "external": {
        "metric": {"name": "queue", "selector": {"matchLabels": {"q": "a"}}},
        "target": {"type": "AverageValue", "averageValue": "10"},
    },
}
PODS = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
OBJECT = {
    "type": "Object",
    "object": {
        "metric": {"name": "hits"},
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "front"},
        "target": {"type": "Value", "value": "10"},
    },
}
CONTAINER = {
    "type": "ContainerResource",
    "containerResource": {
        "name": "cpu",
        "container": "side",
        "target": {"type": "Utilization", "averageUtilization": 50},
    },
}
SELECTOR_TEXT = "&LabelSelector{MatchLabels:map[string]string{q: a,},MatchExpressions:[]LabelSelectorRequirement{},}"


@pytest.mark.parametrize(
    ("metric", "reason", "text", "error"),
    [
        (
            resource_metric(type="AverageValue", averageValue="1Mi"),
            "FailedGetResourceMetric",
            "failed to get memory usage: unable to get metrics for resource memory: unable to fetch metrics from "
            "resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)",
            "failed to get memory resource metric value: ",
        ),
        (
            PODS,
            "FailedGetPodsMetric",
            "unable to get metric rps: unable to fetch metrics from custom metrics API: no custom metrics API "
            "(custom.metrics.k8s.io) registered",
            "failed to get pods metric value: ",
        ),
        (
            OBJECT,
            "FailedGetObjectMetric",
            "unable to get metric hits on Service shop/front: unable to fetch metrics from custom metrics API: no "
            "custom metrics API (custom.metrics.k8s.io) registered",
            "failed to get object metric value: ",
        ),
        (
            EXTERNAL,
            "FailedGetExternalMetric",
            f"unable to get external metric shop/queue/{SELECTOR_TEXT}: unable to fetch metrics from external metrics "
            "API: the server could not find the requested resource (get queue.external.metrics.k8s.io)",
            "failed to get queue external metric value: failed to get queue external metric: ",
        ),
    ],
)
def test_a_metrics_api_that_is_not_there_is_named(metric: dict[str, Any], reason: str, text: str, error: str) -> None:
    assert evaluate_metric(metric, workload(), MetricReaders()) == MetricFailure(reason, text, error + text)


def test_a_container_without_metrics_is_named() -> None:
    failure = evaluate_metric(CONTAINER, workload(), MetricReaders(OnePod({"main": 5})))

    text = (
        "failed to get cpu utilization: unable to get metrics for resource cpu: failed to get container metrics: "
        "container side not present in metrics for pod shop/web"
    )
    error = f"failed to get side container metric value: {text}"
    assert failure == MetricFailure("FailedGetContainerResourceMetric", text, error)


def test_a_pod_with_a_container_that_lacks_the_resource_has_no_sample() -> None:
    metric = resource_metric(type="AverageValue", averageValue="1Mi")

    failure = evaluate_metric(metric, workload(), MetricReaders(OnePod({"main": 5, "side": None})))

    assert isinstance(failure, MetricFailure)
    assert failure.text.endswith("did not receive metrics for targeted pods (pods might be unready)")


def test_memory_is_reported_in_binary_units() -> None:
    use = {"main": 128 * 2**20 * 1000}

    result = evaluate_metric(
        resource_metric(type="Utilization", averageUtilization=100), workload(), MetricReaders(OnePod(use))
    )

    current = {"averageValue": "128Mi", "averageUtilization": 200}
    status = {"type": "Resource", "resource": {"name": "memory", "current": current}}
    assert result == MetricResult(2, "memory resource utilization (percentage of request)", status)


def test_a_fraction_of_a_byte_is_printed_in_decimal_units() -> None:
    assert resource_quantity("memory", 2_000_000_500) == "2000000500m"
    assert resource_quantity("cpu", 2_000) == "2"


def test_label_selectors_print_as_go_prints_them() -> None:
    requirement = {"key": "tier", "operator": "In", "values": ["a", "b"]}

    assert print_label_selector(None) == "nil"
    assert print_label_selector({"matchExpressions": [requirement]}) == (
        "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:tier,Operator:In,Values:[a b],},},}"
    )
