"""Karpenter over the simulated EC2: buying, registering, giving back."""

from __future__ import annotations

from typing import Any

from labs.api.cloud import Override
from labs.api.scheduling import amounts
from labs.dataplane.instance_types import allocatable, instance_spec
from tests.controlplane.karpenter.scene import LARGE, Scene

SPREAD_OVER_ZONES: dict[str, Any] = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
}


def conditions(obj: dict[str, Any]) -> dict[str, str]:
    return {item["type"]: item["status"] for item in obj["status"]["conditions"]}


def test_pods_that_fit_nowhere_get_as_many_nodes_as_their_requests_need() -> None:
    scene = Scene()
    room = amounts(allocatable(instance_spec("m6i.large")))["cpu"]
    for number in range(7):
        scene.pod(f"web-{number}", cpu="500m")
    scene.run(12)
    per_node = room // 500
    assert len(scene.claims()) == -(-7 // per_node)


def test_a_claim_becomes_a_ready_node_with_the_labels_of_its_pool() -> None:
    scene = Scene()
    scene.pod("web-0")
    scene.run(90)
    (claim,), (node,) = scene.claims(), scene.nodes()
    assert conditions(claim) == dict.fromkeys(("Initialized", "Launched", "Ready", "Registered"), "True")
    assert node["metadata"]["labels"]["karpenter.sh/nodepool"] == "default"
    assert node["metadata"]["labels"]["karpenter.sh/initialized"] == "true"
    assert node["spec"].get("taints", []) == []
    assert claim["status"]["nodeName"] == node["metadata"]["name"]


def test_a_pod_that_waits_for_a_node_on_its_way_gets_no_second_one() -> None:
    scene = Scene()
    scene.pod("web-0")
    scene.run(60)
    assert len(scene.claims()) == 1
    scene.pod("web-1")
    scene.run(60)
    assert len(scene.claims()) == 1


def test_an_instance_type_that_is_twice_as_large_halves_the_nodes() -> None:
    xlarge = [*LARGE[:3], {**LARGE[3], "values": ["xlarge"]}]
    counts = []
    for requirements in (LARGE, xlarge):
        scene = Scene(requirements)
        for number in range(6):
            scene.pod(f"web-{number}", cpu="600m")
        scene.run(12)
        counts.append(len(scene.claims()))
    assert counts == [2, 1]


def test_the_cheapest_type_that_fits_is_bought() -> None:
    sizes = [*LARGE[:2], {"key": "karpenter.k8s.aws/instance-cpu", "operator": "In", "values": ["2", "4"]}]
    scene = Scene(sizes)
    scene.pod("web-0", cpu="1")
    scene.run(20)
    bought = scene.claims()[0]["metadata"]["labels"]["node.kubernetes.io/instance-type"]
    prices = {
        item.name: scene.cloud.price(item.name)
        for item in scene.cloud.instance_types()
        if item.vcpus in (2, 4) and item.arch == "amd64" and amounts(item.allocatable)["cpu"] >= 1000
    }
    assert scene.cloud.price(bought) == min(prices.values())


def test_a_zone_spread_places_new_nodes_in_the_zones_that_have_fewest() -> None:
    scene = Scene()
    for number in range(6):
        scene.pod(f"web-{number}", cpu="900m", **SPREAD_OVER_ZONES)
    scene.run(15)
    zones = sorted(claim["metadata"]["labels"]["topology.kubernetes.io/zone"] for claim in scene.claims())
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_anti_affinity_by_hostname_needs_a_node_for_each_pod() -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    scene = Scene()
    for number in range(3):
        scene.pod(f"web-{number}", cpu="100m", affinity=affinity)
    scene.run(15)
    assert len(scene.claims()) == 3


def test_limits_stop_the_pool() -> None:
    scene = Scene(limits={"cpu": "2"})
    for number in range(4):
        scene.pod(f"web-{number}", cpu="1500m")
    scene.run(15)
    assert len(scene.claims()) == 1
    reasons = [event["message"] for event in scene.client.list("events") if event["reason"] == "FailedScheduling"]
    assert len(reasons) == 3
    assert "exceed limits for nodepool" in reasons[0]


def test_a_zone_without_capacity_is_left_out_for_three_minutes() -> None:
    scene = Scene()
    for zone in scene.cloud.zones[:2]:
        scene.cloud.set_capacity(Override("m6i.large", zone), False)
    scene.pod("web-0")
    scene.run(30)
    (claim,) = scene.claims()
    assert claim["metadata"]["labels"]["topology.kubernetes.io/zone"] == "us-east-1c"


def test_an_empty_node_is_given_back_after_consolidate_after() -> None:
    scene = Scene(disruption={"consolidateAfter": "60s", "consolidationPolicy": "WhenEmpty"})
    scene.pod("web-0")
    scene.run(60)
    (node,) = scene.nodes()
    scene.bind("web-0", node["metadata"]["name"])
    scene.run(120)
    assert len(scene.nodes()) == 1
    scene.client.delete("pods", "default", "web-0")
    pod = scene.client.require("pods", "default", "web-0")
    scene.client.set_status("pods", pod, {**pod["status"], "phase": "Succeeded"})
    scene.run(50)
    assert len(scene.nodes()) == 1
    scene.run(150)
    assert scene.nodes() == []
    assert scene.claims() == []
    assert all(item.state in ("shutting-down", "terminated") for item in scene.cloud.instances())


def test_two_half_empty_nodes_become_one() -> None:
    scene = Scene(disruption={"consolidateAfter": "30s", "budgets": [{"nodes": "100%"}]})
    for number in range(4):
        scene.pod(f"web-{number}", cpu="900m")
    scene.run(60)
    nodes = [node["metadata"]["name"] for node in scene.nodes()]
    assert len(nodes) == 2
    for number in range(4):
        scene.bind(f"web-{number}", nodes[number % 2])
    for name in ("web-2", "web-3"):
        pod = scene.client.require("pods", "default", name)
        scene.client.set_status("pods", pod, {**pod["status"], "phase": "Succeeded"})
    scene.run(120)
    leaving = [node for node in scene.nodes() if "deletionTimestamp" in node["metadata"]]
    assert len(leaving) == 1


def test_a_node_that_only_its_like_could_replace_stays_and_says_why_once() -> None:
    scene = Scene(disruption={"consolidateAfter": "30s", "budgets": [{"nodes": "100%"}]})
    scene.pod("web-0")
    scene.run(60)
    (node,) = scene.nodes()
    scene.bind("web-0", node["metadata"]["name"])
    scene.run(600)
    assert len(scene.nodes()) == 1
    told = [event for event in scene.client.list("events") if event["reason"] == "Unconsolidatable"]
    assert sorted(event["involvedObject"]["kind"] for event in told) == ["Node", "NodeClaim"]
    assert {event["message"] for event in told} == {"Can't replace with a cheaper node"}
    assert {event["count"] for event in told} == {1}
