"""Alarm history: what happened to each alarm in the last two weeks, also of deleted ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.observability.cloudwatch.paging import page
from labs.observability.cloudwatch.refusals import check_enum, validation
from labs.units import DAY_NS

ITEM_TYPES = ("ConfigurationUpdate", "StateUpdate", "Action")
_ALL_ITEM_TYPES = (*ITEM_TYPES, "AlarmContributorStateUpdate", "AlarmContributorAction")
ALARM_TYPES = ("CompositeAlarm", "MetricAlarm", "LogAlarm")
KEPT_NS = 14 * DAY_NS
MOST_RECORDS = 100
_LONGEST_SUMMARY = 255


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One line of history."""

    alarm_name: str
    alarm_type: str
    timestamp_ns: int
    item_type: str
    summary: str
    data: str

    def shape(self) -> dict[str, Any]:
        """The ``AlarmHistoryItem`` shape."""
        return {
            "AlarmName": self.alarm_name,
            "AlarmType": self.alarm_type,
            "Timestamp": self.timestamp_ns,
            "HistoryItemType": self.item_type,
            "HistorySummary": self.summary[:_LONGEST_SUMMARY],
            "HistoryData": self.data,
        }


def describe_alarm_history(items: list[HistoryItem], now_ns: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAlarmHistory over ``items`` (oldest first). Raises AwsError."""
    check_enum(params, "HistoryItemType", _ALL_ITEM_TYPES)
    check_enum(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
    types = params.get("AlarmTypes") or ["MetricAlarm"]
    for name in types:
        check_enum({"AlarmTypes": name}, "AlarmTypes", ALARM_TYPES)
    start_ns = max(params.get("StartDate") or 0, now_ns - KEPT_NS)
    end_ns = params.get("EndDate")
    found = [
        item
        for item in items
        if item.timestamp_ns >= start_ns
        and (end_ns is None or item.timestamp_ns < end_ns)
        and item.alarm_type in types
        and params.get("AlarmName") in (None, item.alarm_name)
        and params.get("HistoryItemType") in (None, item.item_type)
    ]
    if params.get("ScanBy") != "TimestampAscending":
        found.reverse()
    shown, more = page(params, found, max_records(params))
    return {"AlarmHistoryItems": [item.shape() for item in shown], **more}


def max_records(params: Mapping[str, Any], default: int = MOST_RECORDS) -> int:
    """MaxRecords, or the default. Raises ValidationError outside 1 to 100."""
    size: int = params.get("MaxRecords") or default
    if params.get("MaxRecords") is not None and not 1 <= params["MaxRecords"] <= MOST_RECORDS:
        raise validation(f"The parameter MaxRecords must be between 1 and {MOST_RECORDS}.")
    return size
