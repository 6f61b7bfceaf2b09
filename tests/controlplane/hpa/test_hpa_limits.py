"""Limits on the size and the rate of a change."""

import pytest

from labs.controlplane.hpa.limits import (
    Behavior,
    Policy,
    ScaleEvent,
    ScalingRules,
    change_in_period,
    limit_with_behavior,
    limit_without_behavior,
    scale_down_limit,
    scale_up_limit,
    store_scale_event,
)
from labs.units import SECOND_NS

NOW_NS = 1_000 * SECOND_NS
SLOW_AND_FAST = (Policy("Pods", 1, 60), Policy("Percent", 50, 60))


def event(change: int, age_s: int) -> ScaleEvent:
    return ScaleEvent(change, NOW_NS - age_s * SECOND_NS)


def test_a_change_that_is_exactly_a_period_old_no_longer_counts() -> None:
    events = [event(4, 15), event(2, 14)]

    assert change_in_period(events, 15, NOW_NS) == 2


def test_an_event_that_is_exactly_a_period_old_is_not_yet_outdated() -> None:
    rules = ScalingRules((Policy("Pods", 1, 60),))

    assert store_scale_event([event(4, 60)], 3, rules, NOW_NS) == (event(4, 60), event(3, 0))
    assert store_scale_event([event(4, 61)], 3, rules, NOW_NS) == (event(3, 0),)


@pytest.mark.parametrize(("select", "up", "down"), [("Max", 15, 5), ("Min", 11, 9), ("Disabled", 10, 10)])
def test_select_policy_chooses_the_larger_or_smaller_change_or_none(select: str, up: int, down: int) -> None:
    rules = ScalingRules(SLOW_AND_FAST, select)

    assert scale_up_limit(10, rules, [], [], NOW_NS) == up
    assert scale_down_limit(10, rules, [], [], NOW_NS) == down


def test_percentages_are_rounded_up_on_the_way_up_and_cut_on_the_way_down() -> None:
    rules = ScalingRules((Policy("Percent", 10, 60),))

    assert scale_up_limit(3, rules, [], [], NOW_NS) == 4
    assert scale_down_limit(3, rules, [], [], NOW_NS) == 2


def test_recent_changes_in_both_directions_move_the_start_of_the_period() -> None:
    rules = ScalingRules((Policy("Pods", 4, 60),))

    assert scale_up_limit(10, rules, [event(3, 30)], [event(1, 10)], NOW_NS) == 12
    assert scale_down_limit(10, rules, [event(3, 30)], [event(1, 10)], NOW_NS) == 4


def test_a_spent_budget_holds_the_count_but_does_not_turn_it_round() -> None:
    rules = ScalingRules((Policy("Pods", 2, 60),))
    behavior = Behavior(rules, rules)

    up = limit_with_behavior(10, 20, 1, 30, behavior, [event(5, 30)], [], NOW_NS)
    down = limit_with_behavior(10, 2, 1, 30, behavior, [], [event(5, 30)], NOW_NS)

    assert (up.replicas, up.reason) == (10, "ScaleUpLimit")
    assert (down.replicas, down.reason) == (10, "ScaleDownLimit")


@pytest.mark.parametrize(
    ("current", "desired", "maximum", "replicas", "reason"),
    [
        (1, 9, 20, 4, "ScaleUpLimit"),
        (5, 30, 20, 10, "ScaleUpLimit"),
        (5, 30, 10, 10, "TooManyReplicas"),
        (5, 0, 10, 2, "TooFewReplicas"),
        (5, 7, 10, 7, "DesiredWithinRange"),
    ],
)
def test_without_behavior_a_count_at_most_doubles_or_reaches_four(
    current: int, desired: int, maximum: int, replicas: int, reason: str
) -> None:
    limited = limit_without_behavior(current, desired, 2, maximum)

    assert (limited.replicas, limited.reason) == (replicas, reason)
