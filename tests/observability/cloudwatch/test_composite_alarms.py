"""Composite alarms: rules, propagation, suppression."""

from __future__ import annotations

import json

import pytest
from cloudwatch_client import TOPIC, Cloud, alarm, described

from labs.observability.cloudwatch.alarm_rule import parse_rule
from labs.units import HOUR_NS, MINUTE_NS


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("a")', True),
        ("ALARM(a) AND ALARM(b)", False),
        ("ALARM(a) OR ALARM(b)", True),
        ("OK(b)", True),
        ("NOT ALARM(b)", True),
        ("NOT NOT ALARM(b)", False),
        ("ALARM(a) AND NOT ALARM(b)", True),
        ("(ALARM(b) OR ALARM(a)) AND OK(b)", True),
        ("ALARM(b) OR ALARM(a) AND OK(a)", False),
        ("INSUFFICIENT_DATA(c c)", True),
        ('alarm("a") and true', True),
        ("FALSE", False),
        ("TRUE AND FALSE", False),
    ],
)
def test_rules(rule: str, expected: bool) -> None:
    states = {"a": "ALARM", "b": "OK", "c c": "INSUFFICIENT_DATA"}
    assert parse_rule(rule).test(lambda name: states[name]) is expected  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    "rule",
    [
        "ALARM(",
        "ALARM()",
        "ALARM(a) ALARM(b)",
        "AND",
        "NOT",
        "(TRUE",
        "TRUE)",
        "BROKEN(a)",
        "TRUE AND",
        "x" * 10_241,
        " OR ".join(f"ALARM(a{i})" for i in range(101)),
        " OR ".join(["TRUE"] * 501),
    ],
)
def test_a_bad_rule_is_refused(cloud: Cloud, rule: str) -> None:
    assert cloud.refusal("PutCompositeAlarm", AlarmName="all", AlarmRule=rule).code == "ValidationError"


@pytest.fixture
def family(cloud: Cloud) -> Cloud:
    """Alarms a and b, the composite ``both`` over them, and ``top`` over that."""
    for name in "ab":
        cloud("PutMetricAlarm", **alarm(name, AlarmActions=[], MetricName="none", TreatMissingData="ignore"))
    cloud("PutCompositeAlarm", AlarmName="both", AlarmRule='ALARM("a") AND ALARM(b)', AlarmActions=[TOPIC])
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:both"
    cloud("PutCompositeAlarm", AlarmName="top", AlarmRule=f'ALARM("{arn}")')
    cloud.wait(1)
    return cloud


def push(cloud: Cloud, name: str, state: str) -> None:
    cloud("SetAlarmState", AlarmName=name, StateValue=state, StateReason="drill")


def test_a_composite_follows_its_children(family: Cloud) -> None:
    push(family, "a", "ALARM")
    assert family.watch.alarm_state("both") == "OK"
    push(family, "b", "ALARM")
    found = described(family, "both")
    assert (found["StateValue"], family.watch.alarm_state("top")) == ("ALARM", "ALARM")
    assert found["StateReason"] == (
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:b transitioned to ALARM at Monday 02 March, 2026 09:01:00 UTC"
    )
    triggering = json.loads(found["StateReasonData"])["triggeringAlarms"]
    assert triggering[0]["state"] == {"value": "ALARM", "timestamp": "2026-03-02T09:01:00.000+0000"}
    assert [message["AlarmName"] for _, message in family.acted] == ["both"]
    push(family, "a", "OK")
    assert (family.watch.alarm_state("both"), family.watch.alarm_state("top")) == ("OK", "OK")


def test_a_new_composite_says_what_its_rule_evaluates_to(family: Cloud) -> None:
    reason = described(family, "both")["StateReason"]
    assert reason.endswith(":alarm:both was created and its alarm rule evaluates to OK")


def test_children_and_parents(family: Cloud) -> None:
    children = family("DescribeAlarms", ChildrenOfAlarmName="both")
    assert [(c["AlarmName"], c["StateValue"]) for c in children["MetricAlarms"]] == [
        ("a", "INSUFFICIENT_DATA"),
        ("b", "INSUFFICIENT_DATA"),
    ]
    parents = family("DescribeAlarms", ParentsOfAlarmName="both")
    assert [sorted(parent) for parent in parents["CompositeAlarms"]] == [["AlarmArn", "AlarmName"]]
    assert family.refusal("DescribeAlarms", ParentsOfAlarmName="both", StateValue="OK").code == "ValidationError"


def test_only_metric_alarms_are_described_unless_told(family: Cloud) -> None:
    answer = family("DescribeAlarms")
    assert (len(answer["MetricAlarms"]), answer["CompositeAlarms"]) == (2, [])
    answer = family("DescribeAlarms", AlarmTypes=["CompositeAlarm"])
    assert [found["AlarmName"] for found in answer["CompositeAlarms"]] == ["both", "top"]


def test_a_child_or_two_composites_cannot_be_deleted(family: Cloud) -> None:
    assert "depending" in family.refusal("DeleteAlarms", AlarmNames=["a"]).message
    assert family.refusal("DeleteAlarms", AlarmNames=["both", "top"]).code == "ValidationError"
    for name in ("top", "both", "a"):
        family("DeleteAlarms", AlarmNames=[name])
    assert family.watch.alarm_state("a") is None


def test_composites_refuse_unknown_children_and_ec2_actions(family: Cloud) -> None:
    refusal = family.refusal("PutCompositeAlarm", AlarmName="x", AlarmRule="ALARM(nobody)")
    assert refusal.message == "Could not save the composite alarm as alarms [nobody] in the alarm rule do not exist"
    params = {"AlarmName": "x", "AlarmRule": "TRUE", "AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}
    assert family.refusal("PutCompositeAlarm", **params).code == "ValidationError"
    assert family.refusal("PutMetricAlarm", **alarm("both")).code == "ValidationError"


def test_a_cycle_of_composites_stops(family: Cloud) -> None:
    family("PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(a) OR NOT ALARM(top)")
    family.wait(1)
    assert family.watch.alarm_state("both") in ("OK", "ALARM")


@pytest.mark.parametrize(
    ("suppressor_minutes", "acts_at"),
    [((), [3.0]), ((1.5, 5.0), [7.0]), ((1.5,), []), ((0.5, 2.5), [4.5])],
)
def test_a_suppressor_holds_actions_back(
    family: Cloud, suppressor_minutes: tuple[float, ...], acts_at: list[float]
) -> None:
    """Wait 1 min, extension 2 min; the composite alarms at minute 2 (times from the fixture's end)."""
    family("PutMetricAlarm", **alarm("deploying", AlarmActions=[], MetricName="none", TreatMissingData="ignore"))
    params = {
        "ActionsSuppressor": "deploying",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 120,
    }
    family("PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(a)", AlarmActions=[TOPIC], **params)
    begin_ns, acted = family.loop.now_ns, []
    family.watch.on_action(lambda arn, message: acted.append((family.loop.now_ns - begin_ns) / MINUTE_NS))
    timeline = [(2.0, "a", "ALARM")] + [
        (minute, "deploying", state) for minute, state in zip(suppressor_minutes, ("ALARM", "OK"), strict=False)
    ]
    for minute, name, state in sorted(timeline):
        family.loop.run_until(begin_ns + round(minute * MINUTE_NS))
        push(family, name, state)
    family.loop.run_until(begin_ns + HOUR_NS)
    assert acted == acts_at
    assert ("ActionsSuppressedBy" in described(family, "both")) == (not acts_at)
