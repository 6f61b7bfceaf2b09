"""Kubernetes quantities: exact, immutable, and to the letter of upstream's parser and printer.

Source: apimachinery pkg/api/resource (quantity.go, amount.go, math.go, suffix.go) of v0.37. Upstream keeps a quantity
either as an int64 with a power of ten or, where that is too small, as a decimal of any size. Which of the two it was
shows in the results that overflow, so the difference is kept here as ``is_big``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from labs.api import gojson

DECIMAL_SI: Final = "DecimalSI"
BINARY_SI: Final = "BinarySI"
DECIMAL_EXPONENT: Final = "DecimalExponent"

_PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_WRONG_FORMAT = f"quantities must match the regular expression '{_PATTERN}'"
_WRONG_NUMBER = "unable to parse numeric part of quantity"
_WRONG_SUFFIX = "unable to parse quantity's suffix"

_SCAN = re.compile(r"([+-]?)(0*)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE][-+]?[0-9]+", re.ASCII)
_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX_OF = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_SUFFIX_OF = {0: "", **{exponent: suffix for suffix, exponent in _BINARY_SUFFIXES.items()}}

_NANO = -9
_INT64_DIGITS = 18
_INT64_MAX = 2**63 - 1
# Powers that upstream multiplies by at once; with any other power it gives up, with 0, at the first overflow.
_WRAPPING_POWERS = (1, 2, 3, 6, 9)


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """``unscaled * 10**exponent`` with the notation to print it in.

    ``text`` is the spelling that was parsed where upstream prints that again, else None.
    """

    unscaled: int
    exponent: int = 0
    format: str = DECIMAL_SI
    is_big: bool = False
    text: str | None = None

    def __str__(self) -> str:
        """The canonical form."""
        return self.text if self.text is not None else _canonical(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.compare(other) == 0

    def __lt__(self, other: Quantity) -> bool:
        return self.compare(other) < 0

    def __le__(self, other: Quantity) -> bool:
        return self.compare(other) <= 0

    def __add__(self, other: Quantity) -> Quantity:
        """The sum, in the notation of ``self`` unless that is zero."""
        return _combine(self, other.unscaled, other)

    def __sub__(self, other: Quantity) -> Quantity:
        """The difference, in the notation of ``self`` unless that is zero."""
        return _combine(self, -other.unscaled, other)

    def compare(self, other: Quantity) -> int:
        """-1, 0 or 1, exactly."""
        if self.sign != other.sign or self.sign == 0:
            return _sign(self.sign - other.sign)
        size, other_size = _size(self), _size(other)
        if size != other_size:  # also keeps 1e999999999 from being written out
            return self.sign if size > other_size else -self.sign
        low = min(self.exponent, other.exponent)
        return _sign(_at(self, low) - _at(other, low))

    @property
    def sign(self) -> int:
        """-1, 0 or 1."""
        return _sign(self.unscaled)

    @property
    def is_zero(self) -> bool:
        """Whether the quantity is nought."""
        return self.unscaled == 0

    def value(self) -> int:
        """Whole units, rounded away from zero; wraps like int64 where upstream's does."""
        return self.scaled_value(0)

    def milli_value(self) -> int:
        """Thousandths, rounded away from zero; wraps like int64 where upstream's does."""
        return self.scaled_value(-3)

    def scaled_value(self, scale: int) -> int:
        """``ceil(self / 10**scale)`` as upstream's ``ScaledValue`` computes it in 64 bits."""
        shift = self.exponent - scale
        if self.is_big:
            return _big_scaled(self.unscaled, shift)
        if shift >= 0:
            return _raised(self.unscaled, shift)[0]
        return _lowered(self.unscaled, -shift)[0]

    def as_int64(self) -> int | None:
        """The number where it is quickly known to be whole and to fit int64, else None (``AsInt64``)."""
        if self.is_big or self.exponent < 0:
            return None
        result, fits = _raised(self.unscaled, self.exponent)
        return result if fits else None


def parse_quantity(text: str | int | float) -> Quantity:
    """The quantity that ``text`` spells; a number stands for its JSON form. Raises ValueError with upstream's text."""
    return _parse(text if isinstance(text, str) else json.dumps(text))


