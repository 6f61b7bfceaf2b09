"""Alarms through the API: evaluation on the clock, actions, history."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from cloudwatch_client import START_NS, TOPIC, Cloud, Shape, alarm, changes, described, feed, without

from labs.units import MINUTE_NS, SECOND_NS


def test_a_new_alarm_has_insufficient_data_until_time_moves(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm())
    found = described(cloud)
    assert (found["StateValue"], found["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert found["AlarmArn"] == "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"
    assert (found["ActionsEnabled"], found["OKActions"], found["Dimensions"]) == (True, [], [])
    cloud.wait(0)
    assert described(cloud)["StateValue"] == "OK"


def test_three_of_five_goes_to_alarm_and_back(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(OKActions=[TOPIC]))
    feed(cloud, 0, 0, 9, 0, 8, 7, 0, 0, 0, 0, 0)
    cloud.wait(11)
    assert changes(cloud) == [(0.0, "INSUFFICIENT_DATA to OK"), (6.0, "OK to ALARM"), (8.0, "ALARM to OK")]
    assert [(arn, message["NewStateValue"]) for arn, message in cloud.acted] == [
        (TOPIC, "OK"),
        (TOPIC, "ALARM"),
        (TOPIC, "OK"),
    ]
    message = cloud.acted[1][1]
    assert message["NewStateReason"] == (
        "Threshold Crossed: 3 out of the last 5 datapoints [7.0 (02/03/26 09:05:00), 8.0 (02/03/26 09:04:00), "
        "9.0 (02/03/26 09:02:00)] were greater than the threshold (5.0) (minimum 3 datapoints for OK -> ALARM "
        "transition)."
    )
    assert message["StateChangeTime"] == "2026-03-02T09:06:00.000+0000"
    assert (message["Region"], message["OldStateValue"]) == ("US East (N. Virginia)", "OK")
    assert message["Trigger"]["Statistic"] == "SUM"


def test_late_data_makes_a_late_alarm(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="missing"))
    feed(cloud, 0, 0, 9, 9, 9, delay_ns=60 * SECOND_NS)
    cloud.wait(6)
    assert changes(cloud) == [(2.0, "INSUFFICIENT_DATA to OK"), (4.0, "OK to ALARM")]


def test_missing_data_ends_in_insufficient_data(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(EvaluationPeriods=1, DatapointsToAlarm=1, TreatMissingData="missing"))
    feed(cloud, 9)
    cloud.wait(6)
    assert changes(cloud) == [(1.0, "INSUFFICIENT_DATA to ALARM"), (4.0, "ALARM to INSUFFICIENT_DATA")]
    assert described(cloud)["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


def test_data_from_before_its_creation_counts(cloud: Cloud) -> None:
    feed(cloud, 9, 9, 9)
    cloud.wait(3)
    cloud("PutMetricAlarm", **alarm())
    cloud.wait(0)
    assert changes(cloud) == [(3.0, "INSUFFICIENT_DATA to ALARM")]


def test_a_short_period_is_evaluated_every_ten_seconds(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(Period=10, EvaluationPeriods=1, DatapointsToAlarm=1))
    cloud.wait(0.5)
    cloud.watch.put("Shop", "Errors", (), cloud.loop.now_ns, 9.0, resolution_s=1)
    cloud.wait(0.3)
    assert changes(cloud)[-1] == (pytest.approx(40 / 60), "OK to ALARM")


def test_a_long_period_slides_by_the_minute(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(Period=300, EvaluationPeriods=1, DatapointsToAlarm=1, Threshold=25))
    feed(cloud, *[6.0] * 5, *[0.0] * 5)
    cloud.wait(8)
    assert changes(cloud) == [(0.0, "INSUFFICIENT_DATA to OK"), (5.0, "OK to ALARM"), (6.0, "ALARM to OK")]


def test_a_metric_math_alarm_on_the_error_rate(cloud: Cloud) -> None:
    def stat(query_id: str, metric: str) -> Shape:
        inner = {"Metric": {"Namespace": "Shop", "MetricName": metric}, "Period": 60, "Stat": "Sum"}
        return {"Id": query_id, "MetricStat": inner, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100*FILL(e,0)/r", "Label": "error rate"}
    single = ("Namespace", "MetricName", "Statistic", "Period", "Dimensions")
    cloud("PutMetricAlarm", **without(alarm(), *single), Metrics=[stat("e", "Errors"), stat("r", "Requests"), rate])
    feed(cloud, *[100.0] * 12, metric="Requests")
    feed(cloud, None, None, 6, 7, 8, *[None] * 7)
    cloud.wait(12)
    assert changes(cloud) == [(0.0, "INSUFFICIENT_DATA to OK"), (5.0, "OK to ALARM"), (8.0, "ALARM to OK")]
    found = described(cloud)
    assert "MetricName" not in found
    assert found["Metrics"][2]["ReturnData"] is True
    assert "statistic" not in json.loads(found["StateReasonData"])


def test_a_percentile_alarm_may_wait_for_enough_samples(cloud: Cloud) -> None:
    single = without(alarm(EvaluationPeriods=1, DatapointsToAlarm=1, Threshold=1), "Statistic")
    cloud("PutMetricAlarm", **{**single, "AlarmName": "evaluate", "ExtendedStatistic": "p90"})
    few = {"ExtendedStatistic": "p90", "EvaluateLowSampleCountPercentile": "ignore"}
    cloud("PutMetricAlarm", **{**single, "AlarmName": "ignore", **few})
    feed(cloud, 2.0)
    cloud.watch.put(
        "Shop", "Errors", (), START_NS + MINUTE_NS, np.full(100, 2.0), available_at_ns=START_NS + 2 * MINUTE_NS
    )
    cloud.wait(2)
    assert changes(cloud, "evaluate")[-1] == (1.0, "OK to ALARM")
    assert changes(cloud, "ignore")[-1] == (2.0, "OK to ALARM")


def test_set_alarm_state_acts_and_lasts_until_the_next_evaluation(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm())
    cloud.wait(0.5)
    cloud("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="drill", StateReasonData='{"a":1}')
    cloud("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="drill again")
    assert [message["NewStateReason"] for _, message in cloud.acted] == ["drill"]
    assert described(cloud)["StateReason"] == "drill again"
    cloud.wait(0.5)
    assert changes(cloud) == [(0.0, "INSUFFICIENT_DATA to OK"), (0.5, "OK to ALARM"), (1.0, "ALARM to OK")]


def test_disabled_actions_stay_silent(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm())
    cloud("DisableAlarmActions", AlarmNames=["errors", "unheard of"])
    cloud("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="drill")
    assert (cloud.acted, described(cloud)["ActionsEnabled"]) == ([], False)
    cloud("EnableAlarmActions", AlarmNames=["errors"])
    assert described(cloud)["ActionsEnabled"] is True


def test_an_update_keeps_the_state_and_replaces_the_rest(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm(AlarmDescription="old", Tags=[{"Key": "team", "Value": "a"}]))
    cloud("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="drill")
    cloud("PutMetricAlarm", **alarm(Threshold=7, Tags=[{"Key": "team", "Value": "b"}]))
    found = described(cloud)
    assert (found["StateValue"], found["Threshold"], "AlarmDescription" in found) == ("ALARM", 7.0, False)
    assert cloud("ListTagsForResource", ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "a"}]


def test_history_tells_configuration_state_and_action(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm())
    cloud.wait(1)
    cloud("SetAlarmState", AlarmName="errors", StateValue="ALARM", StateReason="drill")
    cloud("DeleteAlarms", AlarmNames=["errors"])
    items = cloud("DescribeAlarmHistory")["AlarmHistoryItems"]
    assert [(item["HistoryItemType"], item["HistorySummary"]) for item in items] == [
        ("ConfigurationUpdate", 'Alarm "errors" deleted'),
        ("Action", f"Successfully executed action {TOPIC}"),
        ("StateUpdate", "Alarm updated from OK to ALARM"),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to OK"),
        ("ConfigurationUpdate", 'Alarm "errors" created'),
    ]
    first = json.loads(items[3]["HistoryData"])
    assert first["oldState"] == {"stateValue": "INSUFFICIENT_DATA", "stateReason": "Unchecked: Initial alarm creation"}
    assert first["newState"]["stateReasonData"]["recentDatapoints"] == []
    assert (
        cloud("DescribeAlarmHistory", StartDate=START_NS, EndDate=START_NS + SECOND_NS)["AlarmHistoryItems"]
        == items[3:]
    )
    page = cloud("DescribeAlarmHistory", MaxRecords=3)
    rest = cloud("DescribeAlarmHistory", MaxRecords=3, NextToken=page["NextToken"])
    assert page["AlarmHistoryItems"] + rest["AlarmHistoryItems"] == items
    cloud.wait(15 * 24 * 60)
    assert cloud("DescribeAlarmHistory")["AlarmHistoryItems"] == []


def test_describe_alarms_filters_and_pages(cloud: Cloud) -> None:
    for number in range(120):
        cloud("PutMetricAlarm", **alarm(f"a{number:03}"))
    cloud("PutMetricAlarm", **alarm("b", AlarmActions=[]))
    cloud("SetAlarmState", AlarmName="b", StateValue="ALARM", StateReason="drill")

    def names(**params: Any) -> list[str]:
        return [found["AlarmName"] for found in cloud("DescribeAlarms", **params)["MetricAlarms"]]

    assert names() == [f"a{number:03}" for number in range(50)]
    assert names(AlarmNamePrefix="a1", MaxRecords=100)[-1] == "a119"
    assert names(StateValue="ALARM") == ["b"]
    assert names(AlarmNames=["b", "zz"]) == ["b"]
    assert "b" not in names(ActionPrefix="arn:aws:sns:", MaxRecords=100)
    answer, seen = cloud("DescribeAlarms", MaxRecords=100), 0
    while True:
        seen += len(answer["MetricAlarms"])
        if "NextToken" not in answer:
            break
        answer = cloud("DescribeAlarms", MaxRecords=100, NextToken=answer["NextToken"])
    assert seen == 121
    refusal = cloud.refusal("DescribeAlarms", AlarmNames=["b"], AlarmNamePrefix="b")
    assert refusal.code == "InvalidParameterCombination"


def test_describe_alarms_for_metric_matches_exactly(cloud: Cloud) -> None:
    cloud("PutMetricAlarm", **alarm("plain"))
    cloud("PutMetricAlarm", **alarm("pod", Dimensions=[{"Name": "Pod", "Value": "x"}], Period=300))

    def names(**params: Any) -> list[str]:
        found = cloud("DescribeAlarmsForMetric", Namespace="Shop", MetricName="Errors", **params)["MetricAlarms"]
        return [member["AlarmName"] for member in found]

    assert names() == ["plain"]
    assert names(Dimensions=[{"Name": "Pod", "Value": "x"}]) == ["pod"]
    assert names(Statistic="Sum", Period=60) == ["plain"]
    assert names(Period=300) == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"AlarmName": ""}, "MissingParameter"),
        ({"AlarmName": "x" * 256}, "ValidationError"),
        ({"ComparisonOperator": None}, "MissingParameter"),
        ({"ComparisonOperator": "Over"}, "ValidationError"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "InvalidParameterValue"),
        ({"EvaluationPeriods": None}, "MissingParameter"),
        ({"EvaluationPeriods": 0}, "ValidationError"),
        ({"DatapointsToAlarm": 6}, "ValidationError"),
        ({"Threshold": None}, "MissingParameter"),
        ({"Period": 45}, "ValidationError"),
        ({"Period": None}, "MissingParameter"),
        ({"Period": 5}, "ValidationError"),
        ({"EvaluationPeriods": 1441}, "ValidationError"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "ValidationError"),
        ({"Statistic": "Median"}, "ValidationError"),
        ({"Statistic": None}, "ValidationError"),
        ({"ExtendedStatistic": "p99"}, "ValidationError"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "ValidationError"),
        ({"TreatMissingData": "never"}, "ValidationError"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "ValidationError"),
        ({"Unit": "Apples"}, "ValidationError"),
        ({"AlarmActions": [TOPIC] * 6}, "ValidationError"),
        ({"AlarmActions": ["page me"]}, "ValidationError"),
        ({"MetricName": None}, "MissingParameter"),
        ({"Metrics": [{"Id": "m", "Expression": "TIME_SERIES(1)"}]}, "InvalidParameterCombination"),
        ({"AlarmDescription": "x" * 1025}, "ValidationError"),
        ({"EvaluationCriteria": {}}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"k{i}", "Value": ""} for i in range(51)]}, "InvalidParameterValue"),
    ],
)
def test_a_bad_metric_alarm_is_refused(cloud: Cloud, more: Shape, code: str) -> None:
    assert cloud.refusal("PutMetricAlarm", **alarm(**more)).code == code


def query(query_id: str, expression: str | None = None, *, returned: bool = False, period: int = 60) -> Shape:
    if expression is not None:
        return {"Id": query_id, "Expression": expression, "ReturnData": returned}
    inner = {"Metric": {"Namespace": "Shop", "MetricName": "Errors"}, "Period": period, "Stat": "Sum"}
    return {"Id": query_id, "MetricStat": inner, "ReturnData": returned}


@pytest.mark.parametrize(
    "queries",
    [
        [query("a"), query("b")],
        [query("a", returned=True), query("b", "a * 2", returned=True)],
        [query("a"), query("b", period=300), query("c", "a + b", returned=True)],
        [query("a"), query("s", "SUM(SEARCH('{Shop} x', 'Sum', 60))", returned=True)],
        [query("a"), query("s", "AVG(a)", returned=True)],
        [query("a"), query("b"), query("s", "METRICS()", returned=True)],
        [query("s", "TIME_SERIES(1)", returned=True)],
        [query("a"), query("s", "a + nothing", returned=True)],
        [query(f"a{i}") for i in range(10)] + [query("s", "a1 + a2", returned=True)],
    ],
)
def test_a_bad_metric_math_alarm_is_refused(cloud: Cloud, queries: list[Shape]) -> None:
    params = without(alarm(), "Namespace", "MetricName", "Statistic", "Period")
    assert cloud.refusal("PutMetricAlarm", **params, Metrics=queries).code == "ValidationError"


def test_unknown_alarms(cloud: Cloud) -> None:
    refusal = cloud.refusal("SetAlarmState", AlarmName="x", StateValue="OK", StateReason="")
    assert (refusal.code, refusal.http_status) == ("ResourceNotFound", 404)
    cloud("DeleteAlarms", AlarmNames=["x"])
    params = {"AlarmName": "x", "StateValue": "BAD", "StateReason": ""}
    assert cloud.refusal("SetAlarmState", **params).message == (
        "1 validation error detected: Value 'BAD' at 'stateValue' failed to satisfy constraint: Member must satisfy "
        "enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
    )
    params |= {"StateValue": "OK", "StateReasonData": "{"}
    assert cloud.refusal("SetAlarmState", **params).code == "InvalidFormat"
