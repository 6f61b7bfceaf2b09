"""Endpoints and EndpointSlices of Services."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet, deployment

from labs.api.store import Object
from labs.controlplane.endpointslices import plan_slices
from labs.controlplane.workloads import start_workload_controllers

SLICES = "endpointslices.discovery.k8s.io"
PORTS = (("", "TCP", 8080, ""),)


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    start_workload_controllers(cluster.api)
    return TinyKubelet(cluster, stop_s=5)


def service(name: str = "web", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "labels": {"team": "shop"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }


def ready_addresses(cluster: Cluster) -> list[str]:
    return sorted(
        endpoint["addresses"][0]
        for item in cluster.client.list(SLICES, "shop")
        for endpoint in item["endpoints"] or ()
        if endpoint["conditions"]["ready"]
    )


def test_a_slice_lists_the_pods_with_their_zone_and_conditions(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment(replicas=2))

    cluster.run(5)

    [item] = cluster.client.list(SLICES, "shop")
    metadata = item["metadata"]
    assert metadata["generateName"] == "web-"
    assert metadata["labels"] == {
        "team": "shop",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert metadata["ownerReferences"][0]["kind"] == "Service"
    assert "endpoints.kubernetes.io/last-change-trigger-time" in metadata["annotations"]
    assert item["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
    for endpoint, pod in zip(item["endpoints"], sorted_by_uid(cluster, item), strict=True):
        assert endpoint["addresses"] == [pod["status"]["podIP"]]
        assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
        assert endpoint["nodeName"] == pod["spec"]["nodeName"]
        assert endpoint["zone"] in ("zone-a", "zone-b")


def sorted_by_uid(cluster: Cluster, item: Object) -> list[Object]:
    """The pods in the order of the slice's endpoints."""
    by_uid = {pod["metadata"]["uid"]: pod for pod in cluster.pods()}
    return [by_uid[endpoint["targetRef"]["uid"]] for endpoint in item["endpoints"]]


def test_a_pod_that_terminates_serves_but_is_not_ready(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment(replicas=1))
    cluster.run(5)
    [pod] = cluster.pods()
    cluster.client.delete("pods", "shop", pod["metadata"]["name"])
    cluster.run(0.1)

    [item] = cluster.client.list(SLICES, "shop")
    assert item["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert "subsets" not in cluster.get("endpoints", "web")
    cluster.run(8)
    [item] = cluster.client.list(SLICES, "shop")
    assert [endpoint["targetRef"]["name"] for endpoint in item["endpoints"]] == cluster.names("pods")


def test_a_ready_pod_is_listed_within_milliseconds(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment(replicas=1))
    cluster.run(0.45)
    assert ready_addresses(cluster) == []

    cluster.run(0.12)

    assert len(ready_addresses(cluster)) == 1


def test_endpoints_split_ready_and_unready_pods(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(5)
    pod = cluster.pods()[0]
    cluster.set_pod_status(pod, conditions=[{"type": "Ready", "status": "False"}])
    cluster.run(1)

    endpoints = cluster.get("endpoints", "web")

    [subset] = endpoints["subsets"]
    assert [item["targetRef"]["name"] for item in subset["notReadyAddresses"]] == [pod["metadata"]["name"]]
    assert len(subset["addresses"]) == 1
    assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert endpoints["metadata"]["labels"]["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"


def test_a_service_without_pods_has_one_empty_slice(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())

    cluster.run(2)

    [item] = cluster.client.list(SLICES, "shop")
    assert (item["endpoints"], item["ports"]) == (None, None)


def test_a_named_target_port_is_looked_up_in_each_pod(cluster: Cluster, kubelet: TinyKubelet) -> None:
    web = deployment(replicas=1)
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 9000}]
    cluster.create("services", service(ports=[{"name": "web", "port": 80, "targetPort": "http"}]))
    cluster.create("deployments.apps", web)

    cluster.run(5)

    [item] = cluster.client.list(SLICES, "shop")
    assert item["ports"] == [{"name": "web", "protocol": "TCP", "port": 9000}]


def test_a_service_without_a_selector_is_left_alone(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", {"metadata": {"name": "manual"}, "spec": {"ports": [{"port": 80}]}})

    cluster.run(2)

    assert cluster.names(SLICES) == []
    assert cluster.names("endpoints") == []


def test_a_deleted_service_takes_its_endpoints_with_it(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("services", service())
    cluster.run(2)
    cluster.client.delete("services", "shop", "web")

    cluster.run(2)

    assert cluster.names(SLICES) == []
    assert cluster.names("endpoints") == []


def endpoint(number: int) -> dict[str, Any]:
    return {"targetRef": {"uid": f"u{number}"}, "addresses": [str(number)]}


def test_slices_hold_a_hundred_endpoints_each() -> None:
    changes = plan_slices({PORTS: [endpoint(n) for n in range(250)]}, {})

    assert sorted(len(endpoints) for _, endpoints in changes.create) == [50, 100, 100]


def test_a_new_endpoint_goes_where_it_fits_and_leaves_other_slices_alone() -> None:
    first, second = [endpoint(n) for n in range(100)], [endpoint(n) for n in range(100, 150)]

    changes = plan_slices({PORTS: [*first, *second, endpoint(500)]}, {"a": (PORTS, first), "b": (PORTS, second)})

    assert changes.update == {"b": (PORTS, [*second, endpoint(500)])}
    assert (changes.create, changes.delete) == ([], [])


def test_a_slice_that_lost_all_its_endpoints_goes() -> None:
    first, second = [endpoint(n) for n in range(100)], [endpoint(100)]

    changes = plan_slices({PORTS: first}, {"a": (PORTS, first), "b": (PORTS, second)})

    assert changes.delete == ["b"]
    assert not changes.update


def test_the_empty_slice_is_filled_rather_than_replaced() -> None:
    changes = plan_slices({PORTS: [endpoint(1)]}, {"a": ((), [])})

    assert changes.update == {"a": (PORTS, [endpoint(1)])}
    assert (changes.create, changes.delete) == ([], [])
