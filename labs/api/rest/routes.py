"""From a method and a path to a verb on a resource.

Source: kubernetes/apiserver pkg/endpoints/request/requestinfo.go and installer.go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labs import errors
from labs.api.apiserver import ApiServer
from labs.api.resources import ResourceType
from labs.api.views import VIEW_TYPES

GroupVersion = tuple[str, str]
COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
SUBRESOURCE_VERBS = {
    "status": ("GET", "PUT", "PATCH"),
    "scale": ("GET", "PUT", "PATCH"),
    "finalize": ("PUT",),
    "binding": ("POST",),
    "eviction": ("POST",),
    "log": ("GET",),
    "attach": ("GET", "POST"),
    "exec": ("GET", "POST"),
    "portforward": ("GET", "POST"),
    "token": ("POST",),
    "approval": ("GET", "PUT", "PATCH"),
    "ephemeralcontainers": ("GET", "PUT", "PATCH"),
    "proxy": ("GET", "PUT", "PATCH", "POST", "DELETE"),
}

CONNECT_SUBRESOURCES = ("attach", "exec", "portforward")
"""Whoever connects needs the verb create, by whichever method (AuthorizePodWebsocketUpgradeCreatePermission)."""


@dataclass(frozen=True, slots=True)
class Route:
    """What is asked of which resource; ``name`` is empty for collections."""

    type: ResourceType
    verb: str
    namespace: str
    name: str
    subresource: str
    path: str = ""
    """Of ``proxy``: what follows, with its slash."""

    @property
    def scope(self) -> str | None:
        """The namespace for store lists: None for all namespaces."""
        return self.namespace if self.namespace or not self.type.is_namespaced else None


class Routes:
    """The served types by group version and plural."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._seen = (-1, -1)
        self._by_version: dict[GroupVersion, dict[str, ResourceType]] = {}

    def by_version(self) -> dict[GroupVersion, dict[str, ResourceType]]:
        """Served types; follows types that are registered later."""
        api = self._api
        if self._seen != (len(api.types), api.served_changes):
            self._seen = (len(api.types), api.served_changes)
            self._by_version = {}
            for kind in (*api.all_types(), *VIEW_TYPES):
                if kind.custom is not None and not kind.custom.is_served:
                    continue
                self._by_version.setdefault((kind.group, kind.version), {})[kind.plural] = kind
        return self._by_version

    def resolve(self, method: str, parts: list[str], is_watch: bool) -> Route | None:
        """The route of a path (in parts), or None when no served group version has it.

        Raises 404 for an unknown resource of a known group version, 405 for a verb it does not have.
        """
        found = _group_version(parts)
        if found is None or found[0] not in self.by_version():
            return None
        version, rest = found
        resources = self.by_version()[version]
        namespace, rest = _split_namespace(version, rest)
        if rest[:1] == ["bindings"] and version == ("", "v1") and len(rest) == 1 and namespace:
            return _require_method(method, "POST", Route(resources["bindings"], "create", namespace, "", ""))
        kind = resources.get(rest[0]) if rest else None
        if kind is None or (len(rest) > 3 and rest[2] != "proxy") or bool(namespace) > kind.is_namespaced:
            raise errors.no_such_resource()
        name = rest[1] if len(rest) > 1 else ""
        subresource = rest[2] if len(rest) > 2 else ""
        if subresource:
            route = _subresource(method, kind, namespace, name, subresource)
            return replace(route, path="/" + "/".join(rest[3:])) if len(rest) > 3 else route
        return _plain(method, kind, namespace, name, is_watch)


def _group_version(parts: list[str]) -> tuple[GroupVersion, list[str]] | None:
    if parts[:1] == ["api"] and len(parts) > 2:
        return ("", parts[1]), parts[2:]
    if parts[:1] == ["apis"] and len(parts) > 3:
        return (parts[1], parts[2]), parts[3:]
    return None


def _split_namespace(version: GroupVersion, rest: list[str]) -> tuple[str, list[str]]:
    if rest[0] != "namespaces" or len(rest) < 3:
        return "", rest
    if version == ("", "v1") and len(rest) == 3 and rest[2] in ("status", "finalize"):
        return "", rest
    return rest[1], rest[2:]


def _require_method(method: str, expected: str, route: Route) -> Route:
    if method != expected:
        raise errors.method_not_allowed()
    return route


def _subresource(method: str, kind: ResourceType, namespace: str, name: str, subresource: str) -> Route:
    if subresource not in kind.subresources or (kind.is_namespaced and not namespace):
        raise errors.no_such_resource()
    if method not in SUBRESOURCE_VERBS[subresource]:
        raise errors.method_not_allowed()
    is_create = method == "POST" or subresource in CONNECT_SUBRESOURCES
    verb = "create" if is_create else OBJECT_VERBS[method]
    return Route(kind, verb, namespace, name, subresource)


def _plain(method: str, kind: ResourceType, namespace: str, name: str, is_watch: bool) -> Route:
    verb = (OBJECT_VERBS if name else COLLECTION_VERBS).get(method)
    if kind.is_namespaced and not namespace:
        if name:
            raise errors.no_such_resource()
        if verb != "list":
            raise errors.method_not_allowed()
    if verb in ("list", "get") and is_watch:
        verb = "watch"
    if verb is None or verb not in kind.verbs:
        raise errors.method_not_allowed()
    return Route(kind, verb, namespace, name, "")
