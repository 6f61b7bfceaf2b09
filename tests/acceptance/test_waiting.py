"""Clients that wait, each as it ships: none hangs, and the clock stands again when they have what they wanted.

Every command here has a time limit in real seconds (COMMAND_TIMEOUT_S) and waits for something that takes
virtual time which nobody else moves.
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lab_server import LabServer

from kubernetes import client, config, watch
from labs.server.pacing import PAUSE_S, REPEATS

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: default}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: {grace_s}
      containers:
      - name: web
        image: example.com/web:v1
        lifecycle: {{preStop: {{sleep: {{seconds: {sleep_s}}}}}}}
"""


def deploy(server: LabServer, name: str, replicas: int = 2, sleep_s: int = 1) -> None:
    text = DEPLOYMENT.format(name=name, replicas=replicas, grace_s=sleep_s + 5, sleep_s=sleep_s)
    applied = server.kubectl("apply", "-f", "-", text=text)
    assert applied.code == 0, applied.error


@pytest.fixture
def core(server: LabServer) -> client.CoreV1Api:
    return client.CoreV1Api(config.new_client_from_config(server.ready["kubeconfig"]))


def stands(server: LabServer) -> bool:
    """Whether the clock stands: quick looks do not move it."""
    return len({server.now() for _ in range(20)}) == 1


def test_rollout_status_ends_when_the_pods_are_ready(server: LabServer) -> None:
    deploy(server, "rolled")
    before = server.now()
    printed = server.kubectl("rollout", "status", "deploy/rolled")
    assert printed.out.splitlines()[-1] == 'deployment "rolled" successfully rolled out'
    assert server.now() > before
    assert stands(server)


def test_the_clock_halts_at_the_event_that_ends_the_waiting(server: LabServer) -> None:
    deploy(server, "exact")
    server.kubectl("rollout", "status", "deploy/exact")
    conditions = server.api("GET", "/apis/apps/v1/namespaces/default/deployments/exact").json()["status"]["conditions"]
    ready = next(item for item in conditions if item["type"] == "Available")["lastUpdateTime"]
    assert server.now()[:19] + "Z" == ready


def test_the_same_waiting_takes_the_same_virtual_time(tmp_path: Path) -> None:
    """Two servers, one seed: however fast the machine is."""
    times = []
    for name in ("a", "b"):
        with LabServer(tmp_path / name) as server:
            deploy(server, "web", replicas=3)
            server.kubectl("rollout", "status", "deploy/web")
            server.kubectl("wait", "--for=condition=Available", "deploy/web")
            times.append(server.now())
    assert times[0] == times[1]


def test_wait_ends_when_the_condition_is_met(server: LabServer) -> None:
    deploy(server, "awaited")
    printed = server.kubectl("wait", "--for=condition=Available", "deploy/awaited", "--timeout=60s")
    assert (printed.out, printed.code) == ("deployment.apps/awaited condition met\n", 0)
    printed = server.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deploy/awaited", "--timeout=60s")
    assert (printed.out, printed.code) == ("deployment.apps/awaited condition met\n", 0)


def test_delete_waits_for_the_end_of_the_pod(server: LabServer) -> None:
    deploy(server, "deleted", replicas=1, sleep_s=20)
    server.kubectl("rollout", "status", "deploy/deleted")
    pod = server.kubectl("get", "pods", "-l", "app=deleted", "-o", "jsonpath={.items[0].metadata.name}").out
    printed = server.kubectl("delete", "pod", pod)
    assert (printed.out, printed.code) == (f'pod "{pod}" deleted from default namespace\n', 0)
    assert server.api("GET", f"/api/v1/namespaces/default/pods/{pod}").status == 404
    assert stands(server)


def test_a_namespace_is_deleted_with_all_that_is_in_it(server: LabServer) -> None:
    server.kubectl("create", "namespace", "short")
    server.kubectl("create", "deployment", "web", "--image=example.com/web:v1", "--replicas=2", "-n", "short")
    server.kubectl("rollout", "status", "deploy/web", "-n", "short")
    assert server.kubectl("delete", "namespace", "short").out == 'namespace "short" deleted\n'
    assert server.kubectl("get", "pods", "-n", "short").text == "No resources found in short namespace.\n"


def test_drain_waits_for_the_pods_and_for_their_budget(server: LabServer) -> None:
    deploy(server, "drained", replicas=4, sleep_s=2)
    server.kubectl("create", "pdb", "drained", "--selector=app=drained", "--min-available=3")
    server.kubectl("rollout", "status", "deploy/drained")
    node = server.kubectl("get", "pods", "-l", "app=drained", "-o", "jsonpath={.items[0].spec.nodeName}").out
    printed = server.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=50s")
    assert printed.out.splitlines()[-1] == f"node/{node} drained", printed.error
    on_node = server.kubectl("get", "pods", "-l", "app=drained", "--field-selector", f"spec.nodeName={node}")
    assert on_node.text == "No resources found in default namespace.\n"
    assert server.kubectl("uncordon", node).code == 0


def test_a_watch_of_the_python_client_hears_what_happens(server: LabServer, core: client.CoreV1Api) -> None:
    deploy(server, "watched", replicas=1)
    seen = []
    for event in watch.Watch().stream(core.list_namespaced_pod, "default", label_selector="app=watched"):
        seen.append(event["type"])
        if any(item.type == "Ready" and item.status == "True" for item in event["object"].status.conditions or ()):
            break
    assert seen[0] == "ADDED"
    assert set(seen[1:]) == {"MODIFIED"}


def test_a_watch_ends_at_its_timeout_although_nothing_happens(server: LabServer, core: client.CoreV1Api) -> None:
    before = server.now()
    stream = watch.Watch().stream(core.list_namespaced_secret, "default", timeout_seconds=20)
    assert list(stream) == []
    assert server.now() > before


def test_a_polling_loop_gets_there(server: LabServer, core: client.CoreV1Api) -> None:
    deploy(server, "polled", replicas=1)
    pause = threading.Event()
    for _ in range(40):
        pods: list[Any] = core.list_namespaced_pod("default", label_selector="app=polled").items
        if pods and pods[0].status.phase == "Running":
            break
        pause.wait(0.25)
    assert pods[0].status.phase == "Running"


def test_quick_looks_do_not_move_the_clock(server: LabServer, core: client.CoreV1Api) -> None:
    """On a machine so slow that looks come late, two late ones are a client that waits."""
    before = server.now()
    looks_s = []
    for _ in range(100):
        looks_s.append(time.monotonic())
        core.list_namespaced_pod("default")
    late = sum(later_s - sooner_s > PAUSE_S / 2 for sooner_s, later_s in pairwise(looks_s))
    assert server.now() == before or late >= REPEATS - 1


def test_a_watch_that_is_hung_up_waits_no_more(server: LabServer) -> None:
    connection = server.connection()
    connection.request("GET", "/api/v1/secrets?watch=true", headers={"Authorization": f"Bearer {server.token}"})
    connection.getresponse()
    before = server.now()
    for _ in range(1_000):
        if server.now() > before:
            break
    assert server.now() > before
    connection.close()
    server.now()
    assert stands(server)
