"""ReplicationControllers: the ReplicaSet's rules under an older name."""

from __future__ import annotations

import pytest
from stand_ins import Cluster, TinyKubelet, pod_template

from labs.controlplane.workloads import start_workload_controllers
from labs.errors import ApiError

RESOURCE = "replicationcontrollers"


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    start_workload_controllers(cluster.api)
    TinyKubelet(cluster)
    return cluster


def test_it_keeps_its_pods_and_counts_them(cluster: Cluster) -> None:
    spec = {"replicas": 3, "template": pod_template("web")}
    made = cluster.create(RESOURCE, {"metadata": {"name": "web"}, "spec": spec})
    assert (made["spec"]["selector"], made["metadata"]["labels"]) == ({"app": "web"}, {"app": "web"})
    cluster.run(5)
    assert cluster.get(RESOURCE, "web")["status"] == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "observedGeneration": 1,
    }
    gone = cluster.pods()[0]["metadata"]["name"]
    cluster.client.delete("pods", "shop", gone)
    cluster.run(5)
    assert len(cluster.pods()) == 3
    owners = {pod["metadata"]["ownerReferences"][0]["kind"] for pod in cluster.pods()}
    assert owners == {"ReplicationController"}


def test_it_is_scaled_and_its_pods_go_with_it(cluster: Cluster) -> None:
    cluster.create(RESOURCE, {"metadata": {"name": "web"}, "spec": {"template": pod_template("web")}})
    cluster.run(5)
    scale = cluster.client.scale(RESOURCE, "shop", "web")
    assert scale["status"] == {"replicas": 1, "selector": "app=web"}
    cluster.client.set_scale(RESOURCE, {**scale, "spec": {"replicas": 2}})
    cluster.run(5)
    assert len(cluster.pods()) == 2
    cluster.client.delete(RESOURCE, "shop", "web")
    cluster.run(10)
    assert cluster.pods() == []


def test_its_selector_must_select_its_template(cluster: Cluster) -> None:
    spec = {"selector": {"app": "other"}, "template": pod_template("web")}
    with pytest.raises(ApiError, match="`selector` does not match template `labels`"):
        cluster.create(RESOURCE, {"metadata": {"name": "web"}, "spec": spec})


def test_a_pod_template_is_stored_with_its_defaults(cluster: Cluster) -> None:
    made = cluster.create("podtemplates", {"metadata": {"name": "web"}, "template": pod_template("web")})
    assert made["template"]["spec"]["restartPolicy"] == "Always"
    assert made["metadata"]["generation"] == 1
