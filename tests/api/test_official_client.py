"""Every object that the server returns is one that the official client's models accept."""

from __future__ import annotations

import json
from typing import Any

import kubernetes.client as models
import pytest
from api.conftest import Server, deployment

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "V1Pod": ("/api/v1/namespaces/shop/pods", {"spec": {"containers": [{"name": "c", "image": "x"}]}}),
    "V1Service": ("/api/v1/namespaces/shop/services", {"spec": {"ports": [{"port": 80}], "type": "LoadBalancer"}}),
    "V1ConfigMap": ("/api/v1/namespaces/shop/configmaps", {"data": {"a": "b"}}),
    "V1Secret": ("/api/v1/namespaces/shop/secrets", {"stringData": {"a": "b"}}),
    "V1ServiceAccount": ("/api/v1/namespaces/shop/serviceaccounts", {}),
    "V1Namespace": ("/api/v1/namespaces", {}),
    "V1Node": ("/api/v1/nodes", {"status": {"capacity": {"cpu": "2"}}}),
    "V1Deployment": ("/apis/apps/v1/namespaces/shop/deployments", deployment("a")),
    "V1ReplicaSet": ("/apis/apps/v1/namespaces/shop/replicasets", deployment("a")),
    "V1Job": (
        "/apis/batch/v1/namespaces/shop/jobs",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}}}},
    ),
    "V2HorizontalPodAutoscaler": (
        "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
        {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 3}},
    ),
    "V1PodDisruptionBudget": (
        "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
        {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}},
    ),
    "V1Lease": ("/apis/coordination.k8s.io/v1/namespaces/shop/leases", {"spec": {"holderIdentity": "me"}}),
    "V1EndpointSlice": (
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    ),
    "V1PriorityClass": ("/apis/scheduling.k8s.io/v1/priorityclasses", {"value": 7}),
}


class Answer:
    """What the client's deserializer reads."""

    def __init__(self, body: bytes) -> None:
        self.data = body.decode()


def parse(body: bytes, model: str) -> Any:
    client = models.ApiClient(models.Configuration(host="http://localhost"))
    return client.deserialize(body.decode(), model, "application/json")


@pytest.mark.parametrize("model", BODIES)
def test_the_model_accepts_what_is_created_listed_and_deleted(server: Server, model: str) -> None:
    path, body = BODIES[model]
    created = server.ask("POST", path, {**body, "metadata": {"name": "a"}})
    assert created.status == 201, created.body
    assert parse(created.body, model).metadata.name == "a"
    assert parse(server.ask("GET", path).body, f"{model}List").items
    deleted = server.ask("DELETE", f"{path}/a")
    expected = model if json.loads(deleted.body)["kind"] != "Status" else "V1Status"
    assert parse(deleted.body, expected).kind


def test_refusals_scales_and_discovery_are_accepted(server: Server) -> None:
    assert parse(server.ask("GET", "/api/v1/namespaces/none").body, "V1Status").code == 404
    server.ask("POST", "/apis/apps/v1/namespaces/shop/deployments", deployment("web"))
    scale = server.ask("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale")
    assert parse(scale.body, "V1Scale").spec.replicas == 1
    assert parse(server.ask("GET", "/apis").body, "V1APIGroupList").groups
    assert parse(server.ask("GET", "/apis/apps/v1").body, "V1APIResourceList").resources
    assert parse(server.ask("GET", "/version/").body, "VersionInfo").git_version == "v1.37.2"
