"""Reviews: questions about access and identity that are asked by a create and stored nowhere.

Source: kubernetes/kubernetes pkg/registry/{authorization,authentication}/*/rest.go,
pkg/apis/authorization/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labs import errors
from labs.api.apiserver import raise_invalid
from labs.api.rbac.authorizer import RbacAuthorizer
from labs.api.rbac.rules import Inquiry, Rule
from labs.api.rest.routes import Route
from labs.api.store import Object
from labs.api.strategy import FieldError, invalid
from labs.api.tokens import ISSUER, TokenAuthority
from labs.api.users import User

ONE_OF_TWO = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


@dataclass(frozen=True, slots=True)
class Desk:
    """What reviews are answered from: ``user`` is who asks, by ``route``."""

    access: RbacAuthorizer
    tokens: TokenAuthority
    user: User
    route: Route


Review = Callable[[Desk, Object], Object]


def review_own_access(desk: Desk, review: Object) -> Object:
    """``kubectl auth can-i``: whether the one who asks may."""
    spec = review.get("spec") or {}
    raise_invalid(desk.route.type, "", _attribute_problems(spec))
    return _decided(desk, review, desk.user)


def review_access(desk: Desk, review: Object) -> Object:
    """Whether somebody else may."""
    spec = review.get("spec") or {}
    raise_invalid(desk.route.type, "", _subject_problems(spec))
    return _decided(desk, review, _subject(spec))


def review_local_access(desk: Desk, review: Object) -> Object:
    """Whether somebody else may, in one namespace."""
    spec, namespace = review.get("spec") or {}, review["metadata"].get("namespace") or ""
    problems = _subject_problems(spec)
    asked = spec.get("resourceAttributes")
    if asked is not None and (asked.get("namespace") or "") != namespace:
        text = "must match metadata.namespace"
        problems.append(invalid("spec.resourceAttributes.namespace", asked.get("namespace") or "", text))
    if spec.get("nonResourceAttributes") is not None:
        text = "disallowed on this kind of request"
        problems.append(invalid("spec.nonResourceAttributes", spec["nonResourceAttributes"], text))
    raise_invalid(desk.route.type, "", problems)
    if namespace != desk.route.namespace:
        raise errors.bad_request(f"spec.resourceAttributes.namespace must match namespace: {desk.route.namespace}")
    return _decided(desk, review, _subject(spec))


def review_own_rules(desk: Desk, review: Object) -> Object:
    """``kubectl auth can-i --list``: every rule that holds for the one who asks in a namespace."""
    namespace = (review.get("spec") or {}).get("namespace")
    if not namespace:
        raise errors.bad_request("no namespace on request")
    rules = desk.access.rules_of(desk.user, namespace)
    status = {
        "resourceRules": _rows(rules, ("verbs", "apiGroups", "resources", "resourceNames"), "resources"),
        "nonResourceRules": _rows(rules, ("verbs", "nonResourceURLs"), "nonResourceURLs"),
        "incomplete": False,
    }
    return {**review, "spec": {}, "status": status}


def review_self(desk: Desk, review: Object) -> Object:
    """``kubectl auth whoami``: who asks."""
    return {**review, "status": {"userInfo": desk.user.info}}


def review_token(desk: Desk, review: Object) -> Object:
    """Whose a token is."""
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise errors.bad_request("token is required for TokenReview in authentication")
    audiences = spec.get("audiences") or [ISSUER]
    user = desk.tokens.authenticate(spec["token"], audiences)
    if user is None:
        return {**review, "status": {"user": {}, "error": "[invalid bearer token, Token has been invalidated]"}}
    return {**review, "status": {"authenticated": True, "user": user.info, "audiences": audiences}}


def _attribute_problems(spec: Mapping[str, Any]) -> list[FieldError]:
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    return [] if (asked is None) != (path is None) else [invalid("spec", path, ONE_OF_TWO)]


def _subject_problems(spec: Mapping[str, Any]) -> list[FieldError]:
    problems = _attribute_problems(spec)
    if not spec.get("user") and not spec.get("groups"):
        problems.append(invalid("spec.user", spec.get("user") or "", "at least one of user or group must be specified"))
    return problems


def _subject(spec: Mapping[str, Any]) -> User:
    groups = tuple(spec.get("groups") or ())
    return User(spec.get("user") or "", groups, spec.get("uid") or "", spec.get("extra") or {})


def _inquiry(spec: Mapping[str, Any]) -> Inquiry:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Inquiry(path.get("verb") or "", path=path.get("path") or "/")
    asked = spec["resourceAttributes"]
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Inquiry(*(asked.get(name) or "" for name in names))


def _decided(desk: Desk, review: Object, user: User) -> Object:
    decision = desk.access.decide(user, _inquiry(review["spec"]))
    status: dict[str, Any] = {"allowed": decision.is_allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return {**review, "status": status}


def _rows(rules: list[Rule], keys: tuple[str, ...], needed: str) -> list[dict[str, list[str]]]:
    return [{key: list(rule[key]) for key in keys if rule.get(key)} for rule in rules if rule.get(needed)]


REVIEWS: Mapping[str, Review] = {
    "localsubjectaccessreviews.authorization.k8s.io": review_local_access,
    "selfsubjectaccessreviews.authorization.k8s.io": review_own_access,
    "selfsubjectrulesreviews.authorization.k8s.io": review_own_rules,
    "selfsubjectreviews.authentication.k8s.io": review_self,
    "subjectaccessreviews.authorization.k8s.io": review_access,
    "tokenreviews.authentication.k8s.io": review_token,
}
