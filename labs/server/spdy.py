"""SPDY/3.1 frames, which kubectl's port-forward sends through its WebSocket.

Source: SPDY Protocol, draft 3.1 (2.2 framing, 2.6.10 name/value block and its dictionary); what moby/spdystream uses of
it: SYN_STREAM, SYN_REPLY, data, RST_STREAM, PING, GOAWAY. There is no flow control between these two.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 0x01
_VERSION = 3
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_MORE_WORDS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_CODES = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
)
_REST = (
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,"
    "image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(
    [
        *(struct.pack(">I", len(word)) + word.encode() for word in (*_WORDS.split(), *_MORE_WORDS)),
        (_CODES + _REST).encode(),
    ]
)
"""What headers are compressed with; its Adler-32 is in every block."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that came in: ``kind`` is "open", "data", "reset", "ping" or "away"."""

    kind: str
    stream: int
    headers: Mapping[str, str]
    content: bytes
    is_last: bool


class SpdyFrames:
    """Takes bytes to pieces and puts frames together; the compression goes on from frame to frame."""

    def __init__(self) -> None:
        self._buffer = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def take(self, content: bytes) -> list[Frame]:
        """The whole frames that have come. Raises ValueError for what is no SPDY."""
        self._buffer += content
        frames: list[Frame] = []
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[5:8], "big")
            if len(self._buffer) < 8 + length:
                break
            head, payload = self._buffer[:8], self._buffer[8 : 8 + length]
            self._buffer = self._buffer[8 + length :]
            frame = self._frame(head, payload)
            if frame is not None:
                frames.append(frame)
        return frames

    def _frame(self, head: bytes, payload: bytes) -> Frame | None:
        is_last = bool(head[4] & FIN)
        first = int.from_bytes(head[:4], "big")
        if not first >> 31:
            return Frame("data", first, {}, payload, is_last)
        kind = first & 0xFFFF
        if (first >> 16) & 0x7FFF != _VERSION:
            raise ValueError("not a frame of SPDY/3")
        number = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        if kind == SYN_STREAM:
            return Frame("open", number, self._headers(payload[10:]), b"", is_last)
        name = {RST_STREAM: "reset", PING: "ping", GOAWAY: "away"}.get(kind)
        return Frame(name, number, {}, payload, is_last) if name is not None else None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
        except zlib.error as error:
            raise ValueError("headers that cannot be decompressed") from error
        found: dict[str, str] = {}
        position = 4
        for _ in range(int.from_bytes(plain[:4], "big")):
            texts = []
            for _ in range(2):
                size = int.from_bytes(plain[position : position + 4], "big")
                texts.append(plain[position + 4 : position + 4 + size].decode(errors="replace"))
                position += 4 + size
            found[texts[0].lower()] = texts[1]
        return found

    def reply(self, stream: int) -> bytes:
        """A stream is taken."""
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_REPLY, struct.pack(">I", stream) + block)

    def pong(self, content: bytes) -> bytes:
        """The answer to a ping."""
        return _control(PING, content)

    def data(self, stream: int, content: bytes, is_last: bool = False) -> bytes:
        """Content for a stream; the last one ends it."""
        return struct.pack(">IB", stream, FIN if is_last else 0) + len(content).to_bytes(3, "big") + content


def _control(kind: int, payload: bytes) -> bytes:
    return struct.pack(">HHB", 0x8000 | _VERSION, kind, 0) + len(payload).to_bytes(3, "big") + payload
