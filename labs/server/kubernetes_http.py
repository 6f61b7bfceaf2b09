"""The Kubernetes door: authentication, then the pure API; watches and logs become chunked streams, exec a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import hdrs, web

from labs.api.rest.connects import Tail, Upgrade
from labs.api.rest.handler import Answer, RestApi
from labs.api.rest.message import Request, Response, refusal
from labs.api.rest.proxies import Deferred
from labs.api.rest.watches import WatchStream
from labs.api.users import ADMIN, ANONYMOUS, User
from labs.errors import ApiError
from labs.server.conversations import converse
from labs.server.pacing import Pacer
from labs.units import MILLISECOND_NS, SECOND_NS

MAX_BODY_BYTES = 3 * 1024 * 1024
"""As a real API server: 3 MiB."""

HOLD_STEP_NS = 10 * MILLISECOND_NS
"""How far the clock moves on before a request that is held back is tried again."""


class KubernetesDoor:
    """One handler for every path."""

    def __init__(self, api: RestApi, token: str, pacer: Pacer) -> None:
        self._api = api
        api.tokens.admit(token, ADMIN)
        self._pacer = pacer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        # Repeated headers (Impersonate-Group) are joined, as RFC 9110 lets a server do.
        headers = {name.lower(): _as_text(", ".join(request.headers.getall(name))) for name in request.headers}
        # The path as it came: the API takes it to pieces before it decodes them.
        path = request.rel_url.raw_path
        user = self._user(headers)
        if user is None:
            return _respond(self._api.refuse_unknown(Request(request.method, path, {}, headers, b"", ANONYMOUS)))
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            too_large = f"Request entity too large: limit is {MAX_BODY_BYTES}"
            return _respond(refusal(ApiError(413, "RequestEntityTooLarge", too_large)))
        query = {name: request.query.getall(name) for name in request.query}
        answer = self._patient_answer(Request(request.method, path, query, headers, body, user))
        if isinstance(answer, Upgrade):
            return await converse(request, answer, self._pacer)
        if isinstance(answer, Deferred):
            return _respond(await self._settled(answer))
        if not isinstance(answer, Response):
            return await self._stream(request, answer)
        if request.method != "GET" and answer.status < 300:
            self._pacer.acted()
        elif _is_resource(path):
            self._pacer.requested(request.method, request.path_qs)
        return _respond(answer)

    def _patient_answer(self, request: Request) -> Answer:
        """The answer; what is refused for a while only is held back for up to that while.

        A controller has to see a new budget before an eviction is decided, and make the ServiceAccount of a new
        namespace before its first pod; while the clock stands it does neither.
        """
        entry = self._api.note(request)
        answer = self._api.attempt(request, entry)
        held_ns = 0
        while isinstance(answer, Response) and held_ns < answer.patience_s * SECOND_NS:
            self._pacer.let_pass(HOLD_STEP_NS)
            held_ns += HOLD_STEP_NS
            answer = self._api.attempt(request, entry)
        return answer

    def _user(self, headers: Mapping[str, str]) -> User | None:
        """The user of the lab's own token, or the ServiceAccount of one that the cluster issued."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return self._api.tokens.authenticate(token.strip()) if scheme.lower() == "bearer" else None

    async def _settled(self, deferred: Deferred) -> Response:
        """The answer when it is there; the clock runs meanwhile."""
        ready = asyncio.Event()

        def wake() -> None:
            self._pacer.watch_spoke(deferred)
            ready.set()

        deferred.on_ready = wake
        self._pacer.watch_opened(deferred)
        try:
            while deferred.response is None:
                await ready.wait()
        finally:
            self._pacer.watch_closed(deferred)
            deferred.close()
        return deferred.response

    async def _stream(self, request: web.Request, stream: WatchStream | Tail) -> web.StreamResponse:
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: stream.headers["Content-Type"]})
        ready = asyncio.Event()

        def wake() -> None:
            self._pacer.watch_spoke(stream)
            ready.set()

        stream.on_ready = wake
        self._pacer.watch_opened(stream)
        try:
            await response.prepare(request)
            while True:
                frames = stream.pull()
                if frames:
                    await response.write(b"".join(frames))
                if stream.is_closed and not frames:
                    break
                if not stream.is_closed:
                    await ready.wait()
                ready.clear()
            await response.write_eof()
        except ConnectionResetError:
            # The client went while it was written to; the watch is given back below.
            return response
        finally:
            self._pacer.watch_closed(stream)
            stream.on_ready = None
            stream.close()
        return response


def _as_text(value: str) -> str:
    """A header's value without bytes that are no UTF-8, which aiohttp keeps as surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_resource(path: str) -> bool:
    """Whether a path holds objects: what is asked of discovery does not change while a client waits."""
    parts = path.strip("/").split("/")
    return len(parts) > {"api": 2, "apis": 3}.get(parts[0], len(parts))


def _respond(answer: Response) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body)
    for name, value in answer.headers.items():
        response.headers[name] = value
    for warning in answer.warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response
