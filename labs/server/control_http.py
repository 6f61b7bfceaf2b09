"""The clock's door: GET tells the time, POST ``{"advance": "90s"}`` moves it. The path holds the token."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from labs.errors import UsageError
from labs.server.pacing import Clocked, Pacer
from labs.units import SECOND_NS, parse_duration, rfc3339_micro

SLICE_NS = 5 * SECOND_NS
"""Virtual time between two looks at other clients while the clock is moved on."""


class ControlDoor:
    """Handlers over a world's clock. One request moves it at a time; others wait their turn."""

    def __init__(self, world: Clocked, pacer: Pacer) -> None:
        self._world = world
        self._pacer = pacer
        self._moving = asyncio.Lock()

    async def get(self, request: web.Request) -> web.Response:
        """The time."""
        return self._now()

    async def post(self, request: web.Request) -> web.Response:
        """Move the clock on, then tell the time."""
        # Whoever moves the clock does not wait for it to move by itself.
        self._pacer.requested("advance")
        try:
            body = json.loads(await request.read())
            length_ns = parse_duration(body["advance"])
        except (ValueError, KeyError, TypeError):
            sentence = 'Send a JSON object with the length of time to advance, for example {"advance": "90s"}.'
            return web.json_response({"error": sentence}, status=400)
        except UsageError as error:
            return web.json_response({"error": str(error)}, status=400)
        async with self._moving:
            end_ns = self._world.now_ns + length_ns
            while self._world.now_ns < end_ns:
                self._world.run_until(min(self._world.now_ns + SLICE_NS, end_ns))
                await asyncio.sleep(0)
        return self._now()

    def _now(self) -> web.Response:
        return web.json_response({"now": rfc3339_micro(self._world.now_ns)})
