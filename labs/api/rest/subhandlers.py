"""Subresources on the wire: scale, binding, eviction, log, finalize.

Source: kubernetes/kubernetes pkg/registry/core/pod/rest, pkg/registry/core/pod/strategy.go (LogLocation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from labs import errors
from labs.api.apiserver import ApiServer
from labs.api.deletion import DeleteOptions
from labs.api.objects import at
from labs.api.rest import bodies, patching
from labs.api.rest.message import Request, Response
from labs.api.rest.options import options_from_body, parse_int, write_options
from labs.api.rest.routes import Route
from labs.api.rest.strict import check_body, check_fields
from labs.api.rest.writes import Written
from labs.api.store import Object
from labs.units import SECOND_NS, parse_rfc3339

CREATED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


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


class LogReader(Protocol):
    """What containers have printed; the world registers it."""

    def read(self, request: LogRequest) -> str:
        """The text. Raises 400 when the container has not started."""
        ...


def scale(api: ApiServer, request: Request, route: Route) -> Written:
    """GET, PUT and PATCH of ``/scale``."""
    resource = route.type.resource
    current = api.get_scale(resource, route.namespace, route.name)
    if route.verb == "get":
        return Written(current, is_status=True)
    options = write_options(request, "UpdateOptions" if route.verb == "update" else "PatchOptions")
    if route.verb == "update":
        wanted = bodies.decode_as(request, "autoscaling/v1", "Scale")
    else:
        wanted = patching.patched_scale(current, request)
    check_body("autoscaling", "v1", "Scale", wanted)
    if wanted["metadata"].get("name") not in (None, "", route.name):
        name = wanted["metadata"]["name"]
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({route.name})")
    replicas = at(wanted, "spec", "replicas")
    metadata = {**wanted["metadata"], "name": route.name, "namespace": route.namespace}
    if route.verb == "patch":
        given = patching.patch_version(request)
        metadata["resourceVersion"] = given or ""
    if options.is_dry_run:
        return Written({**current, "spec": {"replicas": replicas or 0}}, is_status=True)
    changed = api.put_scale(resource, {**wanted, "metadata": metadata}, user=request.user, manager=options.manager)
    return Written(changed, is_status=True)


def bind(api: ApiServer, request: Request, route: Route) -> Written:
    """POST of a Binding."""
    binding = bodies.decode_as(request, "v1", "Binding")
    check_body("", "v1", "Binding", binding)
    name = route.name or binding["metadata"].get("name") or ""
    target = binding.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        why = f'Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"'
        raise errors.bad_request(f"target.kind: {why}")
    if not target.get("name"):
        raise errors.invalid_field("Binding", name, "target.name", '""', "Required value")
    api.bind(route.namespace, name, target["name"])
    return Written(CREATED, 201, is_status=True)


def evict(api: ApiServer, request: Request, route: Route) -> Written:
    """POST of an Eviction."""
    body = bodies.decode_as(request, "policy/v1", "Eviction")
    check_body("policy", "v1", "Eviction", body)
    name = body["metadata"].get("name") or route.name
    if name != route.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    given = dict(body.get("deleteOptions") or {})
    if request.query.get("dryRun"):
        given["dryRun"] = ["All"]
    options: DeleteOptions = options_from_body(given)
    api.evict(route.namespace, route.name, options)
    return Written(CREATED, 201, is_status=True)


def finalize(api: ApiServer, request: Request, route: Route) -> Written:
    """PUT of ``namespaces/<name>/finalize``."""
    namespace = bodies.decode(request, route.type)
    check_fields(route.type, namespace, "Ignore")
    namespace["metadata"]["name"] = route.name
    changed = api.update("namespaces", namespace, subresource="finalize", user=request.user)
    return Written(changed)


def log(api: ApiServer, reader: LogReader | None, request: Request, route: Route) -> Response:
    """GET of a container's log. Raises 400 and 404."""
    pod = api.require("pods", route.namespace, route.name)
    wanted = log_request(pod, request, api.loop.now_ns)
    body = reader.read(wanted) if reader is not None else ""
    return Response(200, {"Content-Type": "text/plain"}, body.encode())


def log_request(pod: Object, request: Request, now_ns: int) -> LogRequest:
    """The query as a LogRequest. Raises 400 when no container or a wrong one is named."""
    name = pod["metadata"]["name"]
    spec: dict[str, Any] = pod["spec"]
    containers = [item["name"] for item in spec.get("containers") or ()]
    others = [item["name"] for key in ("initContainers", "ephemeralContainers") for item in spec.get(key) or ()]
    wanted = request.option("container")
    if not wanted:
        if len(containers) != 1:
            inits = f" or one of the init containers: [{' '.join(others)}]" if others else ""
            choices = f"choose one of: [{' '.join(containers)}]{inits}"
            raise errors.bad_request(f"a container name must be specified for pod {name}, {choices}")
        wanted = containers[0]
    if wanted not in containers + others:
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    return LogRequest(
        pod["metadata"]["namespace"],
        name,
        wanted,
        request.is_set("previous"),
        _optional_int(request, "tailLines"),
        _since_ns(request, now_ns),
        _optional_int(request, "limitBytes"),
        request.is_set("timestamps"),
    )


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
