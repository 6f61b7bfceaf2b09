"""What a kubelet does beyond starting and stopping: hooks, deadlines, configuration, memory, the end of its node."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_rig import Cluster, build_cluster
from shop_rig import Shop, build_shop

from labs.dataplane.images import name_error, pull_error
from labs.dataplane.kubelet.pressure import Candidate, rank
from labs.dataplane.kubelet.shutdown import CRITICAL_PRIORITY


def shell(text: str, **fields: Any) -> dict[str, Any]:
    return {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", text], **fields}


@pytest.fixture
def node(cluster: Cluster) -> str:
    name = cluster.node()
    cluster.run(1)
    return name


def log(cluster: Cluster, name: str, container: str = "main", previous: bool = False) -> str:
    file = cluster.kubelets.logs.get(cluster.get(name)["metadata"]["uid"], container, previous)
    assert file is not None
    return file.read()


# Hooks.


def test_post_start_hook_holds_back_the_running_state(cluster: Cluster, node: str) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 4; echo ready > /tmp/hooked"]}}}
    cluster.pod("web", node, container=shell("sleep 8; cat /tmp/hooked; sleep 1000", lifecycle=hook))
    cluster.run(5)
    assert cluster.container("web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    cluster.run(10)
    assert cluster.is_ready("web")
    assert log(cluster, "web") == "ready\n"


@pytest.mark.parametrize(
    "hook", [{"exec": {"command": ["sh", "-c", "exit 2"]}}, {"httpGet": {"port": 8080, "path": "/warm"}}]
)
def test_failed_post_start_hook_kills_the_container_and_it_backs_off(
    cluster: Cluster, node: str, hook: dict[str, Any]
) -> None:
    container = shell("trap 'exit 0' TERM; while true; do sleep 1; done", lifecycle={"postStart": hook})
    cluster.pod("web", node, container=container)
    cluster.run(12)
    events = cluster.events("web")
    assert "FailedPostStartHook: PostStartHook failed" in events
    assert "Killing: FailedPostStartHook" in events
    assert cluster.container("web")["restartCount"] >= 1
    assert not cluster.is_ready("web")


def test_pre_stop_hook_runs_in_the_container_and_its_failure_is_told(cluster: Cluster, node: str) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 3; cat /nothing"]}}}
    trap = "trap 'echo bye; exit 0' TERM; while true; do sleep 1; done"
    cluster.pod("web", node, container=shell(trap, lifecycle=hook))
    cluster.run(10)
    statuses: list[dict[str, Any]] = []
    cluster.client.subscribe("pods", lambda event: statuses.append(event.object["status"]))
    cluster.delete("web")
    cluster.run(2.5)
    assert "FailedPreStopHook: PreStopHook failed" not in cluster.events("web")
    cluster.run(5)
    assert "FailedPreStopHook: PreStopHook failed" in cluster.events("web")
    assert cluster.client.get("pods", "default", "web") is None
    assert statuses[-1]["phase"] == "Succeeded", "the trap heard TERM"


def test_endless_pre_stop_hook_ends_with_the_grace(cluster: Cluster, node: str) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "while true; do sleep 1; done"]}}}
    cluster.pod("web", node, container={"lifecycle": hook}, terminationGracePeriodSeconds=10)
    cluster.run(10)
    cluster.delete("web")
    cluster.run(9.5)
    assert cluster.phase("web") == "Running"
    cluster.run(4)
    assert cluster.client.get("pods", "default", "web") is None


# Order of the end.


def test_sidecars_end_one_after_the_other_in_reverse_once_the_others_have(cluster: Cluster, node: str) -> None:
    slow = "trap 'sleep 2; exit 0' TERM; while true; do sleep 0.1; done"
    sidecars = [{**shell(slow), "name": name, "restartPolicy": "Always"} for name in ("first", "second")]
    cluster.pod("web", node, initContainers=sidecars, container=shell(slow), terminationGracePeriodSeconds=60)
    cluster.run(15)
    assert cluster.is_ready("web")
    ends: dict[str, str] = {}

    def note(event: Any) -> None:
        status = event.object["status"]
        for entry in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
            if "terminated" in entry["state"]:
                ends.setdefault(entry["name"], entry["state"]["terminated"]["finishedAt"])

    cluster.client.subscribe("pods", note)
    cluster.delete("web")
    cluster.run(0.1)
    killings = [text for text in cluster.events("web") if text.startswith("Killing")]
    assert len(killings) == 3, "every container is told at once"
    cluster.run(15)
    assert cluster.client.get("pods", "default", "web") is None
    assert ends["main"] < ends["second"] < ends["first"]


def test_init_container_that_may_not_run_again_fails_the_pod(cluster: Cluster, node: str) -> None:
    init = [{**shell("exit 3"), "name": "init"}]
    cluster.pod("job", node, restartPolicy="Never", initContainers=init, container=shell("echo never"))
    cluster.run(10)
    assert cluster.phase("job") == "Failed"
    assert cluster.condition("job", "Initialized")["reason"] == "PodFailed"
    assert cluster.container("job")["restartCount"] == 0


def test_init_container_runs_again_with_back_off_where_it_may(cluster: Cluster, node: str) -> None:
    init = [{**shell("exit 3"), "name": "init"}]
    cluster.pod("web", node, initContainers=init, container=shell("sleep 1000"))
    cluster.run(30)
    entry = cluster.get("web")["status"]["initContainerStatuses"][0]
    assert entry["restartCount"] >= 1
    assert entry["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert cluster.phase("web") == "Pending"


def test_container_has_a_restart_policy_of_its_own(cluster: Cluster, node: str) -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    once = shell("sleep 1; exit 1", restartPolicy="Never", restartPolicyRules=[rule])
    again = {**shell("sleep 1; exit 42", restartPolicy="Never", restartPolicyRules=[rule]), "name": "again"}
    cluster.pod("web", node, containers=[once, again])
    cluster.run(12)
    counts = {entry["name"]: entry["restartCount"] for entry in cluster.get("web")["status"]["containerStatuses"]}
    assert counts["main"] == 0
    assert counts["again"] >= 1


# Deadline, configuration, images.


def test_active_deadline_fails_the_pod_and_keeps_it(cluster: Cluster, node: str) -> None:
    container = shell("trap 'exit 0' TERM; while true; do sleep 1; done")
    cluster.pod("job", node, activeDeadlineSeconds=20, restartPolicy="Never", container=container)
    cluster.run(18)
    assert cluster.phase("job") == "Running"
    cluster.run(6)
    status = cluster.get("job")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status["message"] == "Pod was active on the node longer than the specified deadline"
    cluster.delete("job")
    cluster.run(3)
    assert cluster.client.get("pods", "default", "job") is None


def test_missing_configuration_holds_the_container_until_it_is_there(cluster: Cluster, node: str) -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "mode"}}
    cluster.pod("web", node, container=shell("echo $MODE; sleep 1000", env=[{"name": "MODE", "valueFrom": source}]))
    cluster.run(10)
    waiting = cluster.container("web")["state"]["waiting"]
    assert waiting == {"reason": "CreateContainerConfigError", "message": 'configmap "settings" not found'}
    assert 'Failed: Error: configmap "settings" not found' in cluster.events("web")
    settings = {"metadata": {"name": "settings", "namespace": "default"}, "data": {"other": "x"}}
    made = cluster.client.create("configmaps", settings)
    cluster.run(20)
    waiting = cluster.container("web")["state"]["waiting"]
    assert waiting["message"] == "couldn't find key mode in ConfigMap default/settings"
    cluster.client.update("configmaps", {**made, "data": {"mode": "fast"}})
    cluster.run(20)
    assert log(cluster, "web") == "fast\n"


def test_missing_volume_holds_the_pod_until_it_is_there(cluster: Cluster, node: str) -> None:
    volumes = [{"name": "conf", "configMap": {"name": "settings"}}]
    mounts = [{"name": "conf", "mountPath": "/conf"}]
    cluster.pod("web", node, volumes=volumes, container=shell("cat /conf/mode; echo; sleep 1000", volumeMounts=mounts))
    cluster.run(5)
    assert 'FailedMount: MountVolume.SetUp failed for volume "conf" : configmap "settings" not found' in (
        cluster.events("web")
    )
    assert cluster.container("web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    cluster.client.create(
        "configmaps", {"metadata": {"name": "settings", "namespace": "default"}, "data": {"mode": "fast"}}
    )
    cluster.run(20)
    assert log(cluster, "web") == "fast\n"


def test_empty_dir_is_shared_and_a_claim_outlives_its_pod(cluster: Cluster, node: str) -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "shop"}}, {"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/shared"}]
    init = [{**shell("echo shared > /shared/f", volumeMounts=mounts), "name": "init"}]
    text = "cat /shared/f; cat /data/f; echo kept > /data/f"
    for name in ("one", "two"):
        cluster.pod(
            name,
            node,
            volumes=volumes,
            initContainers=init,
            restartPolicy="Never",
            container=shell(text, volumeMounts=mounts),
        )
        cluster.run(15)
    assert "can't open '/data/f'" in log(cluster, "one")
    assert log(cluster, "two") == "shared\nkept\n"


@pytest.mark.parametrize(
    ("image", "error"),
    [
        ("nginx:1.29", ""),
        ("nginx:1.29.1-alpine", ""),
        ("nginx:1.161", "not found"),
        ("busybox:1.99", "not found"),
        ("example.com/shop/frontend:v2.1", ""),
        ("public.ecr.aws/chaos-crunch/frontend:broken", "not found"),
        ("example.com/any/thing:whatever", ""),
        ("example.com/any/thing:does-not-exist", "not found"),
        ("registry.invalid/shop:1", "no such host"),
    ],
)
def test_which_images_exist_is_a_rule(image: str, error: str) -> None:
    found = pull_error(image)
    assert (error in found) if error else not found


@pytest.mark.parametrize(
    ("image", "is_wrong"),
    [("nginx", False), ("a.b/c/d:1", False), ("Nginx:1", True), ("nginx:", True), ("ng inx", True), ("a/B", True)],
)
def test_names_of_images_are_checked(image: str, is_wrong: bool) -> None:
    assert bool(name_error(image)) == is_wrong


def test_wrong_tag_and_wrong_name_are_told_as_the_runtime_tells_them(cluster: Cluster, node: str) -> None:
    cluster.pod("typo", node, container={"image": "nginx:1.161"})
    cluster.pod("name", node, container={"image": "Nginx:1"})
    cluster.run(8)
    name = "docker.io/library/nginx:1.161"
    start = f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": failed to resolve reference'
    error = f'{start} "{name}": {name}: not found'
    events = cluster.events("typo")
    assert f'Failed: Failed to pull image "nginx:1.161": {error}' in events
    assert "Failed: Error: ImagePullBackOff" in events
    waiting = cluster.container("typo")["state"]["waiting"]
    assert waiting["message"] == f'Back-off pulling image "nginx:1.161": ErrImagePull: {error}'
    waiting = cluster.container("name")["state"]["waiting"]
    assert waiting["reason"] == "InvalidImageName"
    assert waiting["message"].endswith("repository name (library/Nginx) must be lowercase")


# Probes that run commands, and last words.


def test_exec_probe_reads_the_container_s_files(cluster: Cluster, node: str) -> None:
    """The liveness example of the Kubernetes documentation."""
    text = "touch /tmp/healthy; sleep 30; rm -f /tmp/healthy; sleep 600"
    probe = {"exec": {"command": ["cat", "/tmp/healthy"]}, "initialDelaySeconds": 5, "periodSeconds": 5}
    cluster.pod("live", node, container=shell(text, livenessProbe=probe), terminationGracePeriodSeconds=5)
    cluster.run(32)
    assert cluster.container("live")["restartCount"] == 0
    cluster.run(30)
    assert cluster.container("live")["restartCount"] == 1
    text = "Unhealthy: Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n"
    assert text in cluster.events("live")


def test_probe_of_a_port_that_nothing_listens_on_fails(cluster: Cluster, node: str) -> None:
    probe = {"tcpSocket": {"port": 80}, "periodSeconds": 1}
    cluster.pod("web", node, container=shell("sleep 1000", readinessProbe=probe))
    cluster.run(10)
    assert not cluster.is_ready("web")
    assert any("connection refused" in text for text in cluster.events("web"))


def test_last_words_come_from_the_file_or_from_the_log(cluster: Cluster, node: str) -> None:
    cluster.pod("file", node, restartPolicy="Never", container=shell("echo sad > /dev/termination-log; exit 1"))
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    cluster.pod("log", node, restartPolicy="Never", container=shell("echo one; echo two; exit 1", **policy))
    cluster.run(10)
    messages = [cluster.container(name)["state"]["terminated"]["message"] for name in ("file", "log")]
    assert messages == ["sad\n", "one\ntwo\n"]


def test_init_container_waits_for_a_service(cluster: Cluster, node: str) -> None:
    """The init container example of the Kubernetes documentation, on a node without a network: it never starts."""
    init = [{**shell("until nslookup mydb; do echo waiting for mydb; sleep 2; done"), "name": "init"}]
    cluster.pod("app", node, initContainers=init, container=shell("sleep 1000"))
    cluster.run(12)
    assert log(cluster, "app", "init").count("waiting for mydb") >= 3
    assert cluster.phase("app") == "Pending"


# Memory.


@pytest.fixture
def shop() -> Shop:
    return build_shop()


def stress(size: str, limit: str | None) -> dict[str, Any]:
    resources = {"limits": {"memory": limit}} if limit else {}
    arguments = ["--vm", "1", "--vm-bytes", size, "--vm-hang", "1"]
    return {"command": ["stress"], "args": arguments, "resources": resources}


def test_more_memory_than_the_limit_is_oom_killed(shop: Shop) -> None:
    """The memory examples of the Kubernetes documentation."""
    shop.pod("within-0", "polinux/stress", container=stress("150M", "200Mi"))
    shop.pod("above-0", "polinux/stress", container=stress("250M", "100Mi"))
    shop.run(30)
    within, above = (shop.client.require("pods", "default", name)["status"] for name in ("within-0", "above-0"))
    assert within["containerStatuses"][0]["restartCount"] == 0
    entry = above["containerStatuses"][0]
    ended = entry["state"].get("terminated") or entry["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    assert entry["restartCount"] >= 1


def test_server_that_does_not_fit_into_its_limit_never_starts(shop: Shop) -> None:
    shop.pod("frontend-0", "example.com/shop/frontend:1", container={"resources": {"limits": {"memory": "64Mi"}}})
    shop.run(20)
    entry = shop.client.require("pods", "default", "frontend-0")["status"]["containerStatuses"][0]
    ended = entry["state"].get("terminated") or entry["lastState"]["terminated"]
    assert ended["reason"] == "OOMKilled"


def test_server_dies_of_the_calls_that_it_holds(shop: Shop) -> None:
    shop.service("frontend")
    demand = {"memory_mib": 60, "memory_mib_per_call": 2.0, "cpu_ms": 400, "calls": [], "startup_s": 1}
    shop.frontends(1, demand, resources={"limits": {"memory": "100Mi", "cpu": "1"}})
    shop.run(20)
    shop.shoppers(200, "http://frontend")
    shop.run(10)
    entry = shop.client.require("pods", "default", "frontend-0")["status"]["containerStatuses"][0]
    assert entry["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert shop.outcomes().get("RESET", 0) >= 20


def test_fault_that_takes_memory_meets_the_limit(shop: Shop) -> None:
    shop.pod("frontend-0", "example.com/shop/frontend:1", container={"resources": {"limits": {"memory": "200Mi"}}})
    shop.run(20)
    pod = shop.client.require("pods", "default", "frontend-0")
    kubelet = shop.dataplane.kubelets.get(pod["spec"]["nodeName"])
    assert kubelet is not None
    kubelet.take_memory(pod["metadata"]["uid"], "main", 50 * 1024**2)
    shop.run(5)
    assert shop.client.require("pods", "default", "frontend-0")["status"]["containerStatuses"][0]["restartCount"] == 0
    kubelet.take_memory(pod["metadata"]["uid"], "main", 80 * 1024**2)
    shop.run(5)
    assert shop.client.require("pods", "default", "frontend-0")["status"]["containerStatuses"][0]["restartCount"] == 1


def test_node_without_memory_evicts_whoever_exceeds_its_request(shop: Shop) -> None:
    requests = {"requests": {"memory": "6Gi"}}
    big = stress("6G", None)
    shop.pod("kept-0", "polinux/stress", container={**big, "args": [*big["args"][:3], "4G"], "resources": requests})
    shop.pod("greedy-0", "polinux/stress", container={**big, "args": [*big["args"][:3], "12G"]})
    shop.run(30)
    status = shop.client.require("pods", "default", "greedy-0")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert status["message"].startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    target = next(item for item in status["conditions"] if item["type"] == "DisruptionTarget")
    assert target["reason"] == "TerminationByKubelet"
    assert shop.phase("kept-0") == "Running"
    node = shop.client.require("nodes", "", shop.nodes[0])
    pressure = next(item for item in node["status"]["conditions"] if item["type"] == "MemoryPressure")
    assert (pressure["status"], pressure["reason"]) == ("True", "KubeletHasInsufficientMemory")
    shop.run(330)
    node = shop.client.require("nodes", "", shop.nodes[0])
    assert next(item for item in node["status"]["conditions"] if item["type"] == "MemoryPressure")["status"] == "False"


def test_ranking_is_by_request_then_priority_then_usage() -> None:
    pods = [
        Candidate("within", 900, 1000, 0),
        Candidate("above and important", 900, 100, 10),
        Candidate("a little above", 200, 100, 0),
        Candidate("far above", 800, 100, 0),
    ]
    assert [each.uid for each in rank(pods)] == ["far above", "a little above", "above and important", "within"]


# The end of the node.


def test_stopped_instance_shuts_its_pods_down_in_two_steps(cluster: Cluster, node: str) -> None:
    trap = "trap 'echo told; exit 0' TERM; while true; do sleep 1; done"
    cluster.pod("web", node, container=shell(trap), restartPolicy="Always")
    cluster.pod("stubborn", node, container=shell("sleep 100000"))
    cluster.pod("agent", node, container=shell(trap), priority=CRITICAL_PRIORITY)
    cluster.run(10)
    instance = cluster.cloud.instances()[0]
    cluster.cloud.stop(instance.id)
    cluster.run(0.1)
    ready = next(
        item for item in cluster.client.require("nodes", "", node)["status"]["conditions"] if item["type"] == "Ready"
    )
    assert (ready["status"], ready["message"]) == ("False", "node is shutting down")
    cluster.pod("late", node, container=shell(trap))
    cluster.run(10)
    late = cluster.get("late")["status"]
    assert (late["phase"], late["reason"]) == ("Failed", "NodeShutdown")
    assert late["message"] == "Pod was rejected as the node is shutting down."
    assert cluster.phase("agent") == "Running", "critical pods end last"
    cluster.run(30)
    text = "Pod was terminated in response to imminent node shutdown."
    for name in ("web", "stubborn", "agent"):
        status = cluster.get(name)["status"]
        assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Terminated", text)
        assert cluster.condition(name, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    cluster.run(60)
    found = cluster.cloud.instance(instance.id)
    assert found is not None
    assert found.state == "stopped"


def test_same_seed_gives_the_same_shutdown() -> None:
    def digest() -> str:
        cluster = build_cluster(5)
        name = cluster.node()
        cluster.run(1)
        cluster.pod("web", name, container=shell("while true; do date; sleep 3; done"))
        cluster.run(20)
        cluster.cloud.terminate(cluster.cloud.instances()[0].id)
        cluster.run(120)
        return cluster.trace.digest()

    assert digest() == digest()
