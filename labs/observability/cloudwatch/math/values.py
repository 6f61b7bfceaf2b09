"""The values of metric math: a number, a time series, or an array of time series.

In arithmetic and comparisons a missing point counts as 0, over the stamps that either side has; a result that
is not finite (division by zero) is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labs.observability.cloudwatch.math.syntax import MathError

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: rising stamps, their values, the period between grid points, and its label."""

    stamps_ns: Stamps
    values: Floats
    period_ns: int
    label: str = ""

    def with_values(self, values: Floats) -> Series:
        """The same stamps with other values; points that are not finite are dropped."""
        is_there = np.isfinite(values)
        if is_there.all():
            return replace(self, values=values)
        return replace(self, stamps_ns=self.stamps_ns[is_there], values=values[is_there])


Value = float | str | Series | tuple[Series, ...]


def kind_of(value: Value) -> str:
    """The kind of a value as messages name it."""
    if isinstance(value, Series):
        return "TimeSeries"
    if isinstance(value, tuple):
        return "Array[TimeSeries]"
    return "String" if isinstance(value, str) else "Scalar"


def values_at(series: Series, stamps_ns: Stamps, missing: float) -> Floats:
    """The series' values at rising stamps, ``missing`` where it has none."""
    result = np.full(stamps_ns.size, missing)
    if series.stamps_ns.size and stamps_ns.size:
        places = np.searchsorted(series.stamps_ns, stamps_ns)
        places_inside = np.minimum(places, series.stamps_ns.size - 1)
        is_there = series.stamps_ns[places_inside] == stamps_ns
        result[is_there] = series.values[places_inside[is_there]]
    return result


def union_of_stamps(members: tuple[Series, ...]) -> Stamps:
    """All stamps that any of the series has, rising."""
    if not members:
        return np.empty(0, np.int64)
    return np.unique(np.concatenate([member.stamps_ns for member in members]))


_Combine = Callable[[Floats, Floats], Floats]


def _as_flags(test: Callable[[Floats, Floats], NDArray[np.bool_]]) -> _Combine:
    return lambda left, right: test(left, right).astype(np.float64)


_OPERATORS: dict[str, _Combine] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    "==": _as_flags(np.equal),
    "!=": _as_flags(np.not_equal),
    "<": _as_flags(np.less),
    "<=": _as_flags(np.less_equal),
    ">": _as_flags(np.greater),
    ">=": _as_flags(np.greater_equal),
    "AND": _as_flags(np.logical_and),
    "&&": _as_flags(np.logical_and),
    "OR": _as_flags(np.logical_or),
    "||": _as_flags(np.logical_or),
}


def operate(operator: str, left: Value, right: Value) -> Value:
    """``left operator right``. Raises MathError for two arrays, and for texts."""
    is_text = isinstance(left, str) or isinstance(right, str)
    if is_text or (isinstance(left, tuple) and isinstance(right, tuple)):
        kinds = f"{kind_of(left)}, {kind_of(right)}"
        raise MathError(f"Unsupported operand type(s) for {operator}: '[{kinds}]'")
    assert not isinstance(left, str)
    assert not isinstance(right, str)
    if isinstance(left, tuple):
        assert not isinstance(right, tuple)
        return tuple(_pair(operator, member, right, member.label) for member in left)
    if isinstance(right, tuple):
        return tuple(_pair(operator, left, member, member.label) for member in right)
    if isinstance(left, Series) or isinstance(right, Series):
        return _pair(operator, left, right, "")
    with np.errstate(all="ignore"):
        return float(_OPERATORS[operator](np.float64(left), np.float64(right)))  # type: ignore[arg-type]


def _pair(operator: str, left: float | Series, right: float | Series, label: str) -> Series:
    sides = tuple(side for side in (left, right) if isinstance(side, Series))
    stamps = sides[0].stamps_ns if len(sides) == 1 else union_of_stamps(sides)
    period_ns = max(side.period_ns for side in sides)
    with np.errstate(all="ignore"):
        values = _OPERATORS[operator](_side(left, stamps), _side(right, stamps))
    return Series(stamps, values, period_ns, label).with_values(values)


def _side(side: float | Series, stamps_ns: Stamps) -> Floats:
    if isinstance(side, Series):
        return values_at(side, stamps_ns, 0.0)
    return np.full(stamps_ns.size, float(side))
