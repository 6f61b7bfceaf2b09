"""Lab 02: what a budget allows, how fast it burns, and an availability over minutes that are not equal."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from labs.course.exercises.exercise import Exercise, Mistake, Values


def _promises(random: Random) -> list[Values]:
    return [
        {"slo_percent": slo, "days": random.choice((7, 28, 30, 90)), "rate_per_s": random.randrange(2, 400)}
        for slo in (99.0, 99.5, 99.9, 99.95, 99.99)
    ]


def budget(slo_percent: float, days: int, rate_per_s: float) -> float:
    """Requests that may fail: all of them, times the share that the promise leaves."""
    return rate_per_s * 86_400 * days * (100 - slo_percent) / 100


BUDGET = Exercise(
    name="02-a",
    section="The error budget",
    needs=("slo_percent", "days", "rate_per_s"),
    others=_promises,
    reference=budget,
    expected="how many requests may fail in so many days, at so many requests per second.",
    hints=(
        "Two steps: how many requests come in so many days, and which share of them may fail?",
        "A day has 86,400 seconds.",
        "The share that may fail is (100 - slo_percent) / 100.",
    ),
    mistakes=(
        Mistake(
            "those that must succeed",
            lambda slo_percent, days, rate_per_s: rate_per_s * 86_400 * days * slo_percent / 100,
            "Those are the requests that must succeed. The budget is the rest.",
        ),
        Mistake(
            "percent as a share",
            lambda slo_percent, days, rate_per_s: rate_per_s * 86_400 * days * (100 - slo_percent),
            "You use percent as a share: 0.1 % is 0.001, not 0.1.",
        ),
        Mistake(
            "minutes",
            lambda slo_percent, days, rate_per_s: 1440 * days * (100 - slo_percent) / 100,
            "Those are minutes without service. Asked for are requests.",
        ),
        Mistake(
            "rate per minute",
            lambda slo_percent, days, rate_per_s: rate_per_s * 1440 * days * (100 - slo_percent) / 100,
            "A day has 1,440 minutes, but the rate is per second.",
        ),
    ),
    means="A promise of so many nines is a number of visitors whom you may disappoint. That number can be spent: on "
    "outages, or on experiments.",
    tolerance=1e-4,
)


def _fires(random: Random) -> list[Values]:
    return [
        {"failed_percent": failed, "slo_percent": random.choice((99.0, 99.5, 99.9)), "days": random.choice((7, 28, 30))}
        for failed in (0.2, 1.4, 5.0, 20.0, 60.0, 100.0)
    ]


def hours_left(failed_percent: float, slo_percent: float, days: int) -> float:
    """The period, divided by the burn rate."""
    return 24 * days * (100 - slo_percent) / failed_percent


BURN = Exercise(
    name="02-b",
    section="The burn rate",
    needs=("failed_percent", "slo_percent", "days"),
    others=_fires,
    reference=hours_left,
    expected="after how many hours the whole budget of so many days is gone, when failed_percent of all requests fail.",
    hints=(
        "What is the burn rate: how many times too fast is the budget being spent?",
        "At burn rate 1 the budget lasts for all of the days. At burn rate 2?",
        "Divide the length of the period, in hours, by the burn rate.",
    ),
    mistakes=(
        Mistake(
            "the burn rate",
            lambda failed_percent, slo_percent, days: failed_percent / (100 - slo_percent),
            "That is the burn rate. Asked for is the time that it leaves.",
        ),
        Mistake(
            "longer when it burns faster",
            lambda failed_percent, slo_percent, days: 24 * days * failed_percent / (100 - slo_percent),
            "With your rule the budget lasts longer when more requests fail.",
        ),
        Mistake(
            "days",
            lambda failed_percent, slo_percent, days: days * (100 - slo_percent) / failed_percent,
            "Those are days. Asked for are hours.",
        ),
        Mistake(
            "an outage of everything",
            lambda failed_percent, slo_percent, days: 24 * days * (100 - slo_percent) / 100,
            "That is the time if every request fails. Here failed_percent of them do.",
        ),
    ),
    means="A burn rate turns an error rate into a time: how long until the promise is broken. That tells you whether "
    "to wake somebody.",
)


def _unequal_minutes(random: Random) -> list[Values]:
    """Busy minutes and quiet ones, with the failures in one kind, then in the other."""
    made: list[Values] = []
    for _ in range(4):
        requests = [random.randrange(600, 900) for _ in range(6)] + [random.randrange(5, 60) for _ in range(3)]
        failed = [random.randrange(0, 4) for _ in range(6)] + [random.randrange(2, 5) for _ in range(3)]
        made.append({"requests": requests, "failed": failed})
    return made


def availability(requests: Sequence[float], failed: Sequence[float]) -> float:
    """Good requests over all requests, whatever minute they came in."""
    return 100 * (1 - sum(failed) / sum(requests))


AVAILABILITY = Exercise(
    name="02-c",
    section="The service level, from the balancer",
    needs=("requests", "failed"),
    others=_unequal_minutes,
    reference=availability,
    expected="the share of all requests that succeeded, in percent, from two lists with one number for each minute.",
    hints=(
        "Is a minute with five visitors worth as much as one with eight hundred?",
        "Sum up first, divide then.",
        "One sum for all requests, one for all that failed; what is left of 100 %?",
    ),
    mistakes=(
        Mistake(
            "mean of minutes",
            lambda requests, failed: 100 - 100 * float(np.mean(np.divide(failed, requests))),
            "You take the mean of the minutes' rates: a minute with few visitors then counts as much as a busy one.",
        ),
        Mistake(
            "share of good minutes",
            lambda requests, failed: 100 * sum(not each for each in failed) / len(failed),
            "You count minutes without a failure. Asked for are requests.",
        ),
        Mistake(
            "the error rate",
            lambda requests, failed: 100 * sum(failed) / sum(requests),
            "That is the share that failed. Asked for is the share that succeeded.",
        ),
        Mistake(
            "a share",
            lambda requests, failed: 1 - sum(failed) / sum(requests),
            "That is a share between 0 and 1; asked for is percent.",
        ),
    ),
    means="A rate of rates is not the rate of the whole. Add counters first, divide last; CloudWatch's metric math "
    "does the same when you let it sum before you divide.",
    tolerance=1e-7,
)

EXERCISES = (BUDGET, BURN, AVAILABILITY)
