"""The lab's own door: GET tells the time, POST ``{"advance": "90s"}`` moves it, GET ``/requests`` tells who asked what.

The path holds the token.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from labs.api.rest.request_log import RequestLog
from labs.errors import UsageError
from labs.server.pacing import Clocked, Pacer
from labs.units import DAY_NS, SECOND_NS, parse_duration, rfc3339_micro

ADVANCE_MAX_NS = 366 * DAY_NS

SLICE_NS = 5 * SECOND_NS
"""Virtual time between two looks at other clients while the clock is moved on."""


class ControlDoor:
    """Handlers over a world's clock and its log of requests. One request moves it at a time; others wait their turn."""

    def __init__(self, world: Clocked, log: RequestLog, pacer: Pacer) -> None:
        self._world = world
        self._log = log
        self._pacer = pacer
        self._moving = asyncio.Lock()

    async def get(self, request: web.Request) -> web.Response:
        """The time."""
        return self._now()

    async def requests(self, request: web.Request) -> web.Response:
        """The last requests to the Kubernetes API, oldest first; ``?last=`` says how many."""
        last = request.query.get("last", "")
        if last and not (last.isascii() and last.isdigit()):
            return web.json_response({"error": f"last must be a whole number, not {last!r}."}, status=400)
        return web.json_response({"requests": self._log.rows(int(last)) if last else self._log.rows()})

    async def post(self, request: web.Request) -> web.Response:
        """Move the clock on, then tell the time."""
        try:
            length_ns = _length_ns(await request.read())
        except UsageError as error:
            return web.json_response({"error": str(error)}, status=400)
        async with self._moving:
            # Whoever moves the clock does not wait for it to move by itself.
            with self._pacer.held():
                await self._advance(self._world.now_ns + length_ns)
        return self._now()

    async def _advance(self, end_ns: int) -> None:
        while self._world.now_ns < end_ns:
            self._world.run_until(min(self._world.now_ns + SLICE_NS, end_ns))
            await asyncio.sleep(0)

    def _now(self) -> web.Response:
        return web.json_response({"now": rfc3339_micro(self._world.now_ns)})


def _length_ns(body: bytes) -> int:
    try:
        length = json.loads(body)["advance"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(
            'Send a JSON object with the length of time to advance, for example {"advance": "90s"}.'
        ) from None
    length_ns = parse_duration(length)
    if length_ns > ADVANCE_MAX_NS:
        raise UsageError("The clock moves on by 366 days at most in one request.")
    return length_ns
