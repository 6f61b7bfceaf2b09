"""One alarm: its configuration, its state, and the shapes in which the API shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.observability.cloudwatch.alarm_config import ACTION_LISTS, MetricAlarmRule
from labs.observability.cloudwatch.alarm_reason import INITIAL_REASON, compact_json, date_text
from labs.observability.cloudwatch.alarm_rule import Rule
from labs.observability.cloudwatch.alarm_state import State

_STATISTIC_WORDS = {"SampleCount": "SAMPLE_COUNT"}
_REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "eu-central-1": "EU (Frankfurt)",
}


@dataclass(slots=True)
class Alarm:
    """An alarm as the service keeps it; ``config`` holds the members of the request that made it."""

    name: str
    arn: str
    rule: MetricAlarmRule | Rule
    config: dict[str, Any]
    configured_ns: int
    updated_ns: int
    state: State = "INSUFFICIENT_DATA"
    reason: str = INITIAL_REASON
    reason_data: str | None = None
    suppressed_by: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """``MetricAlarm`` or ``CompositeAlarm``."""
        return "MetricAlarm" if isinstance(self.rule, MetricAlarmRule) else "CompositeAlarm"

    def actions(self) -> list[str]:
        """The ARNs to act on for the present state."""
        listed = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
        return list(self.config[listed[self.state]])

    def shape(self) -> dict[str, Any]:
        """The ``MetricAlarm`` or ``CompositeAlarm`` shape."""
        shown: dict[str, Any] = {
            **self.config,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured_ns,
            **self.state_shape(),
            "StateTransitionedTimestamp": self.updated_ns,
        }
        if self.suppressed_by is not None:
            shown["ActionsSuppressedBy"] = self.suppressed_by
            shown["ActionsSuppressedReason"] = f"Actions suppressed by {self.suppressed_by}"
        return shown

    def state_shape(self) -> dict[str, Any]:
        """The members that tell the state."""
        shown: dict[str, Any] = {"StateValue": self.state, "StateReason": self.reason}
        if self.reason_data is not None:
            shown["StateReasonData"] = self.reason_data
        shown["StateUpdatedTimestamp"] = self.updated_ns
        return shown


def stored_config(params: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a Put request as Describe shows them, with the service's defaults."""
    dropped = ("Tags", "EvaluationWindow")
    config = {name: value for name, value in params.items() if value is not None and name not in dropped}
    config["ActionsEnabled"] = params.get("ActionsEnabled") is not False
    for name in ACTION_LISTS:
        config[name] = list(params.get(name) or ())
    if "AlarmRule" in config:
        return config
    if config.get("Metrics"):
        config["Metrics"] = [{"ReturnData": True, **query} for query in config["Metrics"]]
    else:
        config.pop("Metrics", None)
        config["Dimensions"] = list(params.get("Dimensions") or ())
    config["Threshold"] = float(params["Threshold"])
    return config


def notification(alarm: Alarm, old_state: State, account_id: str, region: str) -> dict[str, Any]:
    """The message that SNS subscribers get (form recorded from the service)."""
    message: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.config.get("AlarmDescription"),
        "AWSAccountId": account_id,
        "AlarmConfigurationUpdatedTimestamp": date_text(alarm.configured_ns),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": date_text(alarm.updated_ns),
        "Region": _REGION_NAMES.get(region, region),
        "AlarmArn": alarm.arn,
        "OldStateValue": old_state,
        **{name: alarm.config[name] for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }
    if isinstance(alarm.rule, MetricAlarmRule):
        message["Trigger"] = _trigger(alarm.config)
    else:
        message["AlarmRule"] = alarm.config["AlarmRule"]
    return message


def _trigger(config: Mapping[str, Any]) -> dict[str, Any]:
    shared = {name: config[name] for name in ("EvaluationPeriods", "ComparisonOperator", "Threshold")}
    if "DatapointsToAlarm" in config:
        shared["DatapointsToAlarm"] = config["DatapointsToAlarm"]
    shared["TreatMissingData"] = config.get("TreatMissingData", "")
    shared["EvaluateLowSampleCountPercentile"] = config.get("EvaluateLowSampleCountPercentile", "")
    if "Metrics" in config:
        return {**shared, "Metrics": config["Metrics"]}
    is_basic = "Statistic" in config
    statistic = config["Statistic"] if is_basic else config["ExtendedStatistic"]
    return {
        "MetricName": config["MetricName"],
        "Namespace": config["Namespace"],
        "StatisticType": "Statistic" if is_basic else "ExtendedStatistic",
        "Statistic" if is_basic else "ExtendedStatistic": (
            _STATISTIC_WORDS.get(statistic, statistic.upper()) if is_basic else statistic
        ),
        "Unit": config.get("Unit"),
        "Dimensions": [{"value": item["Value"], "name": item["Name"]} for item in config["Dimensions"]],
        "Period": config["Period"],
        **shared,
    }


def state_update_data(alarm: Alarm, old: Mapping[str, Any]) -> str:
    """HistoryData of a StateUpdate: ``old`` is the alarm's ``history_state`` from before."""
    return compact_json({"version": "1.0", "oldState": old, "newState": history_state(alarm)})


def history_state(alarm: Alarm) -> dict[str, Any]:
    """The alarm's state as history tells it; ``stateReasonData`` is put in as JSON, not as text."""
    shown: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.reason_data is not None:
        shown["stateReasonData"] = _parsed_or_text(alarm.reason_data)
    return shown


def _parsed_or_text(text: str) -> Any:
    """SetAlarmState takes any text as reason data, so it need not be JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
