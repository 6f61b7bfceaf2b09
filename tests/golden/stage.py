"""A server in the state in which the recordings of `defaults/` and `errors/` were made, and how to compare."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from labs.api.bootstrap import bootstrap, new_api_server
from labs.api.rest.handler import RestApi
from labs.api.rest.message import Request, Response, User
from labs.api.rest.watches import WatchStream
from labs.api.store import Store
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import parse_rfc3339

DATA = Path(__file__).parent / "data"
START_NS = parse_rfc3339("2026-03-02T09:00:00Z")
AGENT = {"user-agent": "python-urllib3/2.0"}
CHANCE = ("uid", "resourceVersion", "creationTimestamp", "time", "lastTransitionTime", "lastUpdateTime")
ADDRESSES = ("clusterIP", "clusterIPs", "nodePort", "serverAddress", "storageVersionHash")


def read(path: Path) -> Any:
    """A recording, gzipped or not."""
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


def recordings(folder: Path, pattern: str = "*.json") -> list[Path]:
    """The recordings of a folder in the order of their names; none if there is no such folder."""
    return sorted([*folder.glob(pattern), *folder.glob(f"{pattern}.gz")])


def stem(path: Path) -> str:
    """The name of a recording."""
    return path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".txt")


def new_server() -> RestApi:
    """A server with nothing but its own objects."""
    loop = Loop(START_NS)
    api = new_api_server(loop, Streams(7), Store(loop, Trace()))
    bootstrap(api)
    return RestApi(api)


def add_namespace(server: RestApi, name: str) -> None:
    """A namespace with its default service account, which controllers make on a whole cluster."""
    server.api.create("namespaces", {"metadata": {"name": name}}, manager="python-urllib3")
    server.api.create("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})


def send(server: RestApi, method: str, path: str, body: Any = None, user: User = User(), media: str = "") -> Response:
    """Ask and get a whole answer; a watch is read to what it has at once."""
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    headers = AGENT | ({"content-type": media} if media else {})
    answer = server.handle(Request.to(method, path, raw, headers, user))
    if isinstance(answer, WatchStream):
        return Response(200, answer.headers, b"".join(answer.pull()))
    return answer


def without_chance(value: Any) -> Any:
    """A recording without what differs between any two runs."""
    if isinstance(value, dict):
        return {key: without_chance(item) for key, item in value.items() if key not in CHANCE + ADDRESSES}
    return [without_chance(item) for item in value] if isinstance(value, list) else value
