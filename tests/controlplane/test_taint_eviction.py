from typing import Any

import pytest
from fleet import BareCluster, node, pod

from labs.api.client import Client
from labs.controlplane import taint_eviction
from labs.controlplane.taint_eviction import TaintEviction, toleration_s

UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
MAINTENANCE = {"key": "maintenance", "value": "yes", "effect": "NoExecute"}


def tolerating(taint: dict[str, Any], seconds: int | None = None) -> dict[str, Any]:
    toleration = {"key": taint["key"], "operator": "Exists", "effect": "NoExecute"}
    return toleration if seconds is None else {**toleration, "tolerationSeconds": seconds}


@pytest.fixture
def cluster() -> BareCluster:
    cluster = BareCluster()
    cluster.client.create("nodes", node("n0"))
    TaintEviction(Client(cluster.api, taint_eviction.NAME)).start()
    return cluster


def taint(cluster: BareCluster, *taints: dict[str, Any]) -> None:
    current = cluster.get("nodes", "n0", "")
    cluster.client.update("nodes", {**current, "spec": {"taints": list(taints)}})


def add(cluster: BareCluster, name: str, *tolerations: dict[str, Any]) -> None:
    given = pod(name, nodeName="n0", tolerations=list(tolerations), terminationGracePeriodSeconds=30)
    cluster.client.create("pods", given)


def is_leaving(cluster: BareCluster, name: str) -> bool:
    return "deletionTimestamp" in cluster.get("pods", name)["metadata"]


@pytest.mark.parametrize(
    ("taints", "tolerations", "seconds"),
    [
        ([UNREACHABLE], [], 0),
        ([UNREACHABLE], [tolerating(UNREACHABLE)], None),
        ([UNREACHABLE], [tolerating(UNREACHABLE, 300)], 300),
        ([UNREACHABLE], [tolerating(UNREACHABLE, -5)], 0),
        ([UNREACHABLE, MAINTENANCE], [tolerating(UNREACHABLE, 300)], 0),
        ([UNREACHABLE, MAINTENANCE], [tolerating(UNREACHABLE, 300), tolerating(MAINTENANCE, 20)], 20),
        ([UNREACHABLE, MAINTENANCE], [tolerating(UNREACHABLE), tolerating(MAINTENANCE, 20)], 20),
    ],
)
def test_toleration_is_the_shortest_of_those_used(taints: Any, tolerations: Any, seconds: int | None) -> None:
    assert toleration_s(taints, tolerations) == seconds


def test_pod_leaves_when_its_toleration_ends(cluster: BareCluster) -> None:
    add(cluster, "p", tolerating(UNREACHABLE, 300))
    taint(cluster, UNREACHABLE)

    cluster.run(299)
    assert not is_leaving(cluster, "p")
    cluster.run(2)

    assert is_leaving(cluster, "p")
    [condition] = cluster.get("pods", "p")["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionTarget",
        "True",
        "DeletionByTaintManager",
    )
    assert condition["message"] == "Taint manager: deleting due to NoExecute taint"
    assert cluster.event_texts("TaintManagerEviction") == ["Marking for deletion Pod shop/p"]


def test_pod_without_toleration_leaves_at_once(cluster: BareCluster) -> None:
    add(cluster, "p")
    taint(cluster, MAINTENANCE)
    cluster.run(1)

    assert is_leaving(cluster, "p")


def test_pod_stays_when_the_taint_goes_in_time(cluster: BareCluster) -> None:
    add(cluster, "p", tolerating(UNREACHABLE, 60))
    taint(cluster, UNREACHABLE)
    cluster.run(30)
    taint(cluster)
    cluster.run(100)

    assert not is_leaving(cluster, "p")
    assert cluster.event_texts("TaintManagerEviction") == ["Cancelling deletion of Pod shop/p"]


def test_running_timer_keeps_its_start(cluster: BareCluster) -> None:
    add(cluster, "p", tolerating(UNREACHABLE, 60), tolerating(MAINTENANCE, 60))
    taint(cluster, UNREACHABLE)
    cluster.run(40)
    taint(cluster, UNREACHABLE, MAINTENANCE)
    cluster.run(21)

    assert is_leaving(cluster, "p")


def test_untolerated_taint_ends_a_running_timer(cluster: BareCluster) -> None:
    add(cluster, "p", tolerating(UNREACHABLE, 60))
    taint(cluster, UNREACHABLE)
    cluster.run(10)
    taint(cluster, UNREACHABLE, MAINTENANCE)
    cluster.run(1)

    assert is_leaving(cluster, "p")


def test_pod_that_arrives_on_a_tainted_node_is_treated_alike(cluster: BareCluster) -> None:
    taint(cluster, MAINTENANCE)
    cluster.run(5)
    add(cluster, "hardy", tolerating(MAINTENANCE))
    add(cluster, "soft", tolerating(MAINTENANCE, 10))
    cluster.run(11)

    assert not is_leaving(cluster, "hardy")
    assert is_leaving(cluster, "soft")


def test_effects_other_than_no_execute_move_nobody(cluster: BareCluster) -> None:
    add(cluster, "p")
    taint(cluster, {"key": "x", "effect": "NoSchedule"})
    cluster.run(10)

    assert not is_leaving(cluster, "p")
    assert cluster.event_texts("TaintManagerEviction") == []
