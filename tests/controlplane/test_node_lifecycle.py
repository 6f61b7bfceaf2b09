from typing import Any

import pytest
from fleet import BareCluster, node, pod

from labs.api.client import Client
from labs.controlplane import node_lifecycle
from labs.controlplane.node_lifecycle import NodeLifecycle
from labs.controlplane.node_zones import EvictionLimits, TaintQueue, ZoneState, eviction_rate, zone_state
from labs.units import SECOND_NS, rfc3339, rfc3339_micro

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
LEASES = "leases.coordination.k8s.io"


class Fleet(BareCluster):
    """Nodes whose leases are renewed every ten seconds until they are silenced."""

    def __init__(self, *zones: str) -> None:
        super().__init__()
        self.silent: set[str] = set()
        for index, zone in enumerate(zones):
            name = f"n{index}"
            self.client.create("nodes", node(name, zone))
            self.report(name, Ready="True", MemoryPressure="False", DiskPressure="False", PIDPressure="False")
            self.renew(name)
        NodeLifecycle(Client(self.api, node_lifecycle.NAME)).start()

    def report(self, name: str, **conditions: str) -> None:
        current = self.get("nodes", name, "")
        now = rfc3339(self.loop.now_ns)
        old = {item["type"]: item for item in current["status"].get("conditions") or ()}
        new = {kind: {"type": kind, "status": status, "lastHeartbeatTime": now} for kind, status in conditions.items()}
        status = {**current["status"], "conditions": list({**old, **new}.values())}
        self.client.set_status("nodes", current, status)

    def renew(self, name: str) -> None:
        known = self.client.get(LEASES, "kube-node-lease", name)
        if self.client.get("nodes", "", name) is not None and name not in self.silent:
            lease = {
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {"renewTime": rfc3339_micro(self.loop.now_ns)},
            }
            if known is None:
                self.client.create(LEASES, lease)
            else:
                self.client.update(LEASES, {**known, "spec": lease["spec"]})
        self.loop.after(10 * SECOND_NS, self.renew, name)

    def silence(self, *names: str) -> None:
        self.silent |= set(names)

    def taints(self, name: str) -> list[tuple[str, str]]:
        return [(item["key"], item["effect"]) for item in self.get("nodes", name, "")["spec"].get("taints") or ()]

    def tainted(self) -> list[str]:
        names = self.names("nodes", None)
        return [name for name in names if any(effect == "NoExecute" for _, effect in self.taints(name))]

    def conditions(self, name: str) -> dict[str, tuple[str, Any, Any]]:
        found = self.get("nodes", name, "")["status"].get("conditions") or ()
        return {item["type"]: (item["status"], item.get("reason"), item.get("message")) for item in found}


@pytest.mark.parametrize(
    ("ready", "not_ready", "state"),
    [
        (0, 0, ZoneState.NORMAL),
        (5, 0, ZoneState.NORMAL),
        (0, 1, ZoneState.FULL_DISRUPTION),
        (1, 2, ZoneState.NORMAL),
        (2, 3, ZoneState.PARTIAL_DISRUPTION),
        (3, 3, ZoneState.NORMAL),
        (9, 11, ZoneState.PARTIAL_DISRUPTION),
    ],
)
def test_zone_state_follows_the_share_of_nodes_that_are_down(ready: int, not_ready: int, state: ZoneState) -> None:
    assert zone_state([True] * ready + [False] * not_ready) is state


def test_rate_falls_in_a_partly_disrupted_zone() -> None:
    limits = EvictionLimits()

    assert eviction_rate(ZoneState.NORMAL, 10, limits) == 0.1
    assert eviction_rate(ZoneState.FULL_DISRUPTION, 10, limits) == 0.1
    assert eviction_rate(ZoneState.PARTIAL_DISRUPTION, 50, limits) == 0
    assert eviction_rate(ZoneState.PARTIAL_DISRUPTION, 51, limits) == 0.01


def test_taint_queue_lets_one_node_through_in_ten_seconds() -> None:
    queue = TaintQueue(0.1, 0)
    for name in ("a", "b", "c"):
        queue.add(name)

    taken = [(second, name) for second in range(31) if (name := queue.take(second * SECOND_NS)) is not None]

    assert taken == [(0, "a"), (10, "b"), (20, "c")]


def test_taint_queue_stands_still_at_rate_zero() -> None:
    queue = TaintQueue(0.1, 0)
    queue.add("a")
    queue.set_rate(0, 0)

    assert not queue.is_moving
    assert queue.take(100 * SECOND_NS) is None


