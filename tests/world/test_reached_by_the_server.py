"""What the server reaches in a running cluster: pods and kubelets by proxy, containers that join a pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labs.api.rest.connects import Conversation
from labs.api.rest.message import Request, Response
from labs.api.rest.proxies import Deferred
from labs.units import SECOND_NS
from labs.world import World

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
WEB = {"name": "main", "image": "nginx:1.29", "ports": [{"containerPort": 80}]}


def ask(world: World, method: str, target: str, body: Any = None, media: str = "application/json") -> Response:
    """The answer; one that comes later is waited for."""
    raw = b"" if body is None else json.dumps(body).encode()
    answer = world.rest.handle(Request.to(method, target, raw, {"content-type": media}))
    if isinstance(answer, Deferred):
        deferred = answer
        world.run_until(world.now_ns + 40 * SECOND_NS, lambda: deferred.response is not None)
        assert deferred.response is not None
        return deferred.response
    assert isinstance(answer, Response)
    return answer


def run_pod(world: World, name: str, **spec: Any) -> dict[str, Any]:
    body = {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [WEB], **spec}}
    assert ask(world, "POST", PODS, body).status == 201
    world.run_until(world.now_ns + 20 * SECOND_NS)
    found: dict[str, Any] = ask(world, "GET", f"{PODS}/{name}").json()
    return found


@pytest.fixture(scope="module")
def world() -> World:
    world = World(3)
    run_pod(world, "web")
    ports = [{"name": "http", "port": 8000, "targetPort": 80}, {"name": "none", "port": 8001, "targetPort": 81}]
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}}
    assert ask(world, "POST", SERVICES, service).status == 201
    empty = {"metadata": {"name": "empty"}, "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}}
    assert ask(world, "POST", SERVICES, empty).status == 201
    world.run_until(world.now_ns + 5 * SECOND_NS)
    return world


@pytest.mark.parametrize(
    "path",
    [
        f"{PODS}/web/proxy/",
        f"{PODS}/http:web:80/proxy/a/b",
        f"{SERVICES}/web:http/proxy/",
        f"{SERVICES}/web:8000/proxy/",
    ],
)
def test_a_pod_answers_by_proxy(world: World, path: str) -> None:
    answer = ask(world, "GET", path)
    assert answer.status == 200
    assert b"Served by web" in answer.body


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{PODS}/web:81/proxy/", "error trying to reach service: dial tcp {ip}:81: connect: connection refused"),
        (f"{SERVICES}/web:none/proxy/", "error trying to reach service: dial tcp {ip}:81: connect: connection refused"),
        (f"{PODS}/web:99999/proxy/", "error trying to reach service: dial tcp: address 99999: invalid port"),
        (f"{SERVICES}/web:9/proxy/", 'no service port 9 found for service "web"'),
        (f"{SERVICES}/web:other/proxy/", 'no endpoints available for service "web"'),
        (f"{SERVICES}/empty/proxy/", 'no endpoints available for service "empty"'),
    ],
)
def test_what_nobody_answers_is_unavailable(world: World, path: str, message: str) -> None:
    ip = ask(world, "GET", f"{PODS}/web").json()["status"]["podIP"]
    answer = ask(world, "GET", path)
    assert (answer.status, answer.json()["message"]) == (503, message.format(ip=ip))


def test_a_proxy_without_a_path_leads_to_its_root(world: World) -> None:
    answer = ask(world, "GET", f"{PODS}/web/proxy")
    assert (answer.status, answer.headers["Location"]) == (301, f"{PODS}/web/proxy/")


def test_a_kubelet_tells_its_pods(world: World) -> None:
    node = ask(world, "GET", f"{PODS}/web").json()["spec"]["nodeName"]
    assert ask(world, "GET", f"/api/v1/nodes/{node}/proxy/healthz").body == b"ok"
    told = ask(world, "GET", f"/api/v1/nodes/{node}:10250/proxy/pods").json()["items"]
    stored = ask(world, "GET", f"/api/v1/pods?fieldSelector=spec.nodeName={node}").json()["items"]
    assert {item["metadata"]["uid"] for item in told} == {item["metadata"]["uid"] for item in stored}
    assert ask(world, "GET", f"/api/v1/nodes/{node}/proxy/nosuch").status == 404
    assert ask(world, "GET", "/api/v1/nodes/nosuch/proxy/healthz").status == 404


def test_a_container_joins_a_running_pod_and_ends_beside_it(world: World) -> None:
    before = run_pod(world, "debugged")
    debugger = {"name": "debug", "image": "busybox:1.36", "command": ["sh", "-c", "sleep 20; exit 3"]}
    path, media = f"{PODS}/debugged/ephemeralcontainers", "application/strategic-merge-patch+json"
    assert ask(world, "PATCH", path, {"spec": {"ephemeralContainers": [debugger]}}, media).status == 200
    world.run_until(world.now_ns + 10 * SECOND_NS)
    pod = ask(world, "GET", f"{PODS}/debugged").json()
    [status] = pod["status"]["ephemeralContainerStatuses"]
    assert ("running" in status["state"], status["ready"]) == (True, False)
    assert pod["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    said: list[bytes] = []
    talk = Conversation("exec", "default", "debugged", "debug", ("echo", "hello"))
    world.dataplane.attendant.start(talk, lambda channel, content: said.append(content), lambda end: None)
    assert b"".join(said) == b"hello\n"
    world.run_until(world.now_ns + 30 * SECOND_NS)
    pod = ask(world, "GET", f"{PODS}/debugged").json()
    [status] = pod["status"]["ephemeralContainerStatuses"]
    assert (status["state"]["terminated"]["exitCode"], status["restartCount"]) == (3, 0)
    assert pod["status"]["phase"] == "Running"
    assert ask(world, "DELETE", f"{PODS}/debugged").status == 200
    world.run_until(world.now_ns + 60 * SECOND_NS)
    assert ask(world, "GET", f"{PODS}/debugged").status == 404


def test_a_node_without_the_handler_of_a_runtime_class_makes_no_sandbox(world: World) -> None:
    for name, handler in (("plain", "runc"), ("gvisor", "runsc")):
        body = {"metadata": {"name": name}, "handler": handler}
        assert ask(world, "POST", "/apis/node.k8s.io/v1/runtimeclasses", body).status == 201
    assert run_pod(world, "plain", runtimeClassName="plain")["status"]["phase"] == "Running"
    assert run_pod(world, "boxed", runtimeClassName="gvisor")["status"]["phase"] == "Pending"
    events = ask(world, "GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=boxed").json()
    found = [item["message"] for item in events["items"] if item["reason"] == "FailedCreatePodSandBox"]
    assert found[0].endswith('no runtime for "runsc" is configured')
