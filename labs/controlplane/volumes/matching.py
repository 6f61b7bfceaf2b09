"""Claims, volumes and classes: what each says, and which volume suits a claim.

Source: kubernetes/kubernetes pkg/volume/persistentvolume (FindMatchingVolume), pkg/controller/volume/persistentvolume.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labs.api.client import Client
from labs.api.objects import at
from labs.api.quantity import parse_quantity
from labs.api.scheduling import required_node_affinity
from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def annotation(obj: Object, key: str) -> str:
    """One annotation, empty when it is not there."""
    return str((obj["metadata"].get("annotations") or {}).get(key, ""))


def class_name(obj: Object) -> str:
    """The storage class of a claim or volume; empty for none."""
    return annotation(obj, CLASS_ANNOTATION) or obj["spec"].get("storageClassName") or ""


def class_of(client: Client, claim: Object) -> Object | None:
    """The claim's storage class, if it names one that exists."""
    name = class_name(claim)
    return client.get(CLASSES, "", name) if name else None


def is_bound(claim: Object) -> bool:
    """Whether binding is through on the claim's side."""
    return bool(claim["spec"].get("volumeName")) and bool(annotation(claim, BIND_COMPLETED))


def waits_for_consumer(storage_class: Object | None) -> bool:
    """Whether a claim of this class waits until a pod that uses it is scheduled."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def refers_to(volume: Object, claim: Object) -> bool:
    """Whether the volume is held for this claim."""
    held, metadata = volume["spec"].get("claimRef"), claim["metadata"]
    if not held or (held.get("namespace"), held.get("name")) != (metadata["namespace"], metadata["name"]):
        return False
    return held.get("uid") in (None, "", metadata["uid"])


def allows_node(volume: Object, name: str, labels: Mapping[str, str]) -> bool:
    """``CheckNodeAffinity``: whether the volume can be reached from a node."""
    required = at(volume, "spec", "nodeAffinity", "required")
    if required is None:
        return True
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return required_node_affinity({"affinity": affinity}).matches(name, labels)


def find_volume(claim: Object, volumes: Iterable[Object]) -> Object | None:
    """The smallest free volume that suits the claim; one held for the claim comes first."""
    spec = claim["spec"]
    selector = selector_from_label_selector(spec["selector"]) if spec.get("selector") else None
    suitable = []
    for volume in volumes:
        if refers_to(volume, claim):
            return volume
        if volume["spec"].get("claimRef") or "deletionTimestamp" in volume["metadata"]:
            continue
        if selector is not None and not selector.matches(volume["metadata"].get("labels") or {}):
            continue
        if _suits(spec, volume["spec"]) and class_name(volume) == class_name(claim):
            suitable.append(volume)
    return min(suitable, key=lambda item: parse_quantity(item["spec"]["capacity"]["storage"]), default=None)


def _suits(claim: Mapping[str, Any], volume: Mapping[str, Any]) -> bool:
    wanted = parse_quantity(claim["resources"]["requests"]["storage"])
    return (
        not parse_quantity(volume["capacity"]["storage"]) < wanted
        and set(claim["accessModes"]) <= set(volume["accessModes"])
        and claim.get("volumeMode") == volume.get("volumeMode")
    )


def claims_of(pod: Object) -> list[str]:
    """Names of the claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    names = ((volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in volumes)
    return [name for name in names if name]
