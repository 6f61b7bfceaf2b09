"""The comparison itself: what differs is counted, and nothing passes because it was not read."""

from __future__ import annotations

from pathlib import Path

from golden.comparison import ABSENT, Field, fields, sequence
from golden.folders import all_cases
from golden.kubectl_texts import as_object, normalized


def test_leaves_are_compared_by_value_and_type() -> None:
    found = list(fields({"a": 1, "b": [1], "c": {}}, {"a": True, "b": [1, 2], "d": {"e": None}}))
    assert [field for field in found if not field.is_equal] == [
        Field("a", 1, True),
        Field("b[1]", ABSENT, 2),
        Field("d.e", ABSENT, None),
        Field("c", {}, ABSENT),
    ]
    assert [field.path for field in found if field.is_equal] == ["b[0]"]


def test_one_step_too_many_is_one_difference() -> None:
    found = list(sequence(["a", "b", "c"], ["a", "c"], "step"))
    assert [field for field in found if not field.is_equal] == [Field("step[1]", "b", ABSENT)]
    assert len(found) == 3


def test_a_file_of_no_known_form_is_a_failing_case(tmp_path: Path) -> None:
    (tmp_path / "errors").mkdir()
    (tmp_path / "errors" / "odd.txt").write_text("x", encoding="utf-8")
    [case] = all_cases(tmp_path)
    assert str(case) == "errors/odd.txt"
    assert not any(field.is_equal for field in case.fields)


def test_texts_of_kubectl_lose_only_what_two_clusters_never_share() -> None:
    text = "NAME  AGE\nweb-5c8597c5fb-9c94f  5m3s\n"
    assert normalized("get pods", text) == ["NAME  AGE", "web-HASH-POD  AGE", ""]
    assert as_object("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
    }
