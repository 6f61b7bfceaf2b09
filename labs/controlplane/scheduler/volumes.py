"""Where a pod's claims let it run, and binding them once a node is chosen.

Source: pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labs.api.client import Client
from labs.api.selectors import Requirement
from labs.api.store import Object
from labs.controlplane.scheduler.failure import Failure, missing_claim
from labs.controlplane.scheduler.nodeinfo import NodeFacts
from labs.controlplane.scheduler.podinfo import PodInfo
from labs.controlplane.volumes.matching import (
    CLAIMS,
    NO_PROVISIONER,
    SELECTED_NODE,
    VOLUMES,
    allows_node,
    annotation,
    claims_of,
    class_of,
    find_volume,
    is_bound,
    waits_for_consumer,
)

PLUGIN = "VolumeBinding"
UNBOUND = Failure(PLUGIN, ("pod has unbound immediate PersistentVolumeClaims",))
OTHER_PLACE = Failure(PLUGIN, ("node(s) didn't match PersistentVolume's node affinity",))
NOTHING_TO_BIND = Failure(PLUGIN, ("node(s) didn't find available persistent volumes to bind",))
VOLUME_GONE = Failure(PLUGIN, ("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",))


@dataclass(frozen=True, slots=True)
class VolumeFilter:
    """A pod's bound volumes, and its claims that are bound or made once a node is chosen."""

    bound: tuple[Object | None, ...]
    waiting: tuple[tuple[Object, Object], ...]
    """Claims and their storage classes."""
    volumes: tuple[Object, ...]
    """All there are, for the claims that wait."""

    def failure(self, node: NodeFacts) -> Failure | None:
        """Why the node will not do, or None."""
        if None in self.bound:
            return VOLUME_GONE
        if not all(allows_node(volume, node.name, node.labels) for volume in self.bound if volume is not None):
            return OTHER_PLACE
        is_short = any(not self._can_have(claim, kind, node) for claim, kind in self.waiting)
        return NOTHING_TO_BIND if is_short else None

    def _can_have(self, claim: Object, storage_class: Object, node: NodeFacts) -> bool:
        if self.volume_for(claim, node.name, node.labels) is not None:
            return True
        return storage_class["provisioner"] != NO_PROVISIONER and _allows_topology(storage_class, node.labels)

    def volume_for(self, claim: Object, node: str, labels: Mapping[str, str]) -> Object | None:
        """A volume that is there already, suits the claim and can be reached from the node."""
        return find_volume(claim, [volume for volume in self.volumes if allows_node(volume, node, labels)])


def _allows_topology(storage_class: Object, labels: Mapping[str, str]) -> bool:
    terms = storage_class.get("allowedTopologies") or ()
    return not terms or any(
        all(
            Requirement(item["key"], "in", tuple(item["values"])).matches(labels)
            for item in term.get("matchLabelExpressions") or ()
        )
        for term in terms
    )


def volume_filter(client: Client, pod: PodInfo) -> VolumeFilter | Failure | None:
    """The filter of a pod's claims; a failure that holds on every node; or None for a pod without claims."""
    names = claims_of(pod.obj)
    if not names:
        return None
    bound: list[Object | None] = []
    waiting: list[tuple[Object, Object]] = []
    for name in names:
        claim = client.get(CLAIMS, pod.namespace, name)
        if claim is None:
            return missing_claim(name)
        if "deletionTimestamp" in claim["metadata"]:
            return Failure(PLUGIN, (f'persistentvolumeclaim "{name}" is being deleted',))
        if (claim.get("status") or {}).get("phase") == "Lost":
            volume = claim["spec"].get("volumeName", "")
            text = f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
            return Failure(PLUGIN, (text,))
        if is_bound(claim):
            bound.append(client.get(VOLUMES, "", claim["spec"]["volumeName"]))
            continue
        storage_class = class_of(client, claim)
        if storage_class is None or not waits_for_consumer(storage_class) or claim["spec"].get("volumeName"):
            return UNBOUND
        waiting.append((claim, storage_class))
    return VolumeFilter(tuple(bound), tuple(waiting), tuple(client.list(VOLUMES)) if waiting else ())


def bind_volumes(client: Client, pod: PodInfo) -> bool:
    """``BindPodVolumes``: whether all claims of a pod with a chosen node are bound; asks for what is not.

    Raises the ApiError of a write.
    """
    names = claims_of(pod.obj)
    if not names:
        return True
    node = client.get("nodes", "", pod.node)
    labels = (node["metadata"].get("labels") or {}) if node is not None else {}
    is_done = True
    for name in names:
        claim = client.get(CLAIMS, pod.namespace, name)
        if claim is None or is_bound(claim):
            continue
        is_done = False
        if annotation(claim, SELECTED_NODE) != pod.node:
            _ask(client, claim, pod.node, labels)
    return is_done


def _ask(client: Client, claim: Object, node: str, labels: Mapping[str, str]) -> None:
    """Hold a volume for the claim, or have one made near the node."""
    metadata = claim["metadata"]
    reachable = [volume for volume in client.list(VOLUMES) if allows_node(volume, node, labels)]
    volume = find_volume(claim, reachable)
    if volume is not None:
        held = {"kind": "PersistentVolumeClaim", "apiVersion": "v1"}
        held |= {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
        client.update(VOLUMES, {**volume, "spec": {**volume["spec"], "claimRef": held}})
        return
    annotations = {**(metadata.get("annotations") or {}), SELECTED_NODE: node}
    client.update(CLAIMS, {**claim, "metadata": {**metadata, "annotations": annotations}})
