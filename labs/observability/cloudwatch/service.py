"""The front of CloudWatch: one object per account and region.

``call`` takes and returns the members of botocore's service model (cloudwatch 2010-08-01) as plain Python: dict,
list, str, bool, int, float. Times are integers of nanoseconds since the epoch, both ways; ``wire.from_wire`` and
``wire.to_wire`` turn them from and to what a protocol parser or serializer has. Refusals are ``AwsError``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from labs.errors import AwsError
from labs.observability.cloudwatch.alarm_config import check_tags
from labs.observability.cloudwatch.alarm_requests import AlarmRequests
from labs.observability.cloudwatch.alarms import ActionSink, AlarmEngine
from labs.observability.cloudwatch.dashboards import Dashboards
from labs.observability.cloudwatch.get_metric_data import get_metric_data
from labs.observability.cloudwatch.get_metric_statistics import get_metric_statistics, list_metrics
from labs.observability.cloudwatch.ingest import put_metric_data
from labs.observability.cloudwatch.refusals import require
from labs.observability.cloudwatch.store import Dimensions, MetricStore, metric_key
from labs.sim.loop import Loop

Params = dict[str, Any]


class CloudWatch:
    """Metrics, alarms and dashboards of one account and region on a virtual clock."""

    def __init__(self, loop: Loop, account_id: str, region: str) -> None:
        self._loop = loop
        self.store = MetricStore()
        self.alarms = AlarmEngine(loop, self.store, account_id, region)
        self._alarm_requests = AlarmRequests(loop, self.alarms)
        self._dashboards = Dashboards(loop, account_id)
        self._actions = self._served()

    def call(self, action: str, params: Params) -> Params:
        """The result of an API action. Raises AwsError."""
        handler = self._actions.get(action)
        if handler is None:
            served = ", ".join(sorted(self._actions))
            raise AwsError("InvalidAction", f"The action {action} is not served here. Served are: {served}.")
        return handler(params)

    def put(
        self,
        namespace: str,
        metric: str,
        dimensions: Dimensions,
        timestamp_ns: int,
        values: float | ArrayLike,
        counts: ArrayLike | None = None,
        *,
        unit: str = "None",
        available_at_ns: int | None = None,
        resolution_s: int = 60,
    ) -> None:
        """Writes one value, or many of the same time with a weight each, without checks: for publishers.

        Readable at ``available_at_ns``, at once unless told.
        """
        self.store.put(
            metric_key(namespace, metric, dimensions),
            timestamp_ns,
            values,
            counts,
            unit=unit,
            available_at_ns=self._loop.now_ns if available_at_ns is None else available_at_ns,
            resolution_s=resolution_s,
        )

    def on_action(self, sink: ActionSink) -> None:
        """``sink(arn, message)`` is called for each action of an alarm that changes its state."""
        self.alarms.action_sinks.append(sink)

    def alarm_state(self, name_or_arn: str) -> str | None:
        """``OK``, ``ALARM``, ``INSUFFICIENT_DATA``, or None when there is no such alarm."""
        alarm = self.alarms.find(name_or_arn)
        return None if alarm is None else alarm.state

    def _served(self) -> dict[str, Callable[[Params], Params]]:
        alarms, dashboards = self._alarm_requests, self._dashboards
        return {
            "PutMetricData": self._on_store(put_metric_data),
            "GetMetricData": self._on_store(get_metric_data),
            "GetMetricStatistics": self._on_store(get_metric_statistics),
            "ListMetrics": self._on_store(list_metrics),
            "PutMetricAlarm": alarms.put_metric_alarm,
            "PutCompositeAlarm": alarms.put_composite_alarm,
            "DescribeAlarms": alarms.describe_alarms,
            "DescribeAlarmsForMetric": alarms.describe_alarms_for_metric,
            "DeleteAlarms": alarms.delete_alarms,
            "SetAlarmState": alarms.set_alarm_state,
            "EnableAlarmActions": alarms.enable_alarm_actions,
            "DisableAlarmActions": alarms.disable_alarm_actions,
            "DescribeAlarmHistory": alarms.describe_alarm_history,
            "PutDashboard": dashboards.put_dashboard,
            "GetDashboard": dashboards.get_dashboard,
            "ListDashboards": dashboards.list_dashboards,
            "DeleteDashboards": dashboards.delete_dashboards,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
            "ListTagsForResource": self._list_tags,
        }

    def _on_store(self, action: Callable[[MetricStore, int, Mapping[str, Any]], Params]) -> Callable[[Params], Params]:
        return lambda params: action(self.store, self._loop.now_ns, params)

    def _tags_of(self, params: Params) -> dict[str, str]:
        require(params, "ResourceARN")
        arn: str = params["ResourceARN"]
        alarm = self.alarms.find(arn) if ":alarm:" in arn else None
        if alarm is not None and alarm.arn == arn:
            return alarm.tags
        dashboard = self._dashboards.find(arn.rpartition(":dashboard/")[2])
        if dashboard is not None and self._dashboards.arn(dashboard.name) == arn:
            return dashboard.tags
        raise AwsError("ResourceNotFoundException", f"Resource {arn} does not exist", 404)

    def _tag_resource(self, params: Params) -> Params:
        tags = self._tags_of(params)
        require(params, "Tags")
        added = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
        check_tags([{"Key": key, "Value": value} for key, value in {**tags, **added}.items()])
        tags.update(added)
        return {}

    def _untag_resource(self, params: Params) -> Params:
        tags = self._tags_of(params)
        require(params, "TagKeys")
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, params: Params) -> Params:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tags_of(params).items()]}
