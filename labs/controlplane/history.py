"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

Source: kubernetes/kubernetes pkg/controller/history/controller_history.go,
pkg/controller/statefulset/{stateful_set_control,stateful_set_utils}.go, pkg/controller/daemon/update.go.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.deployment.revision import template_hash
from labs.controlplane.ownership import controlled_by
from labs.controlplane.runtime import owner_reference

REVISIONS = "controllerrevisions.apps"
REVISION_LABEL = "controller-revision-hash"
"""On pods: their revision."""


def revision_data(template: Object) -> dict[str, Any]:
    """``getPatch``: what a revision keeps of its owner."""
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def template_of(revision: Object) -> dict[str, Any]:
    """The template that a revision keeps."""
    kept: dict[str, Any] = revision["data"]["spec"]["template"]
    return {key: value for key, value in kept.items() if key != "$patch"}


def list_revisions(client: Client, owner: Object) -> list[Object]:
    """The owner's revisions, oldest first."""
    found = controlled_by(client, REVISIONS, owner["metadata"]["uid"])
    return sorted(found, key=lambda item: (item["revision"], item["metadata"]["creationTimestamp"]))


def update_revision(client: Client, owner: Object, hash_label: str) -> Object:
    """The revision of the owner's template as it is now: found, brought to the front, or made.

    Raises the ApiError of a write.
    """
    revisions, data = list_revisions(client, owner), revision_data(owner["spec"]["template"])
    number = revisions[-1]["revision"] + 1 if revisions else 1
    equal = [item for item in revisions if item["data"] == data]
    if not equal:
        return client.create(REVISIONS, _new_revision(owner, data, number, hash_label))
    if equal[-1] is revisions[-1]:
        return equal[-1]
    return client.update(REVISIONS, {**equal[-1], "revision": number})


def _new_revision(owner: Object, data: dict[str, Any], number: int, hash_label: str) -> Object:
    metadata, template = owner["metadata"], owner["spec"]["template"]
    digest = template_hash(template, (owner.get("status") or {}).get("collisionCount") or None)
    own: dict[str, Any] = {
        "name": f"{metadata['name']}-{digest}",
        "namespace": metadata["namespace"],
        "labels": {**((template.get("metadata") or {}).get("labels") or {}), hash_label: digest},
        "ownerReferences": [owner_reference(owner)],
    }
    if metadata.get("annotations"):
        own["annotations"] = metadata["annotations"]
    return {"metadata": own, "data": data, "revision": number}


def prune_revisions(client: Client, owner: Object, live: Collection[str]) -> None:
    """Delete the oldest of the revisions that are not ``live`` (by name) beyond ``revisionHistoryLimit``."""
    idle = [item for item in list_revisions(client, owner) if item["metadata"]["name"] not in live]
    for item in idle[: max(0, len(idle) - owner["spec"].get("revisionHistoryLimit", 10))]:
        client.delete(REVISIONS, item["metadata"]["namespace"], item["metadata"]["name"])
