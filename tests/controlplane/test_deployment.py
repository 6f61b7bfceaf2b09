"""Deployment and ReplicaSet controllers together, on a store with a tiny kubelet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet, deployment, pod_template, refuse_pods

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.deployment.controller import DeploymentController
from labs.controlplane.deployment.revision import new_annotations, template_hash
from labs.controlplane.replicaset import ReplicaSetController, slow_start_batches


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    DeploymentController(Client(cluster.api, "deployment-controller")).start()
    ReplicaSetController(Client(cluster.api, "replicaset-controller")).start()
    return TinyKubelet(cluster)


def with_image(image: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda spec: {**spec, "template": pod_template("web", image)}


def with_replicas(count: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda spec: {**spec, "replicas": count}


def condition(obj: Object, type: str) -> tuple[str, str]:
    found = next(item for item in obj["status"]["conditions"] if item["type"] == type)
    return found["status"], found["reason"]


def sizes(cluster: Cluster) -> dict[str, int]:
    """Image to replicas of its ReplicaSet."""
    return {
        item["spec"]["template"]["spec"]["containers"][0]["image"]: item["spec"]["replicas"]
        for item in cluster.client.list("replicasets.apps", "shop")
    }


def test_a_new_deployment_becomes_available(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=3))

    cluster.run(5)

    web = cluster.get("deployments.apps", "web")
    assert len(cluster.pods()) == 3
    assert web["status"]["availableReplicas"] == 3
    assert "unavailableReplicas" not in web["status"]
    assert web["status"]["terminatingReplicas"] == 0
    assert condition(web, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(web, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert web["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    [name] = cluster.names("replicasets.apps")
    assert cluster.event_texts("ScalingReplicaSet") == [f"Scaled up replica set {name} from 0 to 3"]
    assert len(cluster.event_texts("SuccessfulCreate")) == 3


def test_pods_and_sets_carry_the_template_hash_and_their_owner(cluster: Cluster, kubelet: TinyKubelet) -> None:
    web = cluster.create("deployments.apps", deployment(replicas=1))

    cluster.run(5)

    [replica_set] = cluster.client.list("replicasets.apps", "shop")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert replica_set["metadata"]["annotations"] == {
        "deployment.kubernetes.io/desired-replicas": "1",
        "deployment.kubernetes.io/max-replicas": "2",
        "deployment.kubernetes.io/revision": "1",
    }
    [owner] = replica_set["metadata"]["ownerReferences"]
    assert owner["uid"] == web["metadata"]["uid"]
    assert owner["blockOwnerDeletion"]
    [pod] = cluster.pods()
    assert pod["metadata"]["labels"].items() >= {"app": "web", "pod-template-hash": digest}.items()
    assert pod["metadata"]["generateName"] == f"web-{digest}-"


def test_a_rolling_update_keeps_within_surge_and_unavailable(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=4))
    cluster.run(5)
    counts: list[tuple[int, int]] = []

    def count(event: object) -> None:
        pods = [pod for pod in cluster.pods() if "deletionTimestamp" not in pod["metadata"]]
        ready = sum(bool((pod.get("status") or {}).get("podIP")) for pod in pods)
        counts.append((len(pods), ready))

    cluster.client.subscribe("pods", count)
    cluster.patch("deployments.apps", "web", with_image("web:v2"))
    cluster.run(20)

    assert sizes(cluster) == {"web:v1": 0, "web:v2": 4}
    assert max(total for total, _ in counts) == 5
    assert min(ready for _, ready in counts) == 3
    assert cluster.get("deployments.apps", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


def test_going_back_to_an_old_template_reuses_its_set(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(5)
    for image in ("web:v2", "web:v1"):
        cluster.patch("deployments.apps", "web", with_image(image))
        cluster.run(20)

    assert sizes(cluster) == {"web:v1": 2, "web:v2": 0}
    first = next(item for item in cluster.client.list("replicasets.apps") if item["spec"]["replicas"] == 2)
    assert first["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert first["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    web = cluster.get("deployments.apps", "web")
    assert web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_old_sets_beyond_the_history_limit_go(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=1, revisionHistoryLimit=1))
    cluster.run(5)
    for image in ("web:v2", "web:v3", "web:v4"):
        cluster.patch("deployments.apps", "web", with_image(image))
        cluster.run(20)

    assert sizes(cluster) == {"web:v3": 0, "web:v4": 1}


def test_scaling_changes_the_one_set_and_its_annotations(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=5))
    cluster.run(5)
    cluster.patch("deployments.apps", "web", with_replicas(10))
    cluster.run(5)
    cluster.patch("deployments.apps", "web", with_replicas(4))
    cluster.run(5)

    [replica_set] = cluster.client.list("replicasets.apps", "shop")
    assert len(cluster.pods()) == 4
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "4"
    assert cluster.event_texts("ScalingReplicaSet")[1:] == [
        f"Scaled up replica set {replica_set['metadata']['name']} from 5 to 10",
        f"Scaled down replica set {replica_set['metadata']['name']} from 10 to 4",
    ]


def test_a_paused_deployment_does_not_roll_until_resumed(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(5)
    cluster.patch("deployments.apps", "web", lambda spec: {**with_image("web:v2")(spec), "paused": True})
    cluster.run(5)

    assert sizes(cluster) == {"web:v1": 2}
    assert condition(cluster.get("deployments.apps", "web"), "Progressing") == ("Unknown", "DeploymentPaused")
    cluster.patch("deployments.apps", "web", lambda spec: {**spec, "paused": False})
    cluster.run(20)
    assert sizes(cluster) == {"web:v1": 0, "web:v2": 2}


def test_recreate_waits_until_every_old_pod_is_gone(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2, strategy={"type": "Recreate"}))
    cluster.run(5)
    cluster.patch("deployments.apps", "web", with_image("web:v2"))
    cluster.run(0.4)
    assert sizes(cluster) == {"web:v1": 0}
    assert len(cluster.pods()) == 2

    cluster.run(10)

    assert sizes(cluster) == {"web:v1": 0, "web:v2": 2}
    assert len(cluster.pods()) == 2


def test_a_stuck_rollout_times_out_after_its_deadline(cluster: Cluster, kubelet: TinyKubelet) -> None:
    kubelet.is_healthy = False
    cluster.create("deployments.apps", deployment(replicas=1, progressDeadlineSeconds=30))
    cluster.run(29)
    assert condition(cluster.get("deployments.apps", "web"), "Progressing") == ("True", "ReplicaSetUpdated")

    cluster.run(4)

    assert condition(cluster.get("deployments.apps", "web"), "Progressing") == ("False", "ProgressDeadlineExceeded")


def test_a_refused_pod_is_reported_up_to_the_deployment(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.api.admission.append(refuse_pods('pods "x" is forbidden: exceeded quota'))
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(2)

    web = cluster.get("deployments.apps", "web")
    assert condition(web, "ReplicaFailure") == ("True", "FailedCreate")
    assert cluster.event_texts("FailedCreate")[0] == 'Error creating: pods "x" is forbidden: exceeded quota'
    cluster.api.admission.clear()
    cluster.run(30)
    web = cluster.get("deployments.apps", "web")
    assert [item["type"] for item in web["status"]["conditions"]] == ["Available", "Progressing"]


def test_half_of_the_pods_killed_are_replaced(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=6))
    cluster.run(5)
    for pod in cluster.pods()[:3]:
        cluster.client.delete("pods", "shop", pod["metadata"]["name"])
    cluster.run(0.1)

    [replica_set] = cluster.client.list("replicasets.apps", "shop")
    assert replica_set["status"]["replicas"] == 6
    assert replica_set["status"]["readyReplicas"] == 3
    assert replica_set["status"]["terminatingReplicas"] == 3
    assert len(cluster.pods()) == 9
    cluster.run(5)
    assert len(cluster.pods()) == 6


def test_pods_are_adopted_and_released_by_their_labels(cluster: Cluster, kubelet: TinyKubelet) -> None:
    lone = {"metadata": {"name": "lone", "labels": {"app": "rs"}}, "spec": pod_template("rs")["spec"]}
    cluster.create("pods", lone)
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "rs"}}, "template": pod_template("rs")}
    owner = cluster.create("replicasets.apps", {"metadata": {"name": "rs"}, "spec": spec})
    cluster.run(2)
    assert cluster.get("pods", "lone")["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert len(cluster.pods()) == 2

    pod = cluster.get("pods", "lone")
    cluster.client.update("pods", {**pod, "metadata": {**pod["metadata"], "labels": {"app": "debug"}}})
    cluster.run(2)

    assert "ownerReferences" not in cluster.get("pods", "lone")["metadata"]
    assert len(cluster.pods()) == 3


def test_availability_waits_for_min_ready_seconds(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2, minReadySeconds=10))
    cluster.run(9)
    assert cluster.get("deployments.apps", "web")["status"]["readyReplicas"] == 2
    assert "availableReplicas" not in cluster.get("deployments.apps", "web")["status"]

    cluster.run(3)

    assert cluster.get("deployments.apps", "web")["status"]["availableReplicas"] == 2


def test_a_pod_that_fails_long_after_the_rollout_does_not_keep_the_controller_busy(
    cluster: Cluster, kubelet: TinyKubelet
) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.run(3600)
    cluster.set_pod_status(cluster.pods()[0], conditions=[{"type": "Ready", "status": "False"}])
    cluster.run(1)
    before = cluster.loop.events_run

    cluster.run(3600)

    assert cluster.loop.events_run - before < 1000


def test_a_hash_collision_counts_up_and_tries_again(cluster: Cluster, kubelet: TinyKubelet) -> None:
    web = cluster.create("deployments.apps", deployment(replicas=1))
    name = f"web-{template_hash(web['spec']['template'])}"
    other = {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": pod_template("other")}
    cluster.create("replicasets.apps", {"metadata": {"name": name}, "spec": other})

    cluster.run(5)

    web = cluster.get("deployments.apps", "web")
    assert web["status"]["collisionCount"] == 1
    assert web["status"]["availableReplicas"] == 1


def test_slow_start_doubles_its_batches() -> None:
    assert list(slow_start_batches(10)) == [1, 2, 4, 3]
    assert list(slow_start_batches(0)) == []


def test_a_template_hash_is_stable_and_uses_safe_digits() -> None:
    template = pod_template("web")

    assert template_hash(template) == template_hash(dict(reversed(template.items())))
    assert template_hash(template) != template_hash(template, 1)
    assert set(template_hash(template)) <= set("456789bcdf")


def test_the_revision_history_drops_its_oldest_entries() -> None:
    history = ",".join(str(number) for number in range(1000, 1400))
    before = {"deployment.kubernetes.io/revision": "1400", "deployment.kubernetes.io/revision-history": history}

    after = new_annotations({"note": "hello", "deployment.kubernetes.io/revision": "1500"}, before, 1501)

    kept = after["deployment.kubernetes.io/revision-history"].split(",")
    assert kept[-1] == "1400"
    assert len(",".join(kept)) <= 2000
    assert after["note"] == "hello"
    assert after["deployment.kubernetes.io/revision"] == "1501"
