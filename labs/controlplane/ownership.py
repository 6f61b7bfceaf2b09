"""Which objects a controller owns: finding, adopting and releasing them.

Source: kubernetes/kubernetes pkg/controller/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from labs.api.client import Client
from labs.api.selectors import selector_of
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import controller_of, owner_reference

ORPHANS = "orphan"
"""The index of the objects that nobody controls, by namespace."""


def index_orphans(client: Client, resource: str) -> None:
    """Keep the objects of ``resource`` that nobody controls findable by namespace."""
    client.api.store.add_index(resource, ORPHANS, _orphan_values)


def _orphan_values(obj: Object) -> Iterator[str]:
    if controller_of(obj) is None:
        yield obj["metadata"].get("namespace", "")


def is_controlled_by(obj: Object, uid: str) -> bool:
    """Whether the object's controller is the owner ``uid``."""
    owner = controller_of(obj)
    return owner is not None and owner["uid"] == uid


def controlled_by(client: Client, resource: str, uid: str) -> list[Object]:
    """The objects whose controller is the owner ``uid``, in order of their names."""
    return [obj for obj in client.owned_by(resource, uid) if is_controlled_by(obj, uid)]


def _any(obj: Object) -> bool:
    return True


def claim(client: Client, resource: str, owner: Object, accepts: Callable[[Object], bool] = _any) -> list[Object]:
    """The objects that ``owner`` controls and selects, in order of their names.

    Matching objects without a controller are adopted; controlled ones that match no more are released. An owner that
    is being deleted does neither. ``accepts`` narrows what may be adopted.
    """
    metadata = owner["metadata"]
    selector = selector_of(owner)
    is_leaving = "deletionTimestamp" in metadata
    claimed = []
    for obj in controlled_by(client, resource, metadata["uid"]):
        if selector.matches(obj["metadata"].get("labels") or {}):
            claimed.append(obj)
        elif not is_leaving:
            _write_owners(client, resource, obj, [], metadata["uid"])
    if not is_leaving:
        adopted = [
            _write_owners(client, resource, obj, [owner_reference(owner)], metadata["uid"])
            for obj in client.api.store.by_index(resource, ORPHANS, metadata.get("namespace", ""))
            if "deletionTimestamp" not in obj["metadata"]
            and selector.matches(obj["metadata"].get("labels") or {})
            and accepts(obj)
        ]
        if adopted:
            claimed = sorted(claimed + adopted, key=lambda obj: str(obj["metadata"]["name"]))
    return claimed


def _write_owners(client: Client, resource: str, obj: Object, added: list[dict[str, Any]], uid: str) -> Object:
    metadata = dict(obj["metadata"])
    kept = [reference for reference in metadata.get("ownerReferences") or [] if reference["uid"] != uid]
    if kept or added:
        metadata["ownerReferences"] = kept + added
    else:
        del metadata["ownerReferences"]
    return client.update(resource, {**obj, "metadata": metadata})


def owners_selecting(client: Client, resource: str, event: WatchEvent) -> Iterator[str]:
    """Names of the owners of type ``resource`` whose selectors match an object that nobody controls.

    Empty for a deletion, and for a change that leaves labels and controller as they were.
    """
    if event.type == "DELETED" or controller_of(event.object) is not None:
        return
    metadata, previous = event.object["metadata"], event.previous
    if (
        previous is not None
        and controller_of(previous) is None
        and previous["metadata"].get("labels") == metadata.get("labels")
    ):
        return
    labels = metadata.get("labels")
    if not labels:
        return
    for owner in client.list(resource, metadata.get("namespace", "")):
        if selector_of(owner).matches(labels):
            yield owner["metadata"]["name"]