def test_silent_node_becomes_unknown_after_fifty_seconds() -> None:
    fleet = Fleet("a", "a", "a")
    fleet.run(65)
    fleet.silence("n0")

    fleet.run(39)
    assert fleet.conditions("n0")["Ready"][0] == "True"
    fleet.run(17)

    unknown = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    assert fleet.conditions("n0") == dict.fromkeys(("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"), unknown)
    assert fleet.taints("n0") == [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    assert fleet.event_texts("NodeNotReady") == ["Node n0 status is now: NodeNotReady"]
    assert fleet.tainted() == ["n0"]


def test_node_that_never_reports_is_given_sixty_seconds() -> None:
    fleet = Fleet("a")
    fleet.client.create("nodes", node("new"))

    fleet.run(59)
    assert fleet.conditions("new") == {}
    fleet.run(7)

    never = ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.")
    assert fleet.conditions("new")["Ready"] == never


def test_pods_of_a_silent_node_are_marked() -> None:
    fleet = Fleet("a", "a")
    ready = [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}]
    fleet.client.create("pods", pod("p", nodeName="n0") | {"status": {"phase": "Running", "conditions": ready}})
    fleet.silence("n0")

    fleet.run(70)

    statuses = {item["type"]: item["status"] for item in fleet.get("pods", "p")["status"]["conditions"]}
    assert statuses == {"Ready": "False", "ContainersReady": "True"}
    assert "Node is not ready" in fleet.event_texts("NodeNotReady")


def test_node_that_returns_loses_its_taints() -> None:
    fleet = Fleet("a", "a")
    fleet.silence("n0")
    fleet.run(70)
    fleet.silent.clear()

    fleet.report("n0", Ready="True")
    fleet.run(1)
    assert (UNREACHABLE, "NoSchedule") not in fleet.taints("n0")
    fleet.run(5)

    assert fleet.taints("n0") == []


def test_kubelet_that_reports_not_ready_is_tainted_so_and_swapped_when_it_falls_silent() -> None:
    fleet = Fleet("a", "a")
    fleet.run(12)
    fleet.report("n0", Ready="False")
    fleet.run(6)
    assert fleet.taints("n0") == [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]

    fleet.silence("n0")
    fleet.run(66)

    assert sorted(fleet.taints("n0")) == [(UNREACHABLE, "NoExecute"), (UNREACHABLE, "NoSchedule")]


def test_nodes_of_one_zone_are_tainted_one_by_one() -> None:
    fleet = Fleet(*"aaaaaaaa")
    fleet.silence("n0", "n1")
    fleet.run(57)
    first = len(fleet.tainted())
    fleet.run(10)

    assert (first, len(fleet.tainted())) == (1, 2)


def test_small_zone_with_most_nodes_down_stops_evicting() -> None:
    fleet = Fleet(*"aaaaab")
    fleet.silence("n0", "n1", "n2")

    fleet.run(120)

    assert fleet.conditions("n2")["Ready"][0] == "Unknown"
    assert len(fleet.tainted()) <= 1


def test_when_every_node_is_down_nothing_is_evicted() -> None:
    fleet = Fleet("a", "a", "b")
    fleet.silence("n0", "n1", "n2")

    fleet.run(200)

    assert fleet.tainted() == []
    assert fleet.taints("n0") == [(UNREACHABLE, "NoSchedule")]


def test_pressure_and_cordon_become_taints() -> None:
    fleet = Fleet("a")
    fleet.report("n0", MemoryPressure="True", DiskPressure="True")
    current = fleet.get("nodes", "n0", "")
    fleet.client.update("nodes", {**current, "spec": {"unschedulable": True}})
    fleet.run(1)

    keys = ("memory-pressure", "disk-pressure", "unschedulable")
    assert fleet.taints("n0") == [(f"node.kubernetes.io/{key}", "NoSchedule") for key in keys]

    current = fleet.get("nodes", "n0", "")
    spec = {key: value for key, value in current["spec"].items() if key != "unschedulable"}
    fleet.client.update("nodes", {**current, "spec": spec})
    fleet.report("n0", MemoryPressure="False", DiskPressure="False")
    fleet.run(1)
    assert fleet.taints("n0") == []


def test_foreign_taints_are_kept() -> None:
    fleet = Fleet("a", "a")
    current = fleet.get("nodes", "n0", "")
    foreign = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    fleet.client.update("nodes", {**current, "spec": {"taints": [foreign]}})
    fleet.silence("n0")
    fleet.run(70)
    fleet.silent.clear()
    fleet.report("n0", Ready="True")
    fleet.run(10)

    assert fleet.taints("n0") == [("dedicated", "NoSchedule")]


def test_nodes_that_come_and_go_are_announced() -> None:
    fleet = Fleet("a")
    fleet.run(1)
    fleet.client.delete("nodes", "", "n0")
    fleet.run(6)

    assert fleet.event_texts("RegisteredNode") == ["Node n0 event: Registered Node n0 in Controller"]
    assert fleet.event_texts("RemovingNode") == ["Node n0 event: Removing Node n0 from Controller"]
