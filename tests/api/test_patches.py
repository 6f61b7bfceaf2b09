"""Patches: what the vectors do not say."""

import copy
from typing import Any

import pytest

from labs.api.patches.diff import create_two_way_merge_patch
from labs.api.patches.errors import PatchError
from labs.api.patches.json_patch import apply_json_patch, decode_json_patch
from labs.api.patches.merge_patch import apply_merge_patch
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.patches.three_way import create_three_way_merge_patch
from labs.api.schemas import Definition, definition

POD: dict[str, Any] = {
    "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["f/1", "f/2"]},
    "spec": {"containers": [{"name": "app", "image": "i:1"}, {"name": "side", "image": "s:1"}]},
}


def pod() -> Definition:
    found = definition("", "v1", "Pod")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"labels": {"a": None}, "$deleteFromPrimitiveList/finalizers": ["f/1"]}},
        {"spec": {"containers": [{"name": "app", "image": "i:2"}, {"name": "side", "$patch": "delete"}]}},
        {"spec": {"$setElementOrder/containers": [{"name": "side"}, {"name": "app"}]}},
        {"metadata": {"labels": {"$patch": "replace", "b": "2"}}},
    ],
)
def test_a_strategic_patch_leaves_its_inputs_alone(patch: dict[str, Any]) -> None:
    document, before = copy.deepcopy(POD), copy.deepcopy(patch)

    result = apply_strategic_merge_patch(document, patch, pod())

    assert result != POD
    assert (document, patch) == (POD, before)


def test_json_and_merge_patches_leave_their_inputs_alone() -> None:
    document = copy.deepcopy(POD)

    apply_merge_patch(document, {"metadata": {"labels": {"a": None}}})
    apply_json_patch(
        document, [{"op": "remove", "path": "/spec/containers/0"}, {"op": "add", "path": "/x", "value": 1}]
    )

    assert document == POD


def test_an_unknown_field_is_refused_only_where_it_must_be_merged() -> None:
    assert apply_strategic_merge_patch({"odd": 1}, {"odd": 2}, pod()) == {"odd": 2}
    with pytest.raises(PatchError, match="unable to find api field in struct Pod for the json field"):
        apply_strategic_merge_patch({"odd": {"a": 1}}, {"odd": {"b": 2}}, pod())


def test_a_list_element_without_its_key_is_refused() -> None:
    with pytest.raises(PatchError, match=r"map: map\[image:x\] does not contain declared merge key: name"):
        apply_strategic_merge_patch(POD, {"spec": {"containers": [{"image": "x"}]}}, pod())


def test_containers_that_only_changed_places_give_a_patch_of_their_order() -> None:
    swapped = {**POD, "spec": {"containers": POD["spec"]["containers"][::-1]}}

    patch = create_two_way_merge_patch(POD, swapped, pod())

    assert patch["spec"] == {"$setElementOrder/containers": [{"name": "side"}, {"name": "app"}]}
    assert apply_strategic_merge_patch(POD, patch, pod()) == swapped


def test_apply_keeps_what_others_added() -> None:
    live = {**POD, "spec": {**POD["spec"], "nodeName": "n1"}}
    wanted = {"metadata": {"name": "p", "labels": {"a": "1", "b": "2"}}, "spec": POD["spec"]}

    patch = create_three_way_merge_patch(POD, wanted, live, pod())

    assert patch["metadata"]["labels"] == {"b": "2"}
    assert apply_strategic_merge_patch(live, patch, pod())["spec"]["nodeName"] == "n1"


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ({"op": "remove", "path": "/spec/containers/-"}, 'strconv.Atoi: parsing "-": invalid syntax'),
        ({"op": "add", "path": "/spec/containers/9", "value": {}}, "Unable to access invalid index: 9"),
        ({"op": "add", "value": 1}, "add operation failed to decode path: missing value"),
        (
            {"op": "test", "value": 1},
            "test operation failed to decode path: operation missing path field: missing value",
        ),
        ({"op": "replace", "path": 1}, "json: cannot unmarshal number into Go value of type string"),
        (
            {"op": "copy", "from": "/no/x", "path": "/y"},
            "copy operation does not apply: doc is missing from path: /no/x",
        ),
    ],
)
def test_a_json_patch_that_does_not_apply_says_why(operation: dict[str, Any], text: str) -> None:
    with pytest.raises(PatchError) as refused:
        apply_json_patch(POD, [operation])

    assert text in str(refused.value)


def test_a_json_patch_is_a_list_of_objects() -> None:
    with pytest.raises(PatchError, match=r"cannot unmarshal number into Go value of type jsonpatch\.Operation"):
        decode_json_patch([1])
