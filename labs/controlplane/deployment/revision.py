"""Which ReplicaSet is the new one, its name, its revision and its annotations.

Source: kubernetes/kubernetes pkg/controller/deployment/util/deployment_util.go, pkg/controller/controller_utils.go
(ComputeHash), apimachinery pkg/util/rand/rand.go (SafeEncodeString).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labs.api.store import Object
from labs.controlplane.deployment.facts import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
)

TEMPLATE_HASH = "pod-template-hash"
REVISION_HISTORY_MAX_CHARACTERS = 2000

_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)


def template_hash(template: Mapping[str, Any], collision_count: int | None = None) -> str:
    """A pod template's hash as it stands in names: 32-bit FNV-1a, its decimal digits in the safe alphabet.

    Upstream hashes Go's print of the template; here it is the template's JSON, so the value differs, not its form.
    """
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    if collision_count is not None:
        data += collision_count.to_bytes(8, "little")
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_SAFE_ALPHABET[ord(digit) % len(_SAFE_ALPHABET)] for digit in str(value))


def _without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != TEMPLATE_HASH}
    if labels:
        metadata["labels"] = labels
    metadata = {key: value for key, value in metadata.items() if value not in (None, {}, [])}
    return {**template, "metadata": metadata}


def find_new(template: Mapping[str, Any], sets: Sequence[Object]) -> Object | None:
    """``FindNewReplicaSet``: the oldest set with this template, whatever its hash label says."""
    wanted = _without_hash(template)
    same = [item for item in sets if _without_hash(item["spec"]["template"]) == wanted]
    return min(same, key=lambda item: _age_order(item), default=None)


def _age_order(item: Object) -> tuple[str, str]:
    return item["metadata"].get("creationTimestamp", ""), item["metadata"]["name"]


def revision_of(item: Object) -> int:
    """The revision of a set; 0 when it has none or no number."""
    text = (item["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def max_revision(sets: Iterable[Object]) -> int:
    """The highest revision; 0 when there is none."""
    return max((revision_of(item) for item in sets), default=0)


def new_annotations(deployment: Mapping[str, str], replica_set: Mapping[str, str], revision: int) -> dict[str, str]:
    """``SetNewReplicaSetAnnotations``: the set's annotations next, those of its size left as they are.

    ``deployment`` and ``replica_set`` are the annotations now, ``revision`` is one above the old sets'. A set that
    gets a higher revision (a rollback) keeps its old one in the history.
    """
    annotations = dict(replica_set)
    annotations.update({key: value for key, value in deployment.items() if key not in _NOT_COPIED})
    before = annotations.get(REVISION)
    if before and not before.isdecimal():
        return annotations
    if int(before or 0) >= revision:
        return annotations
    annotations[REVISION] = str(revision)
    if before is not None:
        annotations[REVISION_HISTORY] = _longer_history(annotations.get(REVISION_HISTORY, ""), before)
    return annotations


def _longer_history(history: str, revision: str) -> str:
    """The oldest revisions go when the text gets too long."""
    revisions = [*history.split(","), revision] if history else [revision]
    while len(revisions) > 1 and len(",".join(revisions)) > REVISION_HISTORY_MAX_CHARACTERS:
        del revisions[0]
    return ",".join(revisions)


def surplus_sets(old: Sequence[Object], history_limit: int) -> list[Object]:
    """``cleanupDeployment``: the old sets to delete, lowest revision first; only those that hold no pods."""
    alive = [item for item in old if "deletionTimestamp" not in item["metadata"]]
    surplus = max(0, len(alive) - history_limit)
    oldest = sorted(alive, key=lambda item: (revision_of(item), _age_order(item)))[:surplus]
    return [item for item in oldest if _is_settled_at_zero(item)]


def _is_settled_at_zero(item: Object) -> bool:
    status = item.get("status") or {}
    return (
        not status.get("replicas")
        and not item["spec"].get("replicas", 1)
        and item["metadata"].get("generation", 0) <= status.get("observedGeneration", 0)
    )
