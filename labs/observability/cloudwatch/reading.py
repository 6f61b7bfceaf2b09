"""From the store to a time series: periods, the rounding of times, retention, units.

Source: API reference of GetMetricData and GetMetricStatistics (Period, StartTime, Unit). Periods are aligned
to the epoch and stamped with their start. A range that begins inside a period gives that period's data from the
start on; the end is exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labs.observability.cloudwatch.statistics import Buckets, Statistic, by_period
from labs.observability.cloudwatch.store import MetricKey, MetricStore
from labs.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

HIGH_RESOLUTION_PERIODS_S = (1, 5, 10, 20, 30)
LONGEST_PERIOD_S = 86_400

_EMPTY = Buckets(np.empty(0, np.int64), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: the buckets of the first unit that has data, and all units that have."""

    buckets: Buckets
    units: tuple[str, ...]


def is_valid_period(period_s: int) -> bool:
    """Whether data can be asked for with this period."""
    if period_s in HIGH_RESOLUTION_PERIODS_S:
        return True
    return period_s >= 60 and period_s % 60 == 0


def rounded_start(start_ns: int, now_ns: int, period_s: int) -> int:
    """The start of a range, rounded down as the service does by age and period."""
    age_ns = now_ns - start_ns
    grid_ns = MINUTE_NS
    if period_s < 60:
        grid_ns = period_s * SECOND_NS
    elif age_ns >= 63 * DAY_NS:
        grid_ns = HOUR_NS
    elif age_ns >= 15 * DAY_NS:
        grid_ns = 5 * MINUTE_NS
    return start_ns - start_ns % grid_ns


def oldest_kept(now_ns: int, period_s: int) -> int:
    """The oldest time of which data with this period is still kept."""
    if period_s < 60:
        return now_ns - 3 * HOUR_NS
    if period_s % 300:
        return now_ns - 15 * DAY_NS
    if period_s % 3600:
        return now_ns - 63 * DAY_NS
    return now_ns - 455 * DAY_NS


def read(
    store: MetricStore,
    key: MetricKey,
    statistic: Statistic,
    period_s: int,
    span_ns: tuple[int, int],
    as_of_ns: int,
    *,
    unit: str | None = None,
    phase_ns: int = 0,
) -> Read:
    """The statistic by period over [start, end), as it can be read at ``as_of_ns``.

    Without ``unit``, the first one in alphabetical order is taken (recorded from the service).
    """
    start_ns = max(span_ns[0], oldest_kept(as_of_ns, period_s))
    found = store.rows(key, start_ns, span_ns[1], as_of_ns)
    chosen = unit if unit is not None else next(iter(found), None)
    if chosen is None or chosen not in found:
        return Read(_EMPTY, ())
    units = tuple(found) if unit is None else (chosen,)
    return Read(by_period(statistic, found[chosen], period_s * SECOND_NS, phase_ns), units)
