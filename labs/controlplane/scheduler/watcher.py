"""Keeps the scheduler's cache and queue in step with the cluster.

Source: pkg/scheduler/eventhandlers.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane.pods import is_terminal
from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.hints import Change, NodeChange, PodChange, VolumeChange, may_help
from labs.controlplane.scheduler.nodeinfo import parse_node
from labs.controlplane.scheduler.podinfo import PodInfo, parse_pod
from labs.controlplane.scheduler.queue import QueuedPod, SchedulingQueue
from labs.controlplane.volumes.matching import CLAIMS, CLASSES, VOLUMES


class Watcher:
    """``wake`` is called after each change that may have put a pod into the queue."""

    def __init__(self, client: Client, name: str, wake: Callable[[], None]) -> None:
        self._client = client
        self._name = name
        self._wake = wake
        self.cache = Cache(self._namespace_labels)
        self.queue = SchedulingQueue()
        self._assumed: dict[str, None] = {}

    def start(self) -> None:
        """Read what is there, then watch."""
        for node in self._client.list("nodes"):
            self.cache.set_node(parse_node(node))
        for pod in self._client.list("pods"):
            self._on_pod(WatchEvent("ADDED", "pods", pod, None, 0))
        self._client.subscribe("nodes", self._on_node)
        self._client.subscribe("pods", self._on_pod)
        self._client.subscribe("namespaces", self._on_namespace)
        for resource in (CLAIMS, VOLUMES, CLASSES):
            self._client.subscribe(resource, self._on_volume)

    def assume(self, pod: PodInfo) -> None:
        """Count a pod on its node before the binding is known."""
        self._assumed[pod.uid] = None
        self.cache.withdraw(pod.uid)
        self.cache.set_pod(pod)

    def forget(self, pod: PodInfo) -> None:
        """The binding failed: take an assumed pod off its node again."""
        if self._assumed.pop(pod.uid, "") is None:
            self.cache.remove_pod(pod.uid)
            self._move(PodChange(pod, None))

    def _namespace_labels(self, name: str) -> Mapping[str, str]:
        namespace = self._client.get("namespaces", "", name)
        return (namespace["metadata"].get("labels") or {}) if namespace is not None else {}

    def _on_namespace(self, event: WatchEvent) -> None:
        before = event.previous["metadata"].get("labels") if event.previous is not None else None
        if before != event.object["metadata"].get("labels"):
            self.cache.forget_groups()

    def _on_volume(self, event: WatchEvent) -> None:
        self._move(VolumeChange())

    def _on_node(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            old = self.cache.remove_node(event.object["metadata"]["name"])
            self._move(NodeChange(old, None))
            return
        facts = parse_node(event.object)
        known = self.cache.facts_of(facts.name)
        if known != facts:
            self._move(NodeChange(self.cache.set_node(facts), facts))

    def _on_pod(self, event: WatchEvent) -> None:
        pod = event.object
        uid = pod["metadata"]["uid"]
        if event.type == "DELETED" or is_terminal(pod):
            self._on_pod_gone(uid)
        elif pod["spec"].get("nodeName"):
            self._on_bound_pod(uid, pod)
        elif uid not in self._assumed and pod["spec"].get("schedulerName", self._name) == self._name:
            self._on_waiting_pod(uid, pod)

    def _on_pod_gone(self, uid: str) -> None:
        self._assumed.pop(uid, None)
        queued = self.queue.get(uid)
        gone = self.cache.pod(uid)
        self.queue.remove(uid)
        self.cache.withdraw(uid)
        self.cache.remove_pod(uid)
        if gone is None and queued is not None and queued.pod.nominated_node:
            gone = queued.pod
        if gone is not None:
            self._move(PodChange(gone, None))

    def _on_bound_pod(self, uid: str, pod: Object) -> None:
        old = self.cache.pod(uid)
        if old is not None and _is_alike(old, pod):
            new = replace(old, obj=pod)
            self.cache.exchange_pod(new)
        else:
            new = parse_pod(pod)
            self.cache.set_pod(new)
        self.queue.remove(uid)
        self.cache.withdraw(uid)
        is_confirmed = self._assumed.pop(uid, "") is None
        self._move(PodChange(None if is_confirmed else old, new))

    def _on_waiting_pod(self, uid: str, pod: Object) -> None:
        queued = self.queue.get(uid)
        if queued is None:
            info = parse_pod(pod)
            self.queue.add(info, self._client.now_ns)
        else:
            info = _updated(queued.pod, pod)
            self.queue.update(info, _is_changed(queued.pod, info), self._client.now_ns)
        self.cache.nominate(info, info.nominated_node)
        self._wake()

    def _move(self, change: Change) -> None:
        def helps(queued: QueuedPod) -> bool:
            labels_of = self._namespace_labels
            return not queued.refused_by or any(
                may_help(plugin, queued.pod, change, labels_of) for plugin in sorted(queued.refused_by)
            )

        self.queue.move(helps, self._client.now_ns)
        self._wake()


def _updated(known: PodInfo, pod: Object) -> PodInfo:
    """``pod`` parsed; only its object is exchanged where nothing changed that matters here."""
    return replace(known, obj=pod) if _is_alike(known, pod) else parse_pod(pod)


def _is_alike(known: PodInfo, pod: Object) -> bool:
    """Whether all is as it was that a parsed pod holds."""
    return (
        known.node == (pod["spec"].get("nodeName") or "")
        and known.obj["spec"] == pod["spec"]
        and known.labels == (pod["metadata"].get("labels") or {})
        and known.is_terminating == ("deletionTimestamp" in pod["metadata"])
    )


def _is_changed(old: PodInfo, new: PodInfo) -> bool:
    """Whether a waiting pod's own change may make it fit: labels, tolerations, requests."""
    return old.labels != new.labels or old.placement != new.placement or old.requests != new.requests
