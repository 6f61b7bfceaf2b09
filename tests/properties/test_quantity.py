"""Quantities under random input."""

from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from labs.api.quantity import milli, parse_quantity, value

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

AMOUNTS = st.integers(-(10**6), 10**6)
SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
TEXTS = st.builds(lambda amount, suffix: f"{amount}{suffix}", AMOUNTS, st.sampled_from([*SUFFIXES, "Ki", "Mi", "Gi"]))
# Upstream's arithmetic wraps for large negative amounts, as quantity.json shows; so none here.
POSITIVE_TEXTS = TEXTS.filter(lambda text: not text.startswith("-"))


def exactly(text: str) -> Fraction:
    number = text.rstrip("numkMGi" + "K")
    suffix = text[len(number) :]
    if suffix.endswith("i"):
        return Fraction(int(number) * 1024 ** ("KMG".index(suffix[0]) + 1))
    return Fraction(int(number)) * Fraction(10) ** SUFFIXES[suffix]


@given(TEXTS)
def test_the_canonical_form_parses_to_the_same_amount(text: str) -> None:
    assert parse_quantity(str(parse_quantity(text))) == parse_quantity(text)


@given(POSITIVE_TEXTS)
def test_values_are_the_exact_amount_rounded_up(text: str) -> None:
    assert value(text) == ceil(exactly(text))
    assert milli(text) == ceil(exactly(text) * 1000)


@given(TEXTS, TEXTS)
def test_order_and_sums_are_those_of_the_exact_amounts(first: str, second: str) -> None:
    assert (parse_quantity(first) < parse_quantity(second)) == (exactly(first) < exactly(second))
    assert parse_quantity(first) + parse_quantity(second) - parse_quantity(second) == parse_quantity(first)


@given(TEXTS)
def test_a_canonical_form_without_a_spelling_of_its_own_is_stable(text: str) -> None:
    canonical = str(parse_quantity(text) + parse_quantity("0"))

    assert str(parse_quantity(canonical) + parse_quantity("0")) == canonical
