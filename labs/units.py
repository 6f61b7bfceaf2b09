"""Time as integer nanoseconds since the Unix epoch, and its text forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from labs.errors import UsageError

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_NS = {
    "ns": 1,
    "us": MICROSECOND_NS,
    "µs": MICROSECOND_NS,
    "ms": MILLISECOND_NS,
    "s": SECOND_NS,
    "sec": SECOND_NS,
    "second": SECOND_NS,
    "seconds": SECOND_NS,
    "m": MINUTE_NS,
    "min": MINUTE_NS,
    "minute": MINUTE_NS,
    "minutes": MINUTE_NS,
    "h": HOUR_NS,
    "hour": HOUR_NS,
    "hours": HOUR_NS,
    "d": DAY_NS,
    "day": DAY_NS,
    "days": DAY_NS,
}
_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zµ]+)\s*")


def seconds(ns: int) -> float:
    """``ns`` as seconds."""
    return ns / SECOND_NS


def to_ns(value_s: float) -> int:
    """Seconds as integer nanoseconds, rounded to the nearest."""
    return round(value_s * SECOND_NS)


def rfc3339(ns: int) -> str:
    """``metav1.Time``: UTC, whole seconds, for example ``2026-03-02T09:00:00Z``."""
    return _second_text(ns // SECOND_NS)


def rfc3339_micro(ns: int) -> str:
    """``metav1.MicroTime``: UTC with six decimals, for example ``2026-03-02T09:00:00.250000Z``."""
    return f"{_second_text(ns // SECOND_NS)[:-1]}.{ns % SECOND_NS // MICROSECOND_NS:06d}Z"


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    # Almost every text is of a second that another was asked for just before.
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_nano(ns: int) -> str:
    """UTC with nine decimals, as container runtimes stamp their lines: ``2026-03-02T09:00:00.250000000Z``."""
    moment = (_EPOCH + timedelta(seconds=ns // SECOND_NS)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ns % SECOND_NS:09d}Z"


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time. Raises ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * MICROSECOND_NS


def parse_duration(text: str | float) -> int:
    """Nanoseconds of ``"5 min"``, ``"90s"``, ``"1h30m"`` or a plain number of seconds.

    Raises UsageError for anything else, and for a negative length.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UsageError(f"{text!r} is not a length of time; write for example '5 min' or '90s'.")
    if isinstance(text, (int, float)):
        if not 0 <= text < 1e9:
            raise UsageError(f"{text!r} is not a length of time in seconds; use a number from 0 up.")
        return to_ns(text)
    total, position = 0, 0
    lowered = text.strip().lower()
    while position < len(lowered):
        part = _PART.match(lowered, position)
        if part is None or part.group(2) not in _UNITS_NS:
            raise UsageError(f"{text!r} is not a length of time; write for example '5 min', '90s' or '1h30m'.")
        total += round(float(part.group(1)) * _UNITS_NS[part.group(2)])
        position = part.end()
    if not lowered:
        raise UsageError("An empty text is not a length of time; write for example '5 min'.")
    return total
