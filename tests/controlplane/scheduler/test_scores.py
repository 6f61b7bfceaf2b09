from typing import Any

import pytest
from fleet import HOSTNAME, ZONE, ScheduledCluster, node, pod, spread, term

from labs.api.selectors import parse_label_selector
from labs.controlplane.scheduler.attempt import feasible_nodes_wanted
from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.nodeinfo import parse_node
from labs.controlplane.scheduler.podinfo import parse_pod
from labs.controlplane.scheduler.scores import balanced_allocation, image_scores, least_allocated, normalised_image
from labs.controlplane.scheduler.spread import default_constraints, normalised_spread

MIB = 1024 * 1024


def test_least_allocated_is_the_mean_of_the_truncated_shares() -> None:
    assert least_allocated(((1000, 4000), (4, 16))) == 75
    assert least_allocated(((1001, 4000), (4, 16))) == (74 + 75) // 2
    assert least_allocated(((5000, 4000), (0, 16))) == 50
    assert least_allocated(((1000, 4000), (4, 0))) == 75


def test_balanced_allocation_rewards_pods_that_even_the_use() -> None:
    assert balanced_allocation(((0, 1000, 4000), (0, 4, 16))) == 75
    assert balanced_allocation(((2000, 0, 4000), (0, 8, 16))) == 50 + (50 + 100 - 75) // 2
    assert balanced_allocation(((0, 4000, 4000), (0, 0, 16))) == 50


def test_spread_scores_turn_few_pods_into_many_points() -> None:
    assert normalised_spread([0, 2, 4], [True] * 3) == [100, 50, 0]
    assert normalised_spread([0, 0], [True, False]) == [100, 0]
    assert normalised_spread([3, 9], [False, True]) == [0, 100]


@pytest.mark.parametrize(("nodes", "wanted"), [(3, 3), (99, 99), (100, 100), (1000, 420), (5000, 500), (6000, 300)])
def test_search_ends_at_a_falling_share_of_the_nodes(nodes: int, wanted: int) -> None:
    assert feasible_nodes_wanted(nodes) == wanted


def test_image_score_weighs_size_by_how_common_the_image_is() -> None:
    cache = Cache(lambda name: {})
    for index, images in enumerate([{"web:1": 512 * MIB}, {"web:1": 512 * MIB}, {}, {}]):
        cache.set_node(parse_node(node(f"n{index}", images=images)))
    web = pod("p")
    web["metadata"]["uid"] = "u"

    scores = image_scores(parse_pod(web), cache, cache.order)

    assert scores == [100 * (256 - 23) // (1000 - 23)] * 2 + [0, 0]


def test_image_without_a_tag_means_the_latest() -> None:
    assert normalised_image("repo:5000/web") == "repo:5000/web:latest"
    assert normalised_image("repo:5000/web:1") == "repo:5000/web:1"


def test_nodes_are_searched_zone_by_zone() -> None:
    cache = Cache(lambda name: {})
    for name, zone in (("a0", "a"), ("a1", "a"), ("b0", "b"), ("c0", "c"), ("c1", "c")):
        cache.set_node(parse_node(node(name, zone)))

    names = [info.facts.name for info in cache.order if info.facts]

    assert names == ["a0", "b0", "c0", "a1", "c1"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}]}}, "n1"),
        ({"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": term("db", HOSTNAME)}]}}, "n2"),
    ],
)  # fmt: skip
def test_preferences_choose_among_equal_nodes(wish: Any, expected: str) -> None:
    cluster = ScheduledCluster(node("n0"), node("n1", labels={"disk": "ssd"}), node("n2"))
    cluster.add(pod("db", "db", cpu="1m", memory="1Mi", nodeSelector={HOSTNAME: "n2"}))

    cluster.add(pod("p", affinity=wish))

    assert cluster.node_of("p") == expected


def test_preferred_anti_affinity_avoids_a_node() -> None:
    cluster = ScheduledCluster(node("n0", cpu="2"), node("n1", cpu="64"))
    cluster.add(pod("loud", "loud", cpu="1m", memory="1Mi", nodeSelector={HOSTNAME: "n1"}))
    wish = {"weight": 100, "podAffinityTerm": term("loud", HOSTNAME)}

    cluster.add(pod("p", affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}))

    assert cluster.node_of("p") == "n0"


def test_soft_taint_is_avoided_while_there_is_another_node() -> None:
    soft = [{"key": "old", "effect": "PreferNoSchedule"}]
    cluster = ScheduledCluster(node("n0", cpu="64", taints=soft), node("n1", cpu="8"))

    cluster.add(pod("p"), pod("brave", tolerations=[{"key": "old", "operator": "Exists"}], cpu="2"))

    assert cluster.node_of("p") == "n1"
    assert cluster.node_of("brave") == "n0"


def test_soft_spread_uses_every_zone() -> None:
    cluster = ScheduledCluster(*(node(f"n{index}", "abc"[index % 3]) for index in range(6)))
    wish = spread("web", when="ScheduleAnyway")

    cluster.add(*(pod(f"p{index}", topologySpreadConstraints=wish) for index in range(3)))

    assert {int((cluster.node_of(f"p{index}") or "n")[1:]) % 3 for index in range(3)} == {0, 1, 2}


def test_pods_of_a_service_spread_over_nodes_by_default() -> None:
    cluster = ScheduledCluster(*(node(f"n{index}", "ab"[index % 2], cpu="100") for index in range(4)))
    cluster.create("services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}})

    cluster.add(*(pod(f"p{index}", cpu="1m", memory="1Mi") for index in range(4)))

    assert len({cluster.node_of(f"p{index}") for index in range(4)}) == 4


def test_pods_by_zone_are_kept_as_pods_and_nodes_change() -> None:
    cache = Cache(lambda name: {})
    for name, zone in (("n0", "a"), ("n1", "b"), ("n2", "b")):
        cache.set_node(parse_node(node(name, zone)))
    (constraint,) = default_constraints("shop", parse_label_selector("app=web"))[1:]

    def by_zone() -> dict[str, int]:
        group = cache.group((constraint.matcher,), counts_terminating=False)
        return group.by_value(ZONE, cache.values_of(ZONE))

    def put(uid: str, on: str, app: str = "web") -> None:
        obj = pod(uid, app)
        obj["metadata"]["uid"] = uid
        cache.set_pod(parse_pod(obj).on_node(on))

    assert by_zone() == {"a": 0, "b": 0}
    put("p0", "n0")
    put("p1", "n1")
    put("p2", "n2")
    put("other", "n2", app="db")
    assert by_zone() == {"a": 1, "b": 2}
    cache.remove_pod("p1")
    put("p2", "n0")
    assert by_zone() == {"a": 2, "b": 0}
    cache.set_node(parse_node(node("n0", "c")))
    put("p3", "n0")
    assert by_zone() == {"c": 3, "b": 0}
