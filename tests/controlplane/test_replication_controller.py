"""ReplicationControllers: ReplicaSets of the first days, with a plain map as their selector."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet, pod_template

from labs.api.deletion import DeleteOptions
from labs.controlplane.workloads import start_workload_controllers
from labs.errors import ApiError

CONTROLLERS = "replicationcontrollers"


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    start_workload_controllers(cluster.api)
    return TinyKubelet(cluster)


def controller(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "old"}, "spec": {"replicas": 2, "template": pod_template("old"), **spec}}


def test_it_takes_labels_and_selector_from_its_template(cluster: Cluster) -> None:
    made = cluster.create(CONTROLLERS, controller())
    assert made["spec"]["selector"] == made["metadata"]["labels"] == {"app": "old"}


def test_it_keeps_its_number_of_pods(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(CONTROLLERS, controller(minReadySeconds=1))
    cluster.run(5)
    first, _ = cluster.pods()
    owner = first["metadata"]["ownerReferences"][0]
    assert (owner["apiVersion"], owner["kind"], owner["controller"]) == ("v1", "ReplicationController", True)
    status = cluster.get(CONTROLLERS, "old")["status"]
    assert status == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    cluster.client.delete("pods", "shop", first["metadata"]["name"])
    cluster.patch(CONTROLLERS, "old", lambda spec: {**spec, "replicas": 3})
    cluster.run(5)
    assert len(cluster.pods()) == 3
    assert cluster.api.get_scale(CONTROLLERS, "shop", "old")["status"] == {"replicas": 3, "selector": "app=old"}


def test_it_adopts_what_it_selects_and_lets_go_when_it_is_orphaned(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(
        "pods", {"metadata": {"name": "stray", "labels": {"app": "old"}}, "spec": pod_template("old")["spec"]}
    )
    cluster.create(CONTROLLERS, controller())
    cluster.run(5)
    assert "stray" in cluster.names("pods")
    assert len(cluster.pods()) == 2
    cluster.client.delete(CONTROLLERS, "shop", "old", DeleteOptions(propagation="Orphan"))
    cluster.run(5)
    assert [pod["metadata"].get("ownerReferences") for pod in cluster.pods()] == [None, None]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"selector": {"app": "other"}}, "`selector` does not match template `labels`"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1"),
        ({"template": None}, "spec.template: Required value"),
    ],
)
def test_what_cannot_be_is_refused(cluster: Cluster, spec: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiError, match=text):
        cluster.create(CONTROLLERS, controller(**spec))
