"""Lab 03: how long an outage must be to be seen, how much surplus is enough, a pause that is long enough."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from labs.controlplane.disruption import disruptions_allowed, expectation
from labs.controlplane.hpa.replicas import desired_replicas
from labs.controlplane.intstr import scaled_value
from labs.course.exercises.exercise import Exercise, Mistake, Values, call
from labs.course.exercises.workbench import patched_deployment, shop_object

SLEEP = re.compile(r"\bsleep\s+([0-9]+(?:\.[0-9]+)?)")


def _outages(random: Random) -> list[Values]:
    return [
        {"killed_percent": random.randrange(20, 100), "threshold_percent": random.choice((0.5, 1, 2, 5, 10))}
        for _ in range(6)
    ]


def shortest_outage_s(killed_percent: float, threshold_percent: float) -> float:
    """An outage is diluted by the rest of its minute: share x seconds / 60 is the threshold."""
    return 60 * threshold_percent / killed_percent


SEEN_OUTAGE = Exercise(
    name="03-a",
    section="Time to detect",
    needs=("killed_percent", "threshold_percent"),
    others=_outages,
    reference=shortest_outage_s,
    expected="the length of an outage, in seconds, at which the error rate of its whole minute is the threshold.",
    hints=(
        "The minute's error rate is a mean over 60 seconds. What does it become when the outage lasts all 60?",
        "An outage of 30 seconds counts half: the minute then shows killed_percent x 30 / 60.",
        "Set killed_percent x seconds / 60 equal to threshold_percent, and solve for the seconds.",
    ),
    mistakes=(
        Mistake(
            "upside down",
            lambda killed_percent, threshold_percent: 60 * killed_percent / threshold_percent,
            "The division is upside down: when more pods are killed, a shorter outage is enough.",
        ),
        Mistake(
            "every request fails",
            lambda killed_percent, threshold_percent: 60 * threshold_percent / 100,
            "You let every request fail. Only the killed pods' share does; the others go on answering.",
        ),
        Mistake(
            "a share of the minute, not seconds",
            lambda killed_percent, threshold_percent: threshold_percent / killed_percent,
            "That is a share of the minute. How many seconds are that share?",
        ),
    ),
    means="A lower threshold sees a shorter outage, and so does an outage that hits more pods: an alarm's threshold on "
    "a minute is a threshold on share times duration.",
)


def _crowds(random: Random) -> list[Values]:
    return [
        {
            "used_m": random.randrange(300, 3000),
            "request_m": random.choice((200, 250, 400, 500)),
            "target_percent": random.choice((50, 60, 70, 80)),
            "killed_percent": random.choice((20, 25, 30, 40, 50, 60)),
        }
        for _ in range(12)
    ]


def _smallest(survivors: int, killed_percent: float, *, rounds_up: bool = True) -> int:
    pods = survivors
    while pods - scaled_value(f"{killed_percent}%", pods, rounds_up=rounds_up) < survivors:
        pods += 1
    return pods


def pods_for(used_m: int, request_m: int, target_percent: int, killed_percent: int) -> int:
    """The autoscaler's own rule says how many must survive; then the smallest number that leaves as many."""
    return _smallest(desired_replicas(1, used_m, request_m, target_percent, tolerance=0), killed_percent)


