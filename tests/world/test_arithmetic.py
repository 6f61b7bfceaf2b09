"""Pods and nodes at the spike are what the arithmetic of requests, targets and instance sizes says, whatever they are.

Pods: ceil(replicas x use / target) at each sync of the HPA, as far as its bounds allow. Nodes: the non-daemon pods
of that moment, put into what a node can allocate less what its daemons request, the largest first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from world.shop_world import Shop, open_shop, start_spike

from labs.api.scheduling import amounts, pod_requests
from labs.api.store import Object, WatchEvent
from labs.units import MINUTE_NS, parse_duration, parse_rfc3339
from labs.world import World

HPAS = "horizontalpodautoscalers.autoscaling"
SPIKE_NS = 6 * MINUTE_NS
TOLERANCE = 0.1
"""``--horizontal-pod-autoscaler-tolerance``."""


@dataclass(slots=True)
class Spike:
    """What the cluster did, and what it should have done by its own objects."""

    world: World
    pods: int = 0
    nodes: int = 0
    wanted_pods: int = 0
    pods_at_peak: list[Object] = field(default_factory=list)

    def observe(self, event: WatchEvent) -> None:
        """Called at each write."""
        if event.resource in ("pods", "nodes") and event.type != "MODIFIED":
            pods = frontends(self.world)
            if len(pods) > self.pods:
                self.pods, self.pods_at_peak = len(pods), self.world.store.list("pods")
            self.nodes = max(self.nodes, self.world.store.count("nodes"))
        elif event.resource == HPAS and event.object["metadata"]["name"] == "frontend":
            self.wanted_pods = max(self.wanted_pods, wanted_pods(self.world, event.object))


def frontends(world: World) -> list[Object]:
    return world.store.by_index("pods", "label", "app=frontend", "shop")


def wanted_pods(world: World, hpa: Object) -> int:
    """ceil(replicas x use / target) within the HPA's bounds; a pod that is too young to be measured counts as idle."""
    pods, spec = frontends(world), hpa["spec"]
    target = spec["metrics"][0]["resource"]["target"]["averageUtilization"]
    requested = sum(cpu(pod) for pod in pods)
    measured = world.api.virtual["pods.metrics.k8s.io"].list("shop")
    by_name = {metric["metadata"]["name"]: metric for metric in measured}
    used = sum(use_millicores(pod, by_name.get(pod["metadata"]["name"])) for pod in pods)
    ratio = used * 100 // requested / target
    wanted = len(pods) if 1 - TOLERANCE <= ratio <= 1 + TOLERANCE else math.ceil(len(pods) * ratio)
    return min(max(wanted, spec["minReplicas"]), spec["maxReplicas"])


def use_millicores(pod: Object, metric: Object | None) -> int:
    """A pod's use, or 0 when there is none yet or the window of its measurement began before the pod was ready."""
    if metric is None:
        return 0
    [ready] = [item for item in pod["status"]["conditions"] if item["type"] == "Ready"]
    began_ns = parse_rfc3339(metric["timestamp"]) - parse_duration(metric["window"])
    if ready["status"] != "True" or began_ns < parse_rfc3339(ready["lastTransitionTime"]):
        return 0
    return sum(amounts(container["usage"])["cpu"] for container in metric["containers"])


def wanted_nodes(world: World, pods: Iterable[Object]) -> int:
    """First fit of the pods' CPU requests, the largest first, into nodes of the one type that there is."""
    [allocatable] = {amounts(node["status"]["allocatable"])["cpu"] for node in world.store.list("nodes")}
    daemons = [pod for pod in world.store.list("pods") if is_daemon(pod)]
    node = world.store.list("nodes")[0]["metadata"]["name"]
    room = allocatable - sum(cpu(pod) for pod in daemons if pod["spec"].get("nodeName") == node)
    free: list[int] = []
    for request in sorted((cpu(pod) for pod in pods if not is_daemon(pod)), reverse=True):
        for number, left in enumerate(free):
            if request <= left:
                free[number] -= request
                break
        else:
            free.append(room - request)
    return len(free)


def is_daemon(pod: Object) -> bool:
    return any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())


def cpu(pod: Object) -> int:
    return pod_requests(pod).get("cpu", 0)


def spike(seed: int, shop: Shop) -> Spike:
    world = open_shop(seed, shop)
    seen = Spike(world, len(frontends(world)), world.store.count("nodes"))
    world.store.observe_writes(seen.observe)
    start_spike(world, shop)
    world.run_until(world.now_ns + SPIKE_NS)
    return seen


def assert_as_calculated(seen: Spike) -> None:
    assert seen.pods == seen.wanted_pods
    assert seen.nodes == wanted_nodes(seen.world, seen.pods_at_peak)


@pytest.mark.parametrize("seed", [1, 3, 7, 11, 42])
def test_the_spike_takes_the_shop_from_5_to_10_pods_and_from_2_to_4_nodes(seed: int) -> None:
    seen = spike(seed, Shop())
    assert (seen.pods, seen.nodes) == (10, 4)
    assert_as_calculated(seen)


def test_a_seed_that_draws_less_use_gets_fewer_pods_by_the_same_arithmetic() -> None:
    seen = spike(2, Shop())
    assert seen.pods == seen.wanted_pods == 9


@pytest.mark.parametrize(
    ("shop", "pods", "nodes"),
    [
        pytest.param(Shop(cpu_request="320m", max_replicas=20), 13, 4, id="a smaller CPU request"),
        pytest.param(Shop(instance_size="xlarge"), 9, 2, id="larger instances"),
        pytest.param(Shop(target_percent=60, max_replicas=20), 17, 6, id="a lower target"),
    ],
)
def test_a_change_of_the_inputs_changes_the_answer_as_the_arithmetic_says(shop: Shop, pods: int, nodes: int) -> None:
    seen = spike(7, shop)
    assert (seen.pods, seen.nodes) == (pods, nodes)
    assert_as_calculated(seen)
