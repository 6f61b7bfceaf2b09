"""Lab 05: availability from minutes, the share of slow requests, one percentile of many minutes, a fitting alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Any

from labs.course.exercises.exercise import Exercise, Mistake, Values
from labs.course.exercises.metrics import alarming_minutes, queried

LOAD_BALANCER = [{"Name": "LoadBalancer", "Value": "app/shop/1"}]


def _query(id: str, metric: str, stat: str, period_s: int = 60, *, is_returned: bool = True) -> dict[str, Any]:
    found = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": LOAD_BALANCER}
    return {"Id": id, "MetricStat": {"Metric": found, "Period": period_s, "Stat": stat}, "ReturnData": is_returned}


def _formula(id: str, expression: str) -> dict[str, Any]:
    return {"Id": id, "Expression": expression}


def _incidents(random: Random) -> list[Values]:
    made: list[Values] = []
    for _ in range(5):
        requests = [random.randrange(600, 3000) for _ in range(10)]
        errors = [random.choice((0.0, 0.0, 0.5, 4.0, 30.0)) for _ in range(9)]
        made.append({"requests": requests, "error_percent": [12.0, *errors]})
    return made


def availability(requests: Sequence[float], error_percent: Sequence[float]) -> float:
    """Counted: failed requests over all requests."""
    failed = sum(count * percent / 100 for count, percent in zip(requests, error_percent, strict=True))
    return 100 * (1 - failed / sum(requests))


AVAILABILITY = Exercise(
    name="05-a",
    section="What one minute hides",
    needs=("requests", "error_percent"),
    others=_incidents,
    reference=availability,
    expected="the percentage of all requests of these minutes that succeeded.",
    hints=(
        "A minute with many requests weighs more than a quiet one.",
        "How many requests failed in one minute? Its requests times its error_percent / 100.",
        "Add up the failed requests of all minutes, divide by all requests, and turn that into what succeeded.",
    ),
    mistakes=(
        Mistake(
            "mean of the percentages",
            lambda requests, error_percent: 100 - sum(error_percent) / len(error_percent),
            "You average the minutes' percentages, as if each minute had the same number of requests.",
        ),
        Mistake(
            "what failed",
            lambda requests, error_percent: 100 - availability(requests, error_percent),
            "That is the share that failed. Availability is the share that succeeded.",
        ),
        Mistake(
            "worst minute",
            lambda requests, error_percent: 100 - max(error_percent),
            "That is the worst minute alone. The promise is about all requests.",
        ),
        Mistake(
            "a share, not a percentage",
            lambda requests, error_percent: availability(requests, error_percent) / 100,
            "The number is right as a share of 1. A percentage is asked for.",
        ),
    ),
    means="Percentages of minutes may not be averaged; counts may be added. Busy minutes weigh more, for good or bad.",
)


def _slow_minutes(random: Random) -> list[Values]:
    return [
        {"seconds": [[round(random.expovariate(1.5), 3) for _ in range(random.randrange(5, 40))] for _ in range(6)]}
        for _ in range(3)
    ]


def answered(answer: Any, values: Values) -> list[list[float]]:
    """What CloudWatch answers to queries when these were the response times."""
    return queried(answer, {"TargetResponseTime": values["seconds"]})


SLOW_SHARE = Exercise(
    name="05-b",
    section="What one minute hides",
    needs=("seconds",),
    others=_slow_minutes,
    reference=[_query("slow", "TargetResponseTime", "PR(1:)")],
    outcome=answered,
    says="CloudWatch answers {}",
    expected="one series, and no other: for each minute the percentage of requests that took longer than one second.",
    hints=(
        "CloudWatch has a statistic for “what percentage of values is in a range”: PR, percentile rank.",
        "PR(:1) is the percentage of values up to 1, and you want the others. A formula may name a query by its Id.",
        'Let the query have "ReturnData": False, and return a formula that takes it from 100.',
    ),
    mistakes=(
        Mistake(
            "the fast ones",
            [_query("fast", "TargetResponseTime", "PR(:1)")],
            "PR(:1) is the percentage of requests that took up to one second. You want the rest.",
        ),
        Mistake(
            "both returned",
            [_query("fast", "TargetResponseTime", "PR(:1)"), _formula("slow", "100 - fast")],
            'Two series come back. Only the formula should: "ReturnData": False keeps the other one back.',
        ),
        Mistake(
            "a percentile",
            [_query("p99", "TargetResponseTime", "p99")],
            "p99 answers the opposite question: given the share, how many seconds. Here the seconds are given.",
        ),
        Mistake(
            "milliseconds",
            [_query("slow", "TargetResponseTime", "PR(1000:)")],
            "TargetResponseTime is in seconds: 1000 would be a quarter of an hour.",
        ),
    ),
    means="A percentile rank turns a promise such as “99 of 100 within a second” into a number that can be added up.",
)


def _long_minutes(random: Random) -> list[Values]:
    return [
        {"seconds": [[round(random.expovariate(4 / (1 + minute)), 3) for _ in range(50 * (5 - minute))]
                     for minute in range(5)]}
        for _ in range(3)
    ]  # fmt: skip


WHOLE_P99 = Exercise(
    name="05-c",
    section="What we measure",
    needs=("seconds",),
    others=_long_minutes,
    reference=[_query("p99", "TargetResponseTime", "p99", 300)],
    outcome=answered,
    says="CloudWatch answers {}",
    expected="one number for each five minutes: the time that 99 of 100 requests of all five minutes stayed below.",
    hints=(
        "Percentiles cannot be computed from percentiles: all requests of the five minutes must be looked at at once.",
        "A query says over how long it looks. Which field is it, and in which unit?",
        "Take the p99 query and set its Period to five minutes.",
    ),
    mistakes=(
        Mistake(
            "mean of percentiles",
            [_query("p99", "TargetResponseTime", "p99", is_returned=False), _formula("mean", "AVG(p99)")],
            "You average percentiles. A quiet minute then counts as much as a busy one; the result is nobody's time.",
        ),
        Mistake(
            "highest percentile",
            [_query("p99", "TargetResponseTime", "p99", is_returned=False), _formula("highest", "MAX(p99)")],
            "You take the worst minute's percentile. That is a bound, not the percentile of all requests.",
        ),
        Mistake(
            "minute by minute",
            [_query("p99", "TargetResponseTime", "p99")],
            "You get a number for each minute. One for all five is asked for.",
        ),
        Mistake(
            "average",
            [_query("mean", "TargetResponseTime", "Average", 300)],
            "The period is right, but the statistic is the average: it hides the unlucky ones.",
        ),
    ),
    means="Never average percentiles. CloudWatch keeps each minute's distribution and can compute the percentile of a "
    "longer period itself.",
)


def _counted(random: Random) -> list[Values]:
    made: list[Values] = []
    for _ in range(2):
        bad = random.sample((0, 3, 20, 21, 22, 60, 90), 6)
        shares = [0, 0, *bad, 0, 35, 0, 40, 0, 20, 20, 0, 0]
        requests: list[float | None] = [1000.0] * len(shares)
        target5 = [float(share // 3) or None for share in shares]
        elb5 = [float(share - share // 3) or None for share in shares]
        quiet = [None] * 5
        made.append({"requests": requests + quiet, "target5": target5 + quiet, "elb5": elb5 + quiet})
    return made


def ringing(answer: Any, values: Values) -> list[int]:
    """The minutes in which an alarm rings when these were the counts."""
    names = {"requests": "RequestCount", "target5": "HTTPCode_Target_5XX_Count", "elb5": "HTTPCode_ELB_5XX_Count"}
    return alarming_minutes(answer, {metric: _published(values[name]) for name, metric in names.items()})


def _published(counts: Sequence[float | None]) -> list[float | None]:
    """A counter that is zero is not published; in a table it is nan."""
    return [count if count and not math.isnan(count) else None for count in counts]


def _alarm(formula: str = "100 * (FILL(target5, 0) + FILL(elb5, 0)) / requests", **more: Any) -> dict[str, Any]:
    counters = {"requests": "RequestCount", "target5": "HTTPCode_Target_5XX_Count", "elb5": "HTTPCode_ELB_5XX_Count"}
    metrics = [_query(key, metric, "Sum", is_returned=False) for key, metric in counters.items() if key in formula]
    return {
        "Metrics": [*metrics, _formula("error_percent", formula) | {"ReturnData": True}],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 2.0,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "TreatMissingData": "notBreaching",
    } | more


def _without(alarm: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in alarm.items() if name != field}


FITTING_ALARM = Exercise(
    name="05-d",
    section="Alarms",
    needs=("requests", "target5", "elb5"),
    others=_counted,
    reference=_alarm(),
    outcome=ringing,
    says="the alarm rings in the minutes {} (counted from 0)",
    expected="an alarm that rings while two of the last three minutes had more than 2 % errors, and is silent while "
    "there is no traffic.",
    hints=(
        "The alarms above have all fields that you need; which three of them say “two of the last three” and “2 %”?",
        "EvaluationPeriods is how many minutes are looked at, DatapointsToAlarm how many of them must be bad.",
        "The formula is in per cent, “more than” is GreaterThanThreshold, a minute without traffic is notBreaching.",
    ),
    mistakes=(
        Mistake(
            "three of three",
            _without(_alarm(), "DatapointsToAlarm"),
            "Without DatapointsToAlarm all of the EvaluationPeriods must be bad.",
        ),
        Mistake(
            "one bad minute",
            _alarm(EvaluationPeriods=1, DatapointsToAlarm=1),
            "It rings after a single bad minute.",
        ),
        Mistake(
            "a share, not a percentage",
            _alarm(Threshold=0.02),
            "0.02 is a share, but the formula is in per cent: your alarm rings at 0.02 %.",
        ),
        Mistake(
            "exactly 2 % counts",
            _alarm(ComparisonOperator="GreaterThanOrEqualToThreshold"),
            "It rings at exactly 2 %. More than 2 % is asked for.",
        ),
        Mistake(
            "silence is an error",
            _alarm(TreatMissingData="breaching"),
            "It rings when nobody visits the shop: missing data are treated as breaching.",
        ),
        Mistake(
            "the balancer's errors forgotten",
            _alarm("100 * FILL(target5, 0) / requests"),
            "It does not count the errors of the load balancer itself, which are those of pods that are gone.",
        ),
    ),
    means="Two of three forgives one bad minute, and speaks at the second: each alarm is a choice between early "
    "and often.",
)

EXERCISES = (AVAILABILITY, SLOW_SHARE, WHOLE_P99, FITTING_ALARM)
