"""Subresources that turn a request into a conversation: pods/exec, pods/attach, pods/portforward; and the log.

Source: kubernetes pkg/registry/core/pod/rest/subresources.go, pkg/registry/core/pod/strategy.go (streamLocation),
pkg/apis/core/validation (ValidatePodLogOptions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from labs import errors
from labs.api.apiserver import ApiServer, raise_invalid
from labs.api.resources import ResourceType
from labs.api.rest.message import Request, Response
from labs.api.rest.options import parse_int
from labs.api.rest.routes import Route
from labs.api.store import Object
from labs.api.strategy import FieldError
from labs.units import SECOND_NS, parse_rfc3339

NO_WEBSOCKET = (
    "this lab streams over WebSockets (subprotocol v5.channel.k8s.io), which kubectl does from 1.31 on; "
    "update kubectl, or take KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false and KUBECTL_PORT_FORWARD_WEBSOCKETS=false away"
)
LOG_OPTIONS = ResourceType("", "v1", "PodLogOptions", "podlogoptions")
"""The kind that a refusal of a log's options names."""


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What of a container's log is wanted; ``since_ns`` is a moment."""

    namespace: str
    pod: str
    container: str
    is_previous: bool = False
    tail_lines: int | None = None
    since_ns: int | None = None
    limit_bytes: int | None = None
    has_timestamps: bool = False
    follows: bool = False


class Tail(Protocol):
    """A log as it comes; ``on_ready`` is called when there is something to pull, or at the end."""

    headers: dict[str, str]
    on_ready: Callable[[], None] | None
    is_closed: bool

    def pull(self) -> list[bytes]:
        """What has come since the last pull."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


class LogReader(Protocol):
    """What containers have printed; the world registers it."""

    def open(self, request: LogRequest) -> Tail | None:
        """The log; None for a pod that is on no node. Raises 400 when the container has not started."""
        ...


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a client wants of a running pod: ``kind`` is exec, attach or portforward."""

    kind: str
    namespace: str
    pod: str
    container: str = ""
    command: tuple[str, ...] = ()
    has_stdin: bool = False
    is_tty: bool = False
    ports: tuple[int, ...] = ()


class Channel(Protocol):
    """The container's end of a conversation."""

    @property
    def is_waiting_for_input(self) -> bool:
        """Whether nothing happens until the client sends something."""
        ...

    def feed(self, content: bytes) -> None:
        """Standard input, or what a forwarded connection sends."""
        ...

    def end_input(self) -> None:
        """The client sends no more."""
        ...

    def close(self) -> None:
        """The client is gone."""
        ...


Output = Callable[[int, bytes], None]
"""Told of output: 1 standard output, 2 standard error."""

Ended = Callable[[dict[str, Any]], None]
"""Told of the end, once, with a ``v1.Status``."""


class Attendant(Protocol):
    """Who holds conversations in the pods' name; the world registers it."""

    def start(self, conversation: Conversation, output: Output, ended: Ended) -> Channel:
        """Run a command in a container, or listen to what it prints; ``ended`` may be called before it returns."""
        ...

    def forward(self, conversation: Conversation, port: int, output: Output, ended: Ended) -> Channel:
        """One connection to a port of the pod; what comes back is output 1."""
        ...


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The answer to a request that becomes a conversation."""

    conversation: Conversation
    attendant: Attendant


def connect(api: ApiServer, attendant: Attendant | None, request: Request, route: Route) -> Upgrade:
    """GET or POST of exec, attach and portforward. Raises 400 and 404 as a real server does before it upgrades."""
    pod = api.require("pods", route.namespace, route.name)
    kind = route.subresource
    container = "" if kind == "portforward" else _container(pod, request.option("container"))
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {route.name} does not have a host assigned")
    command = tuple(request.query.get("command") or ())
    if kind == "exec" and not command:
        raise errors.bad_request("you must specify at least 1 command for the container")
    if request.headers.get("upgrade", "").lower() != "websocket":
        is_spdy = request.headers.get("upgrade", "").lower().startswith("spdy")
        raise errors.bad_request(NO_WEBSOCKET if is_spdy else "Upgrade request required")
    if attendant is None:
        raise errors.bad_request("no pod of this server can be talked to")
    ports = tuple(parse_int(text) for item in request.query.get("ports") or () for text in item.split(","))
    return Upgrade(
        Conversation(
            kind,
            route.namespace,
            route.name,
            container,
            command,
            request.is_set("stdin"),
            request.is_set("tty"),
            ports,
        ),
        attendant,
    )


def log(api: ApiServer, reader: LogReader | None, request: Request, route: Route) -> Response | Tail:
    """GET of a container's log. Raises 400, 404 and 422."""
    pod = api.require("pods", route.namespace, route.name)
    wanted = log_request(pod, request, api.loop.now_ns)
    tail = reader.open(wanted) if reader is not None else None
    if tail is None:
        return Response(204, {}, b"")
    if wanted.follows and not tail.is_closed:
        return tail
    return Response(200, {"Content-Type": "text/plain"}, b"".join(tail.pull()))


def log_request(pod: Object, request: Request, now_ns: int) -> LogRequest:
    """The query as a LogRequest. Raises 400 for a wrong container or a wrong moment, 422 for numbers out of range."""
    name = pod["metadata"]["name"]
    _validate(name, request)
    return LogRequest(
        pod["metadata"]["namespace"],
        name,
        _container(pod, request.option("container")),
        request.is_set("previous"),
        _optional_int(request, "tailLines"),
        _since_ns(request, now_ns),
        _optional_int(request, "limitBytes"),
        request.is_set("timestamps"),
        request.is_set("follow"),
    )


def _container(pod: Object, wanted: str) -> str:
    name = pod["metadata"]["name"]
    spec: dict[str, Any] = pod["spec"]
    containers = [item["name"] for item in spec.get("containers") or ()]
    others = [item["name"] for key in ("initContainers", "ephemeralContainers") for item in spec.get(key) or ()]
    if not wanted:
        if len(containers) != 1:
            inits = f" or one of the init containers: [{' '.join(others)}]" if others else ""
            choices = f"choose one of: [{' '.join(containers)}]{inits}"
            raise errors.bad_request(f"a container name must be specified for pod {name}, {choices}")
        wanted = containers[0]
    if wanted not in containers + others:
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted


def _validate(name: str, request: Request) -> None:
    problems: list[FieldError] = []
    for option, least, text in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("limitBytes", 1, "must be greater than 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
    ):
        number = _optional_int(request, option)
        if number is not None and number < least:
            problems.append(FieldError("FieldValueInvalid", option, f"Invalid value: {number}: {text}"))
    if request.option("sinceSeconds") and request.option("sinceTime"):
        text = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        problems.append(FieldError("FieldValueForbidden", "", text))
    if problems:
        raise_invalid(LOG_OPTIONS, name, problems)


def _optional_int(request: Request, name: str) -> int | None:
    text = request.option(name)
    return parse_int(text) if text else None


def _since_ns(request: Request, now_ns: int) -> int | None:
    seconds = _optional_int(request, "sinceSeconds")
    if seconds is not None:
        return now_ns - seconds * SECOND_NS
    text = request.option("sinceTime")
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise errors.bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"') from None
