from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kubernetes.client import V1Container, V1ResourceRequirements

from labs.course.lag import ScalingRecords
from labs.course.spike import Spike, decision_moments, decisions, millicores, spike_summary

ZERO = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RECORDS = ScalingRecords("frontend", [], {}, {}, [])


def at(second: int) -> datetime:
    return ZERO + timedelta(seconds=second)


def reading(second: int, pods: int, desired: int, percent: int = 90) -> dict[str, Any]:
    return {"time": at(second), "measured": at(second), "pods": pods, "percent": percent, "desired": desired,
            "limited": "DesiredWithinRange"}  # fmt: skip


def spike(readings: list[dict[str, Any]], ready: dict[int, int], nodes: dict[int, int] | None = None) -> Spike:
    """A run by its readings, and by the counts of ready pods and nodes at some seconds."""
    series = [pd.Series(list(each.values()), index=pd.DatetimeIndex([at(second) for second in each]))
              for each in (ready, nodes or {0: 2})]  # fmt: skip
    looks: Any = SimpleNamespace(ready_pods=series[0], ready_nodes=series[1])
    return Spike(looks, readings, RECORDS, ZERO, at(300))


RUN = spike(
    [reading(15, 5, 5), reading(30, 5, 8), reading(35, 5, 8), reading(45, 8, 8), reading(600, 8, 5)],
    {0: 5, 35: 5, 60: 8, 605: 5},
)


def test_a_decision_is_a_reading_that_wants_another_number_and_counts_once() -> None:
    found = decisions(RUN)
    assert found["second"].tolist() == [30, 600]
    assert found["ready"].tolist() == [5, 8]


def test_pictures_are_taken_after_each_decision_and_when_its_pods_are_ready() -> None:
    assert decision_moments(RUN, decisions(RUN)) == [0, 35, 60, 605]


def test_the_cpu_of_containers_is_what_they_request() -> None:
    some = V1Container(name="a", resources=V1ResourceRequirements(requests={"cpu": "0.4"}))
    more = V1Container(name="b", resources=V1ResourceRequirements(requests={"cpu": "50m", "memory": "1Gi"}))
    none = [V1Container(name="c"), V1Container(name="d", resources=V1ResourceRequirements())]
    assert millicores([some, more, *none]) == 450


def test_a_run_is_summed_up_with_the_price_of_what_was_added() -> None:
    run = spike([], {0: 5, 60: 8, 90: 8}, {0: 2, 3600: 4, 7200: 4})
    minutes = pd.DataFrame({"p99": [0.5, 1.5], "failed": [0.0, 7.0], "error_percent": [0.0, 2.0]})
    found = spike_summary(run, minutes)
    assert (found["most pods"], found["seconds until they were ready"], found["most nodes"]) == (8, 60, 4)
    assert found["extra nodes, US dollars"] == pytest.approx(2 * 0.096)
    assert (found["failed requests"], found["worst minute, % failed"]) == (7, 2)
