"""One forwarded connection: HTTP requests that a person's own machine sends to a pod's port.

The request goes to the pod from inside its network namespace, costs what any request costs, and is in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from labs.api.rest.connects import Ended
from labs.dataplane.kubelet.pod_worker import PodWorker
from labs.dataplane.process import Place
from labs.dataplane.shell.waits import Reply

_LENGTH = re.compile(rb"\r\ncontent-length:\s*([0-9]+)", re.IGNORECASE)


def take_request(buffer: bytes) -> tuple[str, str, bytes] | None:
    """Method and path of the first whole HTTP request, and what follows it; None while it is not all there."""
    head, found, rest = buffer.partition(b"\r\n\r\n")
    if not found:
        return None
    match = _LENGTH.search(head)
    length = int(match.group(1)) if match else 0
    if len(rest) < length:
        return None
    words = head.split(b"\r\n", 1)[0].decode(errors="replace").split(" ")
    return words[0], words[1] if len(words) > 1 else "/", rest[length:]


def response(reply: Reply, method: str) -> bytes:
    """The answer on the wire."""
    phrase = HTTPStatus(reply.status).phrase
    head = (
        f"HTTP/1.1 {reply.status} {phrase}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(reply.body)}\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else reply.body)


class ForwardedConnection:
    """Implements ``labs.api.rest.connects.Channel``."""

    def __init__(self, worker: PodWorker, port: int, send: Callable[[bytes], None], ended: Ended) -> None:
        self._worker = worker
        self._port = port
        self._send = send
        self._ended = ended
        self._buffer = b""
        self._abandon: Callable[[], None] | None = None
        self._is_over = False

    @property
    def is_waiting_for_input(self) -> bool:
        """Whether no request is under way."""
        return self._abandon is None

    def feed(self, content: bytes) -> None:
        """Bytes of a request."""
        self._buffer += content
        self._next()

    def end_input(self) -> None:
        """The client sends no more; an answer under way still comes."""

    def close(self) -> None:
        """The client is gone."""
        self._is_over = True
        if self._abandon is not None:
            self._abandon()
            self._abandon = None

    def _next(self) -> None:
        found = take_request(self._buffer) if self._abandon is None and not self._is_over else None
        if found is None:
            return
        method, path, self._buffer = found
        worker = self._worker
        metadata = worker.pod["metadata"]
        place = Place(worker.host.name, worker.host.zone, worker.pod_ip)

        def answered(reply: Reply) -> None:
            self._abandon = None
            if self._is_over:
                return
            if reply.error:
                self._fail(reply.error)
            else:
                self._send(response(reply, method))
                self._next()

        self._abandon = worker.host.outside.fetch(
            worker.uid,
            (metadata["namespace"], metadata["name"]),
            place,
            f"http://localhost:{self._port}{path}",
            None,
            answered,
        )

    def _fail(self, error: str) -> None:
        self._is_over = True
        why = "connect: connection refused" if error == "refused" else "read: connection reset by peer"
        sandbox = self._worker.uid.replace("-", "")
        text = (
            f"error forwarding port {self._port} to pod {sandbox}, uid : failed to execute portforward in network "
            f'namespace "/var/run/netns/cni-{self._worker.uid}": failed to connect to localhost:{self._port} inside '
            f'namespace "{sandbox}", IPv4: dial tcp4 127.0.0.1:{self._port}: {why}'
        )
        self._ended({"metadata": {}, "status": "Failure", "message": text})
