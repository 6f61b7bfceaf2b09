"""Lengths of time as kubectl prints them (the AGE column).

Source: apimachinery pkg/util/duration/duration.go.
"""

from __future__ import annotations

from labs.units import SECOND_NS

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_YEAR_S = 365 * _DAY_S


def human_duration(elapsed_ns: int) -> str:
    """``HumanDuration``: the length in at most two units, for example ``119s``, ``2m1s`` or ``3h53m``.

    A length of -2 s or less is ``<invalid>``.
    """
    total_s = _whole_seconds(elapsed_ns)
    if total_s < 0:
        return _of_the_future(total_s)
    if total_s < 2 * _MINUTE_S:
        return f"{total_s}s"
    if total_s < 10 * _MINUTE_S:
        return _two_units(total_s, _MINUTE_S, "m", 1, "s")
    if total_s < 3 * _HOUR_S:
        return f"{total_s // _MINUTE_S}m"
    if total_s < 8 * _HOUR_S:
        return _two_units(total_s, _HOUR_S, "h", _MINUTE_S, "m")
    if total_s < 2 * _DAY_S:
        return f"{total_s // _HOUR_S}h"
    if total_s < 8 * _DAY_S:
        return _two_units(total_s, _DAY_S, "d", _HOUR_S, "h")
    if total_s < 2 * _YEAR_S:
        return f"{total_s // _DAY_S}d"
    if total_s < 8 * _YEAR_S:
        return _two_units(total_s, _YEAR_S, "y", _DAY_S, "d")
    return f"{total_s // _YEAR_S}y"


def short_human_duration(elapsed_ns: int) -> str:
    """``ShortHumanDuration``: the length in its largest unit, for example ``59m`` or ``1h``."""
    total_s = _whole_seconds(elapsed_ns)
    if total_s < 0:
        return _of_the_future(total_s)
    for unit_s, letter in ((_YEAR_S, "y"), (_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if total_s >= unit_s:
            return f"{total_s // unit_s}{letter}"
    return f"{total_s}s"


def _whole_seconds(elapsed_ns: int) -> int:
    """Cut towards zero, as Go's conversion does."""
    return elapsed_ns // SECOND_NS if elapsed_ns >= 0 else -(-elapsed_ns // SECOND_NS)


def _of_the_future(total_s: int) -> str:
    """Clocks that differ by less than two seconds count as one."""
    return "0s" if total_s == -1 else "<invalid>"


def _two_units(total_s: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = total_s % large_s // small_s
    return f"{total_s // large_s}{large}" + (f"{rest}{small}" if rest else "")
