from fleet import HOSTNAME, ScheduledCluster, anti_affinity, node, pod

from labs.api.deletion import DeleteOptions
from labs.controlplane.scheduler.podinfo import PodInfo, parse_pod
from labs.controlplane.scheduler.preemption import (
    Candidate,
    best_candidate,
    candidate_count,
    parse_budget,
    split_by_budgets,
)


def info(name: str, priority: int, start: str | None = None) -> PodInfo:
    given = pod(name, priority=priority)
    given["metadata"]["uid"] = name
    if start is not None:
        given["status"]["startTime"] = start
    return parse_pod(given)


def budget(allowed: int, disrupted: tuple[str, ...] = ()) -> dict[str, object]:
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": dict.fromkeys(disrupted, "")},
    }


def test_important_pod_takes_the_place_of_a_lesser_one() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("low", cpu="1"))

    cluster.add(pod("high", cpu="1", priority=10))

    victim = cluster.get("pods", "low")
    assert "deletionTimestamp" in victim["metadata"]
    [condition] = [item for item in victim["status"]["conditions"] if item["type"] == "DisruptionTarget"]
    assert condition["reason"] == "PreemptionByScheduler"
    assert condition["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    uid = cluster.get("pods", "high")["metadata"]["uid"]
    assert cluster.event_texts("Preempted") == [f"Preempted by pod {uid} on node n0"]
    assert cluster.get("pods", "high")["status"]["nominatedNodeName"] == "n0"
    assert cluster.message("high") == "0/1 nodes are available: 1 Insufficient cpu."


def test_nominated_pod_gets_the_room_even_when_others_wait_for_it() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("low", cpu="1"))
    cluster.add(pod("high", cpu="1", priority=10))

    cluster.add(pod("rival", cpu="1"))
    cluster.client.delete("pods", "shop", "low", DeleteOptions(grace_period_seconds=0))
    cluster.run(1)

    assert cluster.node_of("high") == "n0"
    assert cluster.node_of("rival") is None


def test_only_as_many_pods_go_as_needed_and_the_least_important_ones() -> None:
    cluster = ScheduledCluster(node("n0", cpu="4"))
    cluster.add(*(pod(f"low-{index}", cpu="1", priority=index) for index in range(4)))

    cluster.add(pod("high", cpu="2", priority=10))

    leaving = [each["metadata"]["name"] for each in cluster.pods() if "deletionTimestamp" in each["metadata"]]
    assert leaving == ["low-0", "low-1"]


def test_policy_never_waits() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("low", cpu="1"))

    cluster.add(pod("high", cpu="1", priority=10, preemptionPolicy="Never"))

    assert cluster.message("high") == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_node_whose_pods_break_no_budget_is_preferred() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"), node("n1", cpu="1"))
    cluster.add(pod("kept", cpu="1", nodeSelector={HOSTNAME: "n0"}))
    cluster.add(pod("free", "batch", cpu="1", nodeSelector={HOSTNAME: "n1"}, priority=5))
    cluster.client.create("poddisruptionbudgets.policy", budget(0))

    cluster.add(pod("high", "vip", cpu="1", priority=10))

    assert cluster.get("pods", "high")["status"]["nominatedNodeName"] == "n1"


def test_victims_that_stand_in_the_way_by_anti_affinity_go_too() -> None:
    cluster = ScheduledCluster(node("n0"))
    cluster.add(pod("low", "loud"))

    cluster.add(pod("high", "shy", priority=10, affinity=anti_affinity("loud")))

    assert cluster.get("pods", "high")["status"]["nominatedNodeName"] == "n0"
    assert "deletionTimestamp" in cluster.get("pods", "low")["metadata"]


def test_budget_counts_down_pod_by_pod() -> None:
    pods = [info(name, 0) for name in ("a", "b", "c")]

    breaking, harmless = split_by_budgets(pods, [parse_budget(budget(1))])
    assert [each.name for each in breaking] == ["b", "c"]
    assert [each.name for each in harmless] == ["a"]

    breaking, _ = split_by_budgets(pods, [parse_budget(budget(1, disrupted=("a",)))])
    assert [each.name for each in breaking] == ["c"]


def test_best_candidate_follows_the_order_of_rules() -> None:
    def candidate(name: str, *victims: PodInfo, violations: int = 0) -> Candidate:
        return Candidate(name, victims, violations)

    early, late = "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"
    worse_to_better = [
        candidate("breaks a budget", info("v", -5), violations=1),
        candidate("important victim", info("v", 9)),
        candidate("two victims", info("v", 5), info("w", 5)),
        candidate("started early", info("v", 5, early)),
        candidate("started late", info("v", 5, late)),
    ]
    for position in range(1, len(worse_to_better) + 1):
        assert best_candidate(worse_to_better[:position]).node == worse_to_better[position - 1].node


def test_search_for_candidates_ends_at_a_hundred_or_a_tenth() -> None:
    assert [candidate_count(nodes) for nodes in (5, 100, 400, 5000)] == [5, 100, 100, 500]
