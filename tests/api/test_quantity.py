"""Quantities: the short ways in, and the exactness behind them."""

import pytest

from labs.api.quantity import (
    BINARY_SI,
    Quantity,
    format_milli,
    format_value,
    milli,
    parse_quantity,
    parse_quantity_json,
    value,
)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("500m", 500), ("2", 2000), ("1Gi", 2**30 * 1000), ("1n", 1), (0.25, 250), (3, 3000), (None, 0)],
)
def test_milli_takes_every_form_a_manifest_holds(quantity: str | float | None, expected: int) -> None:
    assert milli(quantity) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("1500m", 2), ("1Gi", 2**30), (7, 7), (None, 0), ("-1500m", -2)])
def test_value_rounds_away_from_zero(quantity: str | int | None, expected: int) -> None:
    assert value(quantity) == expected


def test_milli_refuses_what_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
        milli("1K")


def test_amounts_print_in_canonical_form() -> None:
    assert [format_milli(amount) for amount in (0, 500, 2000, 2500, 1_000_000)] == ["0", "500m", "2", "2500m", "1k"]
    assert format_value(1536 * 2**20, BINARY_SI) == "1536Mi"


def test_spelling_does_not_matter_for_equality() -> None:
    assert parse_quantity("1") == parse_quantity("1000m")
    assert parse_quantity("1") != parse_quantity("1001m")
    assert parse_quantity("1G") < parse_quantity("1Gi") <= parse_quantity("1024Mi")


def test_a_sum_takes_the_notation_of_its_first_term_unless_that_is_zero() -> None:
    assert str(parse_quantity("1Gi") + parse_quantity("1k")) == "1073742824"
    assert str(parse_quantity("0") + parse_quantity("1Gi")) == "1Gi"


def test_huge_exponents_compare_without_being_written_out() -> None:
    assert parse_quantity("1e999999999") > parse_quantity("9E")
    assert parse_quantity("-1e999999999") < parse_quantity("1n")
    assert str(parse_quantity("1e-999999999")) == "1e-9"


def test_json_null_is_zero_without_a_notation() -> None:
    assert parse_quantity_json("null") == Quantity(0)
    assert parse_quantity_json("null").format == ""
