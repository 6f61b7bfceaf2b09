"""`errors/`: one request and the whole answer, asked in the namespaces that the recordings were made in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from golden.comparison import Case, Field, fields
from golden.namespace import Kubelets, NoMetrics
from golden.stage import new_server, read, recordings, send, stem
from golden.standing import comparable

from labs.api.client import Client
from labs.api.rest.handler import RestApi
from labs.api.store import HISTORY_EVENTS
from labs.api.users import ADMIN, ANONYMOUS, AUTHENTICATED, User
from labs.controlplane.hpa.controller import HpaController
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.controlplane.workloads import MANAGER, start_workload_controllers
from labs.units import SECOND_NS

FOLDER = "errors"
CORE = "/api/v1/namespaces"
SETTLE_NS = 5 * SECOND_NS
STUDENT = User("student", ("students", AUTHENTICATED))
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}
QUOTAS = {"gquota": {"requests.cpu": "500m", "count/configmaps": "2"}}
"""Of each namespace that has one."""
VERSIONS = (
    (re.compile(r"too old resource version: (\d+) \(\d+\)"), r"too old resource version: \1 (N)"),
    (re.compile(r"current: \d+"), "current: N"),
)


def cases(root: Path) -> Iterator[Case]:
    """One for each request."""
    for path in recordings(root / FOLDER):
        yield Case(FOLDER, stem(path), (path,), lambda path=path: compare(read(path)))


def compare(recorded: dict[str, Any]) -> Iterator[Field]:
    """The code and the body."""
    server = server_for(recorded)
    recorded = with_our_pod(server, recorded)
    request = prepared(server, recorded)
    method, path, body = request["method"], request["path"], request.get("body")
    answer = send(server, method, path, body, user_of(recorded), request.get("contentType") or "")
    yield Field("http", answer.status, recorded["http"])
    expected = recorded["response"]
    if isinstance(expected, str):
        yield from compare_text(answer.body.decode(), expected)
    else:
        yield from fields(normalised(json.loads(answer.body.splitlines()[0])), normalised(expected), "response")


def compare_text(ours: str, theirs: str) -> Iterator[Field]:
    """A plain text, or the frames of a watch: those that were there at once, cut where the recording was."""
    if not theirs.startswith("{"):
        yield Field("response", ours, theirs)
        return
    found = [json.loads(line) for line in ours.splitlines()]
    for index, line in enumerate(theirs.splitlines()):
        try:
            frame = json.loads(line)
        except json.JSONDecodeError:
            break
        yield from fields(normalised(found[index] if index < len(found) else {}), normalised(frame), f"frames[{index}]")


def normalised(answer: dict[str, Any]) -> Any:
    """Without chance. Of lists only the form: what they hold is the recording's own."""
    if "items" in answer:
        metadata = {key: type(value).__name__ for key, value in answer["metadata"].items()}
        return {**answer, "metadata": metadata, "items": f"{min(len(answer['items']), 1)} or more"}
    if "object" in answer:
        return {**answer, "object": normalised(answer["object"])}
    if "data" in answer:
        answer = {**answer, "data": dict.fromkeys(answer["data"], "...")}
    text = json.dumps(comparable(answer) if "spec" in answer else comparable({"metadata": {}, **answer}))
    for pattern, other in VERSIONS:
        text = pattern.sub(other, text)
    return json.loads(text)


def user_of(recorded: dict[str, Any]) -> User:
    """Who asked: recordings without a token field are the administrator's."""
    token = recorded["request"].get("token", "admin-token")
    return {None: ANONYMOUS, "admin-token": ADMIN, "student-token": STUDENT}[token]


def server_for(recorded: dict[str, Any]) -> RestApi:
    """A server of one's own for a request that changes something, or needs an old store."""
    name, method = stem_of(recorded), recorded["request"]["method"]
    is_refused = recorded["http"] >= 400 and "410" not in name
    is_read = method == "GET" and not name.startswith(("watch", "get-hpa")) and "410" not in name
    return shared_server() if is_refused or is_read else staged(with_ghost=name.startswith("get-hpa"))


def stem_of(recorded: dict[str, Any]) -> str:
    return str(recorded["name"])


@cache
def shared_server() -> RestApi:
    """For requests that change nothing."""
    return staged()


def post(server: RestApi, path: str, body: dict[str, Any]) -> None:
    answer = send(server, "POST", path, body)
    assert answer.status == 201, answer.body


