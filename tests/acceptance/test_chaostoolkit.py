"""Chaos Toolkit as it ships: the actions and probes of its Kubernetes extension, and an experiment from a file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from chaosk8s.deployment import actions as deployment_actions
from chaosk8s.deployment import probes as deployment_probes
from chaosk8s.event.probes import get_events
from chaosk8s.namespace import actions as namespace_actions
from chaosk8s.node import actions as node_actions
from chaosk8s.node import probes as node_probes
from chaosk8s.pod import actions as pod_actions
from chaosk8s.pod import probes as pod_probes
from chaosk8s.replicaset.actions import delete_replica_set
from chaosk8s.service import actions as service_actions
from chaosk8s.service import probes as service_probes
from chaoslib.exceptions import ActivityFailed
from kubernetes.config import kube_config
from lab_server import COMMAND_TIMEOUT_S, LabServer

from kubernetes import client

CHAOS = Path(sys.executable).with_name("chaos")
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "web", "image": "nginx:1.29", "ports": [{"containerPort": 80}]}],
            },
        },
    },
}
SERVICE = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
EXPERIMENT = {
    "title": "Killed pods come again",
    "description": "A Deployment keeps its number of pods.",
    "steady-state-hypothesis": {
        "title": "Three pods run",
        "probes": [
            {
                "type": "probe",
                "name": "three pods run",
                "tolerance": 3,
                "provider": {
                    "type": "python",
                    "module": "chaosk8s.pod.probes",
                    "func": "count_pods",
                    "arguments": {"label_selector": "app=web", "phase": "Running", "ns": "chaos"},
                },
            }
        ],
    },
    "method": [
        {
            "type": "action",
            "name": "kill two pods",
            "provider": {
                "type": "python",
                "module": "chaosk8s.pod.actions",
                "func": "terminate_pods",
                "arguments": {"label_selector": "app=web", "ns": "chaos", "qty": 2, "grace_period": 0},
            },
            "pauses": {"after": 1},
        }
    ],
    "rollbacks": [],
}


@pytest.fixture(scope="module", autouse=True)
def web(server: LabServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A namespace with a Service and a Deployment of three pods, made by the extension's own actions."""
    folder = tmp_path_factory.mktemp("specs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", server.ready["kubeconfig"])
        # The client reads that variable when it is imported, which was before.
        patch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", server.ready["kubeconfig"])
        patch.setenv("KUBERNETES_VERIFY_SSL", "true")
        # What it pauses for passes in the cluster.
        patch.setattr(time, "sleep", lambda seconds: server.advance(f"{round(seconds * 1000)}ms"))
        namespace_actions.create_namespace("chaos")
        server.advance("1s")
        for name, body in (("service", SERVICE), ("deployment", WEB)):
            (folder / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")
        service_actions.create_service_endpoint(str(folder / "service.json"), ns="chaos")
        deployment_actions.create_deployment(str(folder / "deployment.json"), ns="chaos")
        assert deployment_probes.deployment_fully_available("web", ns="chaos", label_selector="app=web", timeout=20)
        yield


def test_probes_of_pods_tell_how_many_there_are_and_how_they_are() -> None:
    web = {"label_selector": "app=web", "ns": "chaos"}
    assert pod_probes.count_pods(**web, phase="Running") == 3
    assert pod_probes.count_min_pods(**web, phase="Running", min_count=3)
    assert pod_probes.pods_in_phase(**web, phase="Running")
    assert pod_probes.pods_not_in_phase(**web, phase="Pending")
    assert pod_probes.pods_in_conditions(**web, conditions=[{"type": "Ready", "status": "True"}])
    assert pod_probes.all_pods_healthy(ns="chaos")
    assert len(pod_probes.read_pod_logs(**web)) == 3
    with pytest.raises(ActivityFailed, match="no pods 'app=none' were found"):
        pod_probes.pods_in_phase(label_selector="app=none", ns="chaos")


def test_terminated_pods_come_again(server: LabServer) -> None:
    killed = pod_actions.terminate_pods(label_selector="app=web", ns="chaos", qty=2, grace_period=0)
    assert len(killed) == 2
    assert pod_probes.count_pods(label_selector="app=web", ns="chaos", phase="Running") == 1
    by_half = pod_actions.terminate_pods(label_selector="app=web", ns="chaos", mode="percentage", qty=50, rand=True)
    assert len(by_half) in (1, 2)
    server.advance("30s")
    assert pod_probes.count_pods(label_selector="app=web", ns="chaos", phase="Running") == 3


def test_a_deployment_is_scaled_rolled_and_watched(server: LabServer) -> None:
    deployment_actions.scale_deployment("web", replicas=5, ns="chaos")
    assert deployment_probes.deployment_not_fully_available("web", ns="chaos", label_selector="app=web", timeout=20)
    assert deployment_probes.deployment_fully_available("web", ns="chaos", label_selector="app=web", timeout=20)
    deployment_actions.scale_deployment("web", replicas=3, ns="chaos")
    server.advance("20s")
    deployment_actions.rollout_deployment("web", ns="chaos")
    server.advance("30s")
    assert deployment_probes.deployment_available_and_healthy("web", ns="chaos")
    assert deployment_probes.deployment_partially_available("web", ns="chaos")
    delete_replica_set("web", ns="chaos", label_selector="app=web")
    server.advance("30s")
    assert deployment_probes.deployment_available_and_healthy("web", ns="chaos")


def test_probes_of_nodes_see_what_actions_do(server: LabServer) -> None:
    assert node_probes.all_nodes_must_be_ready_to_schedule()
    assert node_probes.nodes_must_be_healthy()
    rows = node_probes.get_all_node_status_conditions()
    assert all(row["Ready"] == "True" for row in rows)
    name = rows[0]["name"]
    assert len(node_probes.get_nodes()["items"]) == len(rows)
    node_actions.cordon_node(name=name)
    assert client.CoreV1Api().read_node(name).spec.unschedulable
    node_actions.uncordon_node(name=name)
    assert node_probes.all_nodes_must_be_ready_to_schedule()


def test_a_node_is_drained(server: LabServer) -> None:
    pods = client.CoreV1Api().list_namespaced_pod("chaos").items
    name = pods[0].spec.node_name
    assert node_actions.drain_nodes(name=name, delete_pods_with_local_storage=True, timeout=60) == [name]
    left = client.CoreV1Api().list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}").items
    assert {pod.metadata.owner_references[0].kind for pod in left} == {"DaemonSet"}
    node_actions.uncordon_node(name=name)
    server.advance("30s")
    assert pod_probes.count_pods(label_selector="app=web", ns="chaos", phase="Running") == 3


