"""Whether a user may do what a request asks.

Source: kubernetes/apiserver pkg/endpoints/filters/authorization.go and handlers/responsewriters/errors.go.
"""

from __future__ import annotations

from typing import Protocol

from labs.api.rest.message import ANONYMOUS, User
from labs.api.rest.routes import Route
from labs.errors import ApiError


class Access(Protocol):
    """An authorizer."""

    def allows(self, user: User, route: Route | None) -> bool:
        """Whether ``user`` may; a route of None is a path that is no resource (discovery, health)."""
        ...


class AllowKnown:
    """Everybody who is known may do everything."""

    def allows(self, user: User, route: Route | None) -> bool:
        """Whether ``user`` is known, or asks for no resource."""
        return route is None or user != ANONYMOUS


def require_access(access: Access, user: User, route: Route | None) -> None:
    """Raise 403 with the text of a real server."""
    if access.allows(user, route):
        return
    if route is None:
        raise ApiError(403, "Forbidden", f'forbidden: User "{user.name}" cannot get path', {})
    kind = route.type
    resource = f"{kind.plural}/{route.subresource}" if route.subresource else kind.plural
    where = f' in the namespace "{route.namespace}"' if route.namespace else " at the cluster scope"
    subject = f'{kind.resource} "{route.name}"' if route.name else kind.resource
    why = f'User "{user.name}" cannot {route.verb} resource "{resource}" in API group "{kind.group}"{where}'
    details = {"name": route.name} if route.name else {}
    details |= {"group": kind.group} if kind.group else {}
    raise ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", {**details, "kind": kind.plural})
