"""Lab 01: the percent that an HPA reads, the pods that it wants, and those that it keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from labs.controlplane.hpa.pods import Pod, Readiness, Sample
from labs.controlplane.hpa.replicas import PodMetrics, Tolerances, desired_replicas, utilization_replicas
from labs.controlplane.hpa.stabilization import Recommendation, stabilize_without_behavior
from labs.course.exercises.exercise import Exercise, Mistake, Values
from labs.units import SECOND_NS


def _uses(random: Random) -> list[Values]:
    made: list[Values] = []
    for pods in (3, 4, 6, 7, 9):
        request_m = random.choice((250, 400, 500))
        used_m = [random.randrange(60, request_m) for _ in range(pods)]
        made.append({"used_m": used_m, "request_m": request_m, "limit_m": request_m + random.choice((150, 240, 500))})
    return made


def percent_read(used_m: Sequence[int], request_m: int, limit_m: int) -> int | None:
    """What the HPA's own function reports in status."""
    pods = [Pod(f"pod-{place}", requests_milli={"main": request_m}) for place in range(len(used_m))]
    samples = {pod.name: Sample(use) for pod, use in zip(pods, used_m, strict=True)}
    metrics = PodMetrics(pods, samples, Readiness(now_ns=0))
    return utilization_replicas(len(pods), 80, metrics, Tolerances()).utilization_percent


PERCENT = Exercise(
    name="01-a",
    section="Steady state",
    needs=("used_m", "request_m", "limit_m"),
    others=_uses,
    reference=percent_read,
    expected="the CPU use of all pods together, in whole percent of what all of them request.",
    hints=(
        "Two sums: what all pods use, and what all pods request.",
        "Every pod requests the same. How many pods are there?",
        "The HPA drops the part behind the point; math.floor does that.",
    ),
    mistakes=(
        Mistake(
            "of the limit",
            lambda used_m, request_m, limit_m: math.floor(100 * sum(used_m) / (len(used_m) * limit_m)),
            "You divide by the limit. The HPA divides by the request.",
        ),
        Mistake(
            "of one request",
            lambda used_m, request_m, limit_m: math.floor(100 * sum(used_m) / request_m),
            "You compare the use of all pods with the request of one.",
        ),
        Mistake(
            "rounded up",
            lambda used_m, request_m, limit_m: math.ceil(100 * sum(used_m) / (len(used_m) * request_m)),
            "You round up. That comes later, for pods; the percent loses its fraction.",
        ),
        Mistake(
            "a share",
            lambda used_m, request_m, limit_m: sum(used_m) / (len(used_m) * request_m),
            "That is a share, between 0 and 1. The HPA counts in whole percent.",
        ),
        Mistake(
            "not whole",
            lambda used_m, request_m, limit_m: 100 * sum(used_m) / (len(used_m) * request_m),
            "The number is right, but not whole.",
        ),
    ),
    means="An HPA sees one number for all pods. A request that is too large makes busy pods look idle; one that is too "
    "small makes idle pods look busy.",
)


def _loads(random: Random) -> list[Values]:
    """Some within the tolerance, some beyond a limit, some that only rounding up gets right."""
    made: list[Values] = []
    for ratio in (0.3, 0.7, 0.95, 1.06, 1.3, 1.7, 2.9):
        target = random.choice((50, 60, 70, 80))
        percent = round(target * ratio)
        pods = random.randrange(5, 9)
        made.append({"pods": pods, "percent": percent, "target": target, "lowest": 3, "highest": 12})
    return made


def pods_wanted(pods: int, percent: int, target: int, lowest: int, highest: int) -> int:
    """The HPA's own rule, within its limits."""
    return min(max(desired_replicas(pods, percent, 100, target), lowest), highest)


def _clamped(wanted: float, lowest: int, highest: int) -> int:
    return min(max(math.ceil(wanted), lowest), highest)


