"""`quantity.json`: apimachinery pkg/api/resource."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from labs.api.quantity import parse_quantity, parse_quantity_json

VECTORS = "quantity"


@pytest.mark.section("parse")
def test_text_parses_to_upstreams_quantity(case: dict[str, Any]) -> None:
    def answer() -> dict[str, Any]:
        quantity = parse_quantity(case["in"]["s"])
        return {
            "as_int64": quantity.as_int64(),
            "format": quantity.format,
            "is_zero": quantity.is_zero,
            "milli_value": quantity.milli_value(),
            "sign": quantity.sign,
            "string": str(quantity),
            "value": quantity.value(),
        }

    assert _or_error(answer) == case["expect"]


@pytest.mark.section("cmp")
def test_quantities_compare_exactly(case: dict[str, Any]) -> None:
    first, second = parse_quantity(case["in"]["a"]), parse_quantity(case["in"]["b"])

    assert {"cmp": first.compare(second), "equal": first == second} == case["expect"]


@pytest.mark.section("add", "sub")
def test_quantities_add_up(case: dict[str, Any]) -> None:
    first, second = parse_quantity(case["in"]["a"]), parse_quantity(case["in"]["b"])

    result = first + second if case["in"]["op"] == "add" else first - second

    assert {
        "format": result.format,
        "milli_value": result.milli_value(),
        "string": str(result),
        "value": result.value(),
    } == case["expect"]


@pytest.mark.section("scaled")
def test_scaled_values_round_away_from_zero(case: dict[str, Any]) -> None:
    assert {"value": parse_quantity(case["in"]["s"]).scaled_value(case["in"]["scale"])} == case["expect"]


@pytest.mark.section("json")
def test_quantities_travel_through_json(case: dict[str, Any]) -> None:
    def answer() -> dict[str, Any]:
        quantity = parse_quantity_json(case["in"]["raw"])
        return {"format": quantity.format, "raw": json.dumps(str(quantity))}

    assert _or_error(answer) == case["expect"]


def _or_error(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except ValueError as error:
        return {"error": str(error)}
