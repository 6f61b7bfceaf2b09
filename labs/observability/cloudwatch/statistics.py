"""CloudWatch's statistics over weighted values.

Source: the user guide's "CloudWatch statistics definitions". Where the service is silent, the choice is ours:
- a percentile is the nearest rank: the smallest value with at least p % of the samples at or below it;
- a trimmed share cuts by weight, so a sample on the edge counts in part;
- fixed bounds leave out the lower edge and take in the upper one.
Percentile-like statistics need raw values, none of them negative; otherwise there is no data point.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labs.observability.cloudwatch.store import Rows

BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_ONE_NUMBER = re.compile(r"(p|tm|wm|tc|ts)(\d{1,3}(?:\.\d{1,10})?)")
_RANGE = re.compile(r"(TM|WM|TC|TS|PR)\((\d+(?:\.\d+)?)?(%)?:(\d+(?:\.\d+)?)?(%)?\)")
_RANK_TOLERANCE = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A parsed statistic. ``low`` and ``high`` are per cent or values; None where unbounded."""

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    is_percent: bool = True

    @property
    def is_basic(self) -> bool:
        """Whether a statistic set is enough to compute it."""
        return self.kind in BASIC


def parse_statistic(text: str) -> Statistic:
    """The statistic that ``text`` names. Raises ValueError when it names none."""
    if text in BASIC:
        return Statistic(text, text)
    if text == "IQM":
        return Statistic(text, "TM", 25.0, 75.0)
    one = _ONE_NUMBER.fullmatch(text)
    if one and float(one.group(2)) <= 100:
        kind, number = one.group(1), float(one.group(2))
        return Statistic(text, "p" if kind == "p" else kind.upper(), None, number)
    ranged = _RANGE.fullmatch(text.replace(" ", ""))
    if ranged is None:
        raise ValueError(text)
    kind, low, low_percent, high, high_percent = ranged.groups()
    is_percent = bool(low_percent or high_percent)
    bounds = [None if bound is None else float(bound) for bound in (low, high)]
    known = [bound for bound in bounds if bound is not None]
    is_mixed = (low is not None and bool(low_percent) != is_percent) or (
        high is not None and bool(high_percent) != is_percent
    )
    if not known or known != sorted(known) or is_mixed or (low is None and low_percent):
        raise ValueError(text)
    if (kind == "PR" and is_percent) or (is_percent and known[-1] > 100):
        raise ValueError(text)
    return Statistic(text, kind, bounds[0], bounds[1], is_percent)


@dataclass(frozen=True, slots=True)
class Buckets:
    """One statistic by period: stamp (start of the period), value and sample count of each."""

    stamps_ns: NDArray[np.int64]
    values: Floats
    counts: Floats


def by_period(statistic: Statistic, rows: Rows, period_ns: int, phase_ns: int = 0) -> Buckets:
    """The statistic of each period that has data; periods begin at ``phase_ns`` plus multiples of it."""
    if not rows.slot_ns.size:
        return Buckets(rows.slot_ns, rows.count, rows.count)
    stamps = (rows.slot_ns - phase_ns) // period_ns * period_ns + phase_ns
    starts = np.concatenate(([0], np.flatnonzero(stamps[1:] != stamps[:-1]) + 1))
    counts = np.add.reduceat(rows.count, starts)
    if statistic.is_basic:
        values = _basic(statistic.kind, rows, starts, counts)
    else:
        ends = np.append(starts[1:], rows.slot_ns.size)
        values = np.array([_from_raw(statistic, rows, int(a), int(b)) for a, b in zip(starts, ends, strict=True)])
    is_there = ~np.isnan(values)
    return Buckets(stamps[starts][is_there], values[is_there], counts[is_there])


def _basic(kind: str, rows: Rows, starts: NDArray[np.intp], counts: Floats) -> Floats:
    if kind == "SampleCount":
        return counts
    if kind == "Minimum":
        return np.minimum.reduceat(rows.minimum, starts)
    if kind == "Maximum":
        return np.maximum.reduceat(rows.maximum, starts)
    totals: Floats = np.add.reduceat(rows.total, starts)
    if kind == "Sum":
        return totals
    with np.errstate(invalid="ignore", divide="ignore"):
        averages: Floats = totals / counts
    return averages


def _from_raw(statistic: Statistic, rows: Rows, first: int, last: int) -> float:
    values, weights = rows.minimum[first:last], rows.count[first:last]
    if (values != rows.maximum[first:last]).any() or values.min() < 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    return of_values(statistic, values[order], weights[order])


def of_values(statistic: Statistic, values: Floats, weights: Floats) -> float:
    """A percentile-like statistic of rising values with weights; NaN when there is none."""
    reach = np.cumsum(weights)
    total = float(reach[-1])
    if total <= 0:
        return float("nan")
    if statistic.kind == "p":
        return _at_rank(values, reach, statistic.high or 0.0)
    if statistic.kind == "WM":
        return _winsorized(statistic, values, weights, reach)
    kept = _kept_weights(statistic, values, weights, reach)
    kept_count = float(kept.sum())
    if statistic.kind == "TC":
        return kept_count
    if statistic.kind == "PR":
        return 100 * kept_count / total
    kept_sum = float((kept * values).sum())
    if statistic.kind == "TS":
        return kept_sum
    return kept_sum / kept_count if kept_count > 0 else float("nan")


def _at_rank(values: Floats, reach: Floats, percent: float) -> float:
    wanted = percent / 100 * float(reach[-1]) * (1 - _RANK_TOLERANCE)
    return float(values[min(int(np.searchsorted(reach, wanted)), values.size - 1)])


def _kept_weights(statistic: Statistic, values: Floats, weights: Floats, reach: Floats) -> Floats:
    if not statistic.is_percent:
        low = -np.inf if statistic.low is None else statistic.low
        high = np.inf if statistic.high is None else statistic.high
        return np.where((values > low) & (values <= high), weights, 0.0)
    total = float(reach[-1])
    low = total * (statistic.low or 0.0) / 100
    high = total if statistic.high is None else total * statistic.high / 100
    kept: Floats = np.clip(np.minimum(reach, high) - np.maximum(reach - weights, low), 0.0, None)
    return kept


def _winsorized(statistic: Statistic, values: Floats, weights: Floats, reach: Floats) -> float:
    low, high = statistic.low, statistic.high
    if statistic.is_percent:
        low = None if low is None else _at_rank(values, reach, low)
        high = None if high is None else _at_rank(values, reach, high)
    clipped = np.clip(values, -np.inf if low is None else low, np.inf if high is None else high)
    return float((clipped * weights).sum() / reach[-1])
