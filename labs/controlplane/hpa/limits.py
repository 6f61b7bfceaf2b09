"""How far and how fast a replica count may change.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go (convertDesiredReplicasWithRules,
convertDesiredReplicasWithBehaviorRate, calculateScaleUpLimit..., storeScaleEvent).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labs.units import SECOND_NS

SCALE_UP_LIMIT_FACTOR = 2.0
SCALE_UP_LIMIT_MINIMUM = 4.0
_FEWEST, _MOST = -(2**31), 2**31 - 1

MESSAGES = {
    "DesiredWithinRange": "the desired count is within the acceptable range",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
}
"""Text of the ScalingLimited condition by its reason."""


@dataclass(frozen=True, slots=True)
class Policy:
    """``type`` is Pods or Percent; ``value`` is how many of them may change within ``period_s``."""

    type: str
    value: int
    period_s: int


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """``behavior.scaleUp`` or ``behavior.scaleDown``, defaulted; None as window stands for the controller's flag."""

    policies: tuple[Policy, ...]
    select_policy: str = "Max"
    stabilization_window_s: int | None = None
    tolerance: float | None = None

    @property
    def longest_period_s(self) -> int:
        """The longest policy period."""
        return max((policy.period_s for policy in self.policies), default=0)


@dataclass(frozen=True, slots=True)
class Behavior:
    """``spec.behavior``."""

    scale_up: ScalingRules
    scale_down: ScalingRules


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change of ``change`` replicas (positive in both directions); an outdated one gives up its place."""

    change: int
    time_ns: int
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class Limited:
    """A replica count within the limits, and the reason that the ScalingLimited condition gives."""

    replicas: int
    reason: str


def limit_without_behavior(
    current: int,
    desired: int,
    minimum: int,
    maximum: int,
    factor: float = SCALE_UP_LIMIT_FACTOR,
    at_least: float = SCALE_UP_LIMIT_MINIMUM,
) -> Limited:
    """``desired`` within min, max and twice the current count (or 4, where that is more)."""
    scale_up_limit = int(max(factor * current, at_least))
    if desired < minimum:
        return Limited(minimum, "TooFewReplicas")
    if desired > scale_up_limit and scale_up_limit < maximum:
        return Limited(scale_up_limit, "ScaleUpLimit")
    if desired > maximum:
        return Limited(maximum, "TooManyReplicas")
    return Limited(desired, "DesiredWithinRange")


def limit_with_behavior(
    current: int,
    desired: int,
    minimum: int,
    maximum: int,
    behavior: Behavior,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    now_ns: int,
) -> Limited:
    """``desired`` within min, max and what the policies allow in this direction."""
    if desired > current:
        rate_limit = max(scale_up_limit(current, behavior.scale_up, up_events, down_events, now_ns), current)
        allowed, reason = (rate_limit, "ScaleUpLimit") if maximum > rate_limit else (maximum, "TooManyReplicas")
        if desired > allowed:
            return Limited(allowed, reason)
    elif desired < current:
        rate_limit = min(scale_down_limit(current, behavior.scale_down, up_events, down_events, now_ns), current)
        allowed, reason = (rate_limit, "ScaleDownLimit") if minimum < rate_limit else (minimum, "TooFewReplicas")
        if desired < allowed:
            return Limited(allowed, reason)
    return Limited(desired, "DesiredWithinRange")


def scale_up_limit(
    current: int,
    rules: ScalingRules,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    now_ns: int,
) -> int:
    """The most replicas that the scale-up policies allow now."""
    if rules.select_policy == "Disabled":
        return current
    proposals = []
    for policy in rules.policies:
        start = _replicas_at_period_start(current, policy, up_events, down_events, now_ns)
        if policy.type == "Pods":
            proposals.append(start + policy.value)
        else:  # rounded up, so that a small share of a small count still adds a pod
            proposals.append(math.ceil(start * (1 + policy.value / 100)))
    if rules.select_policy == "Min":
        return min(proposals, default=_MOST)
    return max(proposals, default=_FEWEST)


def scale_down_limit(
    current: int,
    rules: ScalingRules,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    now_ns: int,
) -> int:
    """The fewest replicas that the scale-down policies allow now; Max means the largest change."""
    if rules.select_policy == "Disabled":
        return current
    proposals = []
    for policy in rules.policies:
        start = _replicas_at_period_start(current, policy, up_events, down_events, now_ns)
        if policy.type == "Pods":
            proposals.append(start - policy.value)
        else:
            proposals.append(int(start * (1 - policy.value / 100)))
    if rules.select_policy == "Min":
        return max(proposals, default=_FEWEST)
    return min(proposals, default=_MOST)


def _replicas_at_period_start(
    current: int,
    policy: Policy,
    up_events: Sequence[ScaleEvent],
    down_events: Sequence[ScaleEvent],
    now_ns: int,
) -> int:
    added = change_in_period(up_events, policy.period_s, now_ns)
    removed = change_in_period(down_events, policy.period_s, now_ns)
    return current - added + removed


def change_in_period(events: Iterable[ScaleEvent], period_s: int, now_ns: int) -> int:
    """The sum of the changes that are less than a period old."""
    cutoff_ns = now_ns - period_s * SECOND_NS
    return sum(event.change for event in events if event.time_ns > cutoff_ns)


def store_scale_event(
    events: Sequence[ScaleEvent], change: int, rules: ScalingRules | None, now_ns: int
) -> tuple[ScaleEvent, ...]:
    """The events with one more, which takes the place of the last outdated one, if any.

    Without rules nothing is stored, since nothing would read it.
    """
    if rules is None:
        return tuple(events)
    cutoff_ns = now_ns - rules.longest_period_s * SECOND_NS
    marked = [replace(event, is_outdated=True) if event.time_ns < cutoff_ns else event for event in events]
    new = ScaleEvent(change, now_ns)
    outdated = [index for index, event in enumerate(marked) if event.is_outdated]
    if not outdated:
        return (*marked, new)
    marked[outdated[-1]] = new
    return tuple(marked)
