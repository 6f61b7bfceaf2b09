"""The namespace controller: emptying a namespace that is being deleted.

Source: kubernetes/kubernetes pkg/controller/namespace/{namespace_controller,deletion/namespaced_resources_deleter,
deletion/status_condition_utils}.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from labs.api.resources import ResourceType
from labs.api.store import Object, WatchEvent
from labs.controlplane.pods import is_terminal
from labs.controlplane.runtime import Controller
from labs.units import SECOND_NS, rfc3339

NAMESPACES = "namespaces"
GRACE_PERIOD_NS = 5 * SECOND_NS
"""From a namespace's change to its pass, so that other API servers have heard of the deletion."""

FINALIZER_ESTIMATE_S = 15

_NOTHING_WRONG = (
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)


def content_conditions(remaining: Mapping[str, int], finalizers: Mapping[str, int]) -> list[dict[str, str]]:
    """The conditions of a namespace that is being deleted, without their times.

    ``remaining`` counts objects by ``plural.group``, ``finalizers`` objects by what keeps them.
    """
    rows = [(kind, "False", reason, message) for kind, reason, message in _NOTHING_WRONG]
    if remaining:
        counted = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remaining.items()))
        text = f"Some resources are remaining: {counted}"
        rows.append(("NamespaceContentRemaining", "True", "SomeResourcesRemain", text))
    else:
        rows.append(("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"))
    if finalizers:
        counted = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
        text = f"Some content in the namespace has finalizers remaining: {counted}"
        rows.append(("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", text))
    else:
        text = "All content-preserving finalizers finished"
        rows.append(("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", text))
    return [dict(zip(("type", "status", "reason", "message"), row, strict=True)) for row in rows]


def retry_estimate_s(remaining: list[Object]) -> int:
    """How long what is left will take: the longest grace of a pod, or a guess for finalizers."""
    graces: list[int] = [
        obj["spec"].get("terminationGracePeriodSeconds", 0)
        for obj in remaining
        if obj["kind"] == "Pod" and not is_terminal(obj)
    ]
    has_finalizers = any(obj["metadata"].get("finalizers") for obj in remaining)
    return max([*graces, FINALIZER_ESTIMATE_S if has_finalizers else 0])


class NamespaceController(Controller):
    """Deletes the content of terminating namespaces: pods first, then all else, then the namespace."""

    def start(self) -> None:
        """Watch namespaces."""
        self.watch(NAMESPACES, self._on_namespace)

    def _on_namespace(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and "deletionTimestamp" in event.object["metadata"]:
            self.enqueue("", event.object["metadata"]["name"], GRACE_PERIOD_NS)

    def reconcile(self, namespace: str, name: str) -> None:
        """One pass over one terminating namespace."""
        obj = self.client.get(NAMESPACES, "", name)
        if obj is None or "deletionTimestamp" not in obj["metadata"]:
            return
        remaining = self._delete_all(name, [self.client.api.types["pods"]])
        if not remaining:
            remaining = self._delete_all(name, self._types())
        self._write_conditions(obj, remaining)
        if remaining:
            self.enqueue("", name, (retry_estimate_s(remaining) // 2 + 1) * SECOND_NS)
            return
        kept = [finalizer for finalizer in obj["spec"].get("finalizers") or () if finalizer != "kubernetes"]
        current = self.client.require(NAMESPACES, "", name)
        self.client.finalize({**current, "spec": {**current["spec"], "finalizers": kept}})

    def _types(self) -> list[ResourceType]:
        api = self.client.api
        return [
            kind
            for kind in api.types.values()
            if kind.is_namespaced and "deletecollection" in kind.verbs and kind.resource not in api.virtual
        ]

    def _delete_all(self, namespace: str, types: list[ResourceType]) -> list[Object]:
        """Delete every object of these types; what is still there afterwards."""
        remaining = []
        for kind in types:
            for obj in self.client.list(kind.resource, namespace):
                if "deletionTimestamp" not in obj["metadata"]:
                    self.client.delete(kind.resource, namespace, obj["metadata"]["name"])
            remaining += self.client.list(kind.resource, namespace)
        return remaining

    def _write_conditions(self, namespace: Object, remaining: list[Object]) -> None:
        kinds = {(kind.group, kind.kind): kind for kind in self.client.api.types.values()}
        counts: Counter[str] = Counter()
        for obj in remaining:
            group, slash, _ = obj["apiVersion"].partition("/")
            kind = kinds[group if slash else "", obj["kind"]]
            counts[f"{kind.plural}.{kind.group}"] += 1
        finalizers = Counter(name for obj in remaining for name in obj["metadata"].get("finalizers") or ())
        before = {item["type"]: item for item in (namespace.get("status") or {}).get("conditions") or ()}
        now = rfc3339(self.client.now_ns)
        conditions: list[dict[str, Any]] = []
        for item in content_conditions(counts, finalizers):
            current = before.get(item["type"], {})
            changed = current["lastTransitionTime"] if current.get("status") == item["status"] else now
            conditions.append({**item, "lastTransitionTime": changed})
        status = {**(namespace.get("status") or {}), "conditions": conditions}
        if status != namespace.get("status"):
            self.client.set_status(NAMESPACES, namespace, status)
