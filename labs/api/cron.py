"""Cron schedules: reading them, and when they come due.

Source: github.com/robfig/cron/v3 parser.go (ParseStandard), spec.go, constantdelay.go, which the CronJob controller
uses. Own code, since its rules (a star in one day field leaves the other alone to decide) and its error texts differ
from those of the Python libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labs.units import SECOND_NS

UTC = ZoneInfo("UTC")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_YEARS_AHEAD = 5
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DURATION_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class ScheduleError(ValueError):
    """A schedule that cannot be read; its text is upstream's."""


@dataclass(frozen=True, slots=True)
class _Field:
    """The values that one field allows; ``is_star`` when it says nothing about them."""

    values: frozenset[int]
    is_star: bool


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: tuple[tuple[str, int], ...] = ()


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, tuple((name, number) for number, name in enumerate(_MONTHS, 1))),
    _Bounds(0, 6, tuple((name, number) for number, name in enumerate(_DAYS))),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Minute, hour, day of the month, month and day of the week; or a fixed delay (``every_s``)."""

    fields: tuple[_Field, ...] = ()
    every_s: int = 0

    def next_ns(self, after_ns: int, zone: tzinfo = UTC) -> int | None:
        """The first time after ``after_ns`` that the schedule names, in nanoseconds; None: not within five years."""
        if self.every_s:
            return (after_ns // SECOND_NS + self.every_s) * SECOND_NS
        minute = after_ns // (60 * SECOND_NS) + 1
        end = minute + _YEARS_AHEAD * 366 * 24 * 60
        while minute < end:
            local = datetime.fromtimestamp(minute * 60, zone)
            following = self._following(local)
            if following is None:
                return minute * 60 * SECOND_NS
            minute = max(minute + 1, int(following.timestamp()) // 60)
        return None

    def _following(self, local: datetime) -> datetime | None:
        """The next moment worth looking at; None when ``local`` itself is named."""
        minutes, hours, days, months, weekdays = self.fields
        midnight = local.replace(hour=0, minute=0, fold=0)
        if local.month not in months.values:
            return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        is_day, is_weekday = local.day in days.values, local.isoweekday() % 7 in weekdays.values
        has_star = days.is_star or weekdays.is_star
        if not (is_day and is_weekday if has_star else is_day or is_weekday):
            return midnight + timedelta(days=1)
        if local.hour not in hours.values:
            return datetime.fromtimestamp(local.timestamp() + 60 * (60 - local.minute), local.tzinfo)
        if local.minute not in minutes.values:
            return datetime.fromtimestamp(local.timestamp() + 60, local.tzinfo)
        return None


def parse_schedule(text: str) -> Schedule:
    """``cron.ParseStandard`` without time zone prefixes. Raises ScheduleError."""
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith("@every "):
        return Schedule(every_s=max(1, int(_duration_s(text))))
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        text = _DESCRIPTORS[text]
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ScheduleError(f"expected exactly {len(_FIELDS)} fields, found {len(words)}: [{' '.join(words)}]")
    return Schedule(tuple(_field(word, bounds) for word, bounds in zip(words, _FIELDS, strict=True)))


def load_zone(name: str) -> tzinfo:
    """``time.LoadLocation``. Raises ScheduleError for a name that the time zone database has not."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"unknown time zone {name}") from None


def _duration_s(text: str) -> float:
    value = text.removeprefix("@every ")
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|h|m|s)", value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ScheduleError(f'failed to parse duration {text}: time: invalid duration "{value}"')
    return sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)


def _field(text: str, bounds: _Bounds) -> _Field:
    parts = [_range(part, bounds) for part in text.split(",") if part]
    values = frozenset(value for part in parts for value in part.values)
    return _Field(values, any(part.is_star for part in parts))


def _range(text: str, bounds: _Bounds) -> _Field:
    pieces = text.split("/")
    ends = pieces[0].split("-")
    is_star = ends[0] in ("*", "?")
    if is_star:
        start, end = bounds.low, bounds.high
    else:
        start = _number(ends[0], bounds)
        end = _number(ends[1], bounds) if len(ends) > 1 else start
        if len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
    if len(pieces) > 2:
        raise ScheduleError(f"too many slashes: {text}")
    step = 1
    if len(pieces) == 2:
        step = _integer(pieces[1])
        end = bounds.high if len(ends) == 1 else end
    if start < bounds.low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise ScheduleError(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return _Field(frozenset(range(start, end + 1, step)), is_star and step == 1)


def _number(text: str, bounds: _Bounds) -> int:
    named = dict(bounds.names).get(text.lower())
    return _integer(text) if named is None else named


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    value = int(text)
    if value < 0:
        raise ScheduleError(f"negative number ({value}) not allowed: {text}")
    return value
