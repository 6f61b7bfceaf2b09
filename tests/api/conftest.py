"""A server with its own objects and the namespace ``shop``, and a short way to ask it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labs.api.bootstrap import bootstrap, new_api_server
from labs.api.client import Client
from labs.api.rest.handler import RestApi
from labs.api.rest.message import Request, Response
from labs.api.rest.watches import WatchStream
from labs.api.store import Object, Store
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")
PODS = "/api/v1/namespaces/shop/pods"
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


class Server:
    """The API by HTTP without sockets, and by client."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.api = new_api_server(self.loop, Streams(7), Store(self.loop, Trace()))
        bootstrap(self.api)
        self.rest = RestApi(self.api)
        self.client = Client(self.api, "tester")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        self.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "shop"}})

    def ask(self, method: str, target: str, body: Any = None, accept: str = "", media: str = "") -> Response:
        headers = {"user-agent": "tester/1"}
        headers |= {"accept": accept} if accept else {}
        headers |= {"content-type": media} if media else {}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self.rest.handle(Request.to(method, target, raw, headers))
        assert isinstance(answer, Response)
        return answer

    def expect(self, status: int, method: str, target: str, body: Any = None, **more: str) -> Any:
        answer = self.ask(method, target, body, **more)
        assert answer.status == status, answer.body
        return answer.json()

    def watch(self, target: str, accept: str = "") -> WatchStream:
        answer = self.rest.handle(Request.to("GET", target, headers={"accept": accept}))
        assert isinstance(answer, WatchStream)
        return answer

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now_ns + round(seconds * SECOND_NS))

    def pod(self, name: str, *, node: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Object:
        body = {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [CONTAINER], **spec}}
        made: Object = self.expect(201, "POST", PODS, body)
        return self.client.bind("shop", name, node) if node else made

    def config_map(self, name: str, **labels: str) -> Object:
        body = {"metadata": {"name": name, "labels": labels}, "data": {"a": "1"}}
        made: Object = self.expect(201, "POST", CONFIG_MAPS, body)
        return made


CONTAINER = {"name": "c", "image": "nginx:1.27"}


def deployment(name: str, **spec: Any) -> Object:
    """A small Deployment."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def events(stream: WatchStream) -> list[tuple[str, str]]:
    """Type and name of what has come."""
    found = [json.loads(frame) for frame in stream.pull()]
    return [(item["type"], item["object"].get("metadata", {}).get("name", "")) for item in found]


@pytest.fixture
def server() -> Server:
    return Server()