WANTED = Exercise(
    name="01-b",
    section="The rule: one line",
    needs=("pods", "percent", "target", "lowest", "highest"),
    others=_loads,
    reference=pods_wanted,
    expected="ceil(pods x use / target), unless use is close to the target; never outside the limits.",
    hints=(
        "Three steps: is the use close to the target? If not, what does the rule say? Is that within the limits?",
        "Close enough means that percent / target lies from 0.9 to 1.1; then nothing changes.",
        "min(max(wanted, lowest), highest) keeps a number within limits.",
    ),
    mistakes=(
        Mistake(
            "no tolerance",
            lambda pods, percent, target, lowest, highest: _clamped(pods * percent / target, lowest, highest),
            "You react to every percent. What does the HPA do at 95 % of its target?",
        ),
        Mistake(
            "no limits",
            lambda pods, percent, target, lowest, highest: desired_replicas(pods, percent, 100, target),
            "Your number leaves the limits: minReplicas and maxReplicas have the last word.",
        ),
        Mistake(
            "rounded down",
            lambda pods, percent, target, lowest, highest: (
                min(max(pods, lowest), highest)
                if 0.9 <= percent / target <= 1.1
                else min(max(math.floor(pods * percent / target), lowest), highest)
            ),
            "You round down: then the last part of the load has no pod.",
        ),
        Mistake(
            "upside down",
            lambda pods, percent, target, lowest, highest: (
                min(max(pods, lowest), highest)
                if 0.9 <= percent / target <= 1.1
                else _clamped(pods * target / percent, lowest, highest)
            ),
            "The division is upside down: more use must give more pods.",
        ),
        Mistake(
            "rounded to the nearest",
            lambda pods, percent, target, lowest, highest: (
                min(max(pods, lowest), highest)
                if 0.9 <= percent / target <= 1.1
                else min(max(round(pods * percent / target), lowest), highest)
            ),
            "You round to the nearest number. The HPA rounds up, always.",
        ),
    ),
    means="Three lines decide how many pods a shop has. Everything else about an HPA is where the percent comes from.",
)


def _histories(random: Random) -> list[Values]:
    """A peak that lies within the window, or outside it, or nowhere."""
    made: list[Values] = []
    for peak_at, window_s in ((12, 300), (25, 300), (6, 120), (9, 120), (3, 60), (0, 300)):
        offset_s = random.randrange(1, 15)
        base = random.randrange(3, 6)
        history = [(0, base + 1)]
        for place in range(1, 30):
            wanted = base + random.randrange(4, 7) if place == peak_at else base + 2 * (place % 2)
            history.append((15 * place - offset_s, wanted))
        history.append((15 * 30 - offset_s, base + 9))
        made.append({"history": history, "window_s": window_s})
    return made


def pods_kept(history: Sequence[tuple[int, int]], window_s: int) -> int:
    """The HPA's own rule, with the clock at nought."""
    log = [Recommendation(wanted, -age_s * SECOND_NS) for age_s, wanted in history[1:]]
    return stabilize_without_behavior(log, history[0][1], window_s * SECOND_NS, 0).replicas


KEPT = Exercise(
    name="01-c",
    section="They leave: stabilisation",
    needs=("history", "window_s"),
    others=_histories,
    reference=pods_kept,
    expected="the number of pods after stabilisation: the HPA gives up a pod when nothing in the window asked for it.",
    hints=(
        "Which pairs of the history count? Those that are not older than the window.",
        "Of those, which wish does the HPA follow, so that a short lull costs nothing?",
        "One line is enough: max(wanted for age_s, wanted in history if ...).",
    ),
    mistakes=(
        Mistake(
            "the newest",
            lambda history, window_s: history[0][1],
            "You follow the newest wish. That is the rule without stabilisation.",
        ),
        Mistake(
            "the highest ever",
            lambda history, window_s: max(wanted for _, wanted in history),
            "You take the highest of the whole history. Wishes older than the window are forgotten.",
        ),
        Mistake(
            "the lowest",
            lambda history, window_s: min(wanted for age_s, wanted in history if age_s <= window_s),
            "You take the lowest wish. Then a short lull costs pods, and that is what the window is there to prevent.",
        ),
        Mistake(
            "the mean",
            lambda history, window_s: math.ceil(
                sum(wanted for age_s, wanted in history if age_s <= window_s)
                / sum(age_s <= window_s for age_s, _ in history)
            ),
            "You take a mean. The HPA takes one of the wishes, as it was.",
        ),
    ),
    means="The highest wish of the window counts on the way down. A longer window costs idle pods; a shorter one makes "
    "pods come and go.",
)

EXERCISES = (PERCENT, WANTED, KEPT)
