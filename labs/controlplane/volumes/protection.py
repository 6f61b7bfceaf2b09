"""Claims that a pod uses, and volumes that are bound, stay until they are not.

Source: kubernetes/kubernetes pkg/controller/volume/{pvcprotection,pvprotection}.
"""

from __future__ import annotations

from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller
from labs.controlplane.volumes.matching import CLAIMS, VOLUMES, claims_of

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"


class StorageProtection(Controller):
    """Removes the protecting finalizer of what is being deleted and in use no more."""

    def start(self) -> None:
        """Watch claims, volumes and pods."""
        self.watch(CLAIMS, self._on_storage)
        self.watch(VOLUMES, self._on_storage)
        self.watch("pods", self._on_pod)

    def _on_storage(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and "deletionTimestamp" in event.object["metadata"]:
            self.enqueue_object(event)

    def _on_pod(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            for name in claims_of(event.object):
                self.enqueue(event.object["metadata"]["namespace"], name)

    def reconcile(self, namespace: str, name: str) -> None:
        """Let go of one object, if nothing uses it. Raises the ApiError of the write."""
        resource = CLAIMS if namespace else VOLUMES
        obj = self.client.get(resource, namespace, name)
        if obj is None or "deletionTimestamp" not in obj["metadata"]:
            return
        finalizer = CLAIM_FINALIZER if namespace else VOLUME_FINALIZER
        finalizers = obj["metadata"].get("finalizers") or []
        if finalizer not in finalizers or self._is_used(obj):
            return
        metadata = {**obj["metadata"], "finalizers": [item for item in finalizers if item != finalizer]}
        self.client.update(resource, {**obj, "metadata": metadata})

    def _is_used(self, obj: Object) -> bool:
        """A pod counts once it has a node: no kubelet starts one whose claim is being deleted."""
        metadata = obj["metadata"]
        if "namespace" not in metadata:
            return (obj.get("status") or {}).get("phase") == "Bound"
        return any(
            pod["spec"].get("nodeName") and metadata["name"] in claims_of(pod)
            for pod in self.client.list("pods", metadata["namespace"])
        )
