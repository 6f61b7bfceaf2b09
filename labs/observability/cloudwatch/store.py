"""The metric store: columns per series, in order of time.

A series is a namespace, a name, an exact set of dimensions and a unit. A row is a statistic set of one slot
(the minute, or the second of high-resolution data, that a datum falls in): sample count, sum, minimum, maximum
and the time from which it can be read. A row whose minimum equals its maximum is a raw value with a weight.
Writes go to a list; the first read of their rows moves them into numpy columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labs.observability.cloudwatch.compression import compress
from labs.units import SECOND_NS

_FEW_VALUES = 16
"""Values of one write that are stored one by one: cheaper than compressing them."""

Dimensions = tuple[tuple[str, str], ...]
Moment = tuple[int, int]
"""The slot of a row, and the time from which it can be read."""
Figures = tuple[float, float, float, float]
"""Sample count, sum, minimum and maximum."""


class MetricKey(NamedTuple):
    """What names a metric; ``dimensions`` in order of their names."""

    namespace: str
    name: str
    dimensions: Dimensions


def metric_key(namespace: str, name: str, dimensions: Iterable[tuple[str, str]] = ()) -> MetricKey:
    """The key of a metric, whatever the order of its dimensions."""
    return MetricKey(namespace, name, _in_order(tuple(dimensions)))


@lru_cache(maxsize=65_536)
def _in_order(dimensions: Dimensions) -> Dimensions:
    # A pod has dozens of metrics with the same few sets: sorted once, and one tuple for all of them.
    return tuple(sorted(dimensions))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one series in order of their slots."""

    slot_ns: NDArray[np.int64]
    count: NDArray[np.float64]
    total: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]


_NO_TIMES: NDArray[np.int64] = np.empty((0, 2), np.int64)
_NO_FIGURES: NDArray[np.float64] = np.empty((0, 4), np.float64)


class _Series:
    """One unit's rows of one metric: (slot, readable from) and (count, sum, minimum, maximum).

    A large cluster writes a quarter of a million series, of which few are ever read: until then ``_new`` holds what
    was written, a moment and behind it its figures, or the one value.
    """

    __slots__ = ("_figures", "_new", "_size", "_times", "newest_ns", "unit")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._times = _NO_TIMES
        self._figures = _NO_FIGURES
        self._size = 0
        self._new: list[Any] = []
        self.newest_ns = 0

    def add(self, moment: Moment, figures: float | Figures) -> None:
        self._new += (moment, figures)
        if moment[0] > self.newest_ns:
            self.newest_ns = moment[0]

    def add_block(self, moment: Moment, figures: NDArray[np.float64]) -> None:
        self._settle()
        times = np.empty((len(figures), 2), np.int64)
        times[:] = moment
        self._append(times, figures)
        self.newest_ns = max(self.newest_ns, moment[0])

    def select(self, start_ns: int, end_ns: int, as_of_ns: int) -> Rows:
        """Rows with a slot in [start, end) that can be read at ``as_of_ns``."""
        self._settle()
        slots = self._times[: self._size, 0]
        first, last = np.searchsorted(slots, (start_ns, end_ns))
        times, figures = self._times[first:last], self._figures[first:last]
        is_visible = times[:, 1] <= as_of_ns
        if not is_visible.all():
            times, figures = times[is_visible], figures[is_visible]
        return Rows(times[:, 0], figures[:, 0], figures[:, 1], figures[:, 2], figures[:, 3])

    def is_readable(self, as_of_ns: int) -> bool:
        """Whether any row can be read at that time."""
        if any(available_ns <= as_of_ns for _, available_ns in self._new[::2]):
            return True
        return bool((self._times[: self._size, 1] <= as_of_ns).any())

    def _settle(self) -> None:
        if self._new:
            times = np.array(self._new[::2], np.int64)
            rows = [row if isinstance(row, tuple) else (1.0, row, row, row) for row in self._new[1::2]]
            self._new.clear()
            self._append(times, np.array(rows, np.float64))

    def _append(self, times: NDArray[np.int64], figures: NDArray[np.float64]) -> None:
        size = self._size + len(times)
        if size > len(self._times):
            capacity = max(size, 2 * self._size, 16)
            self._times = _grown(self._times, self._size, capacity)
            self._figures = _grown(self._figures, self._size, capacity)
        self._times[self._size : size] = times
        self._figures[self._size : size] = figures
        tail = max(self._size - 1, 0)
        self._size = size
        slots = self._times[tail:size, 0]
        if (slots[1:] < slots[:-1]).any():
            order = np.argsort(self._times[:size, 0], kind="stable")
            self._times[:size] = self._times[order]
            self._figures[:size] = self._figures[order]


