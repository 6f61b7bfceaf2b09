"""Lab 04: how many pods and nodes a spike takes, and a behavior that lets pods leave slowly."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from labs.api.store import Object
from labs.controlplane.hpa.limits import Behavior, ScaleEvent, limit_with_behavior, store_scale_event
from labs.controlplane.hpa.replicas import desired_replicas
from labs.controlplane.hpa.spec import read_behavior
from labs.controlplane.scheduler.filters import fits
from labs.course.exercises.exercise import Exercise, Mistake, Values, WrongFormError, shown
from labs.course.exercises.workbench import shop_object, stored
from labs.units import MINUTE_NS, SECOND_NS


def _loads(random: Random) -> list[Values]:
    return [
        {
            "need_m": random.randrange(400, 6000),
            "request_m": request_m,
            "limit_m": request_m * random.choice((2, 3)),
            "target_percent": random.choice((50, 60, 70, 80)),
            "lowest": random.randrange(2, 6),
            "highest": random.randrange(8, 13),
        }
        for request_m in [random.choice((200, 250, 400, 500)) for _ in range(16)]
    ]


def pods_at(need_m: int, request_m: int, limit_m: int, target_percent: int, lowest: int, highest: int) -> int:
    """The autoscaler's own rule and limits; without the tolerance, which is for a number that is reached already."""
    return min(max(desired_replicas(1, need_m, request_m, target_percent, tolerance=0), lowest), highest)


def _whole(pods: float, lowest: int, highest: int) -> int:
    return min(max(math.ceil(pods), lowest), highest)


