"""`patches.json`: apimachinery pkg/util/strategicpatch and jsonmergepatch, and evanphx/json-patch."""

from collections.abc import Callable
from typing import Any

import pytest

from labs.api import gojson
from labs.api.patches.diff import create_two_way_merge_patch
from labs.api.patches.json_patch import apply_json_patch, decode_json_patch
from labs.api.patches.merge_patch import apply_merge_patch
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.patches.three_way import create_three_way_json_merge_patch, create_three_way_merge_patch
from labs.api.schemas import Definition, definition, definitions

VECTORS = "patches"


@pytest.mark.section("strategic")
def test_strategic_merge_patches_apply(case: dict[str, Any]) -> None:
    given = case["in"]
    kind = _definition_of(given["kind"])

    answer = _or_error(lambda: {"result": apply_strategic_merge_patch(given["original"], given["patch"], kind)})

    assert_same(answer, case["expect"])


@pytest.mark.section("two_way")
def test_two_way_patches_hold_the_difference(case: dict[str, Any]) -> None:
    given = case["in"]
    kind = _definition_of(given["kind"])

    answer = _or_error(
        lambda: {"patch": create_two_way_merge_patch(given["original"] or {}, given["modified"] or {}, kind)}
    )

    assert_same(answer, case["expect"])


@pytest.mark.section("three_way")
def test_three_way_patches_are_what_apply_sends(case: dict[str, Any]) -> None:
    given = case["in"]
    kind = _definition_of(given["kind"])

    def answer() -> dict[str, Any]:
        original, modified, current = (given[name] or {} for name in ("original", "modified", "current"))
        patch = create_three_way_merge_patch(original, modified, current, kind, overwrite=given["overwrite"])
        return {"patch": patch, "applied": apply_strategic_merge_patch(current, patch, kind)}

    assert_same(_or_error(answer), case["expect"])


@pytest.mark.section("three_way_json")
def test_three_way_merge_patches_serve_custom_resources(case: dict[str, Any]) -> None:
    given = case["in"]

    def answer() -> dict[str, Any]:
        original, modified, current = (given[name] or {} for name in ("original", "modified", "current"))
        patch = create_three_way_json_merge_patch(original, modified, current)
        return {"patch": patch, "applied": apply_merge_patch(current, patch)}

    assert_same(_or_error(answer), case["expect"])


@pytest.mark.section("merge")
def test_merge_patches_apply(case: dict[str, Any]) -> None:
    given = case["in"]

    answer = _or_error(lambda: {"result": apply_merge_patch(given["original"], given["patch"])})

    assert_same(answer, case["expect"])


@pytest.mark.section("json")
def test_json_patches_apply_in_turn(case: dict[str, Any]) -> None:
    patch = case["in"]["patch"]
    is_broken_text = isinstance(patch, str) and patch.startswith(("[", "{"))

    decoded = _or_error(lambda: decode_json_patch(gojson.decode(patch) if is_broken_text else patch))
    if isinstance(decoded, dict):
        assert_same(decoded | {"stage": "decode"}, case["expect"])
        return
    answer = _or_error(lambda: {"result": apply_json_patch(case["in"]["original"], decoded)})

    assert_same(answer | ({"stage": "apply"} if "error" in answer else {}), case["expect"])


def assert_same(answer: dict[str, Any], expected: dict[str, Any]) -> None:
    assert answer == expected


def _definition_of(kind: str) -> Definition:
    for schema in definitions().values():
        for each in schema.get("x-kubernetes-group-version-kind", ()):
            if each["kind"] == kind and each["version"] == ("v2" if kind == "HorizontalPodAutoscaler" else "v1"):
                found = definition(each["group"], each["version"], kind)
                assert found is not None
                return found
    raise AssertionError(f"no definition of {kind}")


def _or_error(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except ValueError as error:
        return {"error": str(error)}