def _grown(array: NDArray[Any], size: int, capacity: int) -> NDArray[Any]:
    larger = np.empty((capacity, array.shape[1]), array.dtype)
    larger[:size] = array[:size]
    return larger


class MetricStore:
    """All metrics of one account and region."""

    def __init__(self) -> None:
        self._metrics: dict[tuple[str, str], dict[Dimensions, tuple[_Series, ...]]] = {}
        """The series of each unit, by namespace and name, then by dimensions."""
        self._moment: Moment = (0, 0)

    def put(
        self,
        key: MetricKey,
        timestamp_ns: int,
        values: float | ArrayLike,
        counts: ArrayLike | None = None,
        *,
        unit: str,
        available_at_ns: int,
        resolution_s: int = 60,
    ) -> None:
        """Stores one value, or many values of the same time with a weight each (1 unless told)."""
        series = self._series(key, unit)
        moment = self._moment_of(timestamp_ns, available_at_ns, resolution_s)
        if isinstance(values, (int, float)):
            series.add(moment, values)
            return
        samples = np.asarray(values, np.float64).reshape(-1)
        weights = np.ones(samples.size) if counts is None else np.asarray(counts, np.float64)
        samples, weights = samples[weights > 0], weights[weights > 0]
        if samples.size <= _FEW_VALUES:
            for value, weight in zip(samples.tolist(), weights.tolist(), strict=True):
                series.add(moment, (weight, weight * value, value, value))
            return
        distinct, weights = compress(samples, weights)
        block = np.column_stack((weights, weights * distinct, distinct, distinct))
        series.add_block(moment, block)

    def put_set(
        self,
        key: MetricKey,
        timestamp_ns: int,
        statistic_set: Figures,
        *,
        unit: str,
        available_at_ns: int,
        resolution_s: int = 60,
    ) -> None:
        """Stores a statistic set: sample count, sum, minimum, maximum."""
        self._series(key, unit).add(self._moment_of(timestamp_ns, available_at_ns, resolution_s), statistic_set)

    def _moment_of(self, timestamp_ns: int, available_at_ns: int, resolution_s: int) -> Moment:
        """The moment of a row; rows that are written one after the other mostly share it."""
        moment = (timestamp_ns - timestamp_ns % (resolution_s * SECOND_NS), available_at_ns)
        if moment != self._moment:
            self._moment = moment
        return self._moment

    def rows(self, key: MetricKey, start_ns: int, end_ns: int, as_of_ns: int) -> dict[str, Rows]:
        """Rows of [start, end) that can be read at ``as_of_ns``, by unit in order; none empty."""
        found = {}
        known = self._metrics.get((key.namespace, key.name), {}).get(key.dimensions, ())
        for series in sorted(known, key=attrgetter("unit")):
            rows = series.select(start_ns, end_ns, as_of_ns)
            if rows.slot_ns.size:
                found[series.unit] = rows
        return found

    def metrics(self, as_of_ns: int, active_since_ns: int) -> Iterator[MetricKey]:
        """Metrics readable at ``as_of_ns`` with data since ``active_since_ns``, in order of their keys."""
        for namespace, name in sorted(self._metrics):
            for dimensions, known in sorted(self._metrics[namespace, name].items(), key=itemgetter(0)):
                if any(series.newest_ns >= active_since_ns and series.is_readable(as_of_ns) for series in known):
                    yield MetricKey(namespace, name, dimensions)

    def _series(self, key: MetricKey, unit: str) -> _Series:
        of_name = self._metrics.setdefault((key.namespace, key.name), {})
        known = of_name.get(key.dimensions, ())
        for series in known:
            if series.unit == unit:
                return series
        series = _Series(unit)
        of_name[key.dimensions] = (*known, series)
        return series
