"""Field ownership: what a write says it changed is what differs."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labs.api.fieldsets.compare import Comparison, field_set
from labs.api.fieldsets.sets import difference, from_fields, intersection, members, to_fields, union
from labs.api.schemas import definition

PORTS = st.lists(
    st.fixed_dictionaries({"containerPort": st.integers(1, 3), "protocol": st.sampled_from(["TCP", "UDP"])}),
    unique_by=lambda port: (port["containerPort"], port["protocol"]),
    max_size=3,
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc"), "image": st.sampled_from(["x", "y"])},
        optional={"ports": PORTS, "args": st.lists(st.sampled_from("pq"), max_size=2)},
    ),
    unique_by=lambda container: container["name"],
    max_size=3,
)
PODS = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({}, optional={"labels": st.dictionaries(st.sampled_from("lm"), st.just("1"))})},
    optional={
        "spec": st.fixed_dictionaries({}, optional={"containers": CONTAINERS, "nodeSelector": st.just({"k": "v"})})
    },
)
KIND = definition("", "v1", "Pod")


@given(PODS)
def test_nothing_changes_between_equal_objects(pod: dict[str, Any]) -> None:
    same = Comparison(pod, pod, KIND)
    assert (same.added, same.removed) == ({}, {})


@settings(deadline=None)
@given(PODS, PODS)
def test_a_change_there_is_the_opposite_of_the_change_back(first: dict[str, Any], second: dict[str, Any]) -> None:
    there, back = Comparison(first, second, KIND), Comparison(second, first, KIND)
    gone = set(members(there.removed))
    come_back = set(members(back.added))
    assert gone <= come_back | set(members(there.added))


@given(PODS)
def test_fields_survive_their_wire_form(pod: dict[str, Any]) -> None:
    trie = field_set(pod, KIND)
    assert set(members(from_fields(to_fields(trie)))) == set(members(trie))


@given(PODS, PODS)
def test_sets_of_paths_obey_the_laws_of_sets(first: dict[str, Any], second: dict[str, Any]) -> None:
    one, other = field_set(first, KIND), field_set(second, KIND)
    left, right = set(members(one)), set(members(other))
    assert set(members(union(one, other))) == left | right
    assert set(members(intersection(one, other))) == left & right
    assert set(members(difference(one, other))) == left - right
