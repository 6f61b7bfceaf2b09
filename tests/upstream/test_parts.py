"""The parts that need no real server: the reduction of its tables, the mutations and what a difference is."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from typing import Any

import pytest
from upstream.cases import SUITES, cases, subjects
from upstream.comparison import signatures
from upstream.mutations import additions, by_value
from upstream.servers import Answer, unquoted

from labs.api.data.make_go_types import pack, reachable, untold_names, zeros_of_published
from labs.api.schemas import definitions


def committed(name: str) -> Any:
    return json.loads(gzip.decompress(files("labs.api.data").joinpath(f"{name}.json.gz").read_bytes()))


def test_reachable_types_are_found_through_pointers_lists_and_maps() -> None:
    rows: Any = {name: [["F", "f", held, False]] for name, held in (("a.A", "*[]a.B"), ("a.B", "map:a.A"), ("a.C", ""))}
    assert set(reachable(rows, ["a.A"])) == {"a.A", "a.B"}
    with pytest.raises(KeyError, match=r"a\.X"):
        reachable(rows, ["a.X"])


def test_names_are_kept_that_the_definition_does_not_tell() -> None:
    published = {"T": {"properties": {"spec": {"$ref": "#/$defs/S"}, "policy": {"type": "string"}}}}
    fields = {
        "spec": ("v1.S", ""),
        "policy": ("v1.Policy", ""),
        "name": ("string", ""),
        "kind": ("string", "TypeMeta."),
    }
    kept = untold_names({"T": fields, "Unpublished": fields}, published)
    assert kept == {"T": {"policy": ["v1.Policy", ""], "kind": ["string", "TypeMeta."]}}
    assert zeros_of_published({"T": {"a": "drop"}, "U": {"a": "drop"}, "V": {}}, {"T": {}, "V": {}}) == {
        "T": {"a": "drop"}
    }


def test_committed_tables_are_reduced_already() -> None:
    assert reachable(committed("go_types")) == committed("go_types")
    assert untold_names(committed("go_names"), definitions()) == committed("go_names")
    assert zeros_of_published(committed("zero_values"), definitions()) == committed("zero_values")
    assert pack({"b": 1, "a": 2}) == pack({"a": 2, "b": 1})


def test_mutations_change_one_place_and_not_the_object() -> None:
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
    before = json.dumps(base)
    named = dict([*by_value(base), *additions(base)])
    assert named["data.a:delete"]["data"] == {}
    assert named["immutable:+true"] == {**base, "immutable": True}
    assert all(changed != base for changed in named.values())
    assert json.dumps(base) == before


def test_each_case_has_a_name_of_its_own() -> None:
    assert subjects()
    for suite in SUITES:
        names = [ask.name for ask in cases(suite, ("Namespace",))]
        assert names
        assert len(names) == len(set(names))


def test_differences_are_named_without_the_values_of_the_case() -> None:
    def refusal(*causes: tuple[str, str]) -> Answer:
        told = [{"reason": "FieldValueInvalid", "field": field, "message": text} for field, text in causes]
        return Answer(422, {"kind": "Status", "message": "no", "details": {"causes": told, "uid": "1"}})

    port = ("spec.containers[0].ports[1].hostPort", "Invalid value: 70000: must be below 65536")
    assert signatures(refusal(port), refusal(port)) == []
    assert signatures(refusal(port), refusal()) == [
        "CAUSE missing: FieldValueInvalid | spec.containers[].ports[].hostPort | Invalid value: V: must be below N",
        "CAUSE extra: None |  | no",
    ]
    made = Answer(201, {"kind": "Pod", "metadata": {"uid": "2"}}, ("old",))
    assert signatures(made, Answer(201, {"kind": "Pod", "metadata": {"uid": "3"}})) == ["WARNING missing: old"]
    assert signatures(refusal(port), made)[-1].startswith("ACCEPTED wrongly")


def test_warnings_lose_their_quotes() -> None:
    assert unquoted('299 - "unknown field \\"a\\""') == 'unknown field "a"'
