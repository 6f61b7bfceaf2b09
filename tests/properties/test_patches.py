"""Patches under random input: a difference, applied, gives the modified object."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labs.api.patches.diff import create_two_way_merge_patch
from labs.api.patches.merge_patch import apply_merge_patch, create_merge_patch
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.patches.three_way import create_three_way_merge_patch
from labs.api.schemas import Definition, definition

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

WORDS = st.sampled_from(["a", "b", "c", "d"])
SCALARS = st.one_of(WORDS, st.integers(0, 3), st.booleans())
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
OBJECTS = st.dictionaries(WORDS, JSON, max_size=4)
MAPS = st.dictionaries(WORDS, WORDS, max_size=3)
NAMED = st.fixed_dictionaries({"name": WORDS}, optional={"value": WORDS})
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": WORDS},
        optional={
            "image": WORDS,
            "env": st.lists(NAMED, unique_by=lambda each: each["name"], max_size=3),
            "args": st.lists(WORDS),
        },
    ),
    unique_by=lambda each: each["name"],
    min_size=1,
    max_size=4,
)
PODS = st.fixed_dictionaries(
    {"spec": st.fixed_dictionaries({"containers": CONTAINERS}, optional={"nodeSelector": MAPS, "nodeName": WORDS})},
    optional={"metadata": st.fixed_dictionaries({}, optional={"labels": MAPS, "annotations": MAPS})},
)


def pod() -> Definition:
    found = definition("", "v1", "Pod")
    assert found is not None
    return found


def without_empty(value: Any) -> Any:
    """Nothing and an empty map or list are the same to a Kubernetes object."""
    if isinstance(value, dict):
        kept = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_turns_one_object_into_the_other(original: dict[str, Any], modified: dict[str, Any]) -> None:
    assert apply_merge_patch(original, create_merge_patch(original, modified)) == modified


@given(PODS, PODS)
def test_a_two_way_patch_turns_one_pod_into_the_other(original: dict[str, Any], modified: dict[str, Any]) -> None:
    patch = create_two_way_merge_patch(original, modified, pod())

    assert without_empty(apply_strategic_merge_patch(original, patch, pod())) == without_empty(modified)


@given(PODS, PODS, PODS)
def test_apply_leaves_the_live_pod_with_everything_that_was_asked_for(
    original: dict[str, Any], modified: dict[str, Any], live: dict[str, Any]
) -> None:
    before = copy.deepcopy((original, modified, live))

    patch = create_three_way_merge_patch(original, modified, live, pod())
    applied = apply_strategic_merge_patch(live, patch, pod())

    containers = {each["name"]: each for each in applied["spec"]["containers"]}
    for wanted in modified["spec"]["containers"]:
        assert containers[wanted["name"]].get("image") == wanted.get("image", containers[wanted["name"]].get("image"))
    for key, value in modified.get("metadata", {}).get("labels", {}).items():
        assert applied["metadata"]["labels"][key] == value
    assert (original, modified, live) == before


@given(PODS)
def test_no_change_gives_an_empty_patch(original: dict[str, Any]) -> None:
    assert create_two_way_merge_patch(original, original, pod()) == {}
