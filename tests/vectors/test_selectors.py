"""`selectors.json`: apimachinery pkg/labels, pkg/apis/meta/v1 and pkg/fields."""

from collections.abc import Callable
from typing import Any

import pytest

from labs.api.selectors import (
    LabelSelector,
    format_label_selector,
    parse_field_selector,
    parse_label_selector,
    selector_from_label_selector,
)

VECTORS = "selectors"


@pytest.mark.section("parse")
def test_label_queries_parse_as_upstreams(case: dict[str, Any], conventions: dict[str, Any]) -> None:
    answer = _or_error(lambda: _label_answer(parse_label_selector(case["in"]["s"]), conventions))

    assert answer == case["expect"]


@pytest.mark.section("labelselector")
def test_label_selectors_convert_as_upstreams(case: dict[str, Any], conventions: dict[str, Any]) -> None:
    selector = case["in"]["selector"]
    answer = _or_error(lambda: _label_answer(selector_from_label_selector(selector), conventions))

    assert answer | {"format": format_label_selector(selector)} == case["expect"]


@pytest.mark.section("fields")
def test_field_queries_parse_as_upstreams(case: dict[str, Any], conventions: dict[str, Any]) -> None:
    def answer() -> dict[str, Any]:
        selector = parse_field_selector(case["in"]["s"])
        return {
            "empty": selector.is_empty,
            "matches": [i for i, fields in enumerate(conventions["field_sets"]) if selector.matches(fields)],
            "requirements": [
                {"field": item.field, "op": item.operator, "value": item.value} for item in selector.requirements
            ],
            "string": str(selector),
        }

    assert _or_error(answer) == case["expect"]


def _label_answer(selector: LabelSelector, conventions: dict[str, Any]) -> dict[str, Any]:
    requirements = selector.requirements
    return {
        "empty": selector.is_empty,
        "matches": [i for i, labels in enumerate(conventions["label_sets"]) if selector.matches(labels)],
        "requirements": None
        if requirements is None
        else [{"key": r.key, "op": r.operator, "values": sorted(set(r.values))} for r in requirements],
        "string": str(selector),
    }


def _or_error(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except ValueError as error:
        return {"error": str(error)}
