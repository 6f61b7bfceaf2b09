"""Whether a user may do what a request asks, and whom a request may be made in the name of.

Source: kubernetes/apiserver pkg/endpoints/filters/{authorization,impersonation}.go and
handlers/responsewriters/errors.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Protocol

from labs.api.rbac.rules import Inquiry
from labs.api.rest.routes import Route
from labs.api.users import ANONYMOUS, AUTHENTICATED, User, account_groups, split_account
from labs.errors import ApiError, bad_request

USER_HEADER = "impersonate-user"
UID_HEADER = "impersonate-uid"
GROUP_HEADER = "impersonate-group"
EXTRA_PREFIX = "impersonate-extra-"
AUTHENTICATION_GROUP = "authentication.k8s.io"


class Access(Protocol):
    """An authorizer."""

    def allows(self, user: User, inquiry: Inquiry) -> bool:
        """Whether ``user`` may."""
        ...


def inquiry_of(route: Route) -> Inquiry:
    """What a route asks of the authorizer."""
    kind = route.type
    return Inquiry(route.verb, kind.group, kind.plural, route.subresource, route.namespace, route.name)


def path_inquiry(method: str, path: str) -> Inquiry:
    """What a request for a path that is no resource asks of the authorizer."""
    return Inquiry(method.lower(), path=path)


def require_access(access: Access, user: User, inquiry: Inquiry) -> None:
    """Raise 403 with the text of a real server."""
    if access.allows(user, inquiry):
        return
    if inquiry.path:
        why = f'User "{user.name}" cannot {inquiry.verb} path "{inquiry.path}"'
        raise ApiError(403, "Forbidden", f"forbidden: {why}", {})
    dotted = f"{inquiry.resource}.{inquiry.group}" if inquiry.group else inquiry.resource
    where = f' in the namespace "{inquiry.namespace}"' if inquiry.namespace else " at the cluster scope"
    subject = f'{dotted} "{inquiry.name}"' if inquiry.name else dotted
    asked = f'resource "{inquiry.combined_resource}" in API group "{inquiry.group}"{where}'
    details = {"name": inquiry.name} if inquiry.name else {}
    details |= {"group": inquiry.group} if inquiry.group else {}
    message = f'{subject} is forbidden: User "{user.name}" cannot {inquiry.verb} {asked}'
    raise ApiError(403, "Forbidden", message, {**details, "kind": inquiry.resource})


def acting_user(access: Access, user: User, headers: Mapping[str, str]) -> User:
    """The user in whose name the request is made: ``user``, or whom the ``Impersonate-*`` headers name.

    Header names are in lower case; several groups are joined by commas. Raises 400 and 403.
    """
    name = headers.get(USER_HEADER, "")
    groups = tuple(text.strip() for text in headers.get(GROUP_HEADER, "").split(",") if text.strip())
    extra = {key.removeprefix(EXTRA_PREFIX): (text,) for key, text in headers.items() if key.startswith(EXTRA_PREFIX)}
    uid = headers.get(UID_HEADER, "")
    if not name:
        if groups or extra or uid:
            raise bad_request("requested impersonation without impersonating a user")
        return user
    wanted = User(name, groups, uid, extra)
    for inquiry in _impersonations(wanted):
        require_access(access, user, inquiry)
    return replace(wanted, groups=_groups_of(wanted))


def _impersonations(wanted: User) -> Iterator[Inquiry]:
    account = split_account(wanted.name)
    if account is not None:
        yield Inquiry("impersonate", "", "serviceaccounts", "", *account)
    else:
        yield Inquiry("impersonate", "", "users", name=wanted.name)
    for group in wanted.groups:
        yield Inquiry("impersonate", "", "groups", name=group)
    for key, texts in wanted.extra.items():
        for text in texts:
            yield Inquiry("impersonate", AUTHENTICATION_GROUP, "userextras", key, name=text)
    if wanted.uid:
        yield Inquiry("impersonate", AUTHENTICATION_GROUP, "uids", name=wanted.uid)


def _groups_of(wanted: User) -> tuple[str, ...]:
    """Every user that is not the anonymous one is in system:authenticated; service accounts in their groups."""
    account = split_account(wanted.name)
    groups = wanted.groups
    if account is not None and not groups:
        groups = account_groups(account[0])
    if wanted.name == ANONYMOUS.name:
        return groups or ANONYMOUS.groups
    return groups if AUTHENTICATED in groups or ANONYMOUS.groups[0] in groups else (*groups, AUTHENTICATED)
