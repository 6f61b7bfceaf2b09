from typing import Any

import pytest
from fleet import ScheduledCluster, affinity, anti_affinity, node, pod, spread

from labs.controlplane.scheduler.filters import fits

NOTHING_HELPS = "preemption: 0/{0} nodes are available: {0} Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/{0} nodes are available: {0} No preemption victims found for incoming pod."
DEDICATED = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("given_pod", "given_node", "reasons"),
    [
        (pod("p"), node("n"), ()),
        (pod("p", cpu="5"), node("n"), ("Insufficient cpu",)),
        (pod("p", cpu="5", memory="17Gi"), node("n"), ("Insufficient cpu", "Insufficient memory")),
        (pod("p"), node("n", pods=0), ("Too many pods",)),
        (pod("p"), node("n", unschedulable=True), ("node(s) were unschedulable",)),
        (pod("p"), node("n", taints=[DEDICATED]), ("node(s) had untolerated taint(s)",)),
        (pod("p", tolerations=[{"key": "dedicated", "operator": "Exists"}]), node("n", taints=[DEDICATED]), ()),
        (
            pod("p", nodeSelector={"disk": "ssd"}),
            node("n"),
            ("node(s) didn't match Pod's node affinity/selector",),
        ),
        (pod("p", nodeSelector={"disk": "ssd"}), node("n", labels={"disk": "ssd"}), ()),
    ],
)
def test_pod_fits_an_empty_node_or_is_told_why_not(given_pod: Any, given_node: Any, reasons: tuple[str, ...]) -> None:
    assert fits(bare(given_pod), given_node) == reasons


def test_requests_of_pods_on_the_node_count() -> None:
    others = (bare(pod("a", cpu="2")), bare(pod("b", cpu="1900m")))

    assert fits(bare(pod("p", cpu="100m")), node("n"), others) == ()
    assert fits(bare(pod("p", cpu="101m")), node("n"), others) == ("Insufficient cpu",)


def test_host_port_is_taken_once() -> None:
    taken = (bare(pod("a", port=8080)),)

    assert fits(bare(pod("p", port=8080)), node("n"), taken)[0].startswith("node(s) didn't have free ports")
    assert fits(bare(pod("p", port=8081)), node("n"), taken) == ()


def test_pod_that_is_too_big_for_every_node_is_told_that_preemption_does_not_help() -> None:
    cluster = ScheduledCluster(node("n0"), node("n1"))

    cluster.add(pod("big", cpu="50"))

    assert cluster.message("big") == ("0/2 nodes are available: 2 Insufficient cpu. " + NOTHING_HELPS.format(2))
    assert cluster.event_texts("FailedScheduling") == [cluster.message("big")]


def test_full_nodes_without_lesser_pods_have_no_victims() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("first", cpu="3"), pod("second", cpu="3"))

    assert cluster.node_of("first") == "n0"
    assert cluster.message("second") == "0/1 nodes are available: 1 Insufficient cpu. " + NO_VICTIMS.format(1)


def test_cluster_without_nodes_says_so() -> None:
    cluster = ScheduledCluster()

    cluster.add(pod("p"))

    assert cluster.message("p") == "no nodes available to schedule pods"


def test_anti_affinity_keeps_pods_apart_in_both_directions() -> None:
    cluster = ScheduledCluster(node("n0"), node("n1"))

    cluster.add(pod("shy", affinity=anti_affinity("loud")))
    cluster.add(pod("loud-0", "loud"), pod("loud-1", "loud"))
    cluster.add(pod("shy-too", affinity=anti_affinity("loud")))

    assert cluster.node_of("loud-0") == cluster.node_of("loud-1") != cluster.node_of("shy")
    assert cluster.node_of("shy-too") == cluster.node_of("shy")


def test_pod_is_told_of_the_anti_affinity_of_others() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("shy", affinity=anti_affinity("loud")))
    cluster.add(pod("loud", "loud"))

    assert cluster.message("loud").startswith(
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."
    )


