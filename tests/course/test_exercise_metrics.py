"""The bench for alarms and queries: made minutes, read by the engine's CloudWatch."""

from __future__ import annotations

from typing import Any

import pytest

from labs.course.exercises.exercise import WrongFormError
from labs.course.exercises.metrics import FRONTEND, alarming_minutes, queried
from labs.errors import AwsError

BALANCER = [{"Name": "LoadBalancer", "Value": "app/shop/1"}]
TIMES = {"TargetResponseTime": [[0.1, 0.2, 0.3], [0.5, 2.0], None, [4.0]]}


def alarm(**more: Any) -> dict[str, Any]:
    return {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "TargetResponseTime",
        "Dimensions": BALANCER,
        "Period": 60,
        "Statistic": "Maximum",
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    } | more


def query(stat: str, dimensions: list[dict[str, str]] = BALANCER) -> dict[str, Any]:
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime", "Dimensions": dimensions}
    return {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


def test_an_alarm_is_in_alarm_in_the_minutes_that_breach() -> None:
    assert alarming_minutes(alarm(Threshold=0.25), TIMES) == [0, 1, 2, 3]
    assert alarming_minutes(alarm(Threshold=3.0), TIMES) == [3]


def test_missing_minutes_are_treated_as_the_alarm_says() -> None:
    # The newest real minute decides while it is within the evaluation range, which looks a few minutes back.
    silent = {"TargetResponseTime": [[2.0], *[None] * 6, [0.1]]}
    brief = alarming_minutes(alarm(), silent)
    assert brief[0] == 0
    assert brief[-1] < 6
    assert alarming_minutes(alarm(TreatMissingData="breaching"), silent) == [0, 1, 2, 3, 4, 5, 6]


def test_an_alarm_on_another_series_has_no_data() -> None:
    other = [{"Name": "TargetGroup", "Value": "frontend"}]
    assert alarming_minutes(alarm(Dimensions=other), TIMES) == []
    assert alarming_minutes(alarm(), TIMES, FRONTEND) == []


def test_queries_answer_minute_by_minute_without_those_that_are_missing() -> None:
    assert queried([query("Average")], TIMES) == [[pytest.approx(0.2), 1.25, 4.0]]
    assert queried([query("Maximum", [])], TIMES) == [[]]


def test_what_boto3_refuses_is_told_in_its_words() -> None:
    with pytest.raises(WrongFormError, match='Unknown parameter in input: "Treshold"'):
        alarming_minutes(alarm(Treshold=1), TIMES)
    with pytest.raises(WrongFormError, match="a dict"):
        alarming_minutes([alarm()], TIMES)
    with pytest.raises(WrongFormError, match="a list of queries"):
        queried(query("Average"), TIMES)


def test_what_cloudwatch_refuses_is_told_in_its_words() -> None:
    with pytest.raises(AwsError):
        alarming_minutes(alarm(EvaluationPeriods=1, DatapointsToAlarm=2), TIMES)
