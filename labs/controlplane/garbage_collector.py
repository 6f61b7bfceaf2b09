"""The garbage collector: objects go when the last of their owners has gone.

Source: kubernetes/kubernetes pkg/controller/garbagecollector/garbagecollector.go. Its graph of owners is the store's
index of owner references.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.deletion import CRDS, DeleteOptions
from labs.api.resources import ResourceType
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Component, WorkQueue

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"

Reference = dict[str, Any]
ItemKey = tuple[str, str, str]
"""Resource, namespace and name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a dependent: ``keep`` its references to these owners, or delete it by this propagation."""

    keep: tuple[str, ...] = ()
    propagation: str = ""


def judge(solid: Sequence[str], waiting: Sequence[str], *, has_dependents: bool, finalizers: Iterable[str]) -> Verdict:
    """``attemptToDeleteItem`` for an object that has lost an owner, or has one that waits.

    ``solid`` are the uids of owners that exist, ``waiting`` of those that wait for their dependents to go first.
    """
    if solid:
        return Verdict(keep=tuple(solid))
    if waiting and has_dependents:
        return Verdict(propagation="Foreground")
    if ORPHAN in finalizers:
        return Verdict(propagation="Orphan")
    return Verdict(propagation="Foreground" if FOREGROUND in finalizers else "Background")


class GarbageCollector(Component):
    """Deletes what has lost its owners, and lets go of owners that wait for or orphan their dependents."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._queue: WorkQueue[ItemKey] = WorkQueue(client.loop, self._work)
        self._types: dict[tuple[str, str], ResourceType] = {}
        self._watched: dict[str, None] = {}

    def start(self) -> None:
        """Watch every resource, also those that are served later."""
        self._learn()

    def _learn(self) -> None:
        api = self.client.api
        self._types = {
            (kind.api_version, kind.kind): kind for kind in api.all_types() if kind.resource not in api.virtual
        }
        for kind in self._types.values():
            if kind.resource not in self._watched:
                self._watched[kind.resource] = None
                self.watch(kind.resource, self._on_change)

    def _on_change(self, event: WatchEvent) -> None:
        if event.resource == CRDS:
            self._learn()
        metadata = event.object["metadata"]
        references = _references(event.object)
        before = _references(event.previous) if event.previous is not None else []
        if event.type == "DELETED":
            self._enqueue_all(self._dependents(metadata["uid"]))
            self._enqueue_owners(references, metadata.get("namespace", ""))
            return
        key = (event.resource, metadata.get("namespace", ""), metadata["name"])
        if references and (event.type == "ADDED" or references != before):
            self._queue.add(key)
        if before and references != before:
            self._enqueue_owners(before, metadata.get("namespace", ""))
        if "deletionTimestamp" in metadata and {FOREGROUND, ORPHAN} & set(metadata.get("finalizers") or ()):
            self._queue.add(key)

    def _enqueue_all(self, items: Iterable[tuple[str, Object]]) -> None:
        for resource, obj in items:
            self._queue.add((resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))

    def _enqueue_owners(self, references: list[Reference], namespace: str) -> None:
        """An owner that waits for its dependents looks again when one of them changes."""
        for reference in references:
            kind, owner = self._owner(reference, namespace)
            if kind is not None and owner is not None and _is_waiting(owner):
                self._queue.add((kind.resource, owner["metadata"].get("namespace", ""), owner["metadata"]["name"]))

    def _dependents(self, uid: str) -> Iterator[tuple[str, Object]]:
        for resource in self._watched:
            for obj in self.client.owned_by(resource, uid):
                yield resource, obj

    def _owner(self, reference: Reference, namespace: str) -> tuple[ResourceType | None, Object | None]:
        kind = self._types.get((reference["apiVersion"], reference["kind"]))
        if kind is None:
            return None, None
        owner = self.client.get(kind.resource, namespace if kind.is_namespaced else "", reference["name"])
        return kind, owner if owner is not None and owner["metadata"]["uid"] == reference["uid"] else None

    def _work(self, key: ItemKey) -> None:
        resource, namespace, name = key
        obj = self.client.get(resource, namespace, name)
        if obj is None:
            return
        if "deletionTimestamp" not in obj["metadata"]:
            self._collect(resource, obj)
            return
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            self._orphan_dependents(resource, obj)
        elif FOREGROUND in finalizers:
            self._await_dependents(resource, obj)

    def _collect(self, resource: str, obj: Object) -> None:
        metadata = obj["metadata"]
        states: dict[str, list[str]] = {"solid": [], "dangling": [], "waiting": []}
        for reference in _references(obj):
            states[self._state(reference, metadata.get("namespace", ""))].append(reference["uid"])
        if not states["dangling"] and not states["waiting"]:
            return
        has_dependents = next(self._dependents(metadata["uid"]), None) is not None
        finalizers = metadata.get("finalizers") or ()
        verdict = judge(states["solid"], states["waiting"], has_dependents=has_dependents, finalizers=finalizers)
        if verdict.keep:
            kept = [reference for reference in _references(obj) if reference["uid"] in verdict.keep]
            self._write(resource, obj, ownerReferences=kept)
            return
        options = DeleteOptions(propagation=verdict.propagation, uid=metadata["uid"])
        self.client.delete(resource, metadata.get("namespace", ""), metadata["name"], options)

    def _state(self, reference: Reference, namespace: str) -> str:
        kind, owner = self._owner(reference, namespace)
        if kind is None:
            return "solid"  # An owner of a kind that is not served here cannot be looked up.
        if owner is None:
            return "dangling"
        return "waiting" if _is_waiting(owner) else "solid"

    def _orphan_dependents(self, resource: str, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for dependent_resource, obj in list(self._dependents(uid)):
            kept = [reference for reference in _references(obj) if reference["uid"] != uid]
            self._write(dependent_resource, obj, ownerReferences=kept)
        self._drop_finalizer(resource, owner, ORPHAN)

    def _await_dependents(self, resource: str, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        blocking = [
            item
            for item in self._dependents(uid)
            if any(one["uid"] == uid and one.get("blockOwnerDeletion") for one in _references(item[1]))
        ]
        if blocking:
            self._enqueue_all(blocking)
        else:
            self._drop_finalizer(resource, owner, FOREGROUND)

    def _drop_finalizer(self, resource: str, obj: Object, finalizer: str) -> None:
        kept = [name for name in obj["metadata"].get("finalizers") or () if name != finalizer]
        self._write(resource, obj, finalizers=kept)

    def _write(self, resource: str, obj: Object, **lists: list[Any]) -> None:
        """Set lists of the metadata; an empty one is left out."""
        metadata = {key: value for key, value in obj["metadata"].items() if key not in lists}
        metadata |= {key: value for key, value in lists.items() if value}
        self.client.update(resource, {**obj, "metadata": metadata})


def _references(obj: Object) -> list[Reference]:
    found: list[Reference] = obj["metadata"].get("ownerReferences") or []
    return found


def _is_waiting(owner: Object) -> bool:
    """Whether the owner is being deleted and waits for its dependents to go first."""
    metadata = owner["metadata"]
    return "deletionTimestamp" in metadata and FOREGROUND in (metadata.get("finalizers") or ())