SURPLUS = Exercise(
    name="03-b",
    section="The fix",
    needs=("used_m", "request_m", "target_percent", "killed_percent"),
    others=_crowds,
    reference=pods_for,
    expected="the smallest number of pods of which, after the kill (its share rounded up), enough are left to carry "
    "the load within the autoscaler's target.",
    hints=(
        "Do it in two steps: how many pods must survive, and of how many pods do that many survive?",
        "One pod may use target_percent of request_m. Survivors are whole pods: which way do you round?",
        "For the second step try pods = 1, 2, 3, ... and take the first for which "
        "pods - ceil(pods x killed_percent / 100) is at least the number of survivors.",
    ),
    mistakes=(
        Mistake(
            "killed share rounded down",
            lambda used_m, request_m, target_percent, killed_percent: _smallest(
                math.ceil(100 * used_m / (request_m * target_percent)), killed_percent, rounds_up=False
            ),
            "You round the number of killed pods down. Chaos Mesh and this lab round it up: one more pod goes.",
        ),
        Mistake(
            "no target",
            lambda used_m, request_m, target_percent, killed_percent: _smallest(
                math.ceil(used_m / request_m), killed_percent
            ),
            "You let the survivors use all of their request. The autoscaler wants them at target_percent of it.",
        ),
        Mistake(
            "survivors rounded down",
            lambda used_m, request_m, target_percent, killed_percent: _smallest(
                100 * used_m // (request_m * target_percent), killed_percent
            ),
            "You round the survivors down: the last part of the load then has no pod. Take the next whole number.",
        ),
        Mistake(
            "always twice the survivors",
            lambda used_m, request_m, target_percent, killed_percent: (
                2 * math.ceil(100 * used_m / (request_m * target_percent))
            ),
            "Twice the survivors is right for a kill of half only. Use killed_percent.",
        ),
    ),
    means="Surplus is two roundings: survivors are whole pods, and so are victims. It buys room for the survivors; it "
    "does not prevent the errors of the killed.",
)


def _pauses(random: Random) -> list[Values]:
    return [
        {"lag_s": random.randrange(*lags), "slowest_s": random.randrange(1, 6), "end_s": random.randrange(5, 31)}
        for lags in ((4, 12), (15, 25), (30, 45))
    ]


SPARE_S = 5
"""By how much a pause may be longer than needed: each rollout waits for it."""


def pre_stop_s(container: Mapping[str, Any]) -> float:
    """How long a container's preStop hook waits, whichever way it is written; 0 without one."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    text = " ".join((hook.get("exec") or {}).get("command") or [])
    return float((hook.get("sleep") or {}).get("seconds") or sum(map(float, SLEEP.findall(text))))


def end_of_pod(answer: Any, values: Values) -> dict[str, Any]:
    """What the patch that ``answer`` returns makes of the backend's end, by the kubelet's rules."""
    patch = call(answer, values)
    if patch is None or patch is ...:
        return patch  # type: ignore[return-value]
    pod = patched_deployment(shop_object("Deployment", "backend"), patch)["spec"]["template"]["spec"]
    pauses_s = [pre_stop_s(container) for container in pod["containers"]]
    grace_s = pod["terminationGracePeriodSeconds"]
    pause_s = min(max(pauses_s), grace_s)
    needed_s = values["lag_s"] + values["slowest_s"]
    return {
        "pauses": pause_s > 0,
        "serves until the last request is through": pause_s >= needed_s,
        "goes soon after": pause_s <= needed_s + SPARE_S,
        "has its time to end": grace_s - pause_s >= values["end_s"],
        "containers": len(pauses_s),
    }


def _pause(seconds: int, **pod: Any) -> dict[str, Any]:
    container = {"name": "backend", "lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}
    return {"spec": {"template": {"spec": {"containers": [container], **pod}}}}


def graceful(lag_s: int, slowest_s: int, end_s: int) -> dict[str, Any]:
    """The pause covers the lag and the slowest request; the grace period covers the pause and the end."""
    return _pause(lag_s + slowest_s, terminationGracePeriodSeconds=lag_s + slowest_s + end_s)


PAUSE = Exercise(
    name="03-c",
    section="The fix",
    needs=("lag_s", "slowest_s", "end_s"),
    others=_pauses,
    reference=graceful,
    outcome=end_of_pod,
    expected="a patch for the Deployment backend: its pods serve until callers have forgotten them and the slowest "
    "request is answered, not much longer, then have end_s left; and they are otherwise as before.",
    hints=(
        "Two numbers have to be set: the length of the pause, and the length of the whole grace period.",
        "The pause is a sleep in the container's lifecycle.preStop. It begins when the pod leaves the list; a request "
        "that is sent at the last moment of the lag still takes its time.",
        "terminationGracePeriodSeconds belongs to the pod, beside containers; the pause is taken out of it. Unless you "
        "set it, it is 30.",
    ),
    mistakes=(
        Mistake(
            "grace period not set",
            lambda lag_s, slowest_s, end_s: _pause(lag_s + slowest_s),
            "The pause is there, but the grace period is the default, and the pause eats it up: the program is then "
            "killed with no time to end. Set terminationGracePeriodSeconds too.",
        ),
        Mistake(
            "slowest request forgotten",
            lambda lag_s, slowest_s, end_s: _pause(lag_s, terminationGracePeriodSeconds=lag_s + slowest_s + end_s),
            "The pause ends with the lag. A request that came just before that is still being worked on.",
        ),
        Mistake(
            "grace period without the pause",
            lambda lag_s, slowest_s, end_s: _pause(lag_s + slowest_s, terminationGracePeriodSeconds=end_s),
            "The grace period holds the end alone. It begins with the pause, so it must hold both.",
        ),
        Mistake(
            "pause in the wrong place",
            lambda lag_s, slowest_s, end_s: {
                "spec": {
                    "template": {
                        "spec": {
                            "lifecycle": {"preStop": {"sleep": {"seconds": lag_s + slowest_s}}},
                            "terminationGracePeriodSeconds": lag_s + slowest_s + end_s,
                        }
                    }
                }
            },
            "lifecycle stands in the pod's spec, where the API does not know it. It belongs to a container.",
        ),
        Mistake(
            "container without its name",
            lambda lag_s, slowest_s, end_s: {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": lag_s + slowest_s}}}}],
                            "terminationGracePeriodSeconds": lag_s + slowest_s + end_s,
                        }
                    }
                }
            },
            "A patch finds the container by its name; give the container its name, backend.",
        ),
    ),
    means="Two numbers that belong together: the pause covers lag and slowest request, the grace period covers the "
    "pause and the end.",
)


def _budgets(random: Random) -> list[Values]:
    made: list[Values] = []
    for _ in range(12):
        wanted = random.randrange(3, 13)
        ready = wanted - random.randrange(0, 3)
        made.append({"wanted": wanted, "ready": ready, "max_unavailable_percent": random.choice((10, 25, 30, 40, 50))})
    return made


def evictions_allowed(wanted: int, ready: int, max_unavailable_percent: int) -> int:
    """The disruption controller's own rule."""
    return disruptions_allowed(expectation(None, f"{max_unavailable_percent}%", wanted, wanted), ready)


