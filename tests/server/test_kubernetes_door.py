"""The Kubernetes door under fair and foul use."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lab_server import LabServer

from labs.api.rest.message import Request
from labs.api.rest.watches import WatchStream
from labs.server.credentials import issue_access
from labs.server.kubernetes_http import MAX_BODY_BYTES
from labs.server.serve import Listeners, open_doors
from labs.units import HOUR_NS
from labs.world import World

PODS = "/api/v1/namespaces/default/pods"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@contextmanager
def raw_connection(server: LabServer) -> Iterator[ssl.SSLSocket]:
    """A TLS socket, for what no HTTP client would send."""
    address = urlsplit(server.ready["kubernetes"])
    context = ssl.create_default_context(cafile=server.kubeconfig["clusters"][0]["cluster"]["certificate-authority"])
    plain = socket.create_connection((address.hostname, address.port), timeout=20)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        yield connection


def head(server: LabServer, method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {server.token}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic YWRtaW46YWRtaW4=", "Bearer \u00e9"], ids=repr
)
def test_without_the_right_token_nothing_is_said(server: LabServer, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = server.send(server.ready["kubernetes"] + PODS, headers=headers)
    assert answer.status == 401
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


@pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "127.0.0.1.evil.example", "[::1]"])
def test_a_foreign_host_header_is_refused(server: LabServer, host: str) -> None:
    answer = server.api("GET", PODS, headers={"Host": host})
    assert answer.status == 421
    assert b"127.0.0.1" in answer.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:6443"])
def test_its_own_names_are_known(server: LabServer, host: str) -> None:
    assert server.api("GET", PODS, headers={"Host": host}).status == 200


def test_a_body_of_100_megabytes_is_refused_before_it_has_come(server: LabServer) -> None:
    with raw_connection(server) as connection:
        connection.sendall(head(server, "POST", CONFIGMAPS, "Content-Length: 104857600"))
        connection.sendall(b" " * (MAX_BODY_BYTES + 1_000_000))
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    status = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (status["reason"], status["message"]) == (
        "RequestEntityTooLarge",
        "Request entity too large: limit is 3145728",
    )
    assert server.api("GET", PODS).status == 200


@pytest.mark.parametrize("body", [b"{", b"nonsense", b"[" * 100_000, b"\xff\xfe", b"null", b'"text"', b""])
def test_a_malformed_body_is_a_bad_request(server: LabServer, body: bytes) -> None:
    answer = server.api("POST", CONFIGMAPS, body)
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")


def test_malformed_protobuf_is_a_bad_request(server: LabServer) -> None:
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    for body in (b"", b"k8s\x00", b"k8s\x00\xff\xff\xff\xff", b"k8s\x00\x0a\x7f", bytes(range(256))):
        answer = server.api("POST", CONFIGMAPS, body, headers)
        assert answer.status in (400, 415), body


def test_a_path_of_10000_characters_is_refused(server: LabServer) -> None:
    assert server.api("GET", f"{PODS}/{'a' * 10_000}").status == 414
    assert server.api("GET", f"{PODS}/{'a' * 100_000}").status in (400, 414)


def test_a_long_selector_is_no_abuse(server: LabServer) -> None:
    names = ",".join(f"name-{number}" for number in range(1_000))
    assert server.api("GET", f"{PODS}?labelSelector=app+in+({names})").status == 200


def test_an_encoded_slash_stays_in_its_name(server: LabServer) -> None:
    answer = server.api("GET", f"{PODS}/a%2Fb")
    assert (answer.status, answer.json()["message"]) == (404, 'pods "a/b" not found')


def test_impersonation_reaches_the_api(server: LabServer) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = {"Impersonate-User": "student", "Impersonate-Group": "class"}
    answer = server.api("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, headers)
    assert answer.json()["status"]["userInfo"] == {"username": "student", "groups": ["class", "system:authenticated"]}


def test_a_client_killed_in_the_middle_of_a_write_leaves_nothing(server: LabServer) -> None:
    body = json.dumps({"metadata": {"name": "half"}, "data": {"key": "v" * 100_000}}).encode()
    before = server.api("GET", CONFIGMAPS).json()["metadata"]["resourceVersion"]
    for share in (0.0, 0.5, 0.999):
        with raw_connection(server) as connection:
            length = f"Content-Length: {len(body)}"
            connection.sendall(head(server, "POST", CONFIGMAPS, "Content-Type: application/json", length))
            connection.sendall(body[: int(len(body) * share)])
    assert server.api("GET", f"{CONFIGMAPS}/half").status == 404
    assert server.api("GET", CONFIGMAPS).json()["metadata"]["resourceVersion"] == before
    assert server.api("POST", CONFIGMAPS, body).status == 201


def test_plain_http_on_the_tls_port_does_not_harm(server: LabServer) -> None:
    address = urlsplit(server.ready["kubernetes"])
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"200 OK" not in connection.recv(1_000)
    assert server.api("GET", PODS).status == 200


def test_only_this_machine_can_connect(server: LabServer) -> None:
    for url in (server.ready["kubernetes"], server.ready["aws"]):
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.2", urlsplit(url).port or 0), timeout=5)


def watch_head(token: str) -> bytes:
    lines = [f"GET {PODS}?watch=true HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    return "\r\n".join([*lines, "", ""]).encode()


def test_watches_that_are_dropped_are_given_back(tmp_path: Path) -> None:
    """Over sockets, against doors in this process, so that what is left can be counted."""

    async def use(world: World) -> tuple[int, int]:
        listeners = Listeners.open()
        access = issue_access(tmp_path, listeners.kubernetes_url)
        async with open_doors(world, access, listeners, speed=30) as (ready, _):
            address = urlsplit(ready["kubernetes"])
            context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
            writers = []
            for _ in range(200):
                reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=context)
                writer.write(watch_head(access.kubernetes_token))
                await reader.readuntil(b"\r\n\r\n")
                writers.append(writer)
            opened = world.rest.watches.open_count
            for writer in writers:
                writer.transport.abort()
            for _ in range(1_000):
                await asyncio.sleep(0)
                if world.rest.watches.open_count == 0:
                    break
            return opened, world.rest.watches.open_count

    assert asyncio.run(use(World(7))) == (200, 0)


def test_ten_thousand_watches_leave_nothing_behind() -> None:
    world = World(7)
    from_path = [f"{PODS}?watch=true", "/api/v1/nodes?watch=true&allowWatchBookmarks=true", "/api/v1/events?watch=true"]
    timers_before = len(world.loop._heap)

    for number in range(10_000):
        stream = world.rest.handle(Request.to("GET", from_path[number % 3]))
        assert isinstance(stream, WatchStream)
        stream.pull()
        stream.close()
    assert world.rest.watches.open_count == 0
    # Cancelled timers hold nothing, and go when their time comes.
    world.run_until(world.now_ns + HOUR_NS)
    assert len(world.loop._heap) < 2 * timers_before


def test_an_eviction_waits_for_its_budget_and_not_for_the_client(server: LabServer) -> None:
    """A budget that nobody has counted yet is refused with Retry-After, on a clock that stands."""
    metadata = {"name": "evicted", "labels": {"app": "evicted"}}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    assert server.api("POST", PODS, pod).status == 201
    server.advance("30s")
    budget: dict[str, Any] = {"metadata": {"name": "evicted"}, "spec": {"minAvailable": 0}}
    budget["spec"]["selector"] = {"matchLabels": {"app": "evicted"}}
    made = server.api("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    assert made.status == 201
    before = server.now()
    answer = server.api("POST", f"{PODS}/evicted/eviction", {"metadata": {"name": "evicted"}})
    assert answer.status == 201, answer.body
    assert before < server.now() < before[:17] + "59"


def test_the_first_pod_of_a_new_namespace_waits_for_its_account(server: LabServer) -> None:
    pod: dict[str, Any] = {"metadata": {"name": "first"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    assert server.api("POST", "/api/v1/namespaces", {"metadata": {"name": "fresh"}}).status == 201
    assert server.api("POST", "/api/v1/namespaces/fresh/pods", pod).status == 201
    pod["spec"]["serviceAccountName"] = "nobody"
    before = server.now()
    refused = server.api("POST", "/api/v1/namespaces/fresh/pods", {**pod, "metadata": {"name": "second"}})
    assert (refused.status, server.now()) == (403, before)
    log = server.send(server.ready["control"] + "/requests?last=3").json()["requests"]
    assert [(row["resource"], row["code"]) for row in log] == [("namespaces", 201), ("pods", 201), ("pods", 403)]
