"""The entry: from a request to its answer.

Source: kubernetes/apiserver pkg/endpoints/installer.go, pkg/server/config.go (handler chain).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from labs.api.apiserver import ApiServer
from labs.api.rbac.authorizer import RbacAuthorizer
from labs.api.rest import bodies, connects, discovery, lists, openapi, subhandlers, writes
from labs.api.rest.access import acting_user, inquiry_of, path_inquiry, require_access
from labs.api.rest.connects import Attendant, LogReader, Tail, Upgrade
from labs.api.rest.forms import respond, shape, shape_list
from labs.api.rest.health import ENDPOINTS, NOT_FOUND_PAGE, respond_health
from labs.api.rest.message import Request, Response, answer, refusal, text
from labs.api.rest.negotiation import Form, negotiate
from labs.api.rest.options import list_options
from labs.api.rest.proxies import Deferred, Forwarder, proxy
from labs.api.rest.request_log import Entry, RequestLog
from labs.api.rest.reviews import REVIEWS, Desk
from labs.api.rest.routes import CONNECT_SUBRESOURCES, Route, Routes
from labs.api.rest.selection import parse_selection
from labs.api.rest.strict import check_fields
from labs.api.rest.token_requests import request_token
from labs.api.rest.watches import WatchHub, WatchStream
from labs.api.rest.writes import Written
from labs.api.tokens import TokenAuthority
from labs.errors import ApiError, bad_request, not_found

MAX_PATH_LENGTH = 8192

Answer = Response | WatchStream | Tail | Upgrade | Deferred
Write = Callable[[ApiServer, Request, Route], Written]
WRITES: dict[str, Write] = {
    "create": writes.create,
    "update": writes.update,
    "patch": writes.patch,
    "delete": writes.delete,
}
SUBRESOURCES: dict[str, Write] = {
    "scale": subhandlers.scale,
    "binding": subhandlers.bind,
    "eviction": subhandlers.evict,
    "finalize": subhandlers.finalize,
}


class RestApi:
    """Answers requests on an ApiServer. The world may set ``log_reader``, ``attendant`` and ``forwarder`` later."""

    def __init__(self, api: ApiServer, log_reader: LogReader | None = None) -> None:
        self.api = api
        self.log_reader = log_reader
        self.attendant: Attendant | None = None
        self.forwarder: Forwarder | None = None
        self.access = RbacAuthorizer(api.store)
        self.tokens = TokenAuthority(api.loop, api.streams, api.store)
        self.requests = RequestLog()
        self.watches = WatchHub(api.loop, api.store)
        self._routes = Routes(api)

    def handle(self, request: Request) -> Answer:
        """The answer; a refusal is an answer too. Never raises for what a client sends."""
        return self.attempt(request, self.note(request))

    def note(self, request: Request) -> Entry:
        """Note in the log that a request has come: once, however often it is attempted."""
        return self.requests.begin(self.api.loop.now_ns, request)

    def attempt(self, request: Request, entry: Entry) -> Answer:
        """The answer now to a request that has been noted; see ``handle``."""
        answer: Answer
        try:
            answer = self._dispatch(request, entry)
        except ApiError as error:
            answer = refusal(error)
        except RecursionError:
            # Nothing is stored by then: a write is the last step. The text is that of Go's decoder.
            answer = refusal(bad_request("exceeded max depth"))
        entry.code = _code_of(answer)
        return answer

    def refuse_unknown(self, request: Request) -> Response:
        """The answer to a request whose token is nobody's."""
        entry = self.note(request)
        entry.code = 401
        return refusal(ApiError(401, "Unauthorized", "Unauthorized"))

    def _dispatch(self, request: Request, entry: Entry) -> Answer:
        if len(request.path) > MAX_PATH_LENGTH:
            return text(414, "URI Too Long\n")
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        is_watch = request.is_set("watch")
        request = replace(request, user=acting_user(self.access, request.user, request.headers))
        entry.user = request.user.name
        route = self._routes.resolve(request.method, parts, is_watch)
        entry.route = route
        if route is not None:
            require_access(self.access, request.user, inquiry_of(route))
            return self._resource(request, route)
        require_access(self.access, request.user, path_inquiry(request.method, request.path))
        return self._other(request, parts)

    def _other(self, request: Request, parts: list[str]) -> Response:
        if request.method not in ("GET", "HEAD"):
            return text(404, NOT_FOUND_PAGE)
        if parts == ["version"]:
            return answer(discovery.VERSION)
        if parts[0] in ENDPOINTS:
            return respond_health(request, parts)
        served = self._routes.by_version()
        if parts == [""]:
            return answer({"paths": _paths(served)})
        if parts == ["openapi", "v2"]:
            return openapi.respond_v2(request.headers.get("accept", ""), served)
        if parts[:2] == ["openapi", "v3"]:
            return openapi.respond(parts[2:], served) or text(404, NOT_FOUND_PAGE)
        if parts[0] in ("api", "apis"):
            return discovery.discover(request, parts, served) or text(404, NOT_FOUND_PAGE)
        return text(404, NOT_FOUND_PAGE)

    def _resource(self, request: Request, route: Route) -> Answer:
        if route.subresource == "log":
            return connects.log(self.api, self.log_reader, request, route)
        if route.subresource in CONNECT_SUBRESOURCES:
            return connects.connect(self.api, self.attendant, request, route)
        if route.subresource == "proxy":
            return proxy(self.api, self.forwarder, request, route)
        form = negotiate(request.headers.get("accept", ""))
        if route.verb == "watch":
            return self._watch(request, route, form)
        warning = route.type.custom.warning if route.type.custom else route.type.warning
        warned = (warning,) if warning else ()
        answer = self._answer(request, route, form)
        return replace(answer, warnings=(*warned, *answer.warnings)) if warned else answer

    def _answer(self, request: Request, route: Route, form: Form) -> Response:
        if route.verb == "list":
            return self._list(request, route, form)
        if route.verb == "deletecollection":
            objects, version = writes.delete_collection(self.api, request, route)
            metadata = {"resourceVersion": version}
            return respond(shape_list(route.type, objects, metadata, form, request, self.api.loop.now_ns), form)
        written = self._object(request, route)
        shown = written.object
        if not written.is_status:
            shown = shape(route.type, shown, form, request, self.api.loop.now_ns)
        return respond(shown, form, written.code, written.warnings)

    def _object(self, request: Request, route: Route) -> Written:
        review = REVIEWS.get(route.type.resource)
        if review is not None:
            asked = bodies.decode(request, route.type)
            check_fields(route.type, asked, "Ignore")
            return Written(review(Desk(self.access, self.tokens, request.user, route), asked), 201)
        if route.subresource == "token":
            return request_token(self.api, self.tokens, request, route)
        if route.type.resource == "bindings":
            return subhandlers.bind(self.api, request, route)
        if route.subresource in SUBRESOURCES:
            return SUBRESOURCES[route.subresource](self.api, request, route)
        if route.verb == "get":
            lists.check_not_older(self.api.store, request.option("resourceVersion"))
            return Written(self._get(route))
        return WRITES[route.verb](self.api, request, route)

    def _get(self, route: Route) -> dict[str, Any]:
        provider = self.api.virtual.get(route.type.resource)
        if provider is None:
            return self.api.require(route.type.resource, route.namespace, route.name)
        found = provider.get(route.namespace, route.name)
        if found is None:
            raise not_found(route.type.resource, route.name)
        return found

    def _list(self, request: Request, route: Route, form: Form) -> Response:
        options = list_options(request, is_watch=False)
        selection = parse_selection(route.type, options.label_selector, options.field_selector, route.name)
        provider = self.api.virtual.get(route.type.resource)
        if provider is not None:
            objects = [obj for obj in provider.list(route.scope) if selection.matches(obj)]
            page = lists.Page(objects, {})
        else:
            page = lists.list_page(self.api.store, selection, route.scope, options)
        now_ns = self.api.loop.now_ns
        return respond(shape_list(route.type, page.objects, page.metadata, form, request, now_ns), form)

    def _watch(self, request: Request, route: Route, form: Form) -> WatchStream:
        options = list_options(request, is_watch=True)
        selection = parse_selection(route.type, options.label_selector, options.field_selector, route.name)
        return self.watches.open(route.type, selection, route.scope, options, form, request)


def _code_of(answer: Answer) -> int:
    """The HTTP status with which an answer begins."""
    if isinstance(answer, Response | WatchStream):
        return answer.status
    return 101 if isinstance(answer, Upgrade) else 200


def _paths(served: discovery.Served) -> list[str]:
    groups = sorted({group for group, _ in served if group})
    versions = sorted(f"/apis/{group}/{version}" for group, version in served if group)
    paths = ["/api", "/api/v1", "/apis", *(f"/apis/{group}" for group in groups), *versions]
    return sorted([*paths, "/healthz", "/livez", "/readyz", "/openapi/v3", "/version"])
