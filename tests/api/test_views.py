"""autoscaling/v1 and events.k8s.io/v1 as views of what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from golden.stage import add_namespace, new_server, send

from labs.api.client import Client
from labs.api.rest.handler import RestApi
from labs.api.views import VIEW_TYPES, to_stored, to_view

V1, V2 = "/apis/autoscaling/v1/namespaces/shop", "/apis/autoscaling/v2/namespaces/shop"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


@pytest.fixture
def server() -> RestApi:
    server = new_server()
    add_namespace(server, "shop")
    return server


def autoscaler(**spec: Any) -> dict[str, Any]:
    wanted = {"scaleTargetRef": TARGET, "maxReplicas": 5, **spec}
    metadata = {"name": "web"}
    return {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": wanted}


def test_a_v1_autoscaler_is_stored_as_v2(server: RestApi) -> None:
    path = f"{V1}/horizontalpodautoscalers"
    made = send(server, "POST", path, autoscaler(targetCPUUtilizationPercentage=60))
    assert (made.status, made.json()["spec"]["targetCPUUtilizationPercentage"]) == (201, 60)
    stored = send(server, "GET", f"{V2}/horizontalpodautoscalers/web").json()
    target = {"type": "Utilization", "averageUtilization": 60}
    assert stored["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    listed = send(server, "GET", path).json()
    assert (listed["apiVersion"], listed["kind"]) == ("autoscaling/v1", "HorizontalPodAutoscalerList")
    assert "metrics" not in listed["items"][0]["spec"]


def test_what_v1_cannot_say_comes_back_from_annotations() -> None:
    pods = {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    down = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "stabilizationWindowSeconds": 30}
    spec = {
        "metrics": [{"type": "Resource", "resource": cpu}, {"type": "Pods", "pods": pods}],
        "behavior": {"scaleDown": down},
    }
    current = {"name": "cpu", "current": {"averageUtilization": 40, "averageValue": "4m"}}
    status = {
        "currentMetrics": [{"type": "Resource", "resource": current}, {"type": ""}],
        "conditions": [{"type": "AbleToScale"}],
    }
    stored = {"metadata": {"name": "web"}, "spec": spec, "status": status}
    shown = to_view(VIEW_TYPES[0], stored)
    annotations = shown["metadata"]["annotations"]
    assert json.loads(annotations["autoscaling.alpha.kubernetes.io/metrics"]) == [
        {"type": "Pods", "pods": {"metricName": "rps", "targetAverageValue": "10"}}
    ]
    behavior = json.loads(annotations["autoscaling.alpha.kubernetes.io/behavior"])
    assert behavior["ScaleDown"]["StabilizationWindowSeconds"] == 30
    assert shown["status"]["currentCPUUtilizationPercentage"] == 40
    again = to_stored(VIEW_TYPES[0], shown)
    assert {key: again[key] for key in ("metadata", "spec", "status")} == stored


def test_a_patch_speaks_v1(server: RestApi) -> None:
    path = f"{V1}/horizontalpodautoscalers"
    send(server, "POST", path, autoscaler(targetCPUUtilizationPercentage=60))
    patch = {"spec": {"targetCPUUtilizationPercentage": 70, "minReplicas": 2}}
    changed = send(server, "PATCH", f"{path}/web", patch, media="application/merge-patch+json")
    assert changed.json()["spec"]["targetCPUUtilizationPercentage"] == 70
    stored = send(server, "GET", f"{V2}/horizontalpodautoscalers/web").json()
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    assert stored["spec"]["minReplicas"] == 2


def test_events_are_shown_under_their_new_names(server: RestApi) -> None:
    client = Client(server.api, "tester")
    client.events.record(client.require("namespaces", "", "shop"), "Normal", "Rested", "slept")
    old = send(server, "GET", "/api/v1/namespaces/default/events").json()["items"][0]
    [new] = send(server, "GET", "/apis/events.k8s.io/v1/namespaces/default/events").json()["items"]
    assert (new["note"], new["regarding"], new["deprecatedCount"]) == (old["message"], old["involvedObject"], 1)
    assert new["reportingController"] == "tester"
    assert "message" not in new


def test_the_newer_version_is_preferred(server: RestApi) -> None:
    groups = {group["name"]: group for group in send(server, "GET", "/apis").json()["groups"]}
    assert [item["version"] for item in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert [item["version"] for item in groups["events.k8s.io"]["versions"]] == ["v1"]


@pytest.mark.parametrize("text", ["{", "7", '["a"]', '[{"type": 1}]', "null"])
def test_an_annotation_that_keeps_nothing_is_dropped(text: str) -> None:
    hpa = autoscaler()
    hpa["metadata"]["annotations"] = {"autoscaling.alpha.kubernetes.io/metrics": text, "mine": "kept"}
    stored = to_stored(VIEW_TYPES[0], hpa)
    assert stored["metadata"]["annotations"] == {"mine": "kept"}
    assert "metrics" not in stored["spec"]
