"""Rules of kinds: defaults, admission, validation, what may not change."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import CONTAINER, DEPLOYMENTS, PODS, Server, deployment

from labs.api.crds.karpenter import install_karpenter
from labs.api.strategies.pod_defaults import pull_policy
from labs.api.strategies.pods import qos_class

SERVICES = "/api/v1/namespaces/shop/services"
HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
POOLS = "/apis/karpenter.sh/v1/nodepools"


def causes(refused: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cause["field"], cause["message"]) for cause in refused["details"]["causes"]]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry.example.org:5000/nginx", "Always"),
        ("registry.example.org:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0f", "IfNotPresent"),
    ],
)
def test_images_without_a_fixed_tag_are_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service_follows_from_requests_and_limits(resources: dict[str, Any], expected: str) -> None:
    assert qos_class({"containers": [{"resources": resources}]}) == expected


def test_admission_gives_a_pod_account_token_tolerations_and_priority(server: Server) -> None:
    spec = server.pod("a")["spec"]
    assert (spec["serviceAccountName"], spec["priority"]) == ("default", 0)
    assert spec["volumes"][0]["name"].startswith("kube-api-access-")
    mount = {"name": spec["volumes"][0]["name"], "readOnly": True}
    assert spec["containers"][0]["volumeMounts"] == [
        {**mount, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    ]
    assert [item["tolerationSeconds"] for item in spec["tolerations"]] == [300, 300]


def test_a_pod_takes_its_requests_from_its_limits(server: Server) -> None:
    spec = server.pod("a", containers=[{**CONTAINER, "resources": {"limits": {"cpu": "0.5"}}}])["spec"]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}


def test_a_priority_class_gives_its_number(server: Server) -> None:
    body = {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"}
    server.expect(201, "POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    spec = server.pod("a", priorityClassName="high")["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    body = {"metadata": {"name": "b"}, "spec": {"containers": [CONTAINER], "priorityClassName": "none"}}
    refused = server.expect(403, "POST", PODS, body)
    assert refused["message"] == 'pods "b" is forbidden: no PriorityClass with name none was found'


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"image": ""}, "spec.containers[0].image", "Required value"),
        (
            {"imagePullPolicy": "No"},
            "spec.containers[0].imagePullPolicy",
            'Unsupported value: "No": supported values: "Always", "IfNotPresent", "Never"',
        ),
        (
            {"ports": [{"containerPort": 70000}]},
            "spec.containers[0].ports[0].containerPort",
            "Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            {"resources": {"requests": {"cpu": "-1"}}},
            "spec.containers[0].resources.requests[cpu]",
            'Invalid value: "-1": must be greater than or equal to 0',
        ),
        ({"livenessProbe": {}}, "spec.containers[0].livenessProbe", "Required value: must specify a handler type"),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}},
            "spec.containers[0].livenessProbe.successThreshold",
            "Invalid value: 2: must be 1",
        ),
    ],
)
def test_a_wrong_container_is_refused(server: Server, change: dict[str, Any], field: str, message: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"containers": [{**CONTAINER, **change}]}}
    assert causes(server.expect(422, "POST", PODS, body)) == [(field, message)]


def test_a_pod_may_change_its_image_and_little_else(server: Server) -> None:
    pod = server.pod("a")
    pod["spec"]["containers"][0]["image"] = "nginx:1.28"
    changed = server.expect(200, "PUT", f"{PODS}/a", pod)
    changed["spec"]["containers"][0]["command"] = ["sleep"]
    refused = server.expect(422, "PUT", f"{PODS}/a", changed)
    assert refused["details"]["causes"][0]["field"] == "spec"


def test_a_deployment_keeps_its_selector(server: Server) -> None:
    made = server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    made["spec"]["selector"]["matchLabels"] = {"app": "other"}
    made["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    refused = server.expect(422, "PUT", f"{DEPLOYMENTS}/web", made)
    assert causes(refused) == [("spec.selector", 'Invalid value: {"matchLabels":{"app":"other"}}: field is immutable')]


def test_a_rollout_needs_room_to_move(server: Server) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}
    refused = server.expect(422, "POST", DEPLOYMENTS, deployment("web", strategy=strategy))
    path = "spec.strategy.rollingUpdate.maxUnavailable"
    assert causes(refused) == [(path, 'Invalid value: "0%": may not be 0 when `maxSurge` is 0')]


def test_a_service_keeps_its_address_when_it_is_replaced_without_one(server: Server) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "type": "NodePort"}}
    made = server.expect(201, "POST", SERVICES, body)
    again = server.expect(200, "PUT", f"{SERVICES}/s", body)
    assert again["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert again["spec"]["ports"] == made["spec"]["ports"]


def test_addresses_of_services_differ(server: Server) -> None:
    for number in range(50):
        body = {"metadata": {"name": f"s{number}"}, "spec": {"ports": [{"port": 80}]}}
        server.expect(201, "POST", SERVICES, body)
    found = {item["spec"]["clusterIP"] for item in server.client.list("services")}
    assert len(found) == 51


def test_a_behavior_is_filled_up_only_when_there_is_one(server: Server) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    body = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": reference, "maxReplicas": 5, "behavior": behavior}}
    found = server.expect(201, "POST", HPAS, body)["spec"]["behavior"]
    assert found["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert [item["value"] for item in found["scaleUp"]["policies"]] == [4, 100]
    assert found["scaleDown"]["policies"] == [{"type": "Percent", "value": 100, "periodSeconds": 15}]


def test_a_node_pool_has_the_defaults_and_rules_of_its_definition(server: Server) -> None:
    install_karpenter(server.api)
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    template = {"spec": {"nodeClassRef": reference, "requirements": []}}
    made = server.expect(201, "POST", POOLS, {"metadata": {"name": "p"}, "spec": {"template": template}})
    assert made["spec"]["disruption"]["budgets"] == [{"nodes": "10%"}]
    assert made["spec"]["template"]["spec"]["expireAfter"] == "720h"
    wrong = {"template": template, "weight": 101, "disruption": {"consolidationPolicy": "Never"}}
    refused = server.expect(422, "POST", POOLS, {"metadata": {"name": "q"}, "spec": wrong})
    assert [field for field, _ in causes(refused)] == [
        "spec.disruption.consolidationPolicy",
        "spec.disruption.consolidateAfter",
        "spec.weight",
        "<nil>",
    ]


def test_a_new_node_is_tainted_until_it_is_ready(server: Server) -> None:
    made = server.expect(201, "POST", "/api/v1/nodes", {"metadata": {"name": "n"}})
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


def test_generated_names_have_the_suffix_of_the_real_server(server: Server) -> None:
    body = {"metadata": {"generateName": "x" * 70}, "data": {}}
    name = server.expect(201, "POST", "/api/v1/namespaces/shop/configmaps", body)["metadata"]["name"]
    assert (len(name), name[:58]) == (63, "x" * 58)


def test_a_budget_must_be_updated_by_version(server: Server) -> None:
    path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
    body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1}}
    server.expect(201, "POST", path, body)
    refused = server.expect(422, "PUT", f"{path}/b", body)
    text = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert refused["message"] == f'poddisruptionbudgets.policy "b" is invalid: {text}'
