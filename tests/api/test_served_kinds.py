"""Kinds beside the workloads: what the server makes by itself, what it computes, and what it admits."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from api.conftest import CONTAINER, PODS, Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from labs.api.rest.message import Request, User

FLOW_SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
LEVELS = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def signing_request(**spec: Any) -> dict[str, Any]:
    key = ec.derive_private_key(7, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()
    usual = {"request": pem, "signerName": "example.com/serving", "usages": ["client auth"]}
    return {"metadata": {"name": "jane"}, "spec": usual | spec}


def test_component_statuses_come_with_the_warning_that_they_are_deprecated(server: Server) -> None:
    answer = server.ask("GET", "/api/v1/componentstatuses", accept=TABLE)
    assert answer.warnings == ("v1 ComponentStatus is deprecated in v1.19+",)
    rows = [row["cells"] for row in answer.json()["rows"]]
    assert rows == [[name, "Healthy", "ok", ""] for name in ("controller-manager", "etcd-0", "scheduler")]
    server.expect(404, "GET", "/api/v1/componentstatuses/kubelet")


def test_a_binding_may_be_posted_to_the_collection(server: Server) -> None:
    server.pod("web")
    body = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "node-1"}}
    server.expect(201, "POST", "/api/v1/namespaces/shop/bindings", body)
    assert server.client.require("pods", "shop", "web")["spec"]["nodeName"] == "node-1"


def test_an_address_belongs_to_its_service_as_long_as_that_lives(server: Server) -> None:
    body = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    made = server.expect(201, "POST", "/api/v1/namespaces/shop/services", body)
    path = f"/apis/networking.k8s.io/v1/ipaddresses/{made['spec']['clusterIP']}"
    parent = server.expect(200, "GET", path)["spec"]["parentRef"]
    assert parent == {"resource": "services", "namespace": "shop", "name": "web"}
    server.expect(200, "DELETE", "/api/v1/namespaces/shop/services/web")
    server.expect(404, "GET", path)
    assert server.expect(200, "GET", "/apis/networking.k8s.io/v1/servicecidrs")["items"][0]["spec"] == {
        "cidrs": ["172.20.0.0/16"]
    }


def test_every_served_group_version_has_its_api_service(server: Server) -> None:
    groups = server.expect(200, "GET", "/apis")["groups"]
    served = {f"{each['version']}.{group['name']}" for group in groups for each in group["versions"]}
    listed = server.expect(200, "GET", "/apis/apiregistration.k8s.io/v1/apiservices")["items"]
    assert {item["metadata"]["name"] for item in listed} == {"v1.", *served} - {"v1.apiregistration.k8s.io"}
    own = [item["spec"] for item in listed if "karpenter" not in item["spec"].get("group", "")]
    by_priority = sorted(own, key=lambda spec: -spec["groupPriorityMinimum"])
    shown = [group["name"] for group in groups if "karpenter" not in group["name"]]
    in_order = list(dict.fromkeys(spec.get("group", "") for spec in by_priority))
    assert in_order == ["", *(name for name in shown if name != "apiregistration.k8s.io")]


# Flow control.


def conditions(server: Server, name: str) -> list[tuple[str, str]]:
    found = server.expect(200, "GET", f"{FLOW_SCHEMAS}/{name}")["status"]["conditions"]
    return [(item["status"], item["reason"]) for item in found]


def test_a_flow_schema_dangles_while_its_level_is_missing(server: Server) -> None:
    spec = {"priorityLevelConfiguration": {"name": "batch"}}
    server.expect(201, "POST", FLOW_SCHEMAS, {"metadata": {"name": "jobs"}, "spec": spec})
    assert conditions(server, "jobs") == [("True", "NotFound")]
    limited = {"limitResponse": {"type": "Reject"}}
    level = {"metadata": {"name": "batch"}, "spec": {"type": "Limited", "limited": limited}}
    made = server.expect(201, "POST", LEVELS, level)
    assert made["spec"]["limited"]["nominalConcurrencyShares"] == 30
    assert conditions(server, "jobs") == [("False", "Found")]
    server.expect(200, "DELETE", f"{LEVELS}/batch")
    assert conditions(server, "jobs") == [("True", "NotFound")]


def test_what_the_server_needs_is_made_anew(server: Server) -> None:
    before = server.expect(200, "GET", f"{FLOW_SCHEMAS}/catch-all")
    server.expect(200, "DELETE", f"{FLOW_SCHEMAS}/catch-all")
    server.expect(404, "GET", f"{FLOW_SCHEMAS}/catch-all")
    server.run(61)
    after = server.expect(200, "GET", f"{FLOW_SCHEMAS}/catch-all")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_kubectl_prints_flow_schemas_in_their_columns(server: Server) -> None:
    rows = server.expect(200, "GET", FLOW_SCHEMAS, accept=TABLE)["rows"]
    cells = {row["cells"][0]: row["cells"][1:] for row in rows}
    assert cells["exempt"] == ["exempt", 1, "<none>", "0s", "False"]
    assert cells["kube-scheduler"] == ["workload-high", 800, "ByNamespace", "0s", "False"]
    assert len(cells) == 13


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"type": "Exempt"}, "spec.type"),
        ({"type": "Limited"}, "spec.limited"),
        ({"type": "Some"}, "spec.type"),
        ({"type": "Limited", "limited": {"limitResponse": {"type": "Queue"}}}, "spec.limited.limitResponse.queuing"),
        (
            {"type": "Limited", "limited": {"lendablePercent": 101, "limitResponse": {"type": "Reject"}}},
            "spec.limited.lendablePercent",
        ),
    ],
)
def test_a_wrong_priority_level_is_refused(server: Server, spec: Any, text: str) -> None:
    refused = server.expect(422, "POST", LEVELS, {"metadata": {"name": "mine"}, "spec": spec})
    assert [cause["field"] for cause in refused["details"]["causes"]] == [text]


def test_what_the_server_cannot_be_without_stays_as_it_is(server: Server) -> None:
    for path in (f"{FLOW_SCHEMAS}/exempt", f"{FLOW_SCHEMAS}/catch-all", f"{LEVELS}/catch-all"):
        found = server.expect(200, "GET", path)
        server.expect(200, "PUT", path, found)
        key = "matchingPrecedence" if "matchingPrecedence" in found["spec"] else "type"
        changed = {**found, "spec": {**found["spec"], key: 77 if key == "matchingPrecedence" else "Exempt"}}
        server.expect(422, "PUT", path, changed)


# Runtime classes.


def test_a_runtime_class_says_what_its_pods_cost_and_where_they_run(server: Server) -> None:
    toleration = {"key": "sandbox", "operator": "Exists", "effect": "NoSchedule"}
    body = {
        "metadata": {"name": "kata"},
        "handler": "kata-qemu",
        "overhead": {"podFixed": {"memory": "120Mi", "cpu": "0.25"}},
        "scheduling": {"nodeSelector": {"runtime": "kata"}, "tolerations": [toleration]},
    }
    server.expect(201, "POST", RUNTIME_CLASSES, body)
    spec = server.pod("web", runtimeClassName="kata", nodeSelector={"disk": "ssd"})["spec"]
    assert spec["overhead"] == {"memory": "120Mi", "cpu": "250m"}
    assert spec["nodeSelector"] == {"disk": "ssd", "runtime": "kata"}
    assert toleration in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "nobody"}, 'pod rejected: RuntimeClass "nobody" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "kata", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"runtimeClassName": "kata", "nodeSelector": {"runtime": "runc"}},
            "conflict: runtimeClass.scheduling.nodeSelector[runtime] = kata; pod.spec.nodeSelector[runtime] = runc",
        ),
    ],
)
def test_a_pod_that_does_not_fit_its_runtime_class_is_refused(server: Server, spec: Any, why: str) -> None:
    scheduling = {"nodeSelector": {"runtime": "kata"}}
    overhead = {"podFixed": {"cpu": "250m"}}
    body = {"metadata": {"name": "kata"}, "handler": "kata", "overhead": overhead, "scheduling": scheduling}
    server.expect(201, "POST", RUNTIME_CLASSES, body)
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [CONTAINER], **spec}}
    assert server.expect(403, "POST", PODS, pod)["message"] == f'pods "web" is forbidden: {why}'


def test_the_handler_of_a_runtime_class_stays(server: Server) -> None:
    made = server.expect(201, "POST", RUNTIME_CLASSES, {"metadata": {"name": "kata"}, "handler": "kata"})
    changed = {**made, "handler": "runc"}
    refused = server.expect(422, "PUT", f"{RUNTIME_CLASSES}/kata", changed)
    assert refused["details"]["causes"][0]["field"] == "handler"


# Signing requests.


def test_a_signing_request_names_who_asked_and_waits_for_approval(server: Server) -> None:
    made = server.expect(201, "POST", REQUESTS, signing_request(username="mallory", groups=["system:masters"]))
    assert (made["spec"]["username"], made["status"]) == ("admin", {})
    condition = {"type": "Approved", "status": "True", "reason": "Checked"}
    wanted = {**made, "spec": {"usages": []}, "status": {"conditions": [condition]}}
    approved = server.expect(200, "PUT", f"{REQUESTS}/jane/approval", wanted)
    assert approved["spec"] == made["spec"]
    assert approved["status"]["conditions"][0]["lastTransitionTime"] == "2026-03-02T09:00:00Z"
    denied = {**approved, "status": {"conditions": [{"type": "Denied", "status": "True"}]}}
    refused = server.expect(422, "PUT", f"{REQUESTS}/jane/approval", denied)
    assert "may not remove a condition of type" in refused["message"]
    row = server.expect(200, "GET", REQUESTS, accept=TABLE)["rows"][0]["cells"]
    assert row == ["jane", "0s", "example.com/serving", "admin", "<none>", "Approved"]


def test_a_signer_writes_a_certificate_and_no_decision(server: Server) -> None:
    made = server.expect(201, "POST", REQUESTS, signing_request())
    decision = {"type": "Approved", "status": "True"}
    status = {"certificate": "Y2VydA==", "conditions": [decision]}
    signed = server.expect(200, "PUT", f"{REQUESTS}/jane/status", {**made, "status": status})
    assert signed["status"] == {"certificate": "Y2VydA=="}


def test_only_who_may_approve_a_signer_approves(server: Server) -> None:
    server.expect(201, "POST", REQUESTS, signing_request())
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["*"], "verbs": ["get", "patch"]}]
    server.client.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "csr"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "csr"}
    binding = {"metadata": {"name": "csr"}, "roleRef": role, "subjects": [{"kind": "User", "name": "jane"}]}
    server.client.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    body = b'{"status":{"conditions":[{"type":"Approved","status":"True"}]}}'
    headers = {"content-type": "application/merge-patch+json"}
    jane = User("jane", ("system:authenticated",))
    answer = server.rest.handle(Request.to("PATCH", f"{REQUESTS}/jane/approval", body, headers, jane))
    assert answer.status == 403  # type: ignore[union-attr]
    why = 'user not permitted to approve requests with signerName "example.com/serving"'
    assert answer.json()["message"].endswith(why)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"request": "bm90aGluZw=="}, "spec.request"),
        ({"usages": []}, "spec.usages"),
        ({"usages": ["fun"]}, "spec.usages[0]"),
        ({"signerName": "serving"}, "spec.signerName"),
        ({"expirationSeconds": 5}, "spec.expirationSeconds"),
    ],
)
def test_a_wrong_signing_request_is_refused(server: Server, spec: Any, field: str) -> None:
    refused = server.expect(422, "POST", REQUESTS, signing_request(**spec))
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]


# Ephemeral containers.


def debugger(**more: Any) -> dict[str, Any]:
    return {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox:1.37", **more}]}}


def test_an_ephemeral_container_joins_and_then_stays_as_it_is(server: Server) -> None:
    server.pod("web", node="node-1")
    path, media = f"{PODS}/web/ephemeralcontainers", "application/strategic-merge-patch+json"
    body = debugger(targetContainerName="c")
    joined = server.expect(200, "PATCH", path, body, media=media)
    [found] = joined["spec"]["ephemeralContainers"]
    assert (found["name"], found["terminationMessagePolicy"]) == ("debug", "File")
    assert server.expect(200, "GET", path)["metadata"] == joined["metadata"]
    changed = server.ask("PATCH", path, debugger(image="alpine:3"), media=media)
    assert (changed.status, "may not be changed" in changed.json()["message"]) == (422, True)
    bare = {**joined, "spec": {**joined["spec"], "ephemeralContainers": []}}
    removed = server.ask("PUT", path, bare)
    assert (removed.status, "may not be removed" in removed.json()["message"]) == (422, True)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"ports": [{"containerPort": 80, "protocol": "TCP"}]}, "spec.ephemeralContainers[0].ports"),
        ({"resources": {"limits": {"cpu": "1"}}}, "spec.ephemeralContainers[0].resources"),
        ({"targetContainerName": "nobody"}, "spec.ephemeralContainers[0].targetContainerName"),
        ({"name": "c"}, "spec.ephemeralContainers[0].name"),
    ],
)
def test_a_wrong_ephemeral_container_is_refused(server: Server, more: Any, field: str) -> None:
    server.pod("web", node="node-1")
    path, media = f"{PODS}/web/ephemeralcontainers", "application/merge-patch+json"
    refused = server.expect(422, "PATCH", path, debugger(**more), media=media)
    assert [cause["field"] for cause in refused["details"]["causes"]] == [field]
