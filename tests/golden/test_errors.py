"""`errors/`: one request and the whole answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from golden.stage import add_namespace, folder, new_server, send, without_chance

from labs.api.rest.handler import RestApi
from labs.api.store import HISTORY_EVENTS
from labs.api.users import ADMIN, ANONYMOUS, AUTHENTICATED, User

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}
UNSERVED_RULES = ("ResourceQuota",)
"""Rules of which no object can be made here yet: their cases ask for what cannot be set up."""


def rule_of(case: dict[str, Any]) -> str:
    """The rule that refuses the request of a case, where it is one of an object that is not served."""
    message = str(case["response"].get("message", "")) if isinstance(case["response"], dict) else ""
    if "quota" in message:
        return "ResourceQuota"
    is_known = case["request"].get("token") not in (None, "admin-token")
    return "RBAC" if is_known and case["http"] == 403 else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    paths = sorted(folder(metafunc.config, "errors").glob("*.json"))
    cases = [(path.stem, json.loads(path.read_text())) for path in paths]
    chosen = [(stem, case) for stem, case in cases if rule_of(case) not in UNSERVED_RULES]
    metafunc.parametrize("case", [case for _, case in chosen], ids=[stem for stem, _ in chosen])


def post(server: RestApi, path: str, body: dict[str, Any]) -> None:
    answer = send(server, "POST", path, body)
    assert answer.status == 201, answer.body


def staged(path: str) -> RestApi:
    """A server with what the recordings' namespace held."""
    server = new_server()
    add_namespace(server, "gerr")
    add_namespace(server, "gterm")
    core, apps = "/api/v1/namespaces/gerr", "/apis/apps/v1/namespaces/gerr"
    selector = {"matchLabels": {"app": "web"}}
    deployment = {"replicas": 3, "selector": selector, "template": TEMPLATE}
    post(server, f"{apps}/deployments", {"metadata": {"name": "web"}, "spec": deployment})
    post(server, f"{core}/configmaps", {"metadata": {"name": "imm"}, "data": {"a": "1"}, "immutable": True})
    post(server, f"{core}/configmaps", {"metadata": {"name": "cm"}, "data": {"a": "1"}})
    service = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    post(server, f"{core}/services", {"metadata": {"name": "svc"}, "spec": service})
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}
    post(server, "/apis/batch/v1/namespaces/gerr/jobs", {"metadata": {"name": "j"}, "spec": job})
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ghost"}
    budget = {"minAvailable": 3, "selector": selector}
    post(server, "/apis/policy/v1/namespaces/gerr/poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": budget})
    if "horizontalpodautoscalers/ghost" in path:
        autoscaler = {"scaleTargetRef": reference, "maxReplicas": 5}
        hpas = "/apis/autoscaling/v2/namespaces/gerr/horizontalpodautoscalers"
        post(server, hpas, {"metadata": {"name": "ghost"}, "spec": autoscaler})
    _let_students_write_roles(server)
    server.api.delete("namespaces", "", "gterm")
    _run_pods(server, path)
    return server


def _let_students_write_roles(server: RestApi) -> None:
    rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/gerr"
    post(server, f"{base}/roles", {"metadata": {"name": "role-writer"}, "rules": rules})
    binding = {
        "metadata": {"name": "role-writer"},
        "roleRef": {"kind": "Role", "name": "role-writer", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "student"}],
    }
    post(server, f"{base}/rolebindings", binding)


def _run_pods(server: RestApi, path: str) -> None:
    """The pod that the request names, bound and ready, and a budget without room."""
    api = server.api
    found = re.search(r"/pods/(web-[^/?]+)", path)
    if found:
        name = found.group(1)
        post(server, "/api/v1/namespaces/gerr/pods", {**TEMPLATE, "metadata": {"name": name, "labels": {"app": "web"}}})
        bound = api.bind("gerr", name, "node-3")
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        api.update("pods", {**bound, "status": ready}, subresource="status")
    budget = api.require("poddisruptionbudgets.policy", "gerr", "web")
    counts = {"observedGeneration": 1, "desiredHealthy": 3, "currentHealthy": 3, "disruptionsAllowed": 0}
    api.update("poddisruptionbudgets.policy", {**budget, "status": counts}, subresource="status")


def prepare(server: RestApi, case: dict[str, Any]) -> dict[str, Any]:
    """What the note of a case says about the server's age, and this server's uid and version in the body."""
    store = server.api.store
    name = case["name"]
    if "410" in name and "watch" not in name:
        store.compact()
    if "watch" in name and "rv1" not in name and case["http"] == 200 and isinstance(case["response"], dict):
        resource = "events" if "events" in name else "pods"
        metadata = {"name": "noise", "namespace": "gerr"}
        for _ in range(HISTORY_EVENTS + 1):
            store.put(resource, {"metadata": dict(metadata), "spec": {}})
    body = case["request"].get("body")
    if not isinstance(body, dict) or "uid" not in body.get("metadata", {}):
        return case["request"]
    found = re.search(r"/namespaces/gerr/([^/?]+)/([^/?]+)", case["request"]["path"])
    assert found is not None
    group = re.match(r"/apis/([^/]+)", case["request"]["path"])
    live = server.api.require(found[1] + (f".{group[1]}" if group else ""), "gerr", found[2])
    metadata = {**body["metadata"], "uid": live["metadata"]["uid"]}
    if metadata.get("resourceVersion") != "1":
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
    return {**case["request"], "body": {**body, "metadata": metadata}}


STUDENT = User("student", ("students", AUTHENTICATED))


def user_of(case: dict[str, Any]) -> User:
    if case["name"].startswith("anonymous"):
        return ANONYMOUS
    return STUDENT if case["request"].get("token") == "student-token" else ADMIN


def normalised(value: Any) -> Any:
    """Without chance, and without the versions that a text names."""
    text = json.dumps(without_chance(value))
    return json.loads(re.sub(r"too old resource version: (\d+) \(\d+\)", r"too old resource version: \1", text))


def test_answer_is_what_a_real_server_answers(case: dict[str, Any]) -> None:
    server = staged(case["request"]["path"])
    request = prepare(server, case)
    answer = send(
        server, request["method"], request["path"], request.get("body"), user_of(case), request.get("contentType") or ""
    )
    expected = case["response"]
    assert answer.status == case["http"], answer.body
    if isinstance(expected, str):
        if case["http"] != 200:
            assert answer.body.decode() == expected
        return
    found = json.loads(answer.body.splitlines()[0])
    if expected.get("kind") == "Status" or expected.get("type") == "ERROR":
        assert normalised(found) == normalised(expected)
    else:
        assert found["kind"] == expected["kind"]
