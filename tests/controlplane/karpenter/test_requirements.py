"""The requirement algebra."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.controlplane.karpenter.requirements import ZONE, Requirement, Requirements, requirement_of

VALUES = ("1", "2", "3", "4", "a")
terms = st.one_of(
    st.builds(
        lambda operator, values: {"key": "k", "operator": operator, "values": values},
        st.sampled_from(["In", "NotIn"]),
        st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True),
    ),
    st.builds(
        lambda operator, bound: {"key": "k", "operator": operator, "values": [str(bound)]},
        st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
        st.integers(0, 5),
    ),
    st.just({"key": "k", "operator": "Exists"}),
)


@settings(derandomize=True)
@given(terms, terms, st.sampled_from(VALUES))
def test_an_intersection_allows_what_both_allow(
    first: dict[str, object], second: dict[str, object], value: str
) -> None:
    one, other = requirement_of(first), requirement_of(second)
    assert one.intersect(other).allows(value) == (one.allows(value) and other.allows(value))


@settings(derandomize=True)
@given(terms, terms)
def test_an_intersection_does_not_depend_on_the_order(first: dict[str, object], second: dict[str, object]) -> None:
    one, other = requirement_of(first), requirement_of(second)
    assert one.intersect(other) == other.intersect(one)


@pytest.mark.parametrize(
    ("operator", "values", "allowed"),
    [
        ("In", ["1", "2"], ["1", "2"]),
        ("NotIn", ["1", "2"], ["3", "4", "a"]),
        ("Gt", ["2"], ["3", "4"]),
        ("Gte", ["2"], ["2", "3", "4"]),
        ("Lt", ["2"], ["1"]),
        ("Lte", ["2"], ["1", "2"]),
        ("Exists", [], list(VALUES)),
        ("DoesNotExist", [], []),
    ],
)
def test_each_operator_allows_its_values(operator: str, values: list[str], allowed: list[str]) -> None:
    requirement = requirement_of({"key": "k", "operator": operator, "values": values})
    assert [value for value in VALUES if requirement.allows(value)] == allowed


def test_a_new_node_may_define_well_known_labels_only() -> None:
    pool = Requirements()
    zone = Requirements([Requirement(ZONE, frozenset(("us-east-1a",)))])
    custom = Requirements([Requirement("team", frozenset(("shop",)))])
    assert pool.is_compatible(zone, may_define_well_known=True)
    assert not pool.is_compatible(zone, may_define_well_known=False)
    assert not pool.is_compatible(custom, may_define_well_known=True)


def test_an_absent_label_satisfies_not_in() -> None:
    asked = Requirements([requirement_of({"key": "team", "operator": "NotIn", "values": ["shop"]})])
    assert Requirements().is_compatible(asked, may_define_well_known=False)
