"""kubectl's port-forward tunnel: SPDY frames, and the streams of its connections."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from labs.api.rest.connects import Channel, Conversation, Ended, Output, Upgrade
from labs.server.spdy import DICTIONARY, FIN, SYN_REPLY, SYN_STREAM, SpdyFrames
from labs.server.tunnel import Tunnel


class Client:
    """The other end: opens streams as client-go does, and takes apart what comes."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, **headers: str) -> bytes:
        pairs = [text.encode() for pair in headers.items() for text in pair]
        plain = struct.pack(">I", len(headers)) + b"".join(struct.pack(">I", len(text)) + text for text in pairs)
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        payload = struct.pack(">IIH", stream, 0, 0) + block
        return struct.pack(">HHB", 0x8003, SYN_STREAM, 0) + len(payload).to_bytes(3, "big") + payload

    def data(self, stream: int, content: bytes, is_last: bool = False) -> bytes:
        return struct.pack(">IB", stream, FIN * is_last) + len(content).to_bytes(3, "big") + content


class Echo:
    """A connection that sends back what it gets."""

    is_waiting_for_input = True

    def __init__(self, output: Output) -> None:
        self._output = output
        self.is_closed = False

    def feed(self, content: bytes) -> None:
        self._output(1, content.upper())

    def end_input(self) -> None:
        """Nothing follows."""

    def close(self) -> None:
        self.is_closed = True


class Pods:
    """Port 80 echoes; any other is closed."""

    def __init__(self) -> None:
        self.opened: list[Echo] = []

    def start(self, conversation: Conversation, output: Output, ended: Ended) -> Channel:
        raise AssertionError("only connections are opened")

    def forward(self, conversation: Conversation, port: int, output: Output, ended: Ended) -> Channel:
        self.opened.append(Echo(output))
        if port != 80:
            ended({"status": "Failure", "message": f"port {port} is closed"})
        return self.opened[-1]


def data_frames(content: bytes) -> list[tuple[int, bytes, bool]]:
    """Stream, content and whether it is the last, of each data frame."""
    found = []
    while content:
        size = int.from_bytes(content[5:8], "big")
        if not content[0] & 0x80:
            found.append((int.from_bytes(content[:4], "big"), content[8 : 8 + size], bool(content[4] & FIN)))
        content = content[8 + size :]
    return found


@pytest.fixture
def pods() -> Pods:
    return Pods()


@pytest.fixture
def tunnel(pods: Pods) -> tuple[Tunnel, list[bytes]]:
    sent: list[bytes] = []
    return Tunnel(Upgrade(Conversation("portforward", "default", "web"), pods), sent.append), sent


def open_connection(tunnel: Tunnel, client: Client, port: str) -> None:
    tunnel.feed(client.open(1, streamtype="error", port=port, requestid="0"))
    tunnel.feed(client.open(3, streamtype="data", port=port, requestid="0"))


def test_dictionary_is_the_one_of_the_protocol() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_connection_carries_bytes_both_ways_and_closes(tunnel: tuple[Tunnel, list[bytes]], pods: Pods) -> None:
    each, sent = tunnel
    client = Client()
    open_connection(each, client, "80")
    assert [int.from_bytes(frame[2:4], "big") for frame in sent] == [SYN_REPLY, SYN_REPLY]
    whole = client.data(3, b"hello")
    each.feed(whole[:6])
    assert len(sent) == 2, "a frame in pieces waits for its end"
    each.feed(whole[6:])
    assert data_frames(sent[-1]) == [(3, b"HELLO", False)]
    each.feed(client.data(3, b"", is_last=True))
    assert data_frames(b"".join(sent[-2:])) == [(3, b"", True), (1, b"", True)]
    assert pods.opened[0].is_closed
    assert not each.channels


def test_closed_port_is_told_on_the_error_stream(tunnel: tuple[Tunnel, list[bytes]]) -> None:
    each, sent = tunnel
    open_connection(each, Client(), "81")
    assert data_frames(b"".join(sent)) == [(1, b"port 81 is closed", True), (3, b"", True)]
    assert not each.channels


@pytest.mark.parametrize("make", [lambda: b"\x80\x02\x00\x01\x00\x00\x00\x04abcd", lambda: _wrong_block()])
def test_what_is_no_spdy_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"SPDY|decompressed"):
        SpdyFrames().take(make())


def _wrong_block() -> bytes:
    payload = struct.pack(">IIH", 1, 0, 0) + b"no zlib"
    return struct.pack(">HHB", 0x8003, SYN_STREAM, 0) + len(payload).to_bytes(3, "big") + payload