def parse_quantity_json(raw: str) -> Quantity:
    """The quantity of a raw JSON value (``UnmarshalJSON``). Raises ValueError with upstream's text."""
    gojson.decode(raw)
    raw = raw.strip()
    if raw == "null":
        return Quantity(0, format="")
    return _parse((raw[1:-1] if raw.startswith('"') else raw).strip())


def milli(value: str | int | float | None) -> int:
    """Thousandths of a quantity in wire form, rounded away from zero; 0 for None. Raises ValueError."""
    return 0 if value is None else _milli(str(value))


def value(quantity: str | int | float | None) -> int:
    """Whole units of a quantity in wire form, rounded away from zero; 0 for None. Raises ValueError."""
    return 0 if quantity is None else _value(str(quantity))


def format_milli(amount_milli: int, notation: str = DECIMAL_SI) -> str:
    """The canonical form of so many thousandths, for example ``500m`` or ``2``."""
    return str(Quantity(amount_milli, -3, notation))


def format_value(amount: int, notation: str = DECIMAL_SI) -> str:
    """The canonical form of so many whole units, for example ``1536Mi`` with ``BINARY_SI``."""
    return str(Quantity(amount, 0, notation))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    match = _SCAN.fullmatch(text)
    if match is None or not text:
        raise ValueError(_WRONG_FORMAT)
    if text == "0":
        return Quantity(0, text=text)
    sign, zeros, number, fraction, suffix = match.group(1), match.group(2), *match.groups(default="")[2:]
    exponent, notation = _suffix(suffix)
    whole = _parse_int64(text, sign, number or "0", fraction, exponent, notation)
    if whole is not None:
        return whole
    if not (zeros or number or fraction):
        raise ValueError(_WRONG_NUMBER)
    unscaled = int(zeros + number + fraction)
    return _parse_big(-unscaled if sign == "-" else unscaled, len(fraction), exponent, notation)


@lru_cache(maxsize=4096)
def _milli(text: str) -> int:
    return _parse(text).milli_value()


@lru_cache(maxsize=4096)
def _value(text: str) -> int:
    return _parse(text).value()


def _suffix(suffix: str) -> tuple[int, str]:
    if suffix in _DECIMAL_SUFFIXES:
        return _DECIMAL_SUFFIXES[suffix], DECIMAL_SI
    if suffix in _BINARY_SUFFIXES:
        return _BINARY_SUFFIXES[suffix], BINARY_SI
    if _EXPONENT.fullmatch(suffix) is None or abs(int(suffix[1:])) > _INT64_MAX:
        raise ValueError(_WRONG_SUFFIX)
    return (int(suffix[1:]) + 2**31) % 2**32 - 2**31, DECIMAL_EXPONENT


def _parse_int64(text: str, sign: str, number: str, fraction: str, exponent: int, notation: str) -> Quantity | None:
    """The int64 form, or None where upstream takes the slow way."""
    digits = number + fraction
    if notation == BINARY_SI:
        if fraction or 15 - len(number) - int(exponent * 3 / 10) - 1 < 0:
            return None
        scale, unscaled = 0, int(number) << exponent
        is_canonical = int(number) & 0x07 != 0
    else:
        scale, unscaled = exponent - len(fraction), int(digits) if len(digits) <= _INT64_DIGITS else 0
        if len(digits) > _INT64_DIGITS or scale < _NANO:
            return None
        is_canonical = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return Quantity(-unscaled if sign == "-" else unscaled, scale, notation, text=text if is_canonical else None)


def _parse_big(unscaled: int, places: int, exponent: int, notation: str) -> Quantity:
    """The decimal form: rounded away from zero to nano, and a binary one capped at int64's largest."""
    sign, unscaled, scale = _sign(unscaled), abs(unscaled), -places
    if notation == BINARY_SI:
        unscaled <<= exponent
    else:
        scale += exponent
    if unscaled:
        unscaled, scale = _rescaled_up(unscaled, scale), _NANO
    if notation == BINARY_SI and unscaled > _INT64_MAX * _power_of_ten(-scale):
        unscaled, scale = _INT64_MAX, 0
    if notation == BINARY_SI and 0 < unscaled < _power_of_ten(-scale):
        notation = DECIMAL_SI
    return Quantity(sign * unscaled, scale, notation, is_big=True)


