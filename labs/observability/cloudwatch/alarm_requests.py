"""The alarm actions of the API: checks, filters, pages; the work is done by ``alarms.AlarmEngine``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from labs.errors import AwsError
from labs.observability.cloudwatch.alarm import Alarm, stored_config
from labs.observability.cloudwatch.alarm_config import (
    ACTION_LISTS,
    MetricAlarmRule,
    check_common,
    parse_metric_alarm,
)
from labs.observability.cloudwatch.alarm_history import ALARM_TYPES, describe_alarm_history, max_records
from labs.observability.cloudwatch.alarm_rule import parse_rule
from labs.observability.cloudwatch.alarm_state import STATES
from labs.observability.cloudwatch.alarms import AlarmEngine, alarm_name, children_of
from labs.observability.cloudwatch.paging import page
from labs.observability.cloudwatch.refusals import (
    check_enum,
    check_length,
    invalid_combination,
    limit_exceeded,
    require,
    resource_not_found,
    validation,
)
from labs.observability.cloudwatch.store import metric_key
from labs.sim.loop import Loop

ALARMS_PER_PAGE = 50
MOST_NAMES = 100
MOST_PARENTS = 150
_NO_COMPOSITE_ACTIONS = ("arn:aws:automate:", "arn:aws:swf:", "arn:aws:autoscaling:")
_NO_MATH_ACTIONS = ("arn:aws:automate:", "arn:aws:swf:")

Shape = dict[str, Any]


class AlarmRequests:
    """The alarm actions; each takes and returns the shapes of the service model."""

    def __init__(self, loop: Loop, engine: AlarmEngine) -> None:
        self._loop = loop
        self._engine = engine

    def put_metric_alarm(self, params: Mapping[str, Any]) -> Shape:
        """Creates or overwrites a metric alarm."""
        rule = parse_metric_alarm(params)
        if params.get("Metrics"):
            _refuse_actions(params, _NO_MATH_ACTIONS, "metric math alarms")
        self._check_same_type(params["AlarmName"], "MetricAlarm")
        self._engine.put(params["AlarmName"], rule, stored_config(params), _tags(params))
        return {}

    def put_composite_alarm(self, params: Mapping[str, Any]) -> Shape:
        """Creates or overwrites a composite alarm."""
        check_common(params)
        require(params, "AlarmRule")
        _refuse_actions(params, _NO_COMPOSITE_ACTIONS, "composite alarms")
        rule = parse_rule(params["AlarmRule"])
        name = params["AlarmName"]
        unknown = [child for child in rule.children if self._engine.find(child) is None]
        unknown = [child for child in unknown if alarm_name(child) != name]
        if unknown:
            raise validation(
                f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist"
            )
        for child in rule.children:
            others = [parent for parent in self._engine.parents(alarm_name(child)) if parent.name != name]
            if len(others) >= MOST_PARENTS:
                raise limit_exceeded(f"The alarm {child} is used in {MOST_PARENTS} composite alarms already.")
        self._check_suppressor(params)
        self._check_same_type(name, "CompositeAlarm")
        self._engine.put(name, rule, stored_config(params), _tags(params))
        return {}

    def describe_alarms(self, params: Mapping[str, Any]) -> Shape:
        """Alarms by filter, in order of their names, both types on one page."""
        size = max_records(params, ALARMS_PER_PAGE)
        for relation in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if params.get(relation):
                return self._describe_relatives(params, relation, size)
        if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
            raise invalid_combination(
                "The parameters AlarmNames and AlarmNamePrefix are mutually exclusive and you have specified both."
            )
        check_length(params, "AlarmNames", MOST_NAMES)
        check_enum(params, "StateValue", STATES)
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        for name in types:
            check_enum({"AlarmTypes": name}, "AlarmTypes", ALARM_TYPES)
        found = [alarm for alarm in self._engine if alarm.type in types and _is_asked(alarm, params)]
        shown, more = page(params, found, size)
        return {**_by_type([(alarm.type, alarm.shape()) for alarm in shown]), **more}

    def describe_alarms_for_metric(self, params: Mapping[str, Any]) -> Shape:
        """The single-metric alarms that watch exactly this metric."""
        require(params, "MetricName", "Namespace")
        dimensions = [(item["Name"], item["Value"]) for item in params.get("Dimensions") or ()]
        key = metric_key(params["Namespace"], params["MetricName"], dimensions)
        found = []
        for alarm in self._engine:
            if not isinstance(alarm.rule, MetricAlarmRule) or "Metrics" in alarm.config:
                continue
            metric = alarm.rule.watched.metric
            filters = ("Statistic", "ExtendedStatistic", "Period", "Unit")
            same = all(params.get(name) in (None, alarm.config.get(name)) for name in filters)
            if metric is not None and metric.key == key and same:
                found.append(alarm.shape())
        return {"MetricAlarms": found}

    def delete_alarms(self, params: Mapping[str, Any]) -> Shape:
        """Deletes alarms; names of none are passed over."""
        for name in self._names(params):
            if self._engine.find(name) is not None:
                self._engine.delete(name)
        return {}

    def set_alarm_state(self, params: Mapping[str, Any]) -> Shape:
        """Sets a state until the next evaluation."""
        require(params, "AlarmName", "StateValue")
        if params.get("StateReason") is None:
            require(params, "StateReason")
        check_enum(params, "StateValue", STATES)
        check_length(params, "StateReason", 1023)
        check_length(params, "StateReasonData", 4000)
        data = params.get("StateReasonData")
        if data is not None:
            _check_json(data)
        alarm = self._engine.find(params["AlarmName"])
        if alarm is None:
            raise resource_not_found()
        self._engine.set_state(alarm, params["StateValue"], params["StateReason"], data)
        return {}

    def enable_alarm_actions(self, params: Mapping[str, Any]) -> Shape:
        """Lets the alarms act."""
        return self._set_actions_enabled(params, True)

    def disable_alarm_actions(self, params: Mapping[str, Any]) -> Shape:
        """Keeps the alarms from acting."""
        return self._set_actions_enabled(params, False)

    def describe_alarm_history(self, params: Mapping[str, Any]) -> Shape:
        """History, newest first unless told."""
        return describe_alarm_history(self._engine.history, self._loop.now_ns, params)

    def _set_actions_enabled(self, params: Mapping[str, Any], is_enabled: bool) -> Shape:
        require(params, "AlarmNames")
        check_length(params, "AlarmNames", MOST_NAMES)
        for name in params["AlarmNames"]:
            alarm = self._engine.find(name)
            if alarm is not None:
                alarm.config = {**alarm.config, "ActionsEnabled": is_enabled}
        return {}

    def _names(self, params: Mapping[str, Any]) -> list[str]:
        """The checked names of a DeleteAlarms request."""
        require(params, "AlarmNames")
        check_length(params, "AlarmNames", MOST_NAMES)
        names = list(dict.fromkeys(params["AlarmNames"]))
        found = [alarm for alarm in map(self._engine.find, names) if alarm is not None]
        if sum(alarm.type == "CompositeAlarm" for alarm in found) > 1:
            raise validation("Only one composite alarm can be deleted in one operation.")
        for alarm in found:
            parents = [parent.name for parent in self._engine.parents(alarm.name) if parent.name != alarm.name]
            if parents:
                raise validation(
                    f"Cannot delete {alarm.name} as there are composite alarm(s) depending on it: "
                    f"[{', '.join(parents)}]"
                )
        return names

    def _describe_relatives(self, params: Mapping[str, Any], relation: str, size: int) -> Shape:
        others = [name for name in params if name not in (relation, "MaxRecords", "NextToken")]
        if any(params[name] is not None for name in others):
            raise validation(f"When {relation} is specified, only MaxRecords and NextToken are allowed with it.")
        alarm = self._engine.find(params[relation])
        if alarm is None:
            raise resource_not_found()
        is_children = relation == "ChildrenOfAlarmName"
        names = set(children_of(alarm)) if is_children else {p.name for p in self._engine.parents(alarm.name)}
        shown, more = page(params, [other for other in self._engine if other.name in names], size)
        shapes = []
        for other in shown:
            shape: Shape = {"AlarmName": other.name, "AlarmArn": other.arn}
            if is_children:
                shape |= {"StateValue": other.state, "StateUpdatedTimestamp": other.updated_ns}
            shapes.append((other.type, shape))
        return {**_by_type(shapes), **more}

    def _check_same_type(self, name: str, alarm_type: str) -> None:
        alarm = self._engine.find(name)
        if alarm is not None and alarm.type != alarm_type:
            raise validation(f"An alarm of another type with the name {name} exists already.")

    def _check_suppressor(self, params: Mapping[str, Any]) -> None:
        suppressor = params.get("ActionsSuppressor")
        periods = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
        if suppressor is None:
            if any(params.get(name) is not None for name in periods):
                raise validation(f"{periods[0]} and {periods[1]} need ActionsSuppressor.")
            return
        require(params, *periods)
        if self._engine.find(suppressor) is None:
            raise validation(f"ActionsSuppressor {suppressor} does not exist.")


def _is_asked(alarm: Alarm, params: Mapping[str, Any]) -> bool:
    names, prefix, action = (params.get(name) for name in ("AlarmNames", "AlarmNamePrefix", "ActionPrefix"))
    if (names and alarm.name not in names) or (prefix and not alarm.name.startswith(prefix)):
        return False
    if params.get("StateValue") not in (None, alarm.state):
        return False
    return not action or any(arn.startswith(action) for name in ACTION_LISTS for arn in alarm.config[name])


def _by_type(shapes: list[tuple[str, Shape]]) -> Shape:
    return {
        "CompositeAlarms": [shape for kind, shape in shapes if kind == "CompositeAlarm"],
        "MetricAlarms": [shape for kind, shape in shapes if kind == "MetricAlarm"],
    }


def _refuse_actions(params: Mapping[str, Any], prefixes: tuple[str, ...], where: str) -> None:
    for name in ACTION_LISTS:
        for action in params.get(name) or ():
            if action.startswith(prefixes):
                raise validation(f"The action {action} is not supported for {where}.")


def _check_json(data: str) -> None:
    try:
        json.loads(data)
    except ValueError as error:
        raise AwsError("InvalidFormat", "StateReasonData was not syntactically valid JSON.") from error


def _tags(params: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or ()}
