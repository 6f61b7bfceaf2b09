"""Who asks: users, groups, service accounts.

Source: kubernetes/apiserver pkg/authentication/user/user.go, pkg/authentication/serviceaccount/util.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ACCOUNT_PREFIX = "system:serviceaccount:"
ACCOUNTS = "system:serviceaccounts"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, as authentication found."""

    name: str = "admin"
    groups: tuple[str, ...] = (MASTERS, AUTHENTICATED)
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)

    @property
    def is_master(self) -> bool:
        """Whether nothing is forbidden to the user."""
        return MASTERS in self.groups

    @property
    def info(self) -> dict[str, object]:
        """The user as ``authentication.k8s.io/v1`` UserInfo."""
        info: dict[str, object] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


Requester = User | str
"""Who writes: a user, or the name of a part of the control plane, to which nothing is forbidden."""

ADMIN = User()
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def account_name(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups of the service accounts of a namespace."""
    return ACCOUNTS, f"{ACCOUNTS}:{namespace}"


def split_account(user_name: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for, or None."""
    if not user_name.startswith(ACCOUNT_PREFIX):
        return None
    namespace, _, name = user_name.removeprefix(ACCOUNT_PREFIX).partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None
