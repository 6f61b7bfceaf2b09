"""StateReason and StateReasonData, word for word as the service writes them (texts recorded from it)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from labs.observability.cloudwatch.alarm_state import State
from labs.units import MICROSECOND_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_LONGEST_REASON = 1023
_FEWEST_SHOWN = 5

INITIAL_REASON = "Unchecked: Initial alarm creation"


@dataclass(frozen=True, slots=True)
class Point:
    """One period of an evaluation range; ``is_breaching`` is None where the value is missing."""

    stamp_ns: int
    value: float | None
    sample_count: float
    is_breaching: bool | None


@dataclass(frozen=True, slots=True)
class Criteria:
    """What the words of a reason depend on. ``m`` is None when DatapointsToAlarm was not given."""

    n: int
    m: int | None
    operator: str
    threshold: float
    treatment: str
    period_s: int
    statistic: str | None
    unit: str | None


def moment(ns: int) -> datetime:
    """``ns`` as a UTC datetime."""
    return _EPOCH + timedelta(microseconds=ns // MICROSECOND_NS)


def date_text(ns: int) -> str:
    """``2026-03-02T09:00:00.000+0000``."""
    return moment(ns).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def long_date_text(ns: int) -> str:
    """``Monday 02 March, 2026 09:00:00 UTC``."""
    return moment(ns).strftime("%A %d %B, %Y %H:%M:%S UTC")


def java_double(value: float) -> str:
    """A number as Java prints a double: ``5.0``, ``1.0E7``."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    sign, digits, _ = Decimal(repr(float(value))).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    exponent = Decimal(repr(float(value))).adjusted()
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{exponent}"


def considered(points: Sequence[Point], n: int) -> list[Point]:
    """The points that a decision rests on, oldest first: the newest real ones, and missing ones up to ``n``."""
    real = [point for point in points if point.value is not None][-n:]
    missing = [point for point in points if point.value is None]
    lacking = n - len(real)
    chosen = real + (missing[-lacking:] if lacking else [])
    return sorted(chosen, key=lambda point: point.stamp_ns)


def state_reason(criteria: Criteria, points: Sequence[Point], state: State) -> str:
    """Why the alarm is in ``state``."""
    used = considered(points, criteria.n)
    real = [point for point in used if point.value is not None]
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_datapoints(criteria.n)} {_were(criteria.n)} unknown."
    lacking = criteria.n - len(real)
    treated = f"{_missing(lacking)} {_were(lacking)} treated as [{_treated_as(criteria.treatment)}]"
    fills = criteria.treatment in ("breaching", "notBreaching") and lacking > 0
    matching = [point for point in reversed(real) if point.is_breaching == (state == "ALARM")]
    if not matching:
        received = "no datapoints were" if not real else f"{_datapoints(len(real))} {_were(len(real))}"
        return f"Threshold Crossed: {received} received for {_periods(criteria.n)} and {treated}."
    middle = f" and {treated}" if fills else ""
    return _crossed(criteria, matching, state, middle)


def _crossed(criteria: Criteria, matching: Sequence[Point], state: State, middle: str) -> str:
    shown = list(matching)
    while True:
        listed = ", ".join(f"{java_double(p.value or 0.0)} ({_short_date(p.stamp_ns)})" for p in shown)
        dots = ", ..." if len(shown) < len(matching) else ""
        text = _sentence(criteria, len(matching), f"[{listed}{dots}]", state, middle)
        if len(text) <= _LONGEST_REASON or len(shown) <= _FEWEST_SHOWN:
            return text[:_LONGEST_REASON]
        shown.pop()


def _sentence(criteria: Criteria, matching: int, listed: str, state: State, middle: str) -> str:
    negation = "" if state == "ALARM" else "not "
    comparison = (
        f"{_were(matching)} {negation}{_COMPARISONS[criteria.operator]} the threshold "
        f"({java_double(criteria.threshold)})"
    )
    if criteria.m is None:
        return f"Threshold Crossed: {_datapoints(matching)} {listed} {comparison}{middle}."
    least = criteria.m if state == "ALARM" else criteria.n - criteria.m + 1
    change = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    return (
        f"Threshold Crossed: {matching} out of the last {criteria.n} datapoints {listed} {comparison}{middle} "
        f"(minimum {_datapoints(least)} for {change} transition)."
    )


def reason_data(criteria: Criteria, points: Sequence[Point], now_ns: int) -> dict[str, Any]:
    """StateReasonData before it becomes text."""
    used = considered(points, criteria.n)
    real = [point for point in used if point.value is not None]
    data: dict[str, Any] = {"version": "1.0", "queryDate": date_text(now_ns)}
    if real:
        data["startDate"] = date_text(real[0].stamp_ns)
    if criteria.unit is not None:
        data["unit"] = criteria.unit
    if criteria.statistic is not None:
        data["statistic"] = criteria.statistic
    data["period"] = criteria.period_s
    data["recentDatapoints"] = [point.value for point in real]
    data["threshold"] = criteria.threshold
    data["evaluatedDatapoints"] = [_evaluated(point) for point in reversed(used)]
    return data


def compact_json(data: object) -> str:
    """JSON without spaces."""
    return json.dumps(data, separators=(",", ":"))


def _evaluated(point: Point) -> dict[str, Any]:
    shown: dict[str, Any] = {"timestamp": date_text(point.stamp_ns)}
    if point.value is not None:
        if point.sample_count:
            shown["sampleCount"] = point.sample_count
        shown["value"] = point.value
    return shown


def _short_date(ns: int) -> str:
    return moment(ns).strftime("%d/%m/%y %H:%M:%S")


def _treated_as(treatment: str) -> str:
    return "Breaching" if treatment == "breaching" else "NonBreaching"


def _datapoints(count: int) -> str:
    return f"{count} datapoint" if count == 1 else f"{count} datapoints"


def _missing(count: int) -> str:
    return f"{count} missing datapoint" if count == 1 else f"{count} missing datapoints"


def _periods(count: int) -> str:
    return f"{count} period" if count == 1 else f"{count} periods"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
