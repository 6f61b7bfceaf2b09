"""The alarm engine: evaluates on the loop, changes states, keeps history, and tells who is to act.

Metric alarms are evaluated each whole minute, those with a period under a minute each 10 s, over periods that
end at that time. Composite alarms are evaluated when a child changes. Nothing here acts: an action is handed to
the sinks. Alarms run after everything else that happens at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labs.observability.cloudwatch.alarm import Alarm, history_state, notification, state_update_data
from labs.observability.cloudwatch.alarm_config import MetricAlarmRule, several_series_refusal
from labs.observability.cloudwatch.alarm_history import HistoryItem
from labs.observability.cloudwatch.alarm_reason import (
    Point,
    compact_json,
    date_text,
    long_date_text,
    reason_data,
    state_reason,
)
from labs.observability.cloudwatch.alarm_rule import Rule
from labs.observability.cloudwatch.alarm_state import (
    EXTRA_POINTS,
    State,
    decide,
    is_breaching,
    needed_samples,
)
from labs.observability.cloudwatch.alarm_suppression import Suppressor
from labs.observability.cloudwatch.math.values import Series
from labs.observability.cloudwatch.metric_queries import Computation
from labs.observability.cloudwatch.store import MetricStore
from labs.sim.loop import Loop, Timer
from labs.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS

SHORT_TICK_NS = 10 * SECOND_NS
AFTER_ALL_ELSE = 100
"""Loop priority of evaluations: data written at the same instant is there."""

ActionSink = Callable[[str, dict[str, Any]], None]
"""Gets the ARN of an action and the message for it."""


class AlarmEngine:
    """All alarms of one account and region."""

    def __init__(self, loop: Loop, store: MetricStore, account_id: str, region: str) -> None:
        self._loop = loop
        self._store = store
        self._account_id = account_id
        self._region = region
        self._alarms: dict[str, Alarm] = {}
        self._suppressors: dict[str, Suppressor] = {}
        self._tick: Timer | None = None
        self.history: list[HistoryItem] = []
        self.action_sinks: list[ActionSink] = []

    def __iter__(self) -> Iterator[Alarm]:
        """The alarms in order of their names."""
        return (self._alarms[name] for name in sorted(self._alarms))

    def find(self, name_or_arn: str) -> Alarm | None:
        """The alarm of that name or ARN."""
        return self._alarms.get(alarm_name(name_or_arn))

    def arn(self, name: str) -> str:
        """The ARN that an alarm of this name has."""
        return f"arn:aws:cloudwatch:{self._region}:{self._account_id}:alarm:{name}"

    def put(self, name: str, rule: MetricAlarmRule | Rule, config: dict[str, Any], tags: dict[str, str]) -> None:
        """Creates or overwrites an alarm, and evaluates it at once. Raises AwsError for a bad expression."""
        if isinstance(rule, MetricAlarmRule):
            self._points(rule)
        now_ns, old = self._loop.now_ns, self._alarms.get(name)
        if old is None:
            alarm = Alarm(name, self.arn(name), rule, config, now_ns, now_ns, tags=tags)
            self._alarms[name] = alarm
        else:
            alarm = old
            alarm.rule, alarm.config, alarm.configured_ns = rule, config, now_ns
        self._set_suppressor(alarm)
        self._note_configuration(alarm, "Create" if old is None else "Update")
        self._loop.at(now_ns, self._first_evaluation, alarm, old is None, priority=AFTER_ALL_ELSE)
        self._schedule()

    def delete(self, name: str) -> None:
        """Forgets an alarm; its history stays."""
        alarm = self._alarms.pop(name)
        suppressor = self._suppressors.pop(name, None)
        if suppressor is not None:
            suppressor.stop()
        self._note_configuration(alarm, "Delete")

    def set_state(self, alarm: Alarm, state: State, reason: str, data: str | None) -> None:
        """SetAlarmState: holds until the next evaluation. Acts only when the state changes."""
        if state == alarm.state:
            alarm.reason, alarm.reason_data, alarm.updated_ns = reason, data, self._loop.now_ns
        else:
            self._change(alarm, state, reason, data)

    def parents(self, name: str) -> list[Alarm]:
        """The composite alarms whose rule names the alarm."""
        return [alarm for alarm in self if name in children_of(alarm)]

    def _schedule(self) -> None:
        """Sets the next tick: whole minutes, or every 10 s while there is a short-period alarm."""
        rules = [alarm.rule for alarm in self._alarms.values() if isinstance(alarm.rule, MetricAlarmRule)]
        if not rules:
            return
        grid_ns = SHORT_TICK_NS if any(rule.period_ns < MINUTE_NS for rule in rules) else MINUTE_NS
        next_ns = self._loop.now_ns // grid_ns * grid_ns + grid_ns
        if self._tick is not None and self._tick.is_pending:
            if self._tick.time_ns <= next_ns:
                return
            self._tick.cancel()
        self._tick = self._loop.at(next_ns, self._on_tick, priority=AFTER_ALL_ELSE)

    def _on_tick(self) -> None:
        is_whole_minute = self._loop.now_ns % MINUTE_NS == 0
        for alarm in list(self):
            rule = alarm.rule
            if isinstance(rule, MetricAlarmRule) and (is_whole_minute or rule.period_ns < MINUTE_NS):
                self._evaluate(alarm, rule)
        self._schedule()

    def _first_evaluation(self, alarm: Alarm, is_new: bool) -> None:
        if self._alarms.get(alarm.name) is not alarm:
            return
        if isinstance(alarm.rule, MetricAlarmRule):
            self._evaluate(alarm, alarm.rule)
        else:
            done = "created" if is_new else "updated"
            state = self._rule_state(alarm.rule)
            reason = f"{alarm.arn} was {done} and its alarm rule evaluates to {state}"
            self._change(alarm, state, reason, self._triggering(children_of(alarm)))

    def _evaluate(self, alarm: Alarm, rule: MetricAlarmRule) -> None:
        points = self._points(rule)
        if rule.keeps_on_few_samples and rule.percentile is not None:
            needed = needed_samples(rule.percentile.high or 0.0)
            real = [point for point in points if point.value is not None][-rule.criteria.n :]
            if any(point.sample_count < needed for point in real):
                return
        flags = [point.is_breaching for point in points]
        state = decide(flags, rule.criteria.n, rule.m, rule.criteria.treatment, alarm.state)
        if state != alarm.state:
            data = compact_json(reason_data(rule.criteria, points, self._loop.now_ns))
            self._change(alarm, state, state_reason(rule.criteria, points, state), data)

    def _points(self, rule: MetricAlarmRule) -> list[Point]:
        """The evaluation range, oldest first."""
        criteria, period_ns, now_ns = rule.criteria, rule.period_ns, self._loop.now_ns
        end_ns = now_ns - now_ns % min(MINUTE_NS, SHORT_TICK_NS if period_ns < MINUTE_NS else MINUTE_NS)
        start_ns = end_ns - (criteria.n + EXTRA_POINTS) * period_ns
        computation = Computation(self._store, rule.queries, (start_ns, end_ns), now_ns, phase_ns=end_ns % period_ns)
        results = computation.results_of(rule.watched)
        if isinstance(computation.value_of(rule.watched.id), tuple):
            raise several_series_refusal(rule.watched)
        series: Series = results[0].series
        counts = computation.sample_counts(series).tolist()
        known = dict(zip(series.stamps_ns.tolist(), zip(series.values.tolist(), counts, strict=True), strict=True))
        points = []
        for stamp_ns in range(start_ns, end_ns, period_ns):
            value, count = known.get(stamp_ns, (None, 0.0))
            breaches = None if value is None else is_breaching(value, criteria.operator, criteria.threshold)
            points.append(Point(stamp_ns, value, count, breaches))
        return points

    def _rule_state(self, rule: Rule) -> State:
        return "ALARM" if rule.test(self._state_of) else "OK"

    def _state_of(self, child: str) -> State | None:
        alarm = self.find(child)
        return None if alarm is None else alarm.state

    def _change(self, alarm: Alarm, state: State, reason: str, data: str | None) -> None:
        """Changes a state, then those of the composite alarms above it; a cycle of composites ends there."""
        if state == alarm.state:
            return
        self._change_one(alarm, state, reason, data)
        seen, changed = {alarm.name}, [alarm]
        for child in changed:
            reason = f"{child.arn} transitioned to {child.state} at {long_date_text(self._loop.now_ns)}"
            for parent in self.parents(child.name):
                assert isinstance(parent.rule, Rule)
                above = self._rule_state(parent.rule)
                if parent.name not in seen and parent.state != above:
                    self._change_one(parent, above, reason, self._triggering([child.name]))
                    seen.add(parent.name)
                    changed.append(parent)

    def _change_one(self, alarm: Alarm, state: State, reason: str, data: str | None) -> None:
        old_state, old = alarm.state, history_state(alarm)
        alarm.state, alarm.reason, alarm.reason_data = state, reason, data
        alarm.updated_ns = self._loop.now_ns
        summary = f"Alarm updated from {old_state} to {state}"
        self._note(alarm, "StateUpdate", summary, state_update_data(alarm, old))
        suppressor = self._suppressors.get(alarm.name)
        if suppressor is None:
            self._act(alarm, old_state)
        else:
            suppressor.on_composite_change(old_state)
        for other in self._suppressors.values():
            if other.suppressor_name == alarm.name:
                other.on_suppressor_change()

    def _act(self, alarm: Alarm, old_state: State) -> None:
        if not alarm.config["ActionsEnabled"]:
            return
        message = notification(alarm, old_state, self._account_id, self._region)
        for arn in alarm.actions():
            for sink in self.action_sinks:
                sink(arn, message)
            outcome = {
                "actionState": "Succeeded",
                "stateUpdateTimestamp": alarm.updated_ns // MILLISECOND_NS,
                "notificationResource": arn,
                "publishedMessage": compact_json({"default": compact_json(message)}),
                "error": None,
            }
            self._note(alarm, "Action", f"Successfully executed action {arn}", compact_json(outcome))

    def _set_suppressor(self, alarm: Alarm) -> None:
        old = self._suppressors.pop(alarm.name, None)
        if old is not None:
            old.stop()
        if "ActionsSuppressor" in alarm.config:
            self._suppressors[alarm.name] = Suppressor(self._loop, alarm, self._state_of, self._act)

    def _triggering(self, names: list[str]) -> str:
        listed = [
            {"arn": child.arn, "state": {"value": child.state, "timestamp": date_text(child.updated_ns)}}
            for child in (self._alarms.get(name) for name in names)
            if child is not None
        ]
        return compact_json({"triggeringAlarms": listed})

    def _note_configuration(self, alarm: Alarm, done: str) -> None:
        member = {"Create": "createdAlarm", "Update": "updatedAlarm", "Delete": "deletedAlarm"}[done]
        data = compact_json({"version": "1.0", "type": done, member: alarm.config})
        word = {"Create": "created", "Update": "updated", "Delete": "deleted"}[done]
        self._note(alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" {word}', data)

    def _note(self, alarm: Alarm, item_type: str, summary: str, data: str) -> None:
        item = HistoryItem(alarm.name, alarm.type, self._loop.now_ns, item_type, summary, data)
        self.history.append(item)


def alarm_name(name_or_arn: str) -> str:
    """The name in an alarm's ARN, or the name itself."""
    return name_or_arn.split(":alarm:", 1)[1] if name_or_arn.startswith("arn:") else name_or_arn


def children_of(alarm: Alarm) -> list[str]:
    """The names of a composite alarm's children; none of a metric alarm."""
    return [alarm_name(child) for child in alarm.rule.children] if isinstance(alarm.rule, Rule) else []
