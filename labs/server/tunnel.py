"""kubectl's port-forward: SPDY streams in one WebSocket, two for each connection, one for data and one for errors.

Source: kubernetes staging/src/k8s.io/client-go/tools/portforward (tunneling_dialer.go, portforward.go),
kubelet pkg/cri/streaming/portforward/httpstream.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.api.rest.connects import Channel, Upgrade
from labs.server.spdy import Frame, SpdyFrames

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
_CHUNK_BYTES = 64 * 1024


class Tunnel:
    """``send`` takes bytes for the client; ``channels`` are the connections that are open now."""

    def __init__(self, upgrade: Upgrade, send: Callable[[bytes], None]) -> None:
        self._upgrade = upgrade
        self._send = send
        self._frames = SpdyFrames()
        self._errors: dict[str, int] = {}
        """Error streams by request id, until their data stream comes."""
        self._ends: dict[int, int] = {}
        """The error stream of each data stream; 0 once it was told of an end."""
        self.channels: dict[int, Channel] = {}

    def feed(self, content: bytes) -> None:
        """Bytes of the client. Raises ValueError for what is no SPDY."""
        for frame in self._frames.take(content):
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.kind == "ping":
            self._send(self._frames.pong(frame.content))
        elif frame.kind == "open":
            self._send(self._frames.reply(frame.stream))
            request = frame.headers.get("requestid", "")
            if frame.headers.get("streamtype") == "error":
                self._errors[request] = frame.stream
            else:
                self._connect(frame.stream, self._errors.pop(request, 0), int(frame.headers.get("port") or 0))
        elif frame.stream in self.channels:
            if frame.content and frame.kind == "data":
                self.channels[frame.stream].feed(frame.content)
            if frame.is_last or frame.kind == "reset":
                self._close(frame.stream)

    def _connect(self, data: int, error: int, port: int) -> None:
        def output(_: int, content: bytes) -> None:
            for start in range(0, len(content), _CHUNK_BYTES):
                self._send(self._frames.data(data, content[start : start + _CHUNK_BYTES]))

        def ended(status: dict[str, Any]) -> None:
            self._send(self._frames.data(error, status["message"].encode(), is_last=True))
            self._send(self._frames.data(data, b"", is_last=True))
            self._ends[data] = 0
            self.channels.pop(data, None)

        self._ends[data] = error
        channel = self._upgrade.attendant.forward(self._upgrade.conversation, port, output, ended)
        if self._ends[data]:
            self.channels[data] = channel

    def _close(self, data: int) -> None:
        """The client has closed its connection: so does the pod."""
        channel = self.channels.pop(data)
        channel.close()
        for stream in (data, self._ends.pop(data)):
            self._send(self._frames.data(stream, b"", is_last=True))
