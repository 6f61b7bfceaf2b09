"""Reviews: questions about access that are asked by a create and stored nowhere.

Source: kubernetes/kubernetes pkg/registry/{authorization/selfsubjectaccessreview,authentication/selfsubjectreview}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labs.api.resources import ResourceType
from labs.api.rest.access import Access
from labs.api.rest.message import User
from labs.api.rest.routes import Route
from labs.api.store import Object

Review = Callable[[Access, Mapping[str, ResourceType], User, Object], Object]


def review_access(access: Access, types: Mapping[str, ResourceType], user: User, review: Object) -> Object:
    """``kubectl auth can-i``: the review with ``status.allowed``."""
    asked = (review.get("spec") or {}).get("resourceAttributes")
    if asked is None:
        return {**review, "status": {"allowed": access.allows(user, None)}}
    group, plural = asked.get("group", ""), asked.get("resource", "")
    resource = f"{plural}.{group}" if group else plural
    kind = types.get(resource) or ResourceType(group, asked.get("version") or "v1", plural, plural)
    route = Route(
        kind, asked.get("verb", ""), asked.get("namespace", ""), asked.get("name", ""), asked.get("subresource", "")
    )
    return {**review, "status": {"allowed": access.allows(user, route)}}


def review_self(access: Access, types: Mapping[str, ResourceType], user: User, review: Object) -> Object:
    """``kubectl auth whoami``: the review with the user's name and groups."""
    return {**review, "status": {"userInfo": {"username": user.name, "groups": list(user.groups)}}}


REVIEWS: Mapping[str, Review] = {
    "selfsubjectaccessreviews.authorization.k8s.io": review_access,
    "selfsubjectreviews.authentication.k8s.io": review_self,
}
