"""The standard units of a metric (botocore shape StandardUnit)."""

from __future__ import annotations

_SIZES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes")
_BITS = ("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits")

STANDARD_UNITS: tuple[str, ...] = (
    "Seconds",
    "Microseconds",
    "Milliseconds",
    *_SIZES,
    *_BITS,
    "Percent",
    "Count",
    *(f"{size}/Second" for size in _SIZES),
    *(f"{size}/Second" for size in _BITS),
    "Count/Second",
    "None",
)
