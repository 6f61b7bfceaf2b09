"""Pods on a node, from the binding to the removal."""

from __future__ import annotations

from itertools import pairwise

from cluster_rig import Cluster, build_cluster

SLEEP_FOREVER = {"image": "busybox:1.36", "command": ["sh", "-c", "sleep 1000000"]}


def shell(text: str) -> dict[str, object]:
    return {"image": "busybox:1.36", "command": ["sh", "-c", text]}


def test_pod_runs_and_tells_the_steps_in_order(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("web", node)
    cluster.run(0.1)
    assert cluster.phase("web") == "Pending"
    assert cluster.container("web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert cluster.container("web")["started"] is False
    cluster.run(10)
    assert cluster.phase("web") == "Running"
    assert cluster.is_ready("web")
    assert [text.split(":")[0] for text in cluster.events("web")] == ["Pulling", "Pulled", "Created", "Started"]
    status = cluster.get("web")["status"]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["podIP"].startswith("10.0.")
    assert cluster.container("web")["imageID"].startswith("docker.io/library/nginx@sha256:")


def test_second_pod_finds_the_image_on_the_machine(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("one", node)
    cluster.run(10)
    cluster.pod("two", node)
    cluster.run(10)
    assert 'Pulled: Container image "nginx:1.29" already present on machine' in cluster.events("two")


def test_images_are_pulled_one_after_the_other(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    for number in range(3):
        cluster.pod(f"p{number}", node, container={"image": f"example.com/big{number}:1"})
    cluster.run(120)
    pulled = [text for number in range(3) for text in cluster.events(f"p{number}") if text.startswith("Pulled")]
    alone = [text for text in pulled if text.split(" in ")[1].split(" ")[0] == text.split("(")[1].split(" ")[0]]
    assert len(pulled) == 3
    assert len(alone) == 1, "only the first pull does not wait"


def test_job_like_pod_succeeds_and_keeps_its_log(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("job", node, restartPolicy="Never", container=shell("echo hello; sleep 3; exit 0"))
    cluster.run(20)
    assert cluster.phase("job") == "Succeeded"
    assert cluster.container("job")["state"]["terminated"]["reason"] == "Completed"
    file = cluster.kubelets.logs.get(cluster.get("job")["metadata"]["uid"], "main")
    assert file is not None
    assert file.read() == "hello\n"


def test_failed_pod_of_policy_never_stays_failed(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("job", node, restartPolicy="Never", container=shell("sleep 1; exit 3"))
    cluster.run(20)
    assert cluster.phase("job") == "Failed"
    assert cluster.container("job")["state"]["terminated"]["exitCode"] == 3
    assert cluster.container("job")["restartCount"] == 0


def test_crashing_container_waits_longer_each_time(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("bad", node, container=shell("exit 1"))
    starts = []
    for _ in range(3000):
        cluster.run(0.1)
        state = cluster.container("bad")
        terminated = state["state"].get("terminated") or state["lastState"].get("terminated")
        if terminated and terminated["containerID"] not in [known for known, _ in starts]:
            starts.append((terminated["containerID"], cluster.seconds))
    waits = [later - earlier for (_, earlier), (_, later) in pairwise(starts)]
    assert waits[0] < 3
    for wait, least in zip(waits[1:], (10, 20, 40, 80), strict=False):
        assert least <= wait <= least * 1.5 + 4
    assert cluster.phase("bad") == "Running"
    uid = cluster.get("bad")["metadata"]["uid"]
    text = f"BackOff: Back-off restarting failed container main in pod bad_default({uid})"
    assert text in cluster.events("bad")


def test_image_that_cannot_be_pulled_backs_off(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("lost", node, container={"image": "registry.invalid/shop:1"})
    cluster.run(1.8)
    reasons = set()
    for _ in range(600):
        cluster.run(0.1)
        reasons.add(cluster.container("lost")["state"]["waiting"]["reason"])
    assert {"ErrImagePull", "ImagePullBackOff"} <= reasons
    events = cluster.events("lost")
    assert "Failed: Error: ErrImagePull" in events
    assert 'BackOff: Back-off pulling image "registry.invalid/shop:1"' in events
    assert cluster.phase("lost") == "Pending"


def test_init_containers_run_first_one_by_one(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    init = [{"name": f"init{number}", **shell("sleep 2")} for number in range(2)]
    cluster.pod("web", node, initContainers=init)
    cluster.run(4)
    assert cluster.condition("web", "Initialized")["message"] == "containers with incomplete status: [init0 init1]"
    assert cluster.container("web")["state"] == {"waiting": {"reason": "PodInitializing"}}
    cluster.run(20)
    assert cluster.is_ready("web")
    first, second = cluster.get("web")["status"]["initContainerStatuses"]
    assert first["state"]["terminated"]["finishedAt"] <= second["state"]["terminated"]["startedAt"]


def test_sidecar_ends_after_the_job_and_the_pod_succeeds(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    sidecar = {"name": "proxy", "image": "example.com/proxy:1", "restartPolicy": "Always"}
    cluster.pod("job", node, restartPolicy="Never", initContainers=[sidecar], container=shell("sleep 5"))
    cluster.run(10)
    assert cluster.get("job")["status"]["initContainerStatuses"][0]["started"] is True
    assert cluster.phase("job") == "Running"
    cluster.run(10)
    assert cluster.phase("job") == "Succeeded"
    assert "terminated" in cluster.get("job")["status"]["initContainerStatuses"][0]["state"]


def test_crashing_sidecar_does_not_make_the_pod_pending_again(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    sidecar = {"name": "proxy", "restartPolicy": "Always", **shell("sleep 4; exit 1")}
    cluster.pod("web", node, initContainers=[sidecar])
    phases = []
    for _ in range(60):
        cluster.run(0.5)
        phases.append(cluster.phase("web"))
    assert phases == sorted(phases), "Pending, then Running"
    assert cluster.get("web")["status"]["initContainerStatuses"][0]["restartCount"] >= 1


def test_pod_deleted_in_the_moment_of_its_end_does_not_stay(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("job", node, restartPolicy="Never", container=shell("sleep 5"))
    cluster.run(2)
    while cluster.phase("job") != "Succeeded":
        assert cluster.loop.next_ns is not None
        cluster.loop.run_until(cluster.loop.next_ns)
    # The deletion was stored a moment before the last status, and the kubelet hears of it after.
    finished = cluster.get("job")
    metadata = {**finished["metadata"], "deletionTimestamp": "2026-03-02T09:00:40Z", "deletionGracePeriodSeconds": 30}
    cluster.api.store.put("pods", {**finished, "metadata": metadata})
    cluster.run(3)
    assert cluster.client.get("pods", "default", "job") is None


def test_deletion_waits_for_the_program_and_frees_the_name(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("web", node)
    cluster.run(10)
    cluster.delete("web")
    cluster.run(0.1)
    assert "Killing: Stopping container main" in cluster.events("web")
    cluster.run(2)
    assert cluster.client.get("pods", "default", "web") is None


def test_program_without_handler_for_term_is_killed_at_the_end_of_the_grace(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("stubborn", node, container=SLEEP_FOREVER, terminationGracePeriodSeconds=30)
    cluster.run(10)
    statuses = []
    cluster.client.subscribe("pods", lambda event: statuses.append((cluster.seconds, event.object["status"])))
    begun = cluster.seconds
    cluster.delete("stubborn")
    cluster.run(29.9)
    assert cluster.phase("stubborn") == "Running"
    cluster.run(2)
    assert cluster.client.get("pods", "default", "stubborn") is None
    at, last = statuses[-1]
    assert 30 <= at - begun <= 31.1
    assert last["phase"] == "Failed"
    assert last["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_pre_stop_sleep_comes_before_term_within_the_grace(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 5"]}}}
    cluster.pod("web", node, container={"lifecycle": hook})
    cluster.run(10)
    cluster.delete("web")
    cluster.run(4.9)
    assert cluster.phase("web") == "Running"
    cluster.run(1.3)
    assert cluster.client.get("pods", "default", "web") is None


def test_force_deletion_removes_the_object_at_once_and_the_process_soon(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("stubborn", node, container=SLEEP_FOREVER)
    cluster.run(10)
    kubelet = cluster.kubelets.get(node)
    assert kubelet is not None
    cluster.delete("stubborn", 0)
    assert cluster.client.get("pods", "default", "stubborn") is None
    cluster.run(0.5)
    assert kubelet.workers, "TERM has been sent, KILL has not"
    cluster.run(2)
    assert not kubelet.workers


def test_second_deletion_shortens_the_grace(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("stubborn", node, container=SLEEP_FOREVER)
    cluster.run(10)
    cluster.delete("stubborn", 60)
    cluster.run(5)
    cluster.delete("stubborn", 3)
    cluster.run(4.2)
    assert cluster.client.get("pods", "default", "stubborn") is None


def test_pod_deleted_while_its_image_is_pulled_leaves_no_trace(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    cluster.pod("slow", node, container={"image": "postgres:17"})
    cluster.run(1.5)
    cluster.delete("slow")
    cluster.run(30)
    assert cluster.client.get("pods", "default", "slow") is None
    assert not any(text.startswith("Started") for text in cluster.events("slow"))


def test_killed_container_starts_again_and_counts(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    pod = cluster.pod("web", node)
    cluster.run(10)
    kubelet = cluster.kubelets.get(node)
    assert kubelet is not None
    kubelet.kill_container(pod["metadata"]["uid"], "main", "OOMKilled")
    cluster.run(5)
    state = cluster.container("web")
    assert state["restartCount"] == 1
    assert state["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert state["lastState"]["terminated"]["exitCode"] == 137
    assert cluster.is_ready("web")


def test_nothing_happens_in_a_steady_cluster_but_heartbeats(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    for number in range(20):
        cluster.pod(f"p{number}", node, container={"readinessProbe": probe, "livenessProbe": probe})
    cluster.run(60)
    before = cluster.loop.events_run
    cluster.run(100)
    # Ten renewals of the lease, each with its watch event, and at most one node status.
    assert cluster.loop.events_run - before <= 24


def test_same_seed_gives_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        cluster = build_cluster(seed)
        node = cluster.node(is_prebooted=False)
        cluster.run(90)
        for number in range(5):
            cluster.pod(f"p{number}", node, container=shell("sleep 7; exit 1"))
        cluster.run(300)
        return cluster.trace.digest() + str(cluster.events("p1"))

    assert digest(3) == digest(3)
    assert digest(3) != digest(4)
