"""The in-process client: how controllers, kubelets and faults read and write the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from labs import errors
from labs.api.apiserver import ApiServer, DeleteOptions
from labs.api.events import EventRecorder
from labs.api.store import Object, Objects, Subscriber
from labs.sim.loop import Loop


class Selects(Protocol):
    """What a parsed label selector answers."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        ...


class Client:
    """The API as one component sees it; ``user`` is its name in events and audit.

    ``manager`` is the program that it runs in, which owns the fields it writes; the same as ``user`` unless told.

    Reads return the stored objects themselves: never change them. ``resource`` is ``pods``,
    ``deployments.apps``, ``nodeclaims.karpenter.sh``.
    """

    def __init__(self, api: ApiServer, user: str, manager: str = "") -> None:
        self.api = api
        self.user = user
        self.manager = manager or user
        self.events = EventRecorder(api, user, self.manager)

    @property
    def loop(self) -> Loop:
        """The loop, and with it the clock."""
        return self.api.loop

    @property
    def now_ns(self) -> int:
        """The time now."""
        return self.api.loop.now_ns

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self.api.store.get(resource, namespace, name)

    def list(self, resource: str, namespace: str | None = None, selector: Selects | None = None) -> Objects:
        """Objects in order of namespace and name, those that ``selector`` selects."""
        objects = self.api.store.list(resource, namespace)
        if selector is None:
            return objects
        return [obj for obj in objects if selector.matches(obj["metadata"].get("labels") or {})]

    def owned_by(self, resource: str, uid: str) -> Objects:
        """Objects that name the owner ``uid``."""
        return self.api.store.by_index(resource, "owner", uid)

    def pods_on_node(self, node: str) -> Objects:
        """Pods bound to a node."""
        return self.api.store.by_index("pods", "spec.nodeName", node)

    def create(self, resource: str, obj: Object) -> Object:
        """Create; raises ApiError as the server would."""
        return self.api.create(resource, obj, user=self.user, manager=self.manager)

    def update(self, resource: str, obj: Object) -> Object:
        """Replace; a resourceVersion in ``obj`` is checked."""
        return self.api.update(resource, obj, user=self.user, manager=self.manager)

    def update_status(self, resource: str, obj: Object) -> Object:
        """Replace only the status."""
        return self.api.update(resource, obj, subresource="status", user=self.user, manager=self.manager)

    def set_status(self, resource: str, obj: Object, status: Mapping[str, Any]) -> Object:
        """Give ``obj`` another status, whatever version it has by now; None is never written."""
        metadata = {**obj["metadata"], "resourceVersion": ""}
        return self.update_status(resource, {**obj, "metadata": metadata, "status": dict(status)})

    def finalize(self, namespace: Object) -> Object:
        """Write a namespace's spec.finalizers; it goes when none is left and it is being deleted."""
        return self.api.update("namespaces", namespace, subresource="finalize", user=self.user, manager=self.manager)

    def delete(
        self, resource: str, namespace: str, name: str, options: DeleteOptions = DeleteOptions()
    ) -> Object | None:
        """Delete; None when there was nothing to delete any more."""
        if self.api.store.get(resource, namespace, name) is None:
            return None
        return self.api.delete(resource, namespace, name, options)

    def bind(self, namespace: str, pod: str, node: str) -> Object:
        """Bind a pod to a node. Raises 404, and 409 when it is bound or being deleted."""
        return self.api.bind(namespace, pod, node)

    def evict(self, namespace: str, pod: str, options: DeleteOptions = DeleteOptions()) -> None:
        """Evict a pod. Raises 429 when a PodDisruptionBudget forbids it."""
        self.api.evict(namespace, pod, options)

    def scale(self, resource: str, namespace: str, name: str) -> Object:
        """The ``autoscaling/v1`` Scale of a workload. Raises 404."""
        return self.api.get_scale(resource, namespace, name)

    def set_scale(self, resource: str, scale: Object) -> Object:
        """Write a Scale. Raises 409 on a stale resourceVersion."""
        return self.api.put_scale(resource, scale, user=self.user, manager=self.manager)

    def subscribe(self, resource: str, subscriber: Subscriber) -> None:
        """Hear of every later change of a resource."""
        self.api.store.subscribe(resource, subscriber)

    def require(self, resource: str, namespace: str, name: str) -> Object:
        """The object. Raises 404."""
        obj = self.get(resource, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        return obj
