"""exec, attach and port-forward over WebSockets.

Source: kubernetes/apimachinery pkg/util/remotecommand/constants.go (v4, v5: the first byte of a message is its channel;
a v5 client closes a channel with 255), kubernetes/kubelet pkg/cri/streaming/portforward/websocket.go.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from labs.api.rest.connects import Channel, Upgrade
from labs.server import tunnel
from labs.server.pacing import Pacer

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", tunnel.PROTOCOL)
STDIN, ERROR, CLOSE = 0, 3, 255
MESSAGE_BYTES_MAX = 8 * 1024 * 1024


class Line:
    """What goes to one client, and whether the client waits for the clock."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._is_watched = False

    def send(self, channel: int, content: bytes) -> None:
        """Queue a message of a channel."""
        self.send_raw(bytes([channel]) + content)

    def send_raw(self, content: bytes) -> None:
        """Queue a message as it is."""
        self._frames.put_nowait(content)
        self._pacer.watch_spoke(self)

    def end(self) -> None:
        """Nothing follows."""
        self._frames.put_nowait(None)
        self._pacer.watch_spoke(self)

    def pace(self, is_waiting_for_clock: bool) -> None:
        """Let the clock run while the client waits for the pod, and not while the pod waits for the client."""
        if is_waiting_for_clock and not self._is_watched:
            self._pacer.watch_opened(self)
        elif self._is_watched and not is_waiting_for_clock:
            self._pacer.watch_closed(self)
        self._is_watched = is_waiting_for_clock

    async def next(self) -> bytes | None:
        """The next message, or None at the end."""
        return await self._frames.get()


async def converse(request: web.Request, upgrade: Upgrade, pacer: Pacer) -> web.StreamResponse:
    """Hold one conversation to its end."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=MESSAGE_BYTES_MAX)
    await socket.prepare(request)
    line = Line(pacer)
    channels, feed = _begin(socket.ws_protocol, upgrade, line)
    writing = asyncio.create_task(_write(socket, line, channels))
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                feed(message.data)
            elif message.type is WSMsgType.TEXT:
                feed(message.data.encode())
            line.pace(_waits_for_clock(channels))
    except ValueError:
        # The client sent what this protocol does not have; the conversation is over.
        await socket.close(code=WSCloseCode.PROTOCOL_ERROR)
    finally:
        line.pace(False)
        for channel in list(channels.values()):
            channel.close()
        writing.cancel()
    return socket


def _begin(protocol: str | None, upgrade: Upgrade, line: Line) -> tuple[dict[int, Channel], Callable[[bytes], None]]:
    """The channels of a conversation, and what takes the client's messages."""
    if protocol == tunnel.PROTOCOL:
        tunnelled = tunnel.Tunnel(upgrade, line.send_raw)
        return tunnelled.channels, tunnelled.feed
    is_forwarding = upgrade.conversation.kind == "portforward"
    channels = _forward(upgrade, line) if is_forwarding else {STDIN: _start(upgrade, line)}
    return channels, lambda content: _take(channels, content)


def _start(upgrade: Upgrade, line: Line) -> Channel:
    def ended(status: dict[str, Any]) -> None:
        line.send(ERROR, json.dumps(status).encode())
        line.end()

    return upgrade.attendant.start(upgrade.conversation, line.send, ended)


def _forward(upgrade: Upgrade, line: Line) -> dict[int, Channel]:
    """Two channels for each port, data and error; each begins with the port's number."""
    channels: dict[int, Channel] = {}
    for number, port in enumerate(upgrade.conversation.ports):
        data, error = 2 * number, 2 * number + 1
        for each in (data, error):
            line.send(each, port.to_bytes(2, "little"))

        def output(_: int, content: bytes, data: int = data) -> None:
            line.send(data, content)

        def ended(status: dict[str, Any], error: int = error) -> None:
            line.send(error, status["message"].encode())
            line.end()

        channels[data] = upgrade.attendant.forward(upgrade.conversation, port, output, ended)
    return channels


async def _write(socket: web.WebSocketResponse, line: Line, channels: dict[int, Channel]) -> None:
    line.pace(_waits_for_clock(channels))
    while True:
        frame = await line.next()
        if frame is None:
            line.pace(False)
            await socket.close()
            return
        await socket.send_bytes(frame)
        line.pace(_waits_for_clock(channels))


def _waits_for_clock(channels: dict[int, Channel]) -> bool:
    return any(not channel.is_waiting_for_input for channel in list(channels.values()))


def _take(channels: dict[int, Channel], content: bytes) -> None:
    """One message of the channel protocol."""
    is_end = content[:1] == bytes([CLOSE])
    channel = channels.get(content[1] if is_end and len(content) > 1 else content[0]) if content else None
    if channel is None:
        return
    if is_end:
        channel.end_input()
    else:
        channel.feed(content[1:])
