"""A CloudWatch on its own clock, and a check of every answer against botocore's service model."""

from __future__ import annotations

from typing import Any

import botocore.model
import botocore.validate
import pytest

from labs.errors import AwsError
from labs.observability.cloudwatch.service import CloudWatch
from labs.observability.cloudwatch.wire import from_wire, to_wire
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


class Cloud:
    """CloudWatch as a client sees it: requests and answers fit the service model, times are datetimes."""

    def __init__(self, model: botocore.model.ServiceModel) -> None:
        self._model = model
        self.loop = Loop(START_NS)
        self.watch = CloudWatch(self.loop, "123456789012", "us-east-1")
        self.acted: list[tuple[str, dict[str, Any]]] = []
        self.watch.on_action(lambda arn, message: self.acted.append((arn, message)))

    def __call__(self, action: str, **params: Any) -> dict[str, Any]:
        """The answer, checked, with times as nanoseconds again."""
        answer = self.watch.call(action, from_wire(to_wire(params)))
        shape = self._model.operation_model(action).output_shape
        wired = to_wire(answer)
        if shape is not None:
            report = botocore.validate.ParamValidator().validate(wired, shape)
            assert not report.has_errors(), report.generate_report()
        return from_wire(wired)

    def refusal(self, action: str, **params: Any) -> AwsError:
        """The refusal of a request."""
        with pytest.raises(AwsError) as caught:
            self.watch.call(action, params)
        return caught.value

    def wait(self, minutes: float) -> None:
        """Lets time pass."""
        self.loop.run_until(self.loop.now_ns + round(minutes * MINUTE_NS))


Shape = dict[str, Any]
TOPIC = "arn:aws:sns:us-east-1:123456789012:page"


def alarm(name: str = "errors", **more: Any) -> Shape:
    return {
        "AlarmName": name,
        "Namespace": "Shop",
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": 5,
        "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [TOPIC],
        **more,
    }


def without(params: Shape, *names: str) -> Shape:
    return {name: value for name, value in params.items() if name not in names}


def feed(cloud: Cloud, *values: float | None, metric: str = "Errors", delay_ns: int = 0, **more: Any) -> None:
    """One value for each minute from now on, readable ``delay_ns`` after the minute's end."""
    for minute, value in enumerate(values):
        at_ns = cloud.loop.now_ns + minute * MINUTE_NS
        if value is not None:
            available_ns = at_ns + MINUTE_NS + delay_ns
            cloud.watch.put("Shop", metric, (), at_ns, value, available_at_ns=available_ns, **more)


def described(cloud: Cloud, name: str = "errors") -> Shape:
    answer = cloud("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (found,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
    shape: Shape = found
    return shape


def changes(cloud: Cloud, name: str = "errors") -> list[tuple[float, str]]:
    """Minute and summary of each state change."""
    params = {"AlarmName": name, "HistoryItemType": "StateUpdate", "ScanBy": "TimestampAscending"}
    items = cloud("DescribeAlarmHistory", AlarmTypes=["MetricAlarm", "CompositeAlarm"], **params)["AlarmHistoryItems"]
    return [
        ((item["Timestamp"] - START_NS) / MINUTE_NS, item["HistorySummary"].removeprefix("Alarm updated from "))
        for item in items
    ]
