"""Times at the edge: what a parsed request holds, and what a response is to hold.

Inside, every time is an integer of nanoseconds since the epoch. Outside, a protocol parser gives a datetime,
seconds (JSON, CBOR) or an ISO 8601 text (query), and botocore's serializers take datetimes. No member that holds
a time shares its name with one that does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from labs.observability.cloudwatch.refusals import bad_value
from labs.units import MICROSECOND_NS, SECOND_NS, parse_rfc3339

TIME_MEMBERS = frozenset(
    {
        "Timestamp",
        "Timestamps",
        "StartTime",
        "EndTime",
        "StartDate",
        "EndDate",
        "LastModified",
        "AlarmConfigurationUpdatedTimestamp",
        "StateUpdatedTimestamp",
        "StateTransitionedTimestamp",
    }
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_wire(params: Mapping[str, Any]) -> dict[str, Any]:
    """A parsed request with its times as nanoseconds. Raises InvalidParameterValue for what is no time."""
    return {name: _inward(name, value) for name, value in params.items()}


def to_wire(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with its times as UTC datetimes."""
    return {name: _outward(name, value) for name, value in result.items()}


def _inward(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_wire(value)
    if isinstance(value, list):
        return [_inward(name, member) for member in value]
    return _nanoseconds(name, value) if name in TIME_MEMBERS and value is not None else value


def _outward(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return to_wire(value)
    if isinstance(value, list):
        return [_outward(name, member) for member in value]
    if name in TIME_MEMBERS and isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value // MICROSECOND_NS)
    return value


def _nanoseconds(name: str, value: Any) -> int:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * MICROSECOND_NS
    try:
        if isinstance(value, str):
            return parse_rfc3339(value)
        return round(float(value) * 1_000_000) * MICROSECOND_NS if value % 1 else int(value) * SECOND_NS
    except (ValueError, TypeError, OverflowError) as error:
        raise bad_value(value, name) from error
