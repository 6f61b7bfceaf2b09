"""What no fair client sends: each gets a clear refusal, and the server goes on."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from lab_server import LabServer

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
MEGABYTE = 1_000_000
WATCHES = 500
"""Over TLS, which is slow to open; ``test_kubernetes_door`` opens ten thousand beside the sockets."""
AT_ONCE = 25
MANY_HEADERS = 1_000
"""Their bytes fit one TLS record, so that the client has sent all before the answer comes."""


def connect(server: LabServer, door: str = "kubernetes") -> socket.socket:
    """A socket to a door, with TLS where the door has it."""
    address = urlsplit(server.ready[door])
    plain = socket.create_connection((address.hostname, address.port), timeout=20)
    if door == "aws":
        return plain
    context = ssl.create_default_context(cafile=server.kubeconfig["clusters"][0]["cluster"]["certificate-authority"])
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def head(server: LabServer, line: str, *headers: str) -> bytes:
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {server.token}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def send_headers(connection: socket.socket, count: int) -> None:
    """A kilobyte each, one by one."""
    for number in range(count):
        connection.sendall(f"X-Many-{number}: {'1' * 1_000}\r\n".encode())


def status_of(connection: socket.socket) -> int:
    answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1."), answer[:200]
    return int(answer.split(b" ", 2)[1])


@pytest.fixture(autouse=True)
def goes_on(server: LabServer) -> Iterator[None]:
    """After each abuse the server answers as before."""
    yield
    assert server.api("GET", CONFIGMAPS).status == 200


@pytest.mark.parametrize("door", ["kubernetes", "aws"])
def test_a_chunked_body_has_the_same_limit(server: LabServer, door: str) -> None:
    """Without a Content-Length nobody knows how long it will be: it is cut off at the limit."""
    path = CONFIGMAPS if door == "kubernetes" else "/"
    credential = f"Credential={server.ready['aws_access_key_id']}/20260302/us-east-1/monitoring/aws4_request"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with connect(server, door) as connection:
        line = head(server, f"POST {path}", "Transfer-Encoding: chunked")
        if door == "aws":
            line = line.replace(f"Bearer {server.token}".encode(), f"AWS4-HMAC-SHA256 {credential}".encode())
        connection.sendall(line)
        for _ in range(60):
            connection.sendall(chunk)
        assert status_of(connection) == 413


@pytest.mark.parametrize("door", ["kubernetes", "aws"])
def test_very_many_headers_are_refused(server: LabServer, door: str) -> None:
    with connect(server, door) as connection:
        connection.sendall(head(server, "GET /", *(f"X-Many-{number}: 1" for number in range(MANY_HEADERS))))
        assert status_of(connection) in (400, 431)


@pytest.mark.parametrize("door", ["kubernetes", "aws"])
def test_headers_without_end_are_cut_off(server: LabServer, door: str) -> None:
    """The door closes while the client still sends, so its writes may fail before all is out."""
    with connect(server, door) as connection:
        connection.sendall(head(server, "GET /")[:-2])
        with pytest.raises((ConnectionError, ssl.SSLError)):
            send_headers(connection, 1_000_000)


@pytest.mark.parametrize("path", ["/api/v1/namespaces/\xff\xfe/pods", "/api/v1/pods?labelSelector=%ff%fe", "/%c3%28"])
def test_invalid_utf8_in_a_path_is_an_answer(server: LabServer, path: str) -> None:
    with connect(server) as connection:
        connection.sendall(head(server, f"GET {path}"))
        assert status_of(connection) < 500


def test_invalid_utf8_in_a_body_is_refused(server: LabServer) -> None:
    answer = server.api("POST", CONFIGMAPS, b'{"metadata":{"name":"u"},"data":{"k":"\xff\xfe"}}')
    assert answer.status == 400


def test_a_slow_client_holds_nobody_up(server: LabServer) -> None:
    body = json.dumps({"metadata": {"name": "slow"}}).encode()
    with connect(server) as slow:
        slow.sendall(
            head(server, f"POST {CONFIGMAPS}", f"Content-Length: {len(body)}", "Content-Type: application/json")
        )
        slow.sendall(body[:5])
        assert server.api("GET", f"{CONFIGMAPS}/slow").status == 404
        slow.sendall(body[5:])
        assert status_of(slow) == 201


def test_a_watcher_that_reads_nothing_holds_nobody_up(server: LabServer) -> None:
    with connect(server) as deaf:
        deaf.sendall(head(server, f"GET {CONFIGMAPS}?watch=1"))
        for number in range(20):
            data = {"metadata": {"name": f"large-{number}"}, "data": {"k": "v" * 500_000}}
            assert server.api("POST", CONFIGMAPS, data).status == 201
            assert server.api("DELETE", f"{CONFIGMAPS}/large-{number}").status == 200


def test_dropped_watches_give_their_memory_back(tmp_path: Path) -> None:
    with LabServer(tmp_path) as server:
        process = psutil.Process(server.process.pid)
        request = head(server, f"GET {CONFIGMAPS}?watch=1&resourceVersion=1", "Connection: close")
        before_mb = 0.0
        began_s = time.monotonic()
        for turn in range(WATCHES // AT_ONCE):
            connections = [connect(server) for _ in range(AT_ONCE)]
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                connection.recv(1_000)
                connection.close()
            if turn == 4:
                before_mb = process.memory_info().rss / MEGABYTE
        assert server.api("GET", CONFIGMAPS).status == 200
        assert process.memory_info().rss / MEGABYTE < before_mb + 40
        assert time.monotonic() - began_s < 60
        assert server.end()[0] == 0
