"""Garbage collection, namespaces, what every namespace is given, and pods left behind."""

from __future__ import annotations

import pytest
from stand_ins import Cluster, TinyKubelet, deployment, pod_template

from labs.api.deletion import DeleteOptions
from labs.controlplane.garbage_collector import Verdict, judge
from labs.controlplane.namespace import content_conditions
from labs.controlplane.podgc import surplus_terminated
from labs.controlplane.workloads import start_workload_controllers


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    start_workload_controllers(cluster.api, "-----BEGIN CERTIFICATE-----")
    return TinyKubelet(cluster, stop_s=2)


def test_deleting_a_deployment_takes_its_sets_and_pods_with_it(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=3))
    cluster.run(5)

    cluster.client.delete("deployments.apps", "shop", "web")
    cluster.run(1)
    assert cluster.names("replicasets.apps") == []
    assert len(cluster.pods()) == 3
    cluster.run(5)
    assert cluster.pods() == []


def test_foreground_deletion_ends_with_the_owner(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=3))
    cluster.run(5)

    cluster.client.delete("deployments.apps", "shop", "web", DeleteOptions(propagation="Foreground"))
    cluster.run(1)
    assert cluster.names("deployments.apps") == ["web"]
    assert all("deletionTimestamp" in pod["metadata"] for pod in cluster.pods())
    cluster.run(5)

    assert cluster.names("deployments.apps") + cluster.names("replicasets.apps") + cluster.names("pods") == []


def test_orphaned_dependents_stay_without_their_owner(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(5)

    cluster.client.delete("deployments.apps", "shop", "web", DeleteOptions(propagation="Orphan"))
    cluster.run(5)

    assert cluster.names("deployments.apps") == []
    [replica_set] = cluster.client.list("replicasets.apps", "shop")
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(cluster.pods()) == 2


def test_an_object_born_after_its_owner_died_is_collected(cluster: Cluster, kubelet: TinyKubelet) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "dead", "controller": True}
    metadata = {"name": "late", "labels": {"app": "x"}, "ownerReferences": [reference]}
    cluster.create("pods", {"metadata": metadata, "spec": pod_template("x")["spec"]})

    cluster.run(5)

    assert cluster.pods() == []


def test_one_living_owner_keeps_an_object() -> None:
    assert judge(["a"], [], has_dependents=False, finalizers=()) == Verdict(keep=("a",))
    assert judge(["a"], ["b"], has_dependents=True, finalizers=()) == Verdict(keep=("a",))


def test_an_object_without_owners_goes_the_way_its_finalizers_ask() -> None:
    assert judge([], [], has_dependents=True, finalizers=()).propagation == "Background"
    assert judge([], [], has_dependents=True, finalizers=("orphan",)).propagation == "Orphan"
    assert judge([], ["b"], has_dependents=True, finalizers=()).propagation == "Foreground"
    assert judge([], ["b"], has_dependents=False, finalizers=()).propagation == "Background"


def test_a_namespace_is_given_an_account_and_the_root_certificate(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.client.create("namespaces", {"metadata": {"name": "fresh"}})
    cluster.run(1)
    assert cluster.get("serviceaccounts", "default", "fresh")
    assert cluster.get("configmaps", "kube-root-ca.crt", "fresh")["data"] == {"ca.crt": "-----BEGIN CERTIFICATE-----"}

    cluster.client.delete("configmaps", "fresh", "kube-root-ca.crt")
    cluster.run(1)

    assert cluster.names("configmaps", "fresh") == ["kube-root-ca.crt"]


def test_a_namespace_goes_after_its_pods_and_all_else(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(5)
    cluster.client.delete("namespaces", "", "shop")
    assert cluster.get("namespaces", "shop", "")["status"]["phase"] == "Terminating"
    cluster.run(4)
    assert len(cluster.pods()) == 2

    cluster.run(1.5)
    left = {item["type"]: item for item in cluster.get("namespaces", "shop", "")["status"]["conditions"]}
    assert left["NamespaceContentRemaining"]["status"] == "True"
    assert left["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: pods. has 2 resource instances"
    )
    assert cluster.names("configmaps") == ["kube-root-ca.crt"]
    cluster.run(10)

    assert "shop" not in cluster.names("namespaces", "")
    assert cluster.names("configmaps") == []


def test_an_empty_namespace_reports_that_all_went_well() -> None:
    assert [item["status"] for item in content_conditions({}, {})] == ["False"] * 5


def test_pods_of_a_node_that_is_gone_are_removed_after_the_quarantine(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("pods", {"metadata": {"name": "lone"}, "spec": pod_template("lone")["spec"]})
    cluster.run(5)
    cluster.client.delete("nodes", "", cluster.get("pods", "lone")["spec"]["nodeName"])
    cluster.run(50)
    assert cluster.names("pods") == ["lone"]

    cluster.run(20)

    assert cluster.names("pods") == []


def test_the_oldest_ended_pods_are_surplus() -> None:
    pods = [
        {
            "metadata": {"name": f"p{minute}", "creationTimestamp": f"2026-03-02T09:0{minute}:00Z"},
            "status": {"phase": "Running" if minute == 0 else "Failed"},
        }
        for minute in range(4)
    ]

    assert [pod["metadata"]["name"] for pod in surplus_terminated(pods, 1)] == ["p1", "p2"]


def test_leaving_pod_of_a_node_out_of_service_is_failed_and_taken_away(cluster: Cluster, kubelet: TinyKubelet) -> None:
    kubelet.stop_s = 10_000
    cluster.create("pods", {"metadata": {"name": "db"}, "spec": pod_template("db")["spec"]})
    cluster.run(5)
    pod = cluster.get("pods", "db")
    cluster.client.delete("pods", "shop", "db")
    cluster.run(25)
    assert cluster.names("pods") == ["db"], "its node has not said that it stopped"
    node = cluster.get("nodes", pod["spec"]["nodeName"], "")
    taint = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
    statuses: list[dict[str, object]] = []
    cluster.client.subscribe("pods", lambda event: statuses.append(event.object["status"]))
    cluster.client.update("nodes", {**node, "spec": {**(node.get("spec") or {}), "taints": [taint]}})
    cluster.run(25)
    assert cluster.names("pods") == []
    assert statuses[-1]["phase"] == "Failed"