def staged(*, with_ghost: bool = False) -> RestApi:
    """A cluster with what the recordings' namespaces held, a few seconds after."""
    server = new_server()
    Kubelets(server)
    start_workload_controllers(server.api)
    Scheduler(Client(server.api, NAME, "kube-scheduler"), server.api.streams).start()
    metrics = NoMetrics()
    client = Client(server.api, "horizontal-pod-autoscaler", MANAGER)
    HpaController(client, MetricReaders(metrics, metrics)).start()
    for name in ("gerr", "gterm", *QUOTAS):
        post(server, "/api/v1/namespaces", {"metadata": {"name": name}})
    run(server)
    post_objects(server)
    let_students_write_roles(server)
    for name, hard in QUOTAS.items():
        post(server, f"{CORE}/{name}/configmaps", {"metadata": {"name": "one"}})
        post(server, f"{CORE}/{name}/resourcequotas", {"metadata": {"name": "rq"}, "spec": {"hard": hard}})
    if with_ghost:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ghost"}
        autoscaler = {"scaleTargetRef": reference, "maxReplicas": 5}
        hpas = "/apis/autoscaling/v2/namespaces/gerr/horizontalpodautoscalers"
        post(server, hpas, {"metadata": {"name": "ghost"}, "spec": autoscaler})
    run(server)
    server.api.delete("namespaces", "", "gterm")
    return server


def run(server: RestApi) -> None:
    server.api.loop.run_until(server.api.loop.now_ns + SETTLE_NS)


def post_objects(server: RestApi) -> None:
    """The objects of `gerr` that requests name."""
    core, apps = f"{CORE}/gerr", "/apis/apps/v1/namespaces/gerr"
    selector = {"matchLabels": {"app": "web"}}
    deployment = {"replicas": 3, "selector": selector, "template": TEMPLATE}
    post(server, f"{apps}/deployments", {"metadata": {"name": "web"}, "spec": deployment})
    post(server, f"{core}/configmaps", {"metadata": {"name": "cm"}, "data": {"a": "1"}})
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm3"}, "data": {"k": "1"}}
    media = "application/apply-patch+yaml"
    assert send(server, "PATCH", f"{core}/configmaps/cm3?fieldManager=one", applied, media=media).status == 201
    post(server, f"{core}/configmaps", {"metadata": {"name": "imm"}, "data": {"a": "1"}, "immutable": True})
    service = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    post(server, f"{core}/services", {"metadata": {"name": "svc"}, "spec": service})
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}
    post(server, "/apis/batch/v1/namespaces/gerr/jobs", {"metadata": {"name": "j"}, "spec": job})
    budget = {"minAvailable": 3, "selector": selector}
    post(server, "/apis/policy/v1/namespaces/gerr/poddisruptionbudgets", {"metadata": {"name": "web"}, "spec": budget})


def let_students_write_roles(server: RestApi) -> None:
    rules = [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create"]}]
    base = "/apis/rbac.authorization.k8s.io/v1/namespaces/gerr"
    post(server, f"{base}/roles", {"metadata": {"name": "role-writer"}, "rules": rules})
    binding = {
        "metadata": {"name": "role-writer"},
        "roleRef": {"kind": "Role", "name": "role-writer", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "student"}],
    }
    post(server, f"{base}/rolebindings", binding)


def with_our_pod(server: RestApi, recorded: dict[str, Any]) -> dict[str, Any]:
    """The recording with a pod of this server in place of the one that it names."""
    named = re.search(r"/pods/(web-\w+-\w+)", recorded["request"]["path"])
    if named is None:
        return recorded
    pods = [item["metadata"]["name"] for item in server.api.store.list("pods", "gerr")]
    ours = next(name for name in pods if name.startswith("web-"))
    replaced: dict[str, Any] = json.loads(json.dumps(recorded).replace(named[1], ours))
    return replaced


def prepared(server: RestApi, recorded: dict[str, Any]) -> dict[str, Any]:
    """The request with this server's pods, uids and versions in place of the recorded ones; the store as old."""
    name, request = stem_of(recorded), recorded["request"]
    store = server.api.store
    if "410" in name and "watch" not in name:
        store.compact()
    if "watch" in name and "410" in name:
        resource = "events" if "events" in name else "pods"
        metadata = {"name": "noise", "namespace": "gerr"}
        for _ in range(HISTORY_EVENTS + 1):
            store.put(resource, {"metadata": dict(metadata), "spec": {}})
    body = request.get("body")
    if not isinstance(body, dict) or "uid" not in body.get("metadata", {}):
        return request
    found = re.search(r"/namespaces/gerr/([^/?]+)/([^/?]+)", request["path"])
    assert found is not None
    group = re.match(r"/apis/([^/]+)", request["path"])
    live = server.api.require(found[1] + (f".{group[1]}" if group else ""), "gerr", found[2])
    metadata = {**body["metadata"], "uid": live["metadata"]["uid"]}
    if metadata.get("resourceVersion") not in (None, "1"):
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
    return {**request, "body": {**body, "metadata": metadata}}
