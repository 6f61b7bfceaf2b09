"""The arithmetic from metric values to replicas."""

import pytest

from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.hpa.replicas import (
    MAX_INT64,
    Tolerances,
    desired_replicas,
    per_pod_value_replicas,
    total_milli,
    truncated_division,
    value_replicas,
)


@pytest.mark.parametrize(
    ("current", "usage", "request_millicores", "target", "wanted"),
    [
        (5, [160] * 5, 100, 80, 10),
        (5, [200, 200, 200, 200, 200], 250, 80, 5),
        (3, [90, 90, 90], 100, 50, 6),
        (4, [10, 10, 10, 10], 100, 50, 1),
    ],
)
def test_replicas_follow_use_over_target(
    current: int, usage: list[int], request_millicores: int, target: int, wanted: int
) -> None:
    assert desired_replicas(current, usage, request_millicores, target) == wanted


def test_one_number_stands_for_every_pod() -> None:
    assert desired_replicas(5, 160, 100, 80) == desired_replicas(5, [159.5] * 5, 100, 80) == 10


def test_replicas_hold_within_tolerance() -> None:
    assert desired_replicas(10, [88] * 10, 100, 80) == 10
    assert desired_replicas(10, [89] * 10, 100, 80) == 12
    assert desired_replicas(10, [88] * 10, 100, 80, tolerance=0.05) == 11


def test_utilization_is_cut_to_whole_percent_before_it_is_compared() -> None:
    # 88.9 % counts as 88 %, which is exactly 10 % above the target.
    assert desired_replicas(10, [889] * 10, 1000, 80) == 10


def test_pods_without_a_metric_count_as_full_when_scaling_down_and_as_idle_when_scaling_up() -> None:
    assert desired_replicas(6, [50] * 4, 200, 50) == 6
    assert desired_replicas(4, [100, 100], 100, 50) == 4
    assert desired_replicas(4, [100, 100, 100], 100, 50) == 6


def test_no_metric_at_all_gives_no_count() -> None:
    with pytest.raises(MetricError, match="did not receive metrics for targeted pods"):
        desired_replicas(3, [], 100, 50)


def test_a_value_target_needs_pods_unless_there_are_to_be_none() -> None:
    assert value_replicas(0, 10_000, 25_000, [], Tolerances()).replicas == 3
    with pytest.raises(MetricError, match="unable to calculate ready pods: no pods returned by selector"):
        value_replicas(1, 10_000, 25_000, [], Tolerances())


def test_an_average_value_target_of_no_replicas_divides_as_floats_do() -> None:
    assert per_pod_value_replicas(0, 10_000, 25_000, Tolerances()).replicas == 3
    idle = per_pod_value_replicas(0, 10_000, 0, Tolerances())
    assert (idle.replicas, idle.usage_milli) == (0, 0)


def test_the_sum_of_series_stays_an_int64() -> None:
    assert total_milli([MAX_INT64, 1]) == MAX_INT64
    assert total_milli([5, -2]) == 3


def test_integer_division_rounds_towards_zero() -> None:
    assert [truncated_division(a, b) for a, b in ((7, 2), (-7, 2), (7, -2), (-7, -2))] == [3, -3, -3, 3]
