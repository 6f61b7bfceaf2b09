from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from labs.course import observe
from labs.course.observe import (
    LEAVING,
    NOT_READY,
    READY,
    STARTING,
    alarm_after_s,
    alarm_changes,
    metric_frame,
    metric_query,
    pod_state,
    raised_at,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def pod(phase: str, ready: str, *, is_leaving: bool = False) -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(deletion_timestamp=START if is_leaving else None),
        status=SimpleNamespace(phase=phase, conditions=[SimpleNamespace(type="Ready", status=ready)]),
    )


class CloudWatch:
    """Answers that were written down before, page by page."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self.pages = pages

    def get_paginator(self, operation: str) -> CloudWatch:
        assert operation == "get_metric_data"
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield from self.pages

    def describe_alarm_history(self, **_: Any) -> dict[str, Any]:
        return self.pages[0]


def page(**values: list[float]) -> dict[str, Any]:
    minutes = [START + timedelta(minutes=minute) for minute in range(60)]
    return {
        "MetricDataResults": [
            {"Id": name, "Timestamps": minutes[: len(found)], "Values": found} for name, found in values.items()
        ]
    }


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (pod("Running", "True"), READY),
        (pod("Running", "False"), NOT_READY),
        (pod("Pending", "False"), STARTING),
        (pod("Running", "True", is_leaving=True), LEAVING),
    ],
)
def test_a_pod_has_one_state(seen: Any, state: str) -> None:
    assert pod_state(seen) == state


def test_a_query_asks_for_one_minute_data() -> None:
    query = metric_query("p99", "AWS/ApplicationELB", "TargetResponseTime", {"LoadBalancer": "app/shop/1"}, "p99")
    assert query["MetricStat"]["Period"] == 60
    assert query["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/shop/1"}]


def test_metrics_come_as_a_column_each_over_their_minutes() -> None:
    frame = metric_frame(CloudWatch([page(p50=[1.0, 2.0], errors=[5.0])]), [], START, START)
    assert list(frame.columns) == ["p50", "errors"]
    assert frame["p50"].tolist() == [1.0, 2.0]
    assert frame["errors"].isna().tolist() == [False, True]
    assert frame.index[0] == pd.Timestamp(START)


def test_pages_of_one_metric_are_put_together() -> None:
    second = page(p50=[3.0])
    second["MetricDataResults"][0]["Timestamps"] = [START + timedelta(minutes=1)]
    frame = metric_frame(CloudWatch([page(p50=[1.0]), second]), [], START, START)
    assert frame["p50"].tolist() == [1.0, 3.0]


def test_no_data_is_an_empty_column() -> None:
    frame = metric_frame(CloudWatch([page(p50=[])]), [], START, START)
    assert frame["p50"].empty


def test_alarm_changes_are_a_table_even_without_rows() -> None:
    item = {"Timestamp": START, "HistorySummary": "Alarm updated from OK to ALARM"}
    changes = alarm_changes(CloudWatch([{"AlarmHistoryItems": [item]}]), "latency", START)
    assert changes["summary"].tolist() == ["Alarm updated from OK to ALARM"]
    nothing = alarm_changes(CloudWatch([{"AlarmHistoryItems": []}]), "latency", START)
    assert nothing.columns.tolist() == ["time", "summary"]


def test_an_alarm_spoke_when_it_changed_to_alarm_after_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [(0, "OK to ALARM"), (60, "ALARM to OK"), (120, "OK to ALARM"), (300, "OK to ALARM")]
    items = [
        {"Timestamp": START + timedelta(seconds=second), "HistorySummary": f"Alarm updated from {change}"}
        for second, change in changes
    ]
    monkeypatch.setattr(observe.boto3, "client", lambda _: CloudWatch([{"AlarmHistoryItems": items}]))
    assert raised_at("latency", START) == [START + timedelta(seconds=120), START + timedelta(seconds=300)]
    assert alarm_after_s("latency", START) == 120
    assert alarm_after_s("latency", START + timedelta(seconds=120)) == 180
    assert alarm_after_s("latency", START, until=START + timedelta(seconds=119)) is None
