"""DaemonSets: one pod on each node that fits."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, pod_template

from labs.api.store import Object, WatchEvent
from labs.controlplane.daemonset import node_allows, target_node
from labs.controlplane.workloads import start_workload_controllers
from labs.units import rfc3339

DAEMON_SETS = "daemonsets.apps"


def daemon_set(**spec: Any) -> Object:
    wanted = {"selector": {"matchLabels": {"app": "agent"}}, "template": pod_template("agent"), **spec}
    return {"metadata": {"name": "agent"}, "spec": wanted}


@pytest.fixture
def agents(cluster: Cluster) -> Cluster:
    """A cluster whose daemons are bound to their node and become Ready at once."""
    start_workload_controllers(cluster.api)

    def run_pod(event: WatchEvent) -> None:
        if event.type == "ADDED":
            metadata = event.object["metadata"]
            bound = cluster.client.bind(metadata["namespace"], metadata["name"], target_node(event.object))
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(cluster.loop.now_ns)}
            cluster.set_pod_status(bound, phase="Running", conditions=[ready])
        elif event.type == "MODIFIED" and "deletionTimestamp" in event.object["metadata"]:
            cluster.api.store.remove("pods", "shop", event.object["metadata"]["name"])

    cluster.client.subscribe("pods", run_pod)
    return cluster


def nodes_of(cluster: Cluster) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in cluster.pods())


def test_each_node_gets_one_daemon(agents: Cluster) -> None:
    agents.create(DAEMON_SETS, daemon_set())
    agents.run(2)
    assert nodes_of(agents) == ["node-0", "node-1", "node-2", "node-3"]

    agents.add_node("node-4", "zone-a")
    agents.run(2)

    assert nodes_of(agents)[-1] == "node-4"
    status = agents.get(DAEMON_SETS, "agent")["status"]
    assert (status["desiredNumberScheduled"], status["currentNumberScheduled"], status["numberReady"]) == (5, 5, 5)
    assert "numberUnavailable" not in status


def test_daemons_tolerate_trouble_and_aim_at_their_node(agents: Cluster) -> None:
    agents.create(DAEMON_SETS, daemon_set())

    agents.run(2)

    pod = agents.pods()[0]
    keys = {item["key"].removeprefix("node.kubernetes.io/") for item in pod["spec"]["tolerations"]}
    assert keys == {"not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"}
    assert pod["metadata"]["labels"]["pod-template-generation"] == "1"


def test_a_new_template_replaces_every_daemon(agents: Cluster) -> None:
    agents.create(DAEMON_SETS, daemon_set())
    agents.run(2)
    before = set(agents.names("pods"))

    agents.patch(DAEMON_SETS, "agent", lambda spec: {**spec, "template": pod_template("agent", "agent:v2")})
    agents.run(10)

    assert {pod["spec"]["containers"][0]["image"] for pod in agents.pods()} == {"agent:v2"}
    assert not before & set(agents.names("pods"))
    assert len(agents.pods()) == 4


def test_a_taint_keeps_daemons_away_unless_tolerated() -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    node = {"metadata": {"name": "n", "labels": {}}, "spec": {"taints": [taint]}}

    assert node_allows(node, {}) == (False, True)
    assert node_allows(node, {"tolerations": [{"key": "gpu", "operator": "Exists"}]}) == (True, True)
    assert node_allows(node, {"nodeSelector": {"disk": "ssd"}}) == (False, False)
