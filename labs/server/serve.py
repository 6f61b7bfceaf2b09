"""One lab server: its doors, from the ready line to the clean end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Middleware

from labs.errors import UsageError
from labs.server.aws_http import AwsDoor
from labs.server.control_http import ControlDoor
from labs.server.credentials import Access, issue_access
from labs.server.kubernetes_http import MAX_BODY_BYTES, KubernetesDoor
from labs.server.live import LiveDoor
from labs.server.pacing import Pacer
from labs.server.preload import build_world
from labs.world import World

HOST = "127.0.0.1"
ALLOWED_HOSTS = (HOST, "localhost")
SPEED_MAX = 10_000
LIVE = "/live/"
COLLECT_AFTER = (20_000, 20, 20)
RUNNER: dict[str, Any] = {
    "access_log": None,
    "shutdown_timeout": 1.0,
    # A client that hangs up is heard at once, so that its watch is given back.
    "handler_cancellation": True,
    # A body stays as it was sent: the AWS door unpacks it itself, up to a size.
    "auto_decompress": False,
    # Long selectors and continue tokens, as a real API server takes them.
    "max_line_size": 64 * 1024,
    "max_field_size": 64 * 1024,
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Options:
    """What ``python -m labs serve`` takes."""

    seed: int
    directory: Path
    speed: float
    manifests: tuple[Path, ...]
    port: int
    aws_port: int
    is_proxied: bool = False
    is_free_running: bool = False


@dataclass(frozen=True, slots=True)
class Listeners:
    """The sockets of both doors, bound to 127.0.0.1."""

    kubernetes: socket.socket
    aws: socket.socket

    @classmethod
    def open(cls, port: int = 0, aws_port: int = 0) -> Self:
        """Bind both; 0 takes a free port. Raises UsageError."""
        return cls(_listen(port, "--port"), _listen(aws_port, "--aws-port"))

    @property
    def kubernetes_url(self) -> str:
        """Where the Kubernetes API is."""
        return f"https://{HOST}:{self.kubernetes.getsockname()[1]}"

    @property
    def aws_url(self) -> str:
        """Where the AWS APIs and the clock are."""
        return f"http://{HOST}:{self.aws.getsockname()[1]}"


def serve(options: Options) -> None:
    """Serve until SIGTERM, SIGINT or the end of standard input. Raises UsageError before the ready line."""
    asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"The folder {options.directory} cannot be made ({error.strerror}); name another with --directory."
        ) from error
    if not 0 < options.speed <= SPEED_MAX:
        raise UsageError(f"The speed must be a number above 0 and up to {SPEED_MAX}, not {options.speed}.")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    collect_rarely()
    # What may be refused comes first: a world takes a second to build.
    listeners = Listeners.open(options.port, options.aws_port)
    access = issue_access(options.directory, listeners.kubernetes_url)
    world = build_world(options.seed, options.manifests)
    collect_rarely()
    async with open_doors(
        world, access, listeners, options.speed, options.is_proxied, is_free_running=options.is_free_running
    ) as (ready_line, pacing):
        print(json.dumps(ready_line), flush=True)
        await _watch_standard_input(ended)
        # The pacing ends by itself only when the world breaks, and then with what broke it.
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait((waiting, pacing), return_when=asyncio.FIRST_COMPLETED)
        if pacing.done():
            waiting.cancel()
            pacing.result()


@contextlib.asynccontextmanager
async def open_doors(
    world: World,
    access: Access,
    listeners: Listeners,
    speed: float,
    is_proxied: bool = False,
    *,
    is_free_running: bool = False,
) -> AsyncIterator[tuple[dict[str, str], asyncio.Task[None]]]:
    """Every door of a world: the ready line, and the task that moves the clock for blocked clients."""
    pacer = Pacer(world, speed, is_free_running=is_free_running)
    kubernetes = KubernetesDoor(world.rest, access.kubernetes_token, pacer)
    aws = AwsDoor(world, access.aws_access_key_id, pacer)
    control = ControlDoor(world, world.rest.requests, pacer)
    live = LiveDoor(world)
    token = access.control_token
    kubernetes_app = _application([("*", "/{path:.*}", kubernetes.handle)])
    aws_app = _application(
        [
            ("GET", "/control/{token}", _with_token(token, control.get)),
            ("POST", "/control/{token}", _with_token(token, control.post)),
            ("GET", f"{LIVE}{{token}}/", _with_token(token, live.page)),
            ("GET", f"{LIVE}{{token}}/data", _with_token(token, live.data)),
            ("POST", f"{LIVE}{{token}}/advance", _with_token(token, control.post)),
            ("GET", "/control/{token}/requests", _with_token(token, control.requests)),
            ("POST", "/{path:.*}", aws.handle),
        ],
        # A proxy hands on the name that the reader's browser asked for; the path's token is what protects the page.
        any_host_below=LIVE if is_proxied else None,
    )
    runners = [web.AppRunner(app, **RUNNER) for app in (kubernetes_app, aws_app)]
    pacing = asyncio.create_task(pacer.run())
    try:
        for runner in runners:
            await runner.setup()
        await web.SockSite(runners[0], listeners.kubernetes, ssl_context=access.context).start()
        await web.SockSite(runners[1], listeners.aws).start()
        ready_line = {
            "kubernetes": listeners.kubernetes_url,
            "aws": listeners.aws_url,
            "kubeconfig": str(access.kubeconfig),
            "region": world.region,
            "aws_access_key_id": access.aws_access_key_id,
            "aws_secret_access_key": access.aws_secret_access_key,
            "control": f"{listeners.aws_url}/control/{token}",
            "live": f"{listeners.aws_url}{LIVE}{token}/",
        }
        yield ready_line, pacing
    finally:
        pacing.cancel()
        for runner in runners:
            await runner.cleanup()


def collect_rarely() -> None:
    """Tell Python's collector that a world is long-lived data with few cycles.

    Looking through a large store again and again would cost a third of the time and free next to nothing. Called
    before a world is built, and once more for what it then holds.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _listen(port: int, option: str) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OverflowError:
        listener.close()
        raise UsageError(f"{port} is not a port; {option} takes a number from 0 (any free one) to 65535.") from None
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Port {port} cannot be used ({error.strerror}); leave {option} away to get a free one."
        ) from None
    return listener


def _application(routes: Iterable[tuple[str, str, Handler]], any_host_below: str | None = None) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_only_this_host(any_host_below)])
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
    return app


def _only_this_host(any_host_below: str | None) -> Middleware:
    """Refuse a foreign Host header: a web page that a name of its own leads here must not get through."""

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.host.rpartition(":")[0] or request.host
        is_open = any_host_below is not None and request.path.startswith(any_host_below)
        if host not in ALLOWED_HOSTS and not is_open:
            return web.Response(status=421, text=f"This lab answers only to {HOST} and localhost.\n")
        return await handler(request)

    return checked


def _with_token(token: str, handler: Handler) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(request.match_info["token"].encode(), token.encode()):
            return web.json_response({"error": "The token in the path is not this lab's."}, status=403)
        return await handler(request)

    return checked


async def _watch_standard_input(ended: asyncio.Event) -> None:
    """End with the process that holds our standard input; /dev/null and files hold nothing."""
    mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin is not None else 0
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    class EndOfInput(asyncio.Protocol):
        def connection_lost(self, error: Exception | None) -> None:
            ended.set()

    await asyncio.get_running_loop().connect_read_pipe(EndOfInput, sys.stdin)