PODS = Exercise(
    name="04-a",
    section="Arithmetic first: how many pods?",
    needs=("need_m", "request_m", "limit_m", "target_percent", "lowest", "highest"),
    others=_loads,
    reference=pods_at,
    expected="the whole number of pods that the autoscaler asks for when all frontends together use need_m, within "
    "minReplicas (lowest) and maxReplicas (highest).",
    hints=(
        "How much CPU may one pod use when it is exactly at its target?",
        "The target is a percentage of one of the two numbers of the pod. Which one did the HPA's line above name?",
        "Divide need_m by what one pod may use, round up to whole pods, then hold that between lowest and highest.",
    ),
    mistakes=(
        Mistake(
            "of the limit",
            lambda need_m, request_m, limit_m, target_percent, lowest, highest: _whole(
                100 * need_m / (limit_m * target_percent), lowest, highest
            ),
            "You take the target as a percentage of the limit. The HPA takes it of the request.",
        ),
        Mistake(
            "rounded down",
            lambda need_m, request_m, limit_m, target_percent, lowest, highest: min(
                max(100 * need_m // (request_m * target_percent), lowest), highest
            ),
            "You round down: then each pod is above its target. The HPA rounds up.",
        ),
        Mistake(
            "no target",
            lambda need_m, request_m, limit_m, target_percent, lowest, highest: _whole(
                need_m / request_m, lowest, highest
            ),
            "You fill each pod up to its whole request. The target keeps a part of it free.",
        ),
        Mistake(
            "no limits",
            lambda need_m, request_m, limit_m, target_percent, lowest, highest: math.ceil(
                100 * need_m / (request_m * target_percent)
            ),
            "The rule is right, but minReplicas and maxReplicas have the last word.",
        ),
    ),
    means="A larger request makes the same use a smaller percentage, so fewer pods; but each needs more room on "
    "a node. That is the next question.",
)


def _fleets(random: Random) -> list[Values]:
    return [
        {
            "without_room": random.randrange(1, 14),
            "request_m": random.choice((300, 400, 500, 600)),
            "node_m": random.choice((1930, 3920)),
            "daemons_m": random.choice((150, 250, 380, 500)),
        }
        for _ in range(16)
    ]


def _pod(name: str, cpu_m: int) -> Object:
    container = {"name": name, "resources": {"requests": {"cpu": f"{cpu_m}m"}}}
    return {"metadata": {"name": name, "namespace": "shop", "uid": name}, "spec": {"containers": [container]}}


def new_nodes(without_room: int, request_m: int, node_m: int, daemons_m: int) -> int:
    """Fill nodes one after the other with the scheduler's own rule, the daemons first."""
    allocatable = {"cpu": f"{node_m}m", "memory": "8Gi", "pods": "58"}
    node = {"metadata": {"name": "new"}, "spec": {}, "status": {"allocatable": allocatable, "capacity": allocatable}}
    placed = [_pod("daemons", daemons_m)]
    while not fits(_pod("frontend", request_m), node, tuple(placed)):
        placed.append(_pod("frontend", request_m))
    return math.ceil(without_room / (len(placed) - 1))


NODES = Exercise(
    name="04-b",
    section="Arithmetic again: how many nodes?",
    needs=("without_room", "request_m", "node_m", "daemons_m"),
    others=_fleets,
    reference=new_nodes,
    expected="how many new nodes are needed, so that each of the pods without room fits as a whole on one of them.",
    hints=(
        "Begin with one new node: what of its CPU is taken before the first frontend comes?",
        "How many whole pods fit into the rest of one node?",
        "Divide the pods without room by the pods that fit on one node. Half a node cannot be bought.",
    ),
    mistakes=(
        Mistake(
            "daemons forgotten",
            lambda without_room, request_m, node_m, daemons_m: math.ceil(without_room / (node_m // request_m)),
            "A new node is not empty: a pod of each DaemonSet takes its share first.",
        ),
        Mistake(
            "pods cut in pieces",
            lambda without_room, request_m, node_m, daemons_m: math.ceil(
                without_room * request_m / (node_m - daemons_m)
            ),
            "You add all CPU up and divide once. What is left over on one node and on the next is no room for a pod.",
        ),
        Mistake(
            "rounded down",
            lambda without_room, request_m, node_m, daemons_m: without_room // ((node_m - daemons_m) // request_m),
            "You round the nodes down: the pods of the last, half-filled node then have no place.",
        ),
        Mistake(
            "daemons once",
            lambda without_room, request_m, node_m, daemons_m: math.ceil(
                (without_room * request_m + daemons_m) / node_m
            ),
            "You count the daemons once. They are on every new node.",
        ),
    ),
    means="Whole pods on whole nodes: a request that leaves a little too little room for one more pod costs a machine.",
)


def _crowds(random: Random) -> list[Values]:
    return [{"pods": pods} for pods in (12, random.randrange(8, 11), random.randrange(4, 7))]


TICK_S, WATCHED_MINUTES = 15, 8


def departure(answer: Any, values: Values) -> dict[str, Any]:
    """How the pods of an idle Deployment leave under a ``behavior``, minute by minute, by the HPA's own rule."""
    if not isinstance(answer, dict):
        raise WrongFormError(f"The answer is {shown(answer)}; a behavior is asked for, as a dict.")
    hpa = shop_object("HorizontalPodAutoscaler", "frontend")
    hpa["spec"] |= {"minReplicas": 1, "maxReplicas": 20, "behavior": answer}
    rules = read_behavior(stored("horizontalpodautoscalers.autoscaling", hpa)["spec"]["behavior"])
    return {"sets scaleDown": bool(answer.get("scaleDown")), "pods": _leaving(rules, values["pods"])}


def _leaving(rules: Behavior, pods: int) -> list[int]:
    downs: tuple[ScaleEvent, ...] = ()
    by_minute = []
    for tick in range(WATCHED_MINUTES * 60 // TICK_S):
        now_ns = MINUTE_NS + tick * TICK_S * SECOND_NS
        allowed = limit_with_behavior(pods, 1, 1, 20, rules, (), downs, now_ns).replicas
        if allowed < pods:
            downs = store_scale_event(downs, pods - allowed, rules.scale_down, now_ns)
        pods = allowed
        if (tick + 1) * TICK_S % 60 == 0:
            by_minute.append(pods)
    return by_minute


FEW = [{"type": "Pods", "value": 2, "periodSeconds": 120}, {"type": "Percent", "value": 25, "periodSeconds": 120}]
BEHAVIOR = Exercise(
    name="04-c",
    section="The fix",
    needs=("pods",),
    others=_crowds,
    reference={"scaleDown": {"policies": FEW, "selectPolicy": "Min"}},
    outcome=departure,
    says="it does this, minute by minute: {}",
    expected="a behavior under which, in any two minutes, neither more than two pods nor more than a quarter of them "
    "leave, and pods do leave as fast as that allows.",
    hints=(
        "Two sentences, two policies: one of type Pods, one of type Percent. What is the period of both?",
        "A behavior has two halves, scaleUp and scaleDown; policies belong to one of them.",
        "With two policies the HPA takes the one that allows the larger change, unless selectPolicy says otherwise.",
    ),
    mistakes=(
        Mistake(
            "the larger of the two",
            {"scaleDown": {"policies": FEW}},
            "Both policies are there, but the HPA uses the one that allows more. Look up selectPolicy.",
        ),
        Mistake(
            "scaleUp",
            {"scaleUp": {"policies": FEW, "selectPolicy": "Min"}},
            "Your policies are on scaleUp. Pods leave by scaleDown, and there you changed nothing.",
        ),
        Mistake(
            "pods alone",
            {"scaleDown": {"policies": FEW[:1]}},
            "Two pods of four are half of them: the second policy, the share, is missing.",
        ),
        Mistake(
            "within a minute",
            {"scaleDown": {"policies": [each | {"periodSeconds": 60} for each in FEW], "selectPolicy": "Min"}},
            "The period is too short: it says over how long the policy counts.",
        ),
        Mistake(
            "a window alone",
            {"scaleDown": {"stabilizationWindowSeconds": 120}},
            "A stabilization window makes the HPA wait before pods leave; then it still lets all of them go at once.",
        ),
    ),
    means="Policies limit a pace. With Min the stricter one counts: the two while pods are many, later the quarter.",
)

EXERCISES = (PODS, NODES, BEHAVIOR)
