"""PATCH in every type, and server-side apply with its owners."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import CONFIG_MAPS, DEPLOYMENTS, Server, deployment

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


def apply(server: Server, status: int, manager: str, body: dict[str, Any], *, force: bool = False) -> Any:
    name = body["metadata"]["name"]
    query = f"?fieldManager={manager}" + ("&force=true" if force else "")
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", **body}
    return server.expect(status, "PATCH", f"{DEPLOYMENTS}/{name}{query}", whole, media=APPLY)


def managers(obj: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["manager"], entry["operation"]) for entry in obj["metadata"]["managedFields"]]


def test_a_strategic_patch_merges_containers_by_name(server: Server) -> None:
    server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}}}
    found = server.expect(200, "PATCH", f"{DEPLOYMENTS}/web", patch, media=STRATEGIC)
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["terminationMessagePolicy"]) == ("nginx:1.28", "File")
    assert found["metadata"]["generation"] == 2


def test_a_merge_patch_replaces_lists_and_null_deletes(server: Server) -> None:
    server.config_map("a", tier="x")
    patch = {"metadata": {"labels": None}, "data": {"a": None, "b": "2"}}
    found = server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", patch, media=MERGE)
    assert found["data"] == {"b": "2"}
    assert "labels" not in found["metadata"]


def test_a_json_patch_runs_its_operations(server: Server) -> None:
    server.config_map("a")
    patch = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", patch, media=JSON)["data"] == {"a": "2"}
    server.expect(422, "PATCH", f"{CONFIG_MAPS}/a", patch, media=JSON)
    server.expect(413, "PATCH", f"{CONFIG_MAPS}/a", patch * 5001, media=JSON)


def test_a_patch_that_names_an_old_version_conflicts(server: Server) -> None:
    made = server.config_map("a")
    patch = {"data": {"a": "2"}, "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", patch, media=MERGE)
    server.expect(409, "PATCH", f"{CONFIG_MAPS}/a", {**patch, "data": {"a": "3"}}, media=MERGE)


@pytest.mark.parametrize("media", ["application/json", "text/plain"])
def test_another_patch_type_is_unsupported(server: Server, media: str) -> None:
    server.config_map("a")
    assert server.ask("PATCH", f"{CONFIG_MAPS}/a", {}, media=media).status == 415


def test_a_patch_may_not_rename(server: Server) -> None:
    server.config_map("a")
    refused = server.expect(400, "PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"name": "b"}}, media=MERGE)
    assert refused["message"] == "the name of the object (b) does not match the name on the URL (a)"


def test_apply_creates_and_owns_only_what_it_names(server: Server) -> None:
    made = apply(server, 201, "me", deployment("web", replicas=2))
    assert managers(made) == [("me", "Apply")]
    fields = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert sorted(fields) == ["f:replicas", "f:selector", "f:template"]
    assert apply(server, 200, "me", deployment("web", replicas=2)) == made


def test_apply_conflicts_with_another_owner_until_it_is_forced(server: Server) -> None:
    apply(server, 201, "first", deployment("web", replicas=2))
    refused = apply(server, 409, "second", {"metadata": {"name": "web"}, "spec": {"replicas": 3}})
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "first": .spec.replicas'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".spec.replicas"}
    assert refused["details"]["causes"] == [cause]
    forced = apply(server, 200, "second", {"metadata": {"name": "web"}, "spec": {"replicas": 3}}, force=True)
    assert forced["spec"]["replicas"] == 3
    owners = {entry["manager"]: entry["fieldsV1"]["f:spec"] for entry in forced["metadata"]["managedFields"]}
    assert "f:replicas" not in owners["first"]
    assert owners["second"] == {"f:replicas": {}}


def test_a_field_is_shared_by_who_applies_the_same_value(server: Server) -> None:
    apply(server, 201, "first", deployment("web", replicas=2))
    apply(server, 200, "second", {"metadata": {"name": "web"}, "spec": {"replicas": 2}})
    left = apply(server, 200, "first", deployment("web"))
    assert left["spec"]["replicas"] == 2


def test_a_field_that_is_no_longer_applied_goes(server: Server) -> None:
    first = deployment("web")
    first["metadata"]["labels"] = {"a": "1", "b": "2"}
    apply(server, 201, "me", first)
    second = deployment("web")
    second["metadata"]["labels"] = {"a": "1"}
    assert apply(server, 200, "me", second)["metadata"]["labels"] == {"a": "1"}


def test_a_container_that_is_no_longer_applied_goes(server: Server) -> None:
    two = deployment("web")
    two["spec"]["template"]["spec"] = {"containers": [{"name": "c", "image": "x"}, {"name": "d", "image": "x"}]}
    apply(server, 201, "me", two)
    found = apply(server, 200, "me", deployment("web"))
    assert [item["name"] for item in found["spec"]["template"]["spec"]["containers"]] == ["c"]


def test_ports_without_a_protocol_are_the_same_ports(server: Server) -> None:
    path = "/api/v1/namespaces/shop/services/web?fieldManager=me"
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}},
    }
    server.expect(201, "PATCH", path, body, media=APPLY)
    assert len(server.expect(200, "PATCH", path, body, media=APPLY)["spec"]["ports"]) == 1


def test_apply_needs_a_manager(server: Server) -> None:
    refused = server.expect(422, "PATCH", f"{CONFIG_MAPS}/a", {}, media=APPLY)
    assert refused["details"]["causes"][0]["field"] == "fieldManager"


def test_an_update_takes_over_what_it_changes(server: Server) -> None:
    made = apply(server, 201, "me", deployment("web", replicas=2))
    made["spec"]["replicas"] = 5
    changed = server.expect(200, "PUT", f"{DEPLOYMENTS}/web?fieldManager=hand", made)
    assert ("hand", "Update") in managers(changed)
    owners = {entry["manager"]: entry["fieldsV1"]["f:spec"] for entry in changed["metadata"]["managedFields"]}
    assert owners["hand"] == {"f:replicas": {}}
    assert "f:replicas" not in owners["me"]


def test_more_than_ten_managers_are_merged_into_ancient_changes(server: Server) -> None:
    server.config_map("a")
    for number in range(12):
        server.run(1)
        patch = {"data": {f"k{number}": "x"}}
        server.expect(200, "PATCH", f"{CONFIG_MAPS}/a?fieldManager=m{number}", patch, media=MERGE)
    found = managers(server.expect(200, "GET", f"{CONFIG_MAPS}/a"))
    assert len(found) == 10
    assert ("ancient-changes", "Update") in found


def test_a_write_may_bring_its_own_owners(server: Server) -> None:
    """As kubectl does when it hands over what client-side apply owned to server-side apply."""
    server.config_map("a")
    path, entry = f"{CONFIG_MAPS}/a", {"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    mine = {**entry, "manager": "kubectl", "fieldsV1": {"f:data": {"f:a": {}}}}
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [mine]}]
    assert managers(server.expect(200, "PATCH", path, patch, media=JSON)) == [("kubectl", "Apply")]
    unread = [{**patch[0], "value": [{**mine, "operation": "Steal", "manager": "thief"}]}]
    assert managers(server.expect(200, "PATCH", path, unread, media=JSON)) == [("kubectl", "Apply")]
    emptied = [{**patch[0], "value": [{}]}]
    assert "managedFields" not in server.expect(200, "PATCH", path, emptied, media=JSON)["metadata"]


def wrong(server: Server, patch: Any, media: str, query: str = "", status: int = 422) -> str:
    message: str = server.expect(status, "PATCH", f"{DEPLOYMENTS}/web{query}", patch, media=media)["message"]
    return message


def test_a_patched_object_that_does_not_fit_is_told_of_without_its_kind(server: Server) -> None:
    server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    text = wrong(server, {"spec": {"replicas": "x"}}, STRATEGIC)
    assert text == ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": unrecognized type: int32'
    text = wrong(server, {"spec": {"template": {"spec": {"containers": "c"}}}}, MERGE)
    assert text.startswith(' "" is invalid: patch: Invalid value: "{')
    assert text.endswith(".containers of type []v1.Container")
    text = wrong(server, {"spec": {"nope": 1}}, STRATEGIC, "?fieldValidation=Strict")
    assert text.endswith('"map[spec:map[nope:1]]": strict decoding error: unknown field "spec.nope"')
    twice = b'{"spec": {"replicas": 1, "replicas": 2}}'
    answer = server.ask("PATCH", f"{DEPLOYMENTS}/web", twice, media=MERGE)
    assert (answer.status, answer.warnings) == (200, ('duplicate field "spec.replicas"',))


@pytest.mark.parametrize(
    ("patch", "media", "text"),
    [
        (b"{", MERGE, "invalid JSON patch"),
        (b"{", STRATEGIC, "invalid JSON patch"),
        ([], MERGE, "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (
            {},
            JSON,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
    ],
)
def test_a_patch_that_is_none_is_refused_by_the_decoder(server: Server, patch: Any, media: str, text: str) -> None:
    server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    assert wrong(server, patch, media, status=400) == text


def test_a_configuration_to_apply_must_fit_its_type(server: Server) -> None:
    def refused(change: Any, status: int = 500) -> str:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("web"), **change}
        return wrong(server, body, APPLY, "?fieldManager=m", status)

    start = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
    assert refused({"foo": 1}) == f"{start}.foo: field not declared in schema"
    containers = [{"name": "a", "image": 1}, {"name": "a"}, {"image": "x"}]
    spec = {"replicas": "x", "template": {"spec": {"containers": containers}}}
    place = ".spec.template.spec.containers"
    assert refused({"spec": spec}) == start + "\n  ".join(
        [
            "errors:",
            ".spec.replicas: expected numeric (int or float), got string",
            f'{place}[name="a"].image: expected string, got &value.valueUnstructured{{Value:1}}',
            f'{place}: duplicate entries for key [name="a"]',
            f"{place}: element 2: associative list with keys has an element that omits all key fields "
            '["name"] (and doesn\'t have default values for any key fields)',
        ]
    )
    assert refused({"apiVersion": ""}, 400) == (
        "Incorrect version specified in apply patch. Specified patch version: , expected: apps/v1"
    )
