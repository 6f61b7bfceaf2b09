"""Which changes concern which Deployment.

Source: kubernetes/kubernetes pkg/controller/deployment/deployment_controller.go.
"""

from __future__ import annotations

from labs.api.store import WatchEvent
from labs.controlplane.deployment.sync import DEPLOYMENTS, REPLICA_SETS, Sync
from labs.controlplane.ownership import index_orphans, owners_selecting
from labs.controlplane.runtime import Controller, controller_of


class DeploymentController(Controller):
    """Keeps each Deployment's ReplicaSets at the sizes that its strategy allows."""

    max_retries = 15

    def start(self) -> None:
        """Watch Deployments, ReplicaSets and the end of pods."""
        index_orphans(self.client, REPLICA_SETS)
        self.watch(DEPLOYMENTS, self.enqueue_object)
        self.watch(REPLICA_SETS, self._on_replica_set)
        self.client.subscribe("pods", self._on_pod)

    def _on_replica_set(self, event: WatchEvent) -> None:
        self.enqueue_controller_of(event, "Deployment")
        for name in owners_selecting(self.client, DEPLOYMENTS, event):
            self.enqueue(event.object["metadata"]["namespace"], name)

    def _on_pod(self, event: WatchEvent) -> None:
        """A Deployment that recreates waits for its last old pod to be gone."""
        if event.type != "DELETED":
            return
        namespace = event.object["metadata"]["namespace"]
        owner = controller_of(event.object)
        replica_set = self.client.get(REPLICA_SETS, namespace, owner["name"]) if owner else None
        owner = controller_of(replica_set) if replica_set else None
        deployment = self.client.get(DEPLOYMENTS, namespace, owner["name"]) if owner else None
        if deployment and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            self.enqueue(namespace, deployment["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Sync one Deployment, and again when its progress deadline may have passed."""
        obj = self.client.get(DEPLOYMENTS, namespace, name)
        if obj is None:
            return
        sync = Sync(self.client, obj)
        sync.run()
        if sync.recheck_after_ns is not None:
            self.enqueue(namespace, name, max(sync.recheck_after_ns, self.base_backoff_ns))
