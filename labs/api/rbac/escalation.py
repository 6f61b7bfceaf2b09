"""Nobody grants what they do not hold.

Source: kubernetes/kubernetes pkg/registry/rbac/{escalation_check.go,validation/rule.go,*/policybased/storage.go}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs import errors
from labs.api.apiserver import Attributes
from labs.api.rbac.authorizer import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    GROUP,
    ROLE_BINDINGS,
    ROLES,
    RbacAuthorizer,
)
from labs.api.rbac.rules import Inquiry, Rule, compacted, described, quoted_list, uncovered
from labs.api.store import Object, Store
from labs.api.strategy import show
from labs.api.users import User
from labs.errors import ApiError

FULL_AUTHORITY: tuple[Rule, ...] = (
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
)


class EscalationCheck:
    """Guards roles and bindings that users write."""

    def __init__(self, store: Store) -> None:
        self._access = RbacAuthorizer(store)

    def admit(self, attributes: Attributes) -> None:
        """Raises 403, and 404 for a binding to a role that does not exist."""
        user, resource = attributes.user, attributes.type.resource
        if not isinstance(user, User) or user.is_master or _changes_only_owners(attributes):
            return
        if resource in (ROLES, CLUSTER_ROLES):
            self._check_role(user, attributes)
        elif resource in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
            self._check_binding(user, attributes)

    def _check_role(self, user: User, attributes: Attributes) -> None:
        role, kind = attributes.object, attributes.type
        metadata = role["metadata"]
        namespace = metadata.get("namespace", "")
        # A create carries no name in its URL, so that "escalate" on a named role does not allow it.
        name = metadata.get("name", "") if attributes.operation == "UPDATE" else ""
        if self._access.allows(user, Inquiry("escalate", GROUP, kind.plural, "", namespace, name)):
            return
        problem = self._missing(user, namespace, role.get("rules") or ())
        is_aggregated = any((item or {}).get("aggregationRule") for item in (role, attributes.old))
        if not problem and is_aggregated and self._missing(user, namespace, FULL_AUTHORITY):
            problem = "must have cluster-admin privileges to use the aggregationRule"
        if problem:
            raise _forbidden(attributes, problem)

    def _check_binding(self, user: User, attributes: Attributes) -> None:
        binding = attributes.object
        namespace = binding["metadata"].get("namespace", "")
        reference: dict[str, Any] = binding.get("roleRef") or {}
        plural, name = f"{reference.get('kind', '')}s".lower(), reference.get("name", "")
        if plural in ("roles", "clusterroles"):
            bind = Inquiry("bind", reference.get("apiGroup", ""), plural, "", namespace, name)
            if self._access.allows(user, bind):
                return
        rules = self._access.rules_of_role(reference, namespace)
        if rules is None:
            raise errors.not_found(f"{plural}.{GROUP}", name)
        problem = self._missing(user, namespace, rules)
        if problem:
            raise _forbidden(attributes, problem)

    def _missing(self, user: User, namespace: str, rules: Sequence[Rule]) -> str:
        """``ConfirmNoEscalation``: what is wrong, or nothing."""
        missing = uncovered(self._access.rules_of(user, namespace), rules)
        if not missing:
            return ""
        rights = "\n".join(sorted({described(rule) for rule in compacted(missing)}))
        who = f"user {show(user.name)} (groups={quoted_list(user.groups)})"
        return f"{who} is attempting to grant RBAC permissions not currently held:\n{rights}"


def _changes_only_owners(attributes: Attributes) -> bool:
    """``IsOnlyMutatingGCFields``."""
    return attributes.old is not None and _without_owners(attributes.object) == _without_owners(attributes.old)


def _without_owners(obj: Object) -> Object:
    hidden = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in hidden}}


def _forbidden(attributes: Attributes, why: str) -> ApiError:
    return errors.forbidden(attributes.type.resource, attributes.object["metadata"].get("name", ""), why)
