"""CloudWatch through boto3 as it ships."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import boto3
import botocore.exceptions
import pytest
from lab_server import LabServer


@pytest.fixture(scope="module")
def cloudwatch(server: LabServer) -> Any:
    ready = server.ready
    session = boto3.Session(
        aws_access_key_id=ready["aws_access_key_id"],
        aws_secret_access_key=ready["aws_secret_access_key"],
        region_name=ready["region"],
    )
    return session.client("cloudwatch", endpoint_url=ready["aws"])


def now(server: LabServer) -> datetime:
    return datetime.fromisoformat(server.now())


def latency_alarm(name: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "Namespace": "Shop",
        "MetricName": "Latency",
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def test_what_was_put_is_got(server: LabServer, cloudwatch: Any) -> None:
    start = now(server)
    # Large enough that boto3 packs it with gzip.
    data = [
        {
            "MetricName": "Carts",
            "Timestamp": start + timedelta(seconds=second % 60),
            "Value": float(second),
            "Unit": "Count",
        }
        for second in range(240)
    ]
    cloudwatch.put_metric_data(Namespace="Put", MetricData=data)
    server.advance("5m")
    stat = {"Metric": {"Namespace": "Put", "MetricName": "Carts"}, "Period": 60}
    queries = [
        {"Id": "sum", "MetricStat": {**stat, "Stat": "Sum"}},
        {"Id": "p90", "MetricStat": {**stat, "Stat": "p90"}},
        {"Id": "half", "Expression": "sum / 2", "Label": "half"},
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{**query, "ReturnData": True} for query in queries],
        StartTime=start - timedelta(minutes=1),
        EndTime=start + timedelta(minutes=5),
    )
    results = {result["Id"]: result for result in answer["MetricDataResults"]}
    assert sum(results["sum"]["Values"]) == sum(range(240))
    assert results["half"]["Values"] == [value / 2 for value in results["sum"]["Values"]]
    assert 200 < results["p90"]["Values"][0] < 240
    assert all(moment.tzinfo is not None for moment in results["sum"]["Timestamps"])


def test_statistics_of_the_cluster_are_there(server: LabServer, cloudwatch: Any) -> None:
    server.advance("10m")
    (metric, *_) = cloudwatch.list_metrics(Namespace="ContainerInsights", MetricName="node_cpu_utilization")["Metrics"]
    answer = cloudwatch.get_metric_statistics(
        Namespace=metric["Namespace"],
        MetricName=metric["MetricName"],
        Dimensions=metric["Dimensions"],
        StartTime=now(server) - timedelta(minutes=10),
        EndTime=now(server),
        Period=60,
        Statistics=["Average", "Maximum"],
    )
    assert len(answer["Datapoints"]) >= 5
    assert all(0 < point["Average"] <= point["Maximum"] <= 100 for point in answer["Datapoints"])


def test_pages_of_metrics_are_walked_to_the_end(server: LabServer, cloudwatch: Any) -> None:
    for start in range(0, 600, 200):
        data = [{"MetricName": f"m{number:03}", "Value": 1.0} for number in range(start, start + 200)]
        cloudwatch.put_metric_data(Namespace="Many", MetricData=data)
    server.advance("15m")
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Many"))
    assert [len(page["Metrics"]) for page in pages] == [500, 100]
    names = {metric["MetricName"] for page in pages for metric in page["Metrics"]}
    assert len(names) == 600


def test_an_alarm_is_put_waited_for_and_its_history_read(server: LabServer, cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**latency_alarm("slow"))
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=["slow"], WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    cloudwatch.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "Latency", "Value": 3.0, "Unit": "Seconds"}]
    )
    server.advance("4m")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"]
    assert alarm["AlarmArn"].endswith(":alarm:slow")
    items = [
        item
        for page in cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmName="slow", HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
        )
        for item in page["AlarmHistoryItems"]
    ]
    assert "Alarm updated from INSUFFICIENT_DATA to ALARM" in [item["HistorySummary"] for item in items]
    cloudwatch.set_alarm_state(AlarmName="slow", StateValue="OK", StateReason="by hand")
    assert cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"][0]["StateReason"] == "by hand"
    assert cloudwatch.describe_alarms_for_metric(Namespace="Shop", MetricName="Latency")["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=["slow"])
    assert cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"] == []


def test_a_waiter_finds_a_composite_alarm(server: LabServer, cloudwatch: Any) -> None:
    cloudwatch.put_metric_alarm(**latency_alarm("part"))
    rule = {"AlarmName": "whole", "AlarmRule": "ALARM(part)"}
    cloudwatch.put_composite_alarm(**rule)
    waiter = cloudwatch.get_waiter("composite_alarm_exists")
    waiter.wait(AlarmNames=["whole"], AlarmTypes=["CompositeAlarm"], WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    assert [
        page["CompositeAlarms"][0]["AlarmName"]
        for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["CompositeAlarm"])
    ] == ["whole"]


def test_a_dashboard_lives(cloudwatch: Any) -> None:
    body = '{"widgets": [{"type": "text", "x": 0, "y": 0, "width": 3, "height": 3, "properties": {"markdown": "hi"}}]}'
    assert cloudwatch.put_dashboard(DashboardName="shop", DashboardBody=body)["DashboardValidationMessages"] == []
    assert cloudwatch.get_dashboard(DashboardName="shop")["DashboardBody"] == body
    assert [entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"]] == ["shop"]
    cloudwatch.delete_dashboards(DashboardNames=["shop"])
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.get_dashboard(DashboardName="shop")


def test_refusals_are_exceptions_with_their_codes(server: LabServer, cloudwatch: Any) -> None:
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")
    with pytest.raises(cloudwatch.exceptions.InvalidParameterValueException):
        cloudwatch.put_metric_data(Namespace="AWS/Shop", MetricData=[{"MetricName": "m", "Value": 1.0}])
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "Upper", "Expression": "1"}], StartTime=now(server), EndTime=now(server)
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(botocore.exceptions.ParamValidationError):
        cloudwatch.put_metric_data(Namespace="Shop", MetricData="none")


def test_a_wrong_access_key_is_refused(server: LabServer) -> None:
    stranger = boto3.client(
        "cloudwatch",
        endpoint_url=server.ready["aws"],
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wrong",
    )
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        stranger.list_metrics()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
