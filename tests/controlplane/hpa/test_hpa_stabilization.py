"""Edges of the stabilisation windows."""

from labs.controlplane.hpa.stabilization import Recommendation, stabilize_with_behavior, stabilize_without_behavior
from labs.units import SECOND_NS

NOW_NS = 10_000 * SECOND_NS


def ago(replicas: int, age_s: int) -> Recommendation:
    return Recommendation(replicas, NOW_NS - age_s * SECOND_NS)


def test_without_behavior_a_recommendation_counts_up_to_the_end_of_the_window() -> None:
    window_ns = 300 * SECOND_NS

    assert stabilize_without_behavior([ago(9, 300)], 3, window_ns, NOW_NS).replicas == 9
    assert stabilize_without_behavior([ago(9, 301)], 3, window_ns, NOW_NS).replicas == 3


def test_with_behavior_a_recommendation_at_the_end_of_the_window_no_longer_counts() -> None:
    assert stabilize_with_behavior([ago(9, 300)], 9, 3, 0, 300, NOW_NS).replicas == 3
    assert stabilize_with_behavior([ago(9, 299)], 9, 3, 0, 300, NOW_NS).replicas == 9


def test_the_last_old_recommendation_gives_up_its_place() -> None:
    log = [ago(7, 400), ago(8, 350), ago(9, 10)]

    assert stabilize_without_behavior(log, 3, 300 * SECOND_NS, NOW_NS).log == (ago(7, 400), ago(3, 0), ago(9, 10))


def test_the_reason_names_the_direction_that_was_held_back() -> None:
    held_up = stabilize_with_behavior([ago(5, 10)], 4, 8, 60, 60, NOW_NS)
    held_down = stabilize_with_behavior([ago(5, 10)], 6, 2, 60, 60, NOW_NS)
    unchanged = stabilize_with_behavior([ago(5, 10)], 4, 4, 60, 60, NOW_NS)

    assert (held_up.replicas, held_up.reason) == (5, "ScaleUpStabilized")
    assert (held_down.replicas, held_down.reason) == (5, "ScaleDownStabilized")
    assert (unchanged.replicas, unchanged.reason) == (4, "ReadyForNewScale")
