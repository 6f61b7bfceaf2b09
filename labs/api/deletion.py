"""Deleting: preconditions, grace, finalizers and propagation.

Source: kubernetes/apiserver pkg/registry/rest/delete.go (BeforeDelete) and
pkg/registry/generic/registry/store.go (deletionFinalizersForGarbageCollection, Delete).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labs import errors
from labs.api.store import Object
from labs.units import SECOND_NS, rfc3339

if TYPE_CHECKING:
    from labs.api.apiserver import ApiServer

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""What every definition that is being deleted waits for: the end of its objects."""

PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``metav1.DeleteOptions``; ``propagation`` is Background, Foreground, Orphan, or None: the kind's own."""

    grace_period_seconds: int | None = None
    propagation: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    is_dry_run: bool = False


def delete(api: ApiServer, resource: str, namespace: str, name: str, options: DeleteOptions) -> Object:
    """Delete, or begin to; returns the object as it was removed or as it stays. Raises 403, 404 and 409."""
    old = api.require(resource, namespace, name)
    if resource == "namespaces" and name in PROTECTED_NAMESPACES:
        raise errors.forbidden(resource, name, "this namespace may not be deleted")
    _check_preconditions(resource, old, options)
    finalizers = finalizers_after(old, options.propagation)
    if resource == CRDS and "deletionTimestamp" not in old["metadata"]:
        finalizers = [*finalizers, *({CRD_FINALIZER} - set(finalizers))]
    grace_s = grace_seconds(resource, old, options)
    stays = bool(finalizers) or bool(grace_s) or (resource == "namespaces" and bool(old["spec"].get("finalizers")))
    if not stays:
        return old if options.is_dry_run else api.store.remove(resource, namespace, name)
    marked = _marked(api, resource, old, finalizers, grace_s)
    return marked if options.is_dry_run or marked is old else api.store.put(resource, marked)


def _check_preconditions(resource: str, obj: Object, options: DeleteOptions) -> None:
    metadata = obj["metadata"]
    for what, asked, actual in (
        ("UID", options.uid, metadata["uid"]),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if asked not in (None, actual):
            why = f"Precondition failed: {what} in precondition: {asked}, {what} in object meta: {actual}"
            raise errors.conflict(resource, metadata["name"], why)


def finalizers_after(obj: Object, propagation: str | None) -> list[str]:
    """The finalizers that a delete with this propagation leaves on the object; None keeps what is there."""
    present: list[str] = list(obj["metadata"].get("finalizers") or [])
    if propagation is None:
        return present
    kept = [name for name in present if name not in ("foregroundDeletion", "orphan")]
    added = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(propagation, [])
    return kept + added


def grace_seconds(resource: str, obj: Object, options: DeleteOptions) -> int:
    """How long a pod may take to stop (pkg/registry/core/pod/strategy.go CheckGracefulDelete); 0 for other kinds."""
    if resource != "pods":
        return 0
    if not obj["spec"].get("nodeName") or obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.grace_period_seconds
    if asked is None:
        asked = obj["spec"].get("terminationGracePeriodSeconds", 30)
    return 1 if asked < 0 else asked


def _marked(api: ApiServer, resource: str, old: Object, finalizers: list[str], grace_s: int) -> Object:
    before = old["metadata"]
    is_first = "deletionTimestamp" not in before
    is_shorter = grace_s < before.get("deletionGracePeriodSeconds", 0)
    if not is_first and not is_shorter and finalizers == list(before.get("finalizers") or []):
        return old
    metadata: dict[str, Any] = dict(before)
    if is_first or is_shorter:
        begun_ns = api.loop.now_ns
        metadata["deletionGracePeriodSeconds"] = grace_s
        metadata["deletionTimestamp"] = rfc3339(begun_ns + grace_s * SECOND_NS)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if is_first and before.get("generation"):
        metadata["generation"] = before["generation"] + 1
    marked = {**old, "metadata": metadata}
    if resource == "namespaces":
        marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return marked


def is_finished(resource: str, obj: Object) -> bool:
    """Whether nothing keeps an object that is being deleted any more."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if resource == "namespaces":
        return not obj.get("spec", {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")
