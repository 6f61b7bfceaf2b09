"""The ClusterRole aggregation controller: roles that are the sum of others.

Source: kubernetes/kubernetes pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller

CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io"


def aggregated_rules(role: Object, roles: Iterable[Object]) -> list[dict[str, Any]]:
    """The rules of every role that ``role`` selects, each once; ``roles`` are in order of their names."""
    rules: list[dict[str, Any]] = []
    candidates = [other for other in roles if other["metadata"]["name"] != role["metadata"]["name"]]
    for wanted in role["aggregationRule"].get("clusterRoleSelectors") or ():
        selector = selector_from_label_selector(wanted)
        for other in candidates:
            if selector.matches(other["metadata"].get("labels") or {}):
                rules += _new_rules(rules, other.get("rules") or ())
    return rules


def _new_rules(known: list[dict[str, Any]], rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    added: list[dict[str, Any]] = []
    for rule in rules:
        if rule not in known and rule not in added:
            added.append(rule)
    return added


class ClusterRoleAggregation(Controller):
    """Keeps the rules of aggregated ClusterRoles."""

    def start(self) -> None:
        """Watch ClusterRoles: any change may change any sum."""
        self.watch(CLUSTER_ROLES, self._on_role)

    def _on_role(self, event: WatchEvent) -> None:
        for role in self.client.list(CLUSTER_ROLES):
            if role.get("aggregationRule"):
                self.enqueue("", role["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Apply the sum to one role."""
        role = self.client.get(CLUSTER_ROLES, "", name)
        if role is None or not role.get("aggregationRule"):
            return
        rules = aggregated_rules(role, self.client.list(CLUSTER_ROLES))
        if rules != (role.get("rules") or []):
            identity = {"apiVersion": role["apiVersion"], "kind": role["kind"], "metadata": {"name": name}}
            client = self.client
            config = {**identity, "rules": rules}
            client.api.apply(CLUSTER_ROLES, config, user=client.user, manager=client.manager, force=True)