def test_services_are_found_until_they_are_deleted() -> None:
    assert service_probes.service_is_initialized("web", ns="chaos")
    service_actions.delete_service("web", ns="chaos")
    with pytest.raises(ActivityFailed, match="not initialized"):
        service_probes.service_is_initialized("web", ns="chaos")


def test_events_are_read() -> None:
    assert any(event["reason"] == "Scheduled" for event in get_events()["items"])


def test_an_experiment_runs_from_a_file(tmp_path: Path) -> None:
    """The pauses of an experiment are its own: the cluster lives on while it asks for nothing."""
    (tmp_path / "experiment.json").write_text(json.dumps(EXPERIMENT), encoding="utf-8")
    with LabServer(tmp_path / "lab", "--free-running", "--speed", "20") as server:
        for body in ({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "chaos"}}, WEB):
            assert server.kubectl("apply", "-n", "chaos", "-f", "-", text=json.dumps(body)).code == 0
        server.kubectl("rollout", "status", "-n", "chaos", "deploy/web")
        finished = subprocess.run(
            [str(CHAOS), "--no-version-check", "run", "--journal-path", "journal.json", "experiment.json"],
            cwd=tmp_path,
            env={**server.environment, "KUBERNETES_VERIFY_SSL": "true"},
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    journal = json.loads((tmp_path / "journal.json").read_text(encoding="utf-8"))
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    assert [step["status"] for step in journal["run"]] == ["succeeded"]
    assert len(journal["run"][0]["output"]) == 2
