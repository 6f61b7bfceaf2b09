"""What every namespace is given: a ServiceAccount and the cluster's root certificate.

Source: kubernetes/kubernetes pkg/controller/serviceaccount/serviceaccounts_controller.go and
pkg/controller/certificates/rootcacertpublisher/publisher.go.
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller

DEFAULT_ACCOUNT = "default"
ROOT_CERTIFICATE = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class _PerNamespace(Controller):
    """Keeps one object of a fixed name in every namespace that is not being deleted."""

    resource: str
    object_name: str

    def start(self) -> None:
        """Watch namespaces, and the objects in case one is deleted or changed."""
        self.watch("namespaces", self.enqueue_object)
        self.client.subscribe(self.resource, self._on_object)

    def _on_object(self, event: WatchEvent) -> None:
        if event.type != "ADDED" and event.object["metadata"]["name"] == self.object_name:
            self.enqueue("", event.object["metadata"]["namespace"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Make the object in the namespace ``name``."""
        owner = self.client.get("namespaces", "", name)
        if owner is None or "deletionTimestamp" in owner["metadata"]:
            return
        wanted = self.wanted(name)
        current = self.client.get(self.resource, name, self.object_name)
        if current is None:
            self.client.create(self.resource, wanted)
        elif wanted.get("data") != current.get("data"):
            self.client.update(self.resource, {**current, "data": wanted["data"]})

    def wanted(self, namespace: str) -> Object:
        """The object as it should be."""
        return {"metadata": {"name": self.object_name, "namespace": namespace}}


class ServiceAccountController(_PerNamespace):
    """Keeps the ServiceAccount ``default``."""

    resource, object_name = "serviceaccounts", DEFAULT_ACCOUNT


class RootCertificatePublisher(_PerNamespace):
    """Keeps the ConfigMap ``kube-root-ca.crt``; ``certificate`` is the PEM text of the cluster's root."""

    resource, object_name = "configmaps", ROOT_CERTIFICATE

    def __init__(self, client: Client, certificate: str) -> None:
        super().__init__(client)
        self._certificate = certificate

    def wanted(self, namespace: str) -> Object:
        """The object as it should be."""
        metadata = {
            "name": self.object_name,
            "namespace": namespace,
            "annotations": {"kubernetes.io/description": _DESCRIPTION},
        }
        return {"metadata": metadata, "data": {"ca.crt": self._certificate}}
