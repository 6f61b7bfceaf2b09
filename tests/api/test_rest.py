"""Requests and answers: verbs, options, forms, discovery."""

from __future__ import annotations

import pytest
from api.conftest import CONFIG_MAPS, DEPLOYMENTS, PODS, Server, deployment

from labs.api.crds.karpenter import install_karpenter
from labs.api.objects import Object
from labs.api.resources import READ_VERBS, ResourceType
from labs.api.rest.message import Request

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


def test_an_object_lives_through_create_read_replace_and_delete(server: Server) -> None:
    made = server.config_map("a")
    made["data"] = {"a": "2"}
    replaced = server.expect(200, "PUT", f"{CONFIG_MAPS}/a", made)
    assert replaced["data"] == {"a": "2"}
    assert int(replaced["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    gone = server.expect(200, "DELETE", f"{CONFIG_MAPS}/a")
    uid = made["metadata"]["uid"]
    assert gone["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
    server.expect(404, "GET", f"{CONFIG_MAPS}/a")


def test_a_write_that_changes_nothing_keeps_the_version(server: Server) -> None:
    made = server.config_map("a")
    assert server.expect(200, "PUT", f"{CONFIG_MAPS}/a", made) == made


def test_an_update_through_yaml_is_read_like_json(server: Server) -> None:
    body = b"metadata: {name: y}\ndata: {since: '2026-01-01'}\n"
    made = server.expect(201, "POST", CONFIG_MAPS, body, media="application/yaml")
    assert made["data"] == {"since": "2026-01-01"}


def test_a_list_has_items_without_their_kind(server: Server) -> None:
    server.config_map("a")
    listing = server.expect(200, "GET", CONFIG_MAPS)
    assert listing["kind"] == "ConfigMapList"
    assert "kind" not in listing["items"][0]
    assert listing["metadata"]["resourceVersion"] == str(server.api.store.resource_version)


def test_a_dry_run_answers_as_a_write_and_stores_nothing(server: Server) -> None:
    made = server.expect(201, "POST", f"{CONFIG_MAPS}?dryRun=All", {"metadata": {"name": "a"}})
    assert made["metadata"]["uid"]
    server.expect(404, "GET", f"{CONFIG_MAPS}/a")
    server.config_map("b")
    server.expect(200, "DELETE", f"{CONFIG_MAPS}/b?dryRun=All")
    server.expect(200, "GET", f"{CONFIG_MAPS}/b")


@pytest.mark.parametrize(("validation", "status"), [("", 201), ("Warn", 201), ("Ignore", 201), ("Strict", 400)])
def test_unknown_fields_are_refused_warned_of_or_dropped(server: Server, validation: str, status: int) -> None:
    body = deployment("web", replica=3)
    query = f"?fieldValidation={validation}" if validation else ""
    answer = server.ask("POST", DEPLOYMENTS + query, body)
    assert answer.status == status
    expected = ('unknown field "spec.replica"',) if validation in ("", "Warn") else ()
    assert answer.warnings == expected
    if status == 201:
        assert "replica" not in answer.json()["spec"]


def test_double_fields_are_refused_with_their_path(server: Server) -> None:
    body = b'{"metadata":{"name":"a"},"data":{"x":"1","x":"2"}}'
    answer = server.expect(400, "POST", f"{CONFIG_MAPS}?fieldValidation=Strict", body)
    assert answer["message"].endswith('strict decoding error: duplicate field "data.x"')


def test_a_wrong_type_names_the_go_field(server: Server) -> None:
    answer = server.expect(400, "POST", DEPLOYMENTS, deployment("web", replicas="three"))
    text = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
    assert answer["message"] == f'Deployment in version "v1" cannot be handled as a Deployment: {text}'


def test_a_table_has_a_row_for_each_object_and_its_metadata(server: Server) -> None:
    server.pod("a")
    table = server.expect(200, "GET", PODS, accept=TABLE)
    assert table["kind"] == "Table"
    assert table["rows"][0]["cells"][0] == "a"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = server.expect(200, "GET", f"{PODS}?includeObject=Object", accept=TABLE)
    assert whole["rows"][0]["object"]["kind"] == "Pod"


def test_metadata_alone_leaves_the_rest_out(server: Server) -> None:
    server.config_map("a")
    found = server.expect(200, "GET", f"{CONFIG_MAPS}/a", accept=METADATA)
    assert sorted(found) == ["apiVersion", "kind", "metadata"]


def test_a_form_that_nobody_knows_is_not_acceptable(server: Server) -> None:
    assert server.ask("GET", CONFIG_MAPS, accept="text/html").status == 406
    assert server.ask("GET", CONFIG_MAPS, accept="application/vnd.kubernetes.protobuf,application/json").status == 200


def test_aggregated_discovery_names_every_type_with_its_subresources(server: Server) -> None:
    answer = server.ask("GET", "/apis", accept=DISCOVERY)
    assert answer.headers["Content-Type"].endswith("as=APIGroupDiscoveryList")
    groups = {item["metadata"]["name"]: item["versions"][0] for item in answer.json()["items"]}
    rows = {item["resource"]: item for item in groups["apps"]["resources"]}
    scale = next(item for item in rows["deployments"]["subresources"] if item["subresource"] == "scale")
    assert scale["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert rows["deployments"]["categories"] == ["all"]


def test_openapi_has_the_patch_operation_that_kubectl_looks_for(server: Server) -> None:
    index = server.expect(200, "GET", "/openapi/v3")
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    document = server.expect(200, "GET", url)
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [item["name"] for item in patch["parameters"]]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert "io.k8s.api.core.v1.PodSpec" in document["components"]["schemas"]


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping"])
def test_health_is_ok(server: Server, path: str) -> None:
    assert server.ask("GET", path).body == b"ok"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/widgets", 404),
        ("POST", "/api/v1/pods", 405),
        ("PUT", PODS, 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("GET", "/api/v1/namespaces/shop/nodes", 404),
        ("GET", "/" + "x" * 10_000, 414),
        ("POST", "/version", 404),
        ("GET", f"{PODS}/a/nothing", 404),
    ],
)
def test_wrong_paths_and_methods_are_refused(server: Server, method: str, path: str, status: int) -> None:
    assert server.ask(method, path, {}).status == status


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    assert server.ask("POST", CONFIG_MAPS, b" " * 4_000_000).status == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"{]", b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_a_bad_request(server: Server, body: bytes) -> None:
    assert server.ask("POST", CONFIG_MAPS, body).status == 400


@pytest.mark.parametrize("body", [b"", b"k8s", b"k8s\x00", b"k8s\x00\xff\xff\xff", b"k8s\x00\x12\xff"])
def test_broken_protobuf_is_a_bad_request(server: Server, body: bytes) -> None:
    answer = server.ask("POST", CONFIG_MAPS, body, media="application/vnd.kubernetes.protobuf")
    assert answer.status == 400


def test_a_protobuf_body_is_read_by_the_published_numbers(server: Server) -> None:
    metadata = b"\x0a\x01p" + b"\x1a\x04shop"
    entry = b"\x0a\x01a\x12\x01b"
    raw = b"\x0a" + bytes([len(metadata)]) + metadata + b"\x12" + bytes([len(entry)]) + entry
    kind = b"\x0a\x02v1\x12\x09ConfigMap"
    body = b"k8s\x00\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(raw)]) + raw
    made = server.expect(201, "POST", CONFIG_MAPS, body, media="application/vnd.kubernetes.protobuf")
    assert made["metadata"]["name"] == "p"
    assert made["data"] == {"a": "b"}


def test_scale_reads_and_writes_replicas(server: Server) -> None:
    server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    scale = server.expect(200, "GET", f"{DEPLOYMENTS}/web/scale")
    assert scale["spec"] == {"replicas": 1}
    media = "application/merge-patch+json"
    server.expect(200, "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}}, media=media)
    found = server.expect(200, "GET", f"{DEPLOYMENTS}/web")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (4, 2)
    server.expect(409, "PUT", f"{DEPLOYMENTS}/web/scale", scale)
    server.expect(422, "PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": -1}}, media=media)


def test_log_asks_for_the_container_when_there_are_two(server: Server) -> None:
    server.pod("a", containers=[{"name": "x", "image": "i"}, {"name": "y", "image": "i"}])
    refused = server.expect(400, "GET", f"{PODS}/a/log")
    assert refused["message"] == "a container name must be specified for pod a, choose one of: [x y]"
    assert server.ask("GET", f"{PODS}/a/log?container=y").status == 204  # on no node yet: no content


def test_a_virtual_resource_is_read_from_its_provider(server: Server) -> None:
    class Provider:
        def get(self, namespace: str, name: str) -> Object | None:
            return next((item for item in self.list(namespace) if item["metadata"]["name"] == name), None)

        def list(self, namespace: str | None) -> list[Object]:
            return [{"metadata": {"name": "n1", "labels": {"a": "b"}}, "usage": {"cpu": "10m"}}]

    kind = ResourceType("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", is_namespaced=False, verbs=READ_VERBS)
    server.api.register_virtual(kind, Provider())
    path = "/apis/metrics.k8s.io/v1beta1/nodes"
    assert server.expect(200, "GET", f"{path}/n1")["kind"] == "NodeMetrics"
    assert server.expect(200, "GET", f"{path}?labelSelector=a%3Dc")["items"] == []
    server.expect(404, "GET", f"{path}/n2")
    server.expect(405, "DELETE", f"{path}/n1")


def test_the_request_knows_its_boolean_options() -> None:
    assert Request.to("GET", "/x?watch=1").is_set("watch")
    assert Request.to("GET", "/x?watch").is_set("watch")
    assert not Request.to("GET", "/x?watch=false").is_set("watch")
    assert not Request.to("GET", "/x").is_set("watch")


def test_a_user_learns_what_it_may_do_and_who_it_is(server: Server) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    attributes = {"verb": "list", "resource": "pods", "namespace": "shop"}
    answer = server.expect(201, "POST", path, {"spec": {"resourceAttributes": attributes}})
    assert answer["status"]["allowed"] is True
    whoami = server.expect(201, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert whoami["status"]["userInfo"]["username"] == "admin"
    assert server.api.store.count("selfsubjectaccessreviews.authorization.k8s.io") == 0


def test_a_node_pool_has_the_columns_of_its_definition(server: Server) -> None:
    install_karpenter(server.api)
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "spot"}
    spec = {"template": {"spec": {"nodeClassRef": reference, "requirements": []}}}
    server.expect(201, "POST", "/apis/karpenter.sh/v1/nodepools", {"metadata": {"name": "p"}, "spec": spec})
    table = server.expect(200, "GET", "/apis/karpenter.sh/v1/nodepools", accept=TABLE)
    shown = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert shown == ["Name", "NodeClass", "Nodes", "Ready", "Age"]
    assert table["rows"][0]["cells"][:2] == ["p", "spot"]


def test_health_is_told_check_by_check(server: Server) -> None:
    def body(target: str) -> str:
        return server.ask("GET", target).body.decode()

    assert body("/livez") == body("/readyz/etcd-readiness") == "ok"
    lines = body("/readyz?verbose&exclude=etcd&exclude=nothing").splitlines()
    assert lines[:3] == ["[+]ping ok", "[+]log ok", "[+]etcd excluded: ok"]
    assert lines[-2:] == [
        'warn: some health checks cannot be excluded: no matches for "nothing"',
        "readyz check passed",
    ]
    assert "etcd-readiness" not in body("/livez?verbose")
    assert server.ask("GET", "/livez/nothing").status == 404


def test_aggregated_discovery_is_tagged_and_its_old_version_gone(server: Server) -> None:
    first = server.ask("GET", "/apis", accept=DISCOVERY)
    headers = {"accept": DISCOVERY, "if-none-match": first.headers["ETag"]}
    again = server.rest.handle(Request.to("GET", "/apis", headers=headers))
    assert (again.status, again.headers["ETag"]) == (304, first.headers["ETag"])
    assert server.ask("GET", "/apis", accept=DISCOVERY.replace("v=v2", "v=v2beta1")).status == 404


def test_policies_that_are_not_served_are_not_found(server: Server) -> None:
    kinds = ("validatingadmissionpolicies", "mutatingwebhookconfigurations", "validatingwebhookconfigurations")
    for plural in kinds:
        answer = server.ask("GET", f"/apis/admissionregistration.k8s.io/v1/{plural}")
        assert (answer.status, answer.body) == (404, b"404 page not found\n")