def test_first_pod_of_a_group_may_be_alone_and_the_rest_follow_it() -> None:
    cluster = ScheduledCluster(node("n0", "a"), node("n1", "b"), node("n2", "b"))

    cluster.add(*(pod(f"p{index}", affinity=affinity("web")) for index in range(4)))

    zones = {"n0": "a", "n1": "b", "n2": "b"}
    assert len({zones[cluster.node_of(f"p{index}") or ""] for index in range(4)}) == 1


def test_affinity_to_nobody_is_refused() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("p", affinity=affinity("ghost")))

    assert cluster.message("p") == (
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules. " + NOTHING_HELPS.format(1)
    )


def test_namespace_selector_reaches_other_namespaces() -> None:
    cluster = ScheduledCluster(node("n0", "a"), node("n1", "b"))
    cluster.client.create("namespaces", {"metadata": {"name": "other", "labels": {"team": "x"}}})
    there = pod("db", "db", nodeSelector={"kubernetes.io/hostname": "n1"})
    there["metadata"]["namespace"] = "other"
    cluster.add(there)
    wish = affinity("db")
    wish["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["namespaceSelector"] = {
        "matchLabels": {"team": "x"}
    }

    cluster.add(pod("near", affinity=wish), pod("lost", affinity=affinity("db")))

    assert cluster.node_of("near") == "n1"
    assert cluster.node_of("lost") is None


def test_spread_is_kept_and_a_full_zone_stops_the_others() -> None:
    cluster = ScheduledCluster(node("n0", "a"), node("n1", "b", cpu="250m"), node("n2", "c"))

    cluster.add(*(pod(f"p{index}", topologySpreadConstraints=spread("web")) for index in range(9)), seconds=3)

    placed = [cluster.node_of(f"p{index}") for index in range(9)]
    assert sorted(filter(None, placed)) == ["n0"] * 3 + ["n1"] * 2 + ["n2"] * 3
    waiting = f"p{placed.index(None)}"
    assert cluster.message(waiting) == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints. "
        + NO_VICTIMS.format(3)
    )


def test_node_without_the_spread_label_is_named() -> None:
    bare_node = node("n0")
    del bare_node["metadata"]["labels"]["topology.kubernetes.io/zone"]
    cluster = ScheduledCluster(bare_node)

    cluster.add(pod("p", topologySpreadConstraints=spread("web")))

    assert cluster.message("p").startswith(
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label)."
    )


def test_min_domains_hold_pods_back_while_zones_are_few() -> None:
    cluster = ScheduledCluster(node("n0", "a"), node("n1", "b"))
    wish = [{**spread("web")[0], "minDomains": 3}]

    cluster.add(*(pod(f"p{index}", topologySpreadConstraints=wish) for index in range(3)))

    assert sum(cluster.node_of(f"p{index}") is not None for index in range(3)) == 2


def test_match_label_keys_count_only_pods_of_the_same_revision() -> None:
    cluster = ScheduledCluster(node("n0", "a"), node("n1", "b"))
    wish = [{**spread("web")[0], "matchLabelKeys": ["revision"]}]
    old = [pod(f"old-{index}", nodeSelector={"kubernetes.io/hostname": "n0"}) for index in range(3)]
    cluster.add(*old)
    new = [pod(f"new-{index}", topologySpreadConstraints=wish) for index in range(2)]
    for each in new:
        each["metadata"]["labels"]["revision"] = "2"

    cluster.add(*new)

    assert {cluster.node_of("new-0"), cluster.node_of("new-1")} == {"n0", "n1"}


def bare(given: Any) -> Any:
    return {**given, "metadata": {**given["metadata"], "uid": given["metadata"]["name"]}}


def test_pod_of_a_daemon_set_is_compared_with_its_own_node_only() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"), node("n1", cpu="9"), node("n2", cpu="9"))
    fields = [{"key": "metadata.name", "operator": "In", "values": ["n0"]}]
    required = {"nodeSelectorTerms": [{"matchFields": fields}]}
    wish = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}

    cluster.add(pod("agent", affinity=wish), pod("greedy", cpu="4", affinity=wish))

    assert cluster.node_of("agent") == "n0"
    assert cluster.message("greedy").startswith(
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )
