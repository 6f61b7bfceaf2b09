"""Who may do what, by the roles and bindings in the store.

Source: kubernetes/kubernetes pkg/registry/rbac/validation/rule.go, plugin/pkg/auth/authorizer/rbac/rbac.go;
kubernetes/apiserver pkg/authorization/authorizerfactory (privileged groups).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labs.api.rbac.rules import Inquiry, Rule, allows
from labs.api.store import Object, Store
from labs.api.users import User, account_name

GROUP = "rbac.authorization.k8s.io"
ROLES = f"roles.{GROUP}"
CLUSTER_ROLES = f"clusterroles.{GROUP}"
ROLE_BINDINGS = f"rolebindings.{GROUP}"
CLUSTER_ROLE_BINDINGS = f"clusterrolebindings.{GROUP}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a user may, and by which binding."""

    is_allowed: bool
    reason: str = ""


class RbacAuthorizer:
    """Reads roles and bindings as they are at the moment of the question."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: User, inquiry: Inquiry) -> Decision:
        """Whether ``user`` may, and why; members of system:masters may everything."""
        if user.is_master:
            return Decision(True)
        for binding, subject, rule in self._bound(user, inquiry.namespace):
            if allows(rule, inquiry):
                return Decision(True, f"RBAC: allowed by {_described(binding, subject)}")
        return Decision(False, self._dangling(user, inquiry.namespace))

    def allows(self, user: User, inquiry: Inquiry) -> bool:
        """Whether ``user`` may."""
        return self.decide(user, inquiry).is_allowed

    def rules_of(self, user: User, namespace: str) -> list[Rule]:
        """Every rule that holds for a user in a namespace (of the cluster alone for ``""``)."""
        return [rule for _, _, rule in self._bound(user, namespace)]

    def rules_of_role(self, reference: Object, namespace: str) -> Sequence[Rule] | None:
        """The rules of the role that a binding in ``namespace`` refers to, or None when it does not exist."""
        is_cluster_role = reference.get("kind") == "ClusterRole"
        resource, place = (CLUSTER_ROLES, "") if is_cluster_role else (ROLES, namespace)
        role = self._store.get(resource, place, reference.get("name", ""))
        return None if role is None else role.get("rules") or ()

    def _bindings(self, user: User, namespace: str) -> Iterator[tuple[Object, Object]]:
        for binding in self._store.list(CLUSTER_ROLE_BINDINGS):
            subject = _applying(user, binding, "")
            if subject is not None:
                yield binding, subject
        for binding in self._store.list(ROLE_BINDINGS, namespace) if namespace else ():
            subject = _applying(user, binding, namespace)
            if subject is not None:
                yield binding, subject

    def _bound(self, user: User, namespace: str) -> Iterator[tuple[Object, Object, Rule]]:
        for binding, subject in self._bindings(user, namespace):
            place = binding["metadata"].get("namespace", "")
            for rule in self.rules_of_role(binding["roleRef"], place) or ():
                yield binding, subject, rule

    def _dangling(self, user: User, namespace: str) -> str:
        """What upstream says of bindings whose role does not exist."""
        missing = []
        for binding, _ in self._bindings(user, namespace):
            reference, place = binding["roleRef"], binding["metadata"].get("namespace", "")
            if self.rules_of_role(reference, place) is None:
                plural = "clusterrole" if reference["kind"] == "ClusterRole" else "role"
                missing.append(f'{plural}.{GROUP} "{reference["name"]}" not found')
        unique = list(dict.fromkeys(missing))
        if not unique:
            return ""
        return f"RBAC: {unique[0]}" if len(unique) == 1 else f"RBAC: [{', '.join(unique)}]"


def _applying(user: User, binding: Object, namespace: str) -> Object | None:
    """The first subject of a binding that is the user."""
    return next((item for item in binding.get("subjects") or () if _is(user, item, namespace)), None)


def _is(user: User, subject: Object, namespace: str) -> bool:
    kind: str = subject.get("kind", "")
    name: str = subject.get("name", "")
    if kind == "User":
        return user.name == name
    if kind == "Group":
        return name in user.groups
    place = subject.get("namespace") or namespace
    return kind == "ServiceAccount" and bool(place) and user.name == account_name(place, name)


def _described(binding: Object, subject: Object) -> str:
    metadata, reference = binding["metadata"], binding["roleRef"]
    namespace = metadata.get("namespace", "")
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    name = f"{metadata['name']}/{namespace}" if namespace else metadata["name"]
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or namespace}"
    return f'{kind} "{name}" of {reference["kind"]} "{reference["name"]}" to {subject["kind"]} "{who}"'
