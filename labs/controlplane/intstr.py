"""A number or a percentage of a total.

Source: apimachinery pkg/util/intstr/intstr.go (GetScaledValueFromIntOrPercent).
"""

from __future__ import annotations

import math

from labs.api.gotext import atoi_fault, quoted

IntOrPercent = int | str


def scaled_value(value: IntOrPercent | None, total: int, *, rounds_up: bool) -> int:
    """The number itself, or that share of ``total``. Raises ValueError with upstream's text."""
    if value is None:
        raise ValueError("nil value for IntOrString")
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    number = value[:-1]
    fault = atoi_fault(number)
    if fault:
        raise ValueError(
            f"invalid value for IntOrString: invalid value {quoted(value)}: "
            f"strconv.Atoi: parsing {quoted(number)}: {fault}"
        )
    share = float(int(number)) * float(total) / 100
    return _int64(math.ceil(share) if rounds_up else math.floor(share))


def _int64(number: int) -> int:
    """What a conversion from float64 leaves; one that does not fit becomes the smallest number."""
    return number if -(2**63) <= number < 2**63 else -(2**63)