EVICTIONS = Exercise(
    name="03-d",
    section="The fix",
    needs=("wanted", "ready", "max_unavailable_percent"),
    others=_budgets,
    reference=evictions_allowed,
    expected="how many pods may be evicted at this moment without leaving fewer ready pods than the budget demands.",
    hints=(
        "Begin with the other side: how many pods must stay ready?",
        "The share that may be missing is rounded up to whole pods, as Kubernetes does for maxUnavailable; the rest "
        "must stay ready.",
        "What is ready, less what must stay ready; and when that is negative, nobody may go.",
    ),
    mistakes=(
        Mistake(
            "pods that are missing already",
            lambda wanted, ready, max_unavailable_percent: math.ceil(wanted * max_unavailable_percent / 100),
            "You count as if all wanted pods were ready. Those that are missing already use up the budget.",
        ),
        Mistake(
            "rounded down",
            lambda wanted, ready, max_unavailable_percent: max(
                0, ready - (wanted - math.floor(wanted * max_unavailable_percent / 100))
            ),
            "You round the share that may be missing down. For maxUnavailable Kubernetes rounds it up.",
        ),
        Mistake(
            "negative",
            lambda wanted, ready, max_unavailable_percent: (
                ready - (wanted - math.ceil(wanted * max_unavailable_percent / 100))
            ),
            "Your rule can allow a negative number of evictions. What does the budget say when too many are missing?",
        ),
        Mistake(
            "share of the ready pods",
            lambda wanted, ready, max_unavailable_percent: math.ceil(ready * max_unavailable_percent / 100),
            "You take the share of the pods that are ready. It is a share of the pods that are wanted.",
        ),
    ),
    means="A budget is about the pods that are left, whatever made the others go; that is why a kill makes the next "
    "eviction wait.",
)

EXERCISES = (SEEN_OUTAGE, SURPLUS, PAUSE, EVICTIONS)
