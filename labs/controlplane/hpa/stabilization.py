"""Holding a replica count against short-lived recommendations.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/horizontal.go (stabilizeRecommendation,
stabilizeRecommendationWithBehaviors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labs.units import SECOND_NS

MESSAGES = {
    "ReadyForNewScale": "recommended size matches current size",
    "ScaleUpStabilized": (
        "recent recommendations were lower than current one, applying the lowest recent recommendation"
    ),
    "ScaleDownStabilized": (
        "recent recommendations were higher than current one, applying the highest recent recommendation"
    ),
}
"""Text of the AbleToScale condition by its reason."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A replica count that the metrics asked for, and when."""

    replicas: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Stabilized:
    """The count to go by, the reason for the AbleToScale condition, and the recommendations to keep."""

    replicas: int
    reason: str
    log: tuple[Recommendation, ...]


def stabilize_without_behavior(log: Sequence[Recommendation], desired: int, window_ns: int, now_ns: int) -> Stabilized:
    """The highest of ``desired`` and the recommendations that are at most ``window_ns`` old."""
    cutoff_ns = now_ns - window_ns
    recent = [entry.replicas for entry in log if entry.time_ns >= cutoff_ns]
    old = [index for index, entry in enumerate(log) if entry.time_ns < cutoff_ns]
    replicas = max(desired, *recent) if recent else desired
    reason = "ReadyForNewScale" if replicas == desired else "ScaleDownStabilized"
    return Stabilized(replicas, reason, _kept(log, old, Recommendation(desired, now_ns)))


def stabilize_with_behavior(
    log: Sequence[Recommendation], current: int, desired: int, up_window_s: int, down_window_s: int, now_ns: int
) -> Stabilized:
    """``current``, moved as little as the lowest and highest recommendations of the two windows demand."""
    up_cutoff_ns, down_cutoff_ns = now_ns - up_window_s * SECOND_NS, now_ns - down_window_s * SECOND_NS
    lowest = min([desired, *(entry.replicas for entry in log if entry.time_ns > up_cutoff_ns)])
    highest = max([desired, *(entry.replicas for entry in log if entry.time_ns > down_cutoff_ns)])
    replicas = min(max(current, lowest), highest)
    reason = "ReadyForNewScale"
    if replicas != desired:
        reason = "ScaleUpStabilized" if desired >= current else "ScaleDownStabilized"
    oldest_cutoff_ns = min(up_cutoff_ns, down_cutoff_ns)
    old = [index for index, entry in enumerate(log) if entry.time_ns < oldest_cutoff_ns]
    return Stabilized(replicas, reason, _kept(log, old, Recommendation(desired, now_ns)))


def _kept(log: Sequence[Recommendation], old: Sequence[int], new: Recommendation) -> tuple[Recommendation, ...]:
    """The log with ``new`` in place of the last old entry, or at the end."""
    if not old:
        return (*log, new)
    kept = list(log)
    kept[old[-1]] = new
    return tuple(kept)
