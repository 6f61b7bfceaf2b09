"""What state a metric alarm is in, from the points of its evaluation range.

Source: the user guide's "Configuring how alarms treat missing data", whose tables are test vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
STATES: tuple[State, ...] = ("INSUFFICIENT_DATA", "ALARM", "OK")

TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")

EXTRA_POINTS = 2
"""Periods that the evaluation range has beyond EvaluationPeriods: unpublished; the guide shows 5 for 3."""


def decide(points: Sequence[bool | None], n: int, m: int, treatment: str, current: State) -> State:
    """The new state. ``points`` are oldest first: breaching or not, None where missing.

    With ``n`` real points, the newest ``n`` of them decide and ``treatment`` is not used. Otherwise missing ones
    are filled as it says; and when all real ones breach and the oldest is at least ``m`` periods old, the alarm
    need not wait for more (the "premature" rule).
    """
    real = [point for point in points if point is not None]
    if len(real) >= n:
        return _alarm_if(sum(real[-n:]) >= m)
    if treatment == "breaching":
        return _alarm_if(sum(real) + n - len(real) >= m)
    if treatment == "notBreaching":
        return _alarm_if(sum(real) >= m)
    if not real:
        return "INSUFFICIENT_DATA" if treatment == "missing" else current
    if not all(real):
        return _alarm_if(sum(real) >= m)
    if treatment == "ignore":
        return current
    age = len(points) - next(place for place, point in enumerate(points) if point is not None)
    return "ALARM" if age >= m or sum(real) >= m else current


def _alarm_if(is_breaching: bool) -> State:
    return "ALARM" if is_breaching else "OK"


def is_breaching(value: float, operator: str, threshold: float) -> bool:
    """Whether ``value`` is beyond the threshold, by the name of a ComparisonOperator."""
    if operator == "GreaterThanOrEqualToThreshold":
        return value >= threshold
    if operator == "GreaterThanThreshold":
        return value > threshold
    if operator == "LessThanThreshold":
        return value < threshold
    return value <= threshold


def needed_samples(percent: float) -> float:
    """Samples below which a percentile says little: 10/(1-p) for p >= 0.5, else 10/p (API reference)."""
    rarer_percent = min(percent, 100 - percent)
    return 1000 / rarer_percent if rarer_percent > 0 else float("inf")
