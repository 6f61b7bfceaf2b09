"""Selectors: what they select, and what they refuse."""

import pytest

from labs.api.selectors import (
    EVERYTHING,
    NOTHING,
    parse_field_selector,
    parse_label_selector,
    selector_from_label_selector,
)


def test_no_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert selector_from_label_selector(None) == NOTHING
    assert selector_from_label_selector({}) == EVERYTHING
    assert not NOTHING.matches({})
    assert EVERYTHING.matches(None)


def test_labels_and_expressions_must_all_match() -> None:
    selector = selector_from_label_selector(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["db"]}]}
    )

    assert selector.matches({"app": "web"})
    assert selector.matches({"app": "web", "tier": "front"})
    assert not selector.matches({"app": "web", "tier": "db"})
    assert not selector.matches({"tier": "front"})


def test_the_same_label_may_have_to_meet_two_conditions() -> None:
    selector = parse_label_selector("n>1,n<5")

    assert [selector.matches({"n": text}) for text in ("1", "3", "5", "x")] == [False, True, False, False]


def test_every_fault_of_a_requirement_is_told() -> None:
    with pytest.raises(ValueError, match=r"^unable to parse requirement: \[values\[0\]: .*, values\[0\]\[n\]: .*\]$"):
        parse_label_selector("n>-x")


def test_field_selectors_unescape_their_values() -> None:
    selector = parse_field_selector(r"a=b\,c,metadata.name!=x")

    assert selector.matches({"a": "b,c", "metadata.name": "y"})
    assert not selector.matches({"a": "b", "metadata.name": "y"})
    assert str(selector) == r"a=b\,c,metadata.name!=x"


def test_a_field_selector_that_ends_in_a_backslash_is_refused() -> None:
    with pytest.raises(ValueError, match=r"invalid escape sequence: \\$"):
        parse_field_selector("a=b\\")
