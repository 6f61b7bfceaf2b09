"""``pods/proxy``, ``services/proxy`` and ``nodes/proxy``: a request that the server passes on, and its answer.

Source: kubernetes pkg/registry/core/{pod/strategy.go,service/storage/storage.go,node/strategy.go} (ResourceLocation),
apimachinery pkg/util/{proxy,net}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from labs import errors
from labs.api.apiserver import ApiServer
from labs.api.objects import at
from labs.api.rest.message import Request, Response, refusal
from labs.api.rest.routes import Route
from labs.api.store import Object
from labs.errors import ApiError

KUBELET_PORT = "10250"
LAST_PORT = 65535
ENDPOINTS = "endpoints"


@dataclass(frozen=True, slots=True)
class Passed:
    """How a request that was passed on ended: an HTTP answer, or with ``error`` what the dialer says."""

    status: int = 0
    body: bytes = b""
    error: str = ""


class Forwarder(Protocol):
    """Who reaches pods and kubelets in the server's name; the world registers it."""

    def visit(self, address: str, port: int, path: str, answered: Callable[[Passed], None]) -> Callable[[], None]:
        """Ask what listens at an address; returns what abandons the request. ``answered`` is called once."""
        ...

    def ask_kubelet(self, node: str, path: str) -> Passed:
        """The answer of a node's kubelet."""
        ...


class Deferred:
    """An answer that comes later: ``response`` is set, and ``on_ready`` called, when it is there."""

    def __init__(self) -> None:
        self.response: Response | None = None
        self.on_ready: Callable[[], None] | None = None
        self.abandon: Callable[[], None] | None = None

    def settle(self, passed: Passed) -> None:
        """The end of the request."""
        self.response = _response(passed)
        if self.on_ready is not None:
            self.on_ready()

    def close(self) -> None:
        """The client is gone, or has its answer."""
        self.on_ready = None
        if self.response is None and self.abandon is not None:
            self.abandon()


def proxy(api: ApiServer, forwarder: Forwarder | None, request: Request, route: Route) -> Response | Deferred:
    """Pass a request on. Raises 400, 404 and 503."""
    scheme, name, port = split_name(route.name)
    if scheme not in ("", "http", "https"):
        raise errors.bad_request(f'invalid {route.type.kind.lower()} request "{route.name}"')
    if forwarder is None:
        raise errors.bad_request("no pod of this server can be reached")
    # The route is made of what stands between slashes; one at the end is part of what is asked for.
    path = route.path + ("/" if request.path.endswith("/") and not route.path.endswith("/") else "")
    if not path and request.method in ("GET", "HEAD"):
        return Response(301, {"Location": f"{request.path}/"}, b"")
    if route.type.resource == "nodes":
        api.require("nodes", "", name)
        if port not in ("", KUBELET_PORT):
            raise _unavailable(f"dial tcp {name}:{port}: connect: connection refused")
        return _response(forwarder.ask_kubelet(name, path))
    find = _of_pod if route.type.resource == "pods" else _of_service
    address, number = find(api, route.namespace, name, port)
    if number > LAST_PORT:
        raise _unavailable(f"dial tcp: address {number}: invalid port")
    deferred = Deferred()
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    deferred.abandon = forwarder.visit(address, number, path + query, deferred.settle)
    return deferred


def split_name(text: str) -> tuple[str, str, str]:
    """``SplitSchemeNamePort``: scheme, name and port of ``name``, ``name:port``, ``scheme:name:port``."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("?", text, "")


def _of_pod(api: ApiServer, namespace: str, name: str, port: str) -> tuple[str, int]:
    """The pod's address, and the port: that of its first container that has one unless it is named."""
    pod = api.require("pods", namespace, name)
    address = at(pod, "status", "podIP")
    if not address:
        raise errors.bad_request("address not allowed")
    declared = [item["ports"][0]["containerPort"] for item in pod["spec"]["containers"] if item.get("ports")]
    if port and not _is_number(port):
        raise errors.bad_request(f'invalid pod request "{name}:{port}"')
    return address, int(port) if port else declared[0] if declared else 80


def _is_number(port: str) -> bool:
    return port.isascii() and port.isdigit() and len(port) <= len(str(LAST_PORT))


def _of_service(api: ApiServer, namespace: str, name: str, port: str) -> tuple[str, int]:
    """An endpoint of the service by chance, at the port of that name or number."""
    service = api.require("services", namespace, name)
    ports: list[dict[str, Any]] = service["spec"].get("ports") or []
    if _is_number(port):
        wanted = next((item.get("name") or "" for item in ports if item["port"] == int(port)), None)
        if wanted is None:
            raise _unserved(f'no service port {port} found for service "{name}"')
        port = wanted
    found = api.store.get(ENDPOINTS, namespace, name) or {}
    subsets: list[Object] = [item for item in found.get("subsets") or () if item.get("addresses")]
    if not subsets:
        raise _unserved(f'no endpoints available for service "{name}"')
    targets = [
        (address["ip"], each["port"])
        for subset in subsets
        for each in subset.get("ports") or ()
        if (each.get("name") or "") == port
        for address in subset["addresses"]
    ]
    if not targets:
        raise _unserved(f'no endpoints available for service "{name}"')
    ip, number = api.streams.python("proxy/services").choice(targets)
    return ip, int(number)


def _unserved(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def _unavailable(message: str) -> ApiError:
    return _unserved(f"error trying to reach service: {message}")


def _response(passed: Passed) -> Response:
    if passed.error:
        return refusal(_unavailable(passed.error))
    return Response(passed.status, {"Content-Type": _media_type(passed.body)}, passed.body)


def _media_type(body: bytes) -> str:
    if body[:1] == b"{":
        return "application/json"
    return "text/html; charset=utf-8" if body[:1] == b"<" else "text/plain; charset=utf-8"
