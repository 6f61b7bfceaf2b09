"""A number or a percentage of a total.

Source: apimachinery pkg/util/intstr/intstr.go (GetScaledValueFromIntOrPercent).
"""

from __future__ import annotations

import json
import re

IntOrPercent = int | str

_INTEGER = re.compile("[+-]?[0-9]+", re.ASCII)


def scaled_value(value: IntOrPercent | None, total: int, *, rounds_up: bool) -> int:
    """The number itself, or that share of ``total``. Raises ValueError with upstream's text."""
    if value is None:
        raise ValueError("nil value for IntOrString")
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError("invalid value for IntOrString: invalid type: string is not a percentage")
    number = value[:-1]
    fault = _atoi_fault(number)
    if fault:
        raise ValueError(
            f"invalid value for IntOrString: invalid value {_quoted(value)}: "
            f"strconv.Atoi: parsing {_quoted(number)}: {fault}"
        )
    product = int(number) * total
    return -(-product // 100) if rounds_up else product // 100


def _atoi_fault(text: str) -> str:
    if _INTEGER.fullmatch(text) is None:
        return "invalid syntax"
    return "" if -(2**63) <= int(text) < 2**63 else "value out of range"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
