"""StatefulSets: names, order, claims, updates."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet, pod_template

from labs.api.deletion import DeleteOptions
from labs.api.store import Object
from labs.controlplane.statefulset.plan import Order, Replica, plan
from labs.controlplane.workloads import start_workload_controllers

SETS = "statefulsets.apps"
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful_set(**spec: Any) -> Object:
    wanted = {
        "replicas": 3,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": pod_template("db", "db:v1"),
        **spec,
    }
    return {"metadata": {"name": "db"}, "spec": wanted}


@pytest.fixture
def databases(cluster: Cluster) -> Cluster:
    start_workload_controllers(cluster.api)
    TinyKubelet(cluster)
    return cluster


def ready(ordinal: int, revision: str = "new", **facts: bool) -> Replica:
    return Replica(ordinal, revision, **{"is_ready": True, "is_available": True, **facts})


def images(cluster: Cluster) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in cluster.pods()]


def test_pods_come_one_after_the_other_and_keep_their_names(databases: Cluster) -> None:
    databases.create(SETS, stateful_set())
    databases.run(0.3)
    assert databases.names("pods") == ["db-0"]
    databases.run(5)
    assert databases.names("pods") == ["db-0", "db-1", "db-2"]
    pod = databases.get("pods", "db-1")
    labels = pod["metadata"]["labels"]
    assert labels["apps.kubernetes.io/pod-index"] == "1"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
    databases.client.delete("pods", "shop", "db-1", DeleteOptions(grace_period_seconds=0))
    databases.run(3)
    assert databases.get("pods", "db-1")["metadata"]["uid"] != pod["metadata"]["uid"]


def test_parallel_pods_come_at_once(databases: Cluster) -> None:
    databases.create(SETS, stateful_set(podManagementPolicy="Parallel"))
    databases.run(0.3)
    assert databases.names("pods") == ["db-0", "db-1", "db-2"]


def test_the_status_counts_pods_and_names_revisions(databases: Cluster) -> None:
    databases.create(SETS, stateful_set())
    databases.run(5)
    status = databases.get(SETS, "db")["status"]
    revision = databases.names("controllerrevisions.apps")[0]
    assert status == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "availableReplicas": 3,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }


def test_scaling_down_takes_the_highest_first_and_leaves_the_claims(databases: Cluster) -> None:
    databases.create(SETS, stateful_set(volumeClaimTemplates=[CLAIM]))
    databases.run(5)
    databases.patch(SETS, "db", lambda spec: {**spec, "replicas": 1})
    databases.run(0.3)
    leaving = [pod["metadata"]["name"] for pod in databases.pods() if "deletionTimestamp" in pod["metadata"]]
    assert leaving == ["db-2"]
    databases.run(5)
    assert databases.names("pods") == ["db-0"]
    assert databases.names("persistentvolumeclaims") == ["data-db-0", "data-db-1", "data-db-2"]
    assert "Create Claim data-db-0 Pod db-0 in StatefulSet db success" in databases.event_texts("SuccessfulCreate")


def test_claims_go_with_their_pod_when_the_policy_says_so(databases: Cluster) -> None:
    policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
    databases.create(SETS, stateful_set(volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy))
    databases.run(5)
    databases.patch(SETS, "db", lambda spec: {**spec, "replicas": 1})
    databases.run(5)
    kept = [
        claim["metadata"]["name"]
        for claim in databases.client.list("persistentvolumeclaims", "shop")
        if "deletionTimestamp" not in claim["metadata"]
    ]
    assert kept == ["data-db-0"]


def test_an_update_goes_from_the_highest_ordinal_down_to_the_partition(databases: Cluster) -> None:
    databases.create(SETS, stateful_set())
    databases.run(5)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    databases.patch(
        SETS, "db", lambda spec: {**spec, "updateStrategy": rolling, "template": pod_template("db", "db:v2")}
    )
    databases.run(20)
    assert images(databases) == ["db:v1", "db:v2", "db:v2"]
    status = databases.get(SETS, "db")["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (1, 2)
    assert status["currentRevision"] != status["updateRevision"]
    databases.patch(SETS, "db", lambda spec: {**spec, "updateStrategy": {"type": "RollingUpdate"}})
    databases.run(20)
    assert set(images(databases)) == {"db:v2"}
    status = databases.get(SETS, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_on_delete_replaces_only_what_is_deleted(databases: Cluster) -> None:
    databases.create(SETS, stateful_set(updateStrategy={"type": "OnDelete"}))
    databases.run(5)
    databases.patch(SETS, "db", lambda spec: {**spec, "template": pod_template("db", "db:v2")})
    databases.run(5)
    assert set(images(databases)) == {"db:v1"}
    databases.client.delete("pods", "shop", "db-1")
    databases.run(5)
    assert images(databases) == ["db:v1", "db:v2", "db:v1"]


def test_a_template_that_comes_back_brings_its_revision_to_the_front(databases: Cluster) -> None:
    databases.create(SETS, stateful_set())
    for image in ("db:v2", "db:v1"):
        databases.run(10)
        template = pod_template("db", image)
        databases.patch(SETS, "db", lambda spec, wanted=template: {**spec, "template": wanted})
    databases.run(10)
    numbers = sorted(item["revision"] for item in databases.client.list("controllerrevisions.apps", "shop"))
    assert numbers == [2, 3]


def test_an_unavailable_pod_holds_up_the_ones_after_it() -> None:
    order = Order(start=0, count=3, is_ordered=True)
    waiting = plan(order, [ready(0), ready(1, is_available=False)], "new")
    assert waiting.create == ()
    assert plan(order, [ready(0), ready(1)], "new").create == (2,)
    assert plan(Order(0, 3, is_ordered=False), [ready(1, is_available=False)], "new").create == (0, 2)


def test_max_unavailable_counts_what_is_away_already() -> None:
    order = Order(0, 4, is_ordered=False, max_unavailable=2)
    old = [ready(n, "old") for n in range(4)]
    assert plan(order, old, "new").update == (3, 2)
    assert plan(order, [*old[:3], ready(3, is_available=False)], "new").update == (2,)


def test_ordinals_may_begin_elsewhere() -> None:
    order = Order(start=5, count=2, is_ordered=False)
    assert plan(order, [ready(0)], "new").create == (5, 6)
    assert plan(order, [ready(0), ready(5), ready(6)], "new").scale_down == (0,)
