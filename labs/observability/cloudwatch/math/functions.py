"""The functions of metric math, by name.

Source: the user guide's "Using metric math" (functions and data types). An aggregate of one series is a number;
an aggregate of an array is a series over the points that are there. STDDEV is that of a population (ours).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from labs.observability.cloudwatch.math.syntax import MathError
from labs.observability.cloudwatch.math.values import (
    Floats,
    Series,
    Value,
    kind_of,
    union_of_stamps,
    values_at,
)
from labs.units import SECOND_NS


@dataclass(frozen=True, slots=True)
class Span:
    """What a function may know of the request: the time asked for, [start, end), and the default period."""

    start_ns: int
    end_ns: int
    period_ns: int
    phase_ns: int = 0

    def grid(self, period_ns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The stamps of all periods that begin in the span, and of the one that it begins in."""
        first = (self.start_ns - self.phase_ns) // period_ns * period_ns + self.phase_ns
        return np.arange(first, self.end_ns, period_ns, dtype=np.int64)


_Function = Callable[[Span, tuple[Value, ...]], Value]


def call(name: str, span: Span, arguments: tuple[Value, ...]) -> Value:
    """The result of a function. Raises MathError for an unknown name and for wrong arguments."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise MathError(f"Unsupported function: {name}")
    return function(span, arguments)


def _wrong(name: str, arguments: tuple[Value, ...]) -> MathError:
    kinds = ", ".join(kind_of(argument) for argument in arguments)
    return MathError(f"Unsupported argument type(s) for {name}: '[{kinds}]'")


def _series_function(name: str, change: Callable[[Series], Series]) -> _Function:
    """A function from series to series, applied to each member of an array."""

    def apply(span: Span, arguments: tuple[Value, ...]) -> Value:
        if len(arguments) == 1 and isinstance(arguments[0], Series):
            return change(arguments[0])
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            return tuple(change(member) for member in arguments[0])
        raise _wrong(name, arguments)

    return apply


def _each_value(name: str, change: Callable[[Floats], Floats]) -> _Function:
    def change_series(series: Series) -> Series:
        with np.errstate(all="ignore"):
            return series.with_values(change(series.values))

    on_series = _series_function(name, change_series)

    def apply(span: Span, arguments: tuple[Value, ...]) -> Value:
        if len(arguments) == 1 and isinstance(arguments[0], float):
            with np.errstate(all="ignore"):
                return float(change(np.array([arguments[0]]))[0])
        return on_series(span, arguments)

    return apply


def _aggregate(name: str, whole: Callable[[Floats], float], by_stamp: Callable[..., Floats]) -> _Function:
    def apply(span: Span, arguments: tuple[Value, ...]) -> Value:
        if len(arguments) == 1 and isinstance(arguments[0], Series):
            values = arguments[0].values
            return float(whole(values)) if values.size else float("nan")
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            members = arguments[0]
            stamps = union_of_stamps(members)
            if not stamps.size:
                return Series(stamps, np.empty(0), span.period_ns)
            table = np.vstack([values_at(member, stamps, np.nan) for member in members])
            return Series(stamps, by_stamp(table, axis=0), max(member.period_ns for member in members))
        raise _wrong(name, arguments)

    return apply


def _differences(series: Series) -> Series:
    return replace(series, stamps_ns=series.stamps_ns[1:], values=np.diff(series.values))


def _gaps(series: Series) -> Series:
    gaps_s = np.diff(series.stamps_ns) / SECOND_NS
    return replace(series, stamps_ns=series.stamps_ns[1:], values=gaps_s)


def _rate(series: Series) -> Series:
    change = np.diff(series.values) / (np.diff(series.stamps_ns) / SECOND_NS)
    return replace(series, stamps_ns=series.stamps_ns[1:], values=change)


def _running_sum(series: Series) -> Series:
    return replace(series, values=np.cumsum(series.values))


def _clock(part: Callable[[datetime], int]) -> Callable[[Series], Series]:
    def change(series: Series) -> Series:
        moments = [datetime.fromtimestamp(int(ns) // SECOND_NS, UTC) for ns in series.stamps_ns]
        return replace(series, values=np.array([float(part(moment)) for moment in moments]))

    return change


def _fill(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) != 2:
        raise _wrong("FILL", arguments)
    target, filler = arguments
    if isinstance(target, tuple):
        return tuple(_filled(span, member, filler) for member in target)
    if isinstance(target, Series):
        return _filled(span, target, filler)
    raise _wrong("FILL", arguments)


def _filled(span: Span, series: Series, filler: Value) -> Series:
    """All grid points of the span; what ``REPEAT`` and ``LINEAR`` cannot know (the edges) stays missing."""
    stamps = np.union1d(span.grid(series.period_ns), series.stamps_ns)
    values = values_at(series, stamps, np.nan)
    is_missing = np.isnan(values)
    if isinstance(filler, float):
        values[is_missing] = filler
    elif isinstance(filler, Series):
        values[is_missing] = values_at(filler, stamps, np.nan)[is_missing]
    elif filler == "REPEAT":
        places = np.searchsorted(series.stamps_ns, stamps, side="right") - 1
        is_known = places >= 0
        values[is_known] = series.values[places[is_known]]
    elif filler == "LINEAR":
        if series.stamps_ns.size:
            origin = series.stamps_ns[0]
            known = (series.stamps_ns - origin).astype(np.float64)
            asked = (stamps - origin).astype(np.float64)
            values = np.interp(asked, known, series.values, left=np.nan, right=np.nan)
    else:
        raise _wrong("FILL", (series, filler))
    return replace(series, stamps_ns=stamps).with_values(values)


def _if(span: Span, arguments: tuple[Value, ...]) -> Value:
    """Points where the condition is missing are dropped; a missing true branch gives 0, a false one drops."""
    if len(arguments) not in (2, 3) or not isinstance(arguments[0], (float, Series)):
        raise _wrong("IF", arguments)
    condition, when_true = arguments[0], arguments[1]
    when_false: Value = arguments[2] if len(arguments) == 3 else float("nan")
    if isinstance(condition, float):
        return when_true if condition != 0 else when_false
    if not isinstance(when_true, (float, Series)) or not isinstance(when_false, (float, Series)):
        raise _wrong("IF", arguments)
    true_values = _branch(when_true, condition, 0.0)
    false_values = _branch(when_false, condition, np.nan)
    chosen = np.where(condition.values != 0, true_values, false_values)
    return replace(condition, label="").with_values(chosen)


def _branch(branch: float | Series, condition: Series, missing: float) -> Floats:
    if isinstance(branch, float):
        return np.full(condition.values.size, branch)
    return values_at(branch, condition.stamps_ns, missing)


def _period(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], Series):
        return arguments[0].period_ns / SECOND_NS
    raise _wrong("PERIOD", arguments)


def _time_series(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], float):
        stamps = span.grid(span.period_ns)
        values = np.full(stamps.size, arguments[0])
        return Series(stamps, values, span.period_ns).with_values(values)
    raise _wrong("TIME_SERIES", arguments)


def _metric_count(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], tuple):
        return float(len(arguments[0]))
    raise _wrong("METRIC_COUNT", arguments)


def _pick(name: str, place: int) -> _Function:
    def apply(span: Span, arguments: tuple[Value, ...]) -> Value:
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            members = arguments[0]
            return members[place] if members else ()
        raise _wrong(name, arguments)

    return apply


def _remove_empty(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], tuple):
        return tuple(member for member in arguments[0] if member.values.size)
    raise _wrong("REMOVE_EMPTY", arguments)


def _slice(span: Span, arguments: tuple[Value, ...]) -> Value:
    members, bounds = arguments[:1], arguments[1:]
    if not members or not isinstance(members[0], tuple) or not 1 <= len(bounds) <= 2:
        raise _wrong("SLICE", arguments)
    places = [int(bound) for bound in bounds if isinstance(bound, float)]
    if len(places) != len(bounds):
        raise _wrong("SLICE", arguments)
    return members[0][places[0] : places[1] if len(places) == 2 else None]


_SORT_KEYS: dict[str, Callable[[Floats], float]] = {
    "AVG": lambda values: float(values.mean()),
    "MIN": lambda values: float(values.min()),
    "MAX": lambda values: float(values.max()),
    "SUM": lambda values: float(values.sum()),
}


def _sort(span: Span, arguments: tuple[Value, ...]) -> Value:
    """SORT(array, AVG|MIN|MAX|SUM, ASC|DESC[, how many]); series without points come last."""
    if not 3 <= len(arguments) <= 4 or not isinstance(arguments[0], tuple):
        raise _wrong("SORT", arguments)
    members, key, order = arguments[:3]
    if key not in _SORT_KEYS or order not in ("ASC", "DESC"):
        raise _wrong("SORT", arguments)
    assert isinstance(members, tuple)
    assert isinstance(key, str)
    sign = -1.0 if order == "DESC" else 1.0

    def rank(series: Series) -> float:
        return sign * _SORT_KEYS[key](series.values) if series.values.size else float("inf")

    ranked = tuple(sorted(members, key=rank))
    if len(arguments) == 4:
        limit = arguments[3]
        if not isinstance(limit, float):
            raise _wrong("SORT", arguments)
        ranked = ranked[: int(limit)]
    return ranked


def _count_there(table: Floats, axis: int) -> Floats:
    count: Floats = np.sum(~np.isnan(table), axis=axis).astype(np.float64)
    return count


def _datapoint_count(span: Span, arguments: tuple[Value, ...]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], Series):
        return float(arguments[0].values.size)
    return _aggregate("DATAPOINT_COUNT", lambda values: float(values.size), _count_there)(span, arguments)


FUNCTIONS: dict[str, _Function] = {
    "ABS": _each_value("ABS", np.abs),
    "CEIL": _each_value("CEIL", np.ceil),
    "FLOOR": _each_value("FLOOR", np.floor),
    "LOG": _each_value("LOG", np.log),
    "LOG10": _each_value("LOG10", np.log10),
    "SUM": _aggregate("SUM", np.sum, np.nansum),
    "AVG": _aggregate("AVG", np.mean, np.nanmean),
    "MIN": _aggregate("MIN", np.min, np.nanmin),
    "MAX": _aggregate("MAX", np.max, np.nanmax),
    "STDDEV": _aggregate("STDDEV", np.std, np.nanstd),
    "DATAPOINT_COUNT": _datapoint_count,
    "METRIC_COUNT": _metric_count,
    "DIFF": _series_function("DIFF", _differences),
    "DIFF_TIME": _series_function("DIFF_TIME", _gaps),
    "RATE": _series_function("RATE", _rate),
    "RUNNING_SUM": _series_function("RUNNING_SUM", _running_sum),
    "FILL": _fill,
    "IF": _if,
    "PERIOD": _period,
    "TIME_SERIES": _time_series,
    "FIRST": _pick("FIRST", 0),
    "LAST": _pick("LAST", -1),
    "REMOVE_EMPTY": _remove_empty,
    "SLICE": _slice,
    "SORT": _sort,
    "EPOCH": _series_function("EPOCH", _clock(lambda moment: int(moment.timestamp()))),
    "MINUTE": _series_function("MINUTE", _clock(lambda moment: moment.minute)),
    "HOUR": _series_function("HOUR", _clock(lambda moment: moment.hour)),
    "DAY": _series_function("DAY", _clock(lambda moment: moment.isoweekday())),
    "DATE": _series_function("DATE", _clock(lambda moment: moment.day)),
    "MONTH": _series_function("MONTH", _clock(lambda moment: moment.month)),
    "YEAR": _series_function("YEAR", _clock(lambda moment: moment.year)),
}
"""All functions but METRICS and SEARCH, which need the request and the store (see ``evaluation``)."""
