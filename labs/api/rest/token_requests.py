"""POST of ``serviceaccounts/token``: a token for an account.

Source: kubernetes/kubernetes pkg/registry/core/serviceaccount/storage/token.go,
pkg/apis/authentication/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from labs import errors
from labs.api.apiserver import ApiServer, raise_invalid
from labs.api.resources import ResourceType
from labs.api.rest import bodies
from labs.api.rest.message import Request
from labs.api.rest.routes import Route
from labs.api.rest.strict import check_fields
from labs.api.rest.writes import Written
from labs.api.store import Object
from labs.api.strategy import FieldError, invalid
from labs.api.tokens import ISSUER, Bound, TokenAuthority
from labs.units import SECOND_NS, rfc3339

TOKEN_REQUEST = ResourceType("authentication.k8s.io", "v1", "TokenRequest", "tokenrequests")
DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 1 << 32
BOUND_RESOURCES = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


def request_token(api: ApiServer, tokens: TokenAuthority, request: Request, route: Route) -> Written:
    """The request with its token in ``status``. Raises 400, 404, 409 and 422."""
    asked = bodies.decode(request, TOKEN_REQUEST)
    check_fields(TOKEN_REQUEST, asked, "Ignore")
    metadata, spec = asked["metadata"], asked.get("spec") or {}
    problems = _identity_problems(metadata, route)
    raise_invalid(TOKEN_REQUEST, route.name, problems)
    account = api.require("serviceaccounts", route.namespace, route.name)
    uid = account["metadata"]["uid"]
    if metadata.get("uid") not in (None, "", uid):
        why = f"the UID in the token request ({metadata['uid']}) does not match the UID of the service account ({uid})"
        raise errors.conflict("TokenRequest.authentication.k8s.io", route.name, why)
    seconds = spec.get("expirationSeconds")
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    raise_invalid(TOKEN_REQUEST, "", _duration_problems(seconds))
    reference = spec.get("boundObjectRef")
    bound = _bound_objects(api, route, reference) if reference else []
    audiences = spec.get("audiences") or [ISSUER]
    token = tokens.issue(account, audiences, seconds, bound)
    created = rfc3339(api.loop.now_ns)
    expires = rfc3339(api.loop.now_ns + seconds * SECOND_NS)
    return Written(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": route.name,
                "namespace": route.namespace,
                "uid": uid,
                "creationTimestamp": created,
            },
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
            "status": {"token": token, "expirationTimestamp": expires},
        },
        201,
        is_status=True,
    )


def _identity_problems(metadata: dict[str, Any], route: Route) -> list[FieldError]:
    given, namespace = metadata.get("name"), metadata.get("namespace")
    if given and given != route.name:
        return [invalid("metadata.name", given, "must match the service account name if specified")]
    if namespace and namespace != route.namespace:
        return [invalid("metadata.namespace", namespace, "must match the service account namespace if specified")]
    return []


def _duration_problems(seconds: int) -> list[FieldError]:
    path = "spec.expirationSeconds"
    if seconds < MIN_SECONDS:
        return [invalid(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MAX_SECONDS:
        return [invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _bound_objects(api: ApiServer, route: Route, reference: dict[str, Any]) -> list[Bound]:
    version, kind, name = (reference.get(key) or "" for key in ("apiVersion", "kind", "name"))
    resource = BOUND_RESOURCES.get(kind)
    if resource is None or version not in ("", "v1"):
        group, _, plain = version.rpartition("/")
        raise errors.bad_request(f"cannot bind token to object of type {group}/{plain}, Kind={kind}")
    obj = api.require(resource, "" if kind == "Node" else route.namespace, name)
    if kind == "Pod" and obj["spec"].get("serviceAccountName") != route.name:
        raise errors.bad_request(
            f'cannot bind token for serviceaccount "{route.name}" to pod running with different serviceaccount name.'
        )
    uid = obj["metadata"]["uid"]
    if reference.get("uid") not in (None, "", uid):
        why = (
            f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(kind, name, why)
    return [Bound(kind.lower(), obj), *_node_of(api, obj, kind)]


def _node_of(api: ApiServer, obj: Object, kind: str) -> list[Bound]:
    node_name = obj["spec"].get("nodeName") if kind == "Pod" else None
    node = api.store.get("nodes", "", node_name) if node_name else None
    return [Bound("node", node)] if node is not None else []
