"""CustomResourceDefinitions, and the kinds that they have served."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import Server, events

from labs.api.crds.formats import fits
from labs.api.crds.go_regexp import compiled
from labs.api.crds.karpenter import install_karpenter
from labs.api.crds.structural import drop_nulls, fill_defaults, prune
from labs.api.crds.values import validate_value
from labs.api.deletion import CRD_FINALIZER
from labs.api.store import Object
from labs.errors import ApiError

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRON_TABS = "/apis/stable.example.com/v1/namespaces/shop/crontabs"
NAME = "crontabs.stable.example.com"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SPEC: Object = {
    "type": "object",
    "required": ["cronSpec"],
    "properties": {
        "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
        "image": {"type": "string"},
        "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "mode": {"type": "string", "enum": ["a", "b"]},
        "size": {"x-kubernetes-int-or-string": True},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port"],
            "items": {
                "type": "object",
                "required": ["port"],
                "properties": {"port": {"type": "integer"}, "name": {"type": "string"}},
            },
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
STATUS: Object = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
}


def version(name: str, *, is_stored: bool = True, **more: Any) -> Object:
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": SPEC, "status": STATUS}}
    return {"name": name, "served": True, "storage": is_stored, "schema": {"openAPIV3Schema": schema}, **more}


def definition(*versions: Object, **names: Any) -> Object:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    full = version(
        "v1",
        subresources={"status": {}, "scale": {**scale, "labelSelectorPath": ".status.selector"}},
        selectableFields=[{"jsonPath": ".spec.image"}],
        additionalPrinterColumns=[{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"}],
    )
    known = {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"], **names}
    spec = {"group": "stable.example.com", "scope": "Namespaced", "names": known, "versions": [*(versions or [full])]}
    return {"metadata": {"name": f"{known['plural']}.stable.example.com"}, "spec": spec}


def cron_tab(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"cronSpec": "* * * * */5", **spec}}


@pytest.fixture
def served(server: Server) -> Server:
    server.expect(201, "POST", DEFINITIONS, definition())
    return server


def conditions(server: Server, name: str = NAME) -> dict[str, tuple[str, str]]:
    found = server.expect(200, "GET", f"{DEFINITIONS}/{name}")["status"]["conditions"]
    return {item["type"]: (item["status"], item["reason"]) for item in found}


def test_a_definition_is_established_and_its_kind_discovered(served: Server) -> None:
    assert conditions(served) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    listing = served.expect(200, "GET", "/apis/stable.example.com/v1")
    assert [row["name"] for row in listing["resources"]] == ["crontabs", "crontabs/scale", "crontabs/status"]
    row = listing["resources"][0]
    assert (row["singularName"], row["shortNames"], row["categories"]) == ("crontab", ["ct"], ["all"])
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = served.expect(200, "GET", "/apis", accept=wanted)["items"]
    assert "stable.example.com" in [group["metadata"]["name"] for group in groups]
    document = served.expect(200, "GET", "/openapi/v3/apis/stable.example.com/v1")
    shown = document["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert shown["properties"]["spec"]["properties"]["cronSpec"]["type"] == "string"
    assert "com.example.stable.v1.CronTab" in served.expect(200, "GET", "/openapi/v2")["definitions"]


def test_the_seal_of_a_document_changes_with_its_schema(served: Server) -> None:
    before = served.expect(200, "GET", "/openapi/v3")["paths"]["apis/stable.example.com/v1"]
    found = served.expect(200, "GET", f"{DEFINITIONS}/{NAME}")
    spec = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["more"] = {"type": "string"}
    served.expect(200, "PUT", f"{DEFINITIONS}/{NAME}", found)
    assert served.expect(200, "GET", "/openapi/v3")["paths"]["apis/stable.example.com/v1"] != before
    assert served.expect(201, "POST", CRON_TABS, cron_tab("a", more="x"))["spec"]["more"] == "x"


def test_unknown_fields_are_pruned_and_defaults_set(served: Server) -> None:
    body = cron_tab("a", wrong=1, free={"kept": {"x": 1}})
    answer = served.ask("POST", CRON_TABS, body)
    assert answer.warnings == ('unknown field "spec.wrong"',)
    spec = answer.json()["spec"]
    assert spec == {"cronSpec": "* * * * */5", "free": {"kept": {"x": 1}}, "replicas": 1}
    refused = served.expect(400, "POST", f"{CRON_TABS}?fieldValidation=Strict", body)
    assert refused["message"] == (
        'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field "spec.wrong"'
    )


def test_every_fault_of_an_object_is_told_in_the_servers_words(served: Server) -> None:
    wrong = {"cronSpec": "x", "image": 3, "replicas": 20, "mode": "c", "size": 1.5, "tags": ["a", "a"]}
    refused = served.expect(422, "POST", CRON_TABS, cron_tab("a", **wrong, ports=[{"port": 1}, {"port": 1}]))
    found = {cause["field"]: (cause["reason"], cause["message"]) for cause in refused["details"]["causes"]}
    pattern = SPEC["properties"]["cronSpec"]["pattern"]
    told = "spec.cronSpec in body should match"
    assert found == {
        "spec.cronSpec": ("FieldValueInvalid", f"Invalid value: \"x\": {told} '{pattern}'"),
        "spec.image": (
            "FieldValueTypeInvalid",
            'Invalid value: "integer": spec.image in body must be of type string: "integer"',
        ),
        "spec.replicas": (
            "FieldValueInvalid",
            "Invalid value: 20: spec.replicas in body should be less than or equal to 10",
        ),
        "spec.mode": ("FieldValueNotSupported", 'Unsupported value: "c": supported values: "a", "b"'),
        "spec.size": (
            "FieldValueTypeInvalid",
            'Invalid value: "number": spec.size in body must be of type integer,string: "number"',
        ),
        "spec.tags[1]": ("FieldValueDuplicate", 'Duplicate value: "a"'),
        "spec.ports[1]": ("FieldValueDuplicate", 'Duplicate value: {"port":1}'),
    }
    missing = served.expect(422, "POST", CRON_TABS, {"metadata": {"name": "a"}})
    assert missing["message"] == 'CronTab.stable.example.com "a" is invalid: spec: Required value'


def test_what_was_wrong_before_a_stricter_schema_is_let_pass(served: Server) -> None:
    made = served.expect(201, "POST", CRON_TABS, cron_tab("a", image="x"))
    found = served.expect(200, "GET", f"{DEFINITIONS}/{NAME}")
    spec = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["image"]["minLength"] = 5
    served.expect(200, "PUT", f"{DEFINITIONS}/{NAME}", found)
    changed = served.expect(200, "PATCH", f"{CRON_TABS}/a", {"spec": {"mode": "a"}}, media=MERGE)
    assert changed["metadata"]["generation"] == made["metadata"]["generation"] + 1
    refused = served.expect(422, "PATCH", f"{CRON_TABS}/a", {"spec": {"image": "y"}}, media=MERGE)
    assert refused["details"]["causes"][0]["message"] == (
        'Invalid value: "y": spec.image in body should be at least 5 chars long'
    )


def test_status_and_scale_are_apart(served: Server) -> None:
    made = served.expect(201, "POST", CRON_TABS, {**cron_tab("a"), "status": {"replicas": 9}})
    assert "status" not in made
    body = {"spec": {"replicas": 7}, "status": {"replicas": 2, "selector": "app=a"}}
    written = served.expect(200, "PATCH", f"{CRON_TABS}/a/status", body, media=MERGE)
    assert (written["spec"]["replicas"], written["metadata"]["generation"]) == (1, 1)
    scale = served.expect(200, "PATCH", f"{CRON_TABS}/a/scale", {"spec": {"replicas": 4}}, media=MERGE)
    assert (scale["spec"], scale["status"]) == ({"replicas": 4}, {"replicas": 2, "selector": "app=a"})
    assert served.expect(200, "GET", f"{CRON_TABS}/a")["metadata"]["generation"] == 2
    wrong = served.expect(422, "PATCH", f"{CRON_TABS}/a/status", {"status": {"replicas": "x"}}, media=MERGE)
    assert wrong["details"]["causes"][0]["field"] == "status.replicas"


def test_server_side_apply_merges_lists_by_the_schemas_keys(served: Server) -> None:
    def body(port: int) -> Object:
        spec = {"cronSpec": "* * * * */5", "ports": [{"port": port, "name": f"p{port}"}]}
        return {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "spec": spec}

    served.expect(201, "PATCH", f"{CRON_TABS}/a?fieldManager=one", body(1), media=APPLY)
    both = served.expect(200, "PATCH", f"{CRON_TABS}/a?fieldManager=two", body(2), media=APPLY)
    assert [port["port"] for port in both["spec"]["ports"]] == [1, 2]
    owned = both["metadata"]["managedFields"][1]["fieldsV1"]
    assert owned["f:spec"]["f:ports"] == {'k:{"port":2}': {".": {}, "f:name": {}, "f:port": {}}}
    assert "f:metadata" not in owned


def test_columns_and_field_selectors_come_from_the_definition(served: Server) -> None:
    for name, image in (("a", "x"), ("b", "y")):
        served.expect(201, "POST", CRON_TABS, cron_tab(name, image=image))
    table = served.expect(200, "GET", CRON_TABS, accept=TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Spec"]
    assert table["rows"][0]["cells"] == ["a", "* * * * */5"]
    found = served.expect(200, "GET", f"{CRON_TABS}?fieldSelector=spec.image%3Dy")
    assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("CronTabList", ["b"])
    served.expect(400, "GET", f"{CRON_TABS}?fieldSelector=spec.mode%3Da")


def test_versions_show_the_same_objects(server: Server) -> None:
    old = version("v1beta1", is_stored=False, deprecated=True)
    server.expect(201, "POST", DEFINITIONS, definition(version("v1"), old))
    server.expect(201, "POST", CRON_TABS, cron_tab("a"))
    answer = server.ask("GET", f"{CRON_TABS.replace('/v1/', '/v1beta1/')}/a")
    assert answer.json()["apiVersion"] == "stable.example.com/v1beta1"
    assert answer.warnings == ("stable.example.com/v1beta1 CronTab is deprecated",)
    group = server.expect(200, "GET", "/apis/stable.example.com")
    assert [row["version"] for row in group["versions"]] == ["v1", "v1beta1"]
    found = server.expect(200, "GET", f"{DEFINITIONS}/{NAME}")
    for item in found["spec"]["versions"]:
        item["storage"] = not item["storage"]
    moved = server.expect(200, "PUT", f"{DEFINITIONS}/{NAME}", found)
    assert moved["status"]["storedVersions"] == ["v1", "v1beta1"]
    del moved["spec"]["versions"][0]
    refused = server.expect(422, "PUT", f"{DEFINITIONS}/{NAME}", moved)
    assert "v1 was previously a storage version" in refused["message"]


def test_a_definition_takes_its_objects_and_watches_with_it(served: Server) -> None:
    served.expect(201, "POST", CRON_TABS, cron_tab("a"))
    held = cron_tab("b")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    served.expect(201, "POST", CRON_TABS, held)
    watch = served.watch(f"{CRON_TABS}?watch=true")
    gone = served.expect(200, "DELETE", f"{DEFINITIONS}/{NAME}")
    assert CRD_FINALIZER in gone["metadata"]["finalizers"]
    assert conditions(served)["Terminating"] == ("True", "InstanceDeletionInProgress")
    refused = served.expect(405, "POST", CRON_TABS, cron_tab("c"))
    assert refused["message"] == "create not allowed while custom resource definition is terminating"
    served.expect(404, "GET", f"{CRON_TABS}/a")
    served.expect(200, "PATCH", f"{CRON_TABS}/b", {"metadata": {"finalizers": None}}, media=MERGE)
    served.expect(404, "GET", f"{DEFINITIONS}/{NAME}")
    assert served.ask("GET", CRON_TABS).status == 404
    assert events(watch)[-1] == ("DELETED", "b")
    assert watch.is_closed


def test_a_name_that_is_taken_waits_until_it_is_free(served: Server) -> None:
    served.expect(201, "POST", DEFINITIONS, definition(plural="tabs", kind="Tab", shortNames=["ct"]))
    other = "tabs.stable.example.com"
    assert conditions(served, other) == {
        "NamesAccepted": ("False", "ShortNamesConflict"),
        "Established": ("False", "NotAccepted"),
    }
    served.expect(404, "GET", "/apis/stable.example.com/v1/namespaces/shop/tabs")
    served.expect(200, "DELETE", f"{DEFINITIONS}/{NAME}")
    assert conditions(served, other)["Established"] == ("True", "InitialNamesAccepted")
    served.expect(200, "GET", "/apis/stable.example.com/v1/namespaces/shop/tabs")


def test_a_status_that_somebody_spoils_is_made_good(served: Server) -> None:
    found = served.expect(200, "GET", f"{DEFINITIONS}/{NAME}")
    before = found["status"]
    del found["status"]
    served.expect(200, "PUT", f"{DEFINITIONS}/{NAME}/status", found)
    after = served.expect(200, "GET", f"{DEFINITIONS}/{NAME}")["status"]
    assert after == before


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"group": "example"}, "spec.group", 'Invalid value: "example": should be a domain with at least one dot'),
        ({"scope": "All"}, "spec.scope", 'Unsupported value: "All": supported values: "Cluster", "Namespaced"'),
        (
            {"versions": []},
            "spec.versions",
            "Invalid value: []: must have exactly one version marked as storage version",
        ),
        (
            {"versions": [{"name": "v1", "served": True, "storage": True}]},
            "spec.versions[0].schema.openAPIV3Schema",
            "Required value",
        ),
        (
            {"group": "x.k8s.io"},
            "metadata.annotations[api-approved.kubernetes.io]",
            'Required value: protected groups must have approval annotation "api-approved.kubernetes.io", '
            "see https://github.com/kubernetes/enhancements/pull/1111",
        ),
    ],
)
def test_a_wrong_definition_is_refused(server: Server, change: Object, field: str, message: str) -> None:
    body = definition()
    body["spec"] |= change
    refused = server.expect(422, "POST", DEFINITIONS, body)
    assert {"reason", "message", "field"} == set(refused["details"]["causes"][0])
    assert (field, message) in [(cause["field"], cause["message"]) for cause in refused["details"]["causes"]]


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({"properties": {}}, ".type", "Required value: must not be empty at the root"),
        ({"type": "object", "properties": {"a": {}}}, ".properties[a].type",
         "Required value: must not be empty for specified object fields"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, ".properties[a].items",
         "Required value: must be specified"),
        ({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}, ".properties[a].default",
         'Invalid value: "string": spec.validation.openAPIV3Schema.properties[a].default in body must be of '
         'type integer: "string"'),
        ({"type": "object", "anyOf": [{"required": ["a"], "type": "object"}]}, ".anyOf[0].type",
         "Forbidden: must be empty to be structural"),
        ({"type": "object", "oneOf": [{"properties": {"a": {"minimum": 1}}}]}, ".properties[a]",
         "Required value: because it is defined in spec.validation.openAPIV3Schema.oneOf[0].properties[a]"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}, ".properties[a].pattern", None),
        ({"type": "object", "properties": {"a": {"type": "object", "$ref": "#/x"}}}, ".properties[a].$ref",
         "Forbidden: $ref is not supported"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_structural_is_refused(
    server: Server, schema: Object, field: str, message: str | None
) -> None:
    body = definition({"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}})
    refused = server.expect(422, "POST", DEFINITIONS, body)
    place = f"spec.validation.openAPIV3Schema{field}"
    found = [cause["message"] for cause in refused["details"]["causes"] if cause["field"] == place]
    assert found if message is None else message in found


def test_the_kind_and_scope_of_an_established_definition_are_fixed(served: Server) -> None:
    found = served.expect(200, "GET", f"{DEFINITIONS}/{NAME}")
    found["spec"]["scope"] = "Cluster"
    refused = served.expect(422, "PUT", f"{DEFINITIONS}/{NAME}", found)
    assert 'spec.scope: Invalid value: "Cluster": field is immutable' in refused["message"]


def test_nulls_go_or_become_the_default() -> None:
    schema: Object = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "string"},
            "c": {"type": "string", "nullable": True},
            "d": {"type": "object", "additionalProperties": {"type": "object", "properties": {"e": {"default": 1}}}},
        },
    }
    value: Object = {"a": None, "b": None, "c": None, "d": {"k": {}}}
    drop_nulls(value, schema)
    fill_defaults(value, schema)
    assert value == {"a": "x", "c": None, "d": {"k": {"e": 1}}}


def test_an_object_within_an_object_keeps_its_identity() -> None:
    inner = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    value: Object = {"inner": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {}, "more": 1}}
    assert prune(value, {"type": "object", "properties": {"inner": inner}}) == ["inner.more"]
    assert set(value["inner"]) == {"apiVersion", "kind", "metadata", "spec"}


@pytest.mark.parametrize(
    ("value", "schema", "messages"),
    [
        ("ab", {"type": "string", "maxLength": 1}, ["Too long: may not be more than 1 byte"]),
        ([], {"type": "array", "minItems": 1}, ["Invalid value: 0: a in body should have at least 1 items"]),
        ([1, 2], {"type": "array", "maxItems": 1}, ["Too many: 2: must have at most 1 item"]),
        (7, {"type": "integer", "multipleOf": 5}, ["Invalid value: 7: a in body should be a multiple of 5"]),
        (
            0,
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            ["Invalid value: 0: a in body should be greater than 0"],
        ),
        (
            2**31,
            {"type": "integer", "format": "int32"},
            ['Invalid value: "": Checked value must be of type integer with format int32 in a'],
        ),
        (None, {"type": "string"}, ['Invalid value: "null": a in body must be of type string: "null"']),
        (None, {"type": "string", "nullable": True}, []),
        (1.0, {"type": "integer"}, []),
        (
            {},
            {"type": "object", "oneOf": [{"required": ["x"]}, {"required": ["y"]}]},
            [
                'Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid',
                "Required value",
            ],
        ),
        (
            "z",
            {"type": "string", "not": {"enum": ["z"]}},
            ['Invalid value: "": "a" must not validate the schema (not)'],
        ),
        (
            "now",
            {"type": "string", "format": "date-time"},
            ['Invalid value: "now": a in body must be of type date-time: "now"'],
        ),
    ],
)
def test_values_are_checked_as_upstream_checks_them(value: Any, schema: Object, messages: list[str]) -> None:
    assert [problem.message for problem in validate_value(value, schema, "a")] == messages


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-03-02", "2026-13-02"),
        ("date-time", "2026-03-02T09:00:00Z", "09:00"),
        ("duration", "1h30m", "soon"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7"),
        ("email", "a@example.com", "a"),
        ("hostname", "a.example.com", "a b"),
        ("uri", "https://example.com/a", "example"),
        ("byte", "aGk=", "?"),
        ("mac", "00:00:5e:00:53:01", "00"),
    ],
)
def test_formats_tell_good_from_bad(name: str, good: str, bad: str) -> None:
    assert fits(name, good)
    assert not fits(name, bad)


def test_patterns_mean_what_they_mean_in_go() -> None:
    assert compiled("^a$").search("a\n") is None
    assert compiled("^[[:alpha:]$]+$").search("ab$")
    assert compiled(r"^a\z").search("a")


POOLS = "/apis/karpenter.sh/v1/nodepools"
CLASSES = "/apis/karpenter.k8s.aws/v1/ec2nodeclasses"
CLASS: Object = {
    "role": "r",
    "amiSelectorTerms": [{"alias": "al2023@latest"}],
    "subnetSelectorTerms": [{"id": "subnet-1234"}],
    "securityGroupSelectorTerms": [{"id": "sg-1234"}],
}


def pool(**template: Any) -> Object:
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    spec = {"nodeClassRef": reference, "requirements": [], **template}
    return {"metadata": {"name": "p"}, "spec": {"template": {"spec": spec}}}


def test_karpenters_kinds_come_with_their_definitions(server: Server) -> None:
    install_karpenter(server.api)
    names = [item["metadata"]["name"] for item in server.expect(200, "GET", DEFINITIONS)["items"]]
    assert names == ["ec2nodeclasses.karpenter.k8s.aws", "nodeclaims.karpenter.sh", "nodepools.karpenter.sh"]
    table = server.expect(200, "GET", POOLS, accept=TABLE)
    assert [column["name"] for column in table["columnDefinitions"]][:4] == ["Name", "NodeClass", "Nodes", "Ready"]
    made = server.expect(201, "POST", POOLS, pool())
    assert made["spec"]["disruption"]["consolidationPolicy"] == "WhenEmptyOrUnderutilized"
    server.expect(201, "POST", CLASSES, {"metadata": {"name": "default"}, "spec": CLASS})


@pytest.mark.parametrize(
    ("requirement", "field", "message"),
    [
        ({"operator": "In", "key": "a"}, "", "requirements with operator 'In' must have a value defined"),
        (
            {"operator": "Gt", "key": "a", "values": ["1", "2"]},
            "",
            "requirements operator 'Gt', 'Lt', 'Gte', or 'Lte' must have a single positive integer value",
        ),
        ({"operator": "Exists", "key": "karpenter.sh/x"}, "[0].key", 'label domain "karpenter.sh" is restricted'),
        (
            {"operator": "Exists", "key": "karpenter.k8s.aws/instance-colour"},
            "[0].key",
            'label domain "karpenter.k8s.aws" is restricted',
        ),
    ],
)
def test_a_node_pool_keeps_the_rules_of_its_definition(
    server: Server, requirement: Object, field: str, message: str
) -> None:
    install_karpenter(server.api)
    refused = server.expect(422, "POST", POOLS, pool(requirements=[requirement]))
    cause = refused["details"]["causes"][0]
    assert cause["field"] == f"spec.template.spec.requirements{field}"
    assert cause["message"].endswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instanceProfile": "x"}, "must specify exactly one of ['role', 'instanceProfile']"),
        ({"amiFamily": "AL2"}, "if set, amiFamily must be 'AL2023' or 'Custom' when using an AL2023 alias"),
        ({"amiSelectorTerms": [{"id": "ami-1234"}]}, "must specify amiFamily if amiSelectorTerms does not contain"),
        ({"amiSelectorTerms": [{"alias": "al9@latest"}]}, "family is not supported, must be one of the following"),
        ({"subnetSelectorTerms": []}, "subnetSelectorTerms cannot be empty"),
        ({"tags": {"karpenter.sh/nodepool": "x"}}, "tag contains a restricted tag matching karpenter.sh/nodepool"),
    ],
)
def test_a_node_class_keeps_the_rules_of_its_definition(server: Server, change: Object, message: str) -> None:
    install_karpenter(server.api)
    refused = server.expect(422, "POST", CLASSES, {"metadata": {"name": "c"}, "spec": {**CLASS, **change}})
    assert message in refused["message"]


def test_what_is_no_longer_served_is_not_found(server: Server) -> None:
    install_karpenter(server.api)
    server.expect(200, "DELETE", f"{DEFINITIONS}/nodeclaims.karpenter.sh")
    with pytest.raises(ApiError, match="could not find the requested resource"):
        server.client.create("nodeclaims.karpenter.sh", {"metadata": {"name": "c"}, "spec": {}})


def test_rules_hold_as_long_as_the_definition_says_them(server: Server) -> None:
    install_karpenter(server.api)
    found = server.expect(200, "GET", f"{DEFINITIONS}/nodepools.karpenter.sh")
    found["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    server.expect(200, "PUT", f"{DEFINITIONS}/nodepools.karpenter.sh", found)
    server.expect(201, "POST", POOLS, {"metadata": {"name": "free"}, "spec": {"colour": "blue"}})


def test_a_built_in_kind_is_not_taken_over(server: Server) -> None:
    body = definition(version("v1"), plural="leases", kind="Lease", shortNames=[])
    body["metadata"] = {
        "name": "leases.coordination.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved"},
    }
    body["spec"]["group"] = "coordination.k8s.io"
    server.expect(201, "POST", DEFINITIONS, body)
    made = server.expect(
        201, "POST", "/apis/coordination.k8s.io/v1/namespaces/shop/leases", {"metadata": {"name": "a"}}
    )
    assert made["kind"] == "Lease"
    server.expect(200, "DELETE", f"{DEFINITIONS}/leases.coordination.k8s.io")
    server.expect(200, "GET", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/a")