def _rescaled_up(unscaled: int, scale: int) -> int:
    shift = scale - _NANO
    if shift >= 0:
        return unscaled * _power_of_ten(shift)
    if -shift > len(str(unscaled)):
        return 1
    return -(-unscaled // _power_of_ten(-shift))


def _combine(first: Quantity, addend: int, second: Quantity) -> Quantity:
    notation = second.format if first.is_zero else first.format
    is_big = first.is_big or second.is_big
    if not is_big and addend == 0:
        return replace(first, format=notation, text=None)
    if not is_big and first.is_zero:
        return Quantity(addend, second.exponent, notation)
    low = min(first.exponent, second.exponent)
    terms = (_at(first, low), addend * _power_of_ten(second.exponent - low))
    fits = all(-_INT64_MAX <= number <= _INT64_MAX for number in (*terms, sum(terms)))
    return Quantity(sum(terms), low, notation, is_big=is_big or not fits)


def _canonical(quantity: Quantity) -> str:
    if quantity.is_zero:
        return "0"
    if quantity.format == BINARY_SI and not _is_small(quantity) and _is_whole(quantity):
        number, times = _without_factor(_at(quantity, 0), 1024)
        return f"{number}{_BINARY_SUFFIX_OF.get(times * 10, '')}"
    number, times = _without_factor(quantity.unscaled, 10)
    exponent = quantity.exponent + times
    number, exponent = number * _power_of_ten(exponent % 3), exponent - exponent % 3
    if quantity.format in (BINARY_SI, DECIMAL_SI):
        return f"{number}{_DECIMAL_SUFFIX_OF.get(exponent, '')}"
    return f"{number}e{exponent}" if exponent else str(number)


def _is_small(quantity: Quantity) -> bool:
    above, below = _power_of_ten(max(quantity.exponent, 0)), _power_of_ten(max(-quantity.exponent, 0))
    return abs(quantity.unscaled) * above < 1024 * below


def _is_whole(quantity: Quantity) -> bool:
    return quantity.exponent >= 0 or quantity.unscaled % _power_of_ten(-quantity.exponent) == 0


def _at(quantity: Quantity, exponent: int) -> int:
    """The number in units of ``10**exponent``, which divides it."""
    shift = quantity.exponent - exponent
    if shift >= 0:
        return quantity.unscaled * _power_of_ten(shift)
    return quantity.unscaled // _power_of_ten(-shift)


def _size(quantity: Quantity) -> int:
    """How many digits stand before the point (negative: how many noughts stand after it)."""
    return len(str(abs(quantity.unscaled))) + quantity.exponent


def _without_factor(number: int, factor: int) -> tuple[int, int]:
    times = 0
    while number and number % factor == 0:
        number, times = number // factor, times + 1
    return number, times


def _raised(number: int, power: int) -> tuple[int, bool]:
    """``positiveScaleInt64``: ``number * 10**power`` in 64 bits, and whether it fits."""
    if number == 0:
        return 0, True
    if power <= _INT64_DIGITS:
        result = number * _power_of_ten(power)
        if -_INT64_MAX <= result <= _INT64_MAX:
            return result, True
        if power in _WRAPPING_POWERS:
            return _int64(result), False
    return 0, False


def _lowered(number: int, power: int) -> tuple[int, bool]:
    """``negativeScaleInt64``: ``number / 10**power`` rounded away from zero, and whether that is exact."""
    if power > _INT64_DIGITS + 1:
        return _sign(number), number == 0
    quotient, rest = divmod(abs(number), _power_of_ten(power))
    return _sign(number) * (quotient + (rest > 0)), rest == 0


def _big_scaled(unscaled: int, shift: int) -> int:
    """``scaledValue`` of math.go with its overflows."""
    if shift >= 0:
        factor = _power_of_ten(shift) if shift <= _INT64_DIGITS else -(2**63)
        return _int64(_int64(unscaled) * factor)
    divisor = _power_of_ten(-shift)
    if unscaled < _INT64_MAX and -shift <= _INT64_DIGITS:
        number = _int64(unscaled)
        quotient, rest = divmod(abs(number), divisor)
        return _sign(number) * quotient + (rest > 0)
    quotient, rest = divmod(unscaled, divisor)
    return _int64(_int64(quotient) + (rest > 0))


def _int64(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _power_of_ten(exponent: int) -> int:
    """``10**exponent`` for an exponent that is not negative, typed as the int that it then is."""
    return int(10**exponent)
