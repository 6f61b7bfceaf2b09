"""Admission of what refers to volumes and classes: finalizers that protect, and classes by default.

Source: kubernetes/kubernetes plugin/pkg/admission/storage/{storageobjectinuseprotection,storageclass/setdefault},
plugin/pkg/admission/network/defaultingressclass.
"""

from __future__ import annotations

from labs.api.apiserver import Attributes
from labs.api.objects import at
from labs.api.store import Object, Store

PROTECTION = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}
CLAIM_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
INGRESS_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
DEFAULT_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"


def protect_storage(attributes: Attributes) -> None:
    """``StorageObjectInUseProtection``: a claim or volume stays while it is used."""
    finalizer = PROTECTION.get(attributes.type.resource)
    if finalizer is None or attributes.operation != "CREATE":
        return
    metadata = attributes.object["metadata"]
    finalizers = metadata.get("finalizers") or []
    if finalizer not in finalizers:
        metadata["finalizers"] = [*finalizers, finalizer]


class DefaultClasses:
    """``DefaultStorageClass`` and ``DefaultIngressClass``: the class of what names none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Set the class of a new claim or ingress."""
        if attributes.operation != "CREATE":
            return
        if attributes.type.resource == "persistentvolumeclaims":
            self._name_class(attributes.object, "storageClassName", CLAIM_CLASS_ANNOTATION, self._storage_class())
        elif attributes.type.resource == "ingresses.networking.k8s.io":
            self._name_class(attributes.object, "ingressClassName", INGRESS_CLASS_ANNOTATION, self._ingress_class())

    def _storage_class(self) -> Object | None:
        return newest_default(self._store.list("storageclasses.storage.k8s.io"), DEFAULT_STORAGE_CLASS)

    def _ingress_class(self) -> Object | None:
        return newest_default(self._store.list("ingressclasses.networking.k8s.io"), DEFAULT_INGRESS_CLASS)

    def _name_class(self, obj: Object, key: str, annotation: str, chosen: Object | None) -> None:
        if chosen is None or obj["spec"].get(key) is not None or at(obj, "metadata", "annotations", annotation):
            return
        obj["spec"][key] = chosen["metadata"]["name"]


def newest_default(classes: list[Object], annotation: str) -> Object | None:
    """The class that is marked as the default: the newest, by name where two are of the same second."""
    marked = [item for item in classes if at(item, "metadata", "annotations", annotation) == "true"]
    by_name = sorted(marked, key=lambda item: str(item["metadata"]["name"]))
    return max(by_name, key=lambda item: str(item["metadata"]["creationTimestamp"])) if by_name else None
