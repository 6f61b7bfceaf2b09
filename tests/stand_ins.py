"""A control plane without nodes, and a stand-in for the kubelet that binds and runs pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.api.bootstrap import bootstrap, new_api_server
from labs.api.client import Client
from labs.api.deletion import DeleteOptions
from labs.api.store import Object, Store, WatchEvent
from labs.errors import ApiError
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import MILLISECOND_NS, SECOND_NS, parse_rfc3339, rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


class Cluster:
    """The API, its clock and what tests do with them."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.api = new_api_server(self.loop, Streams(7), Store(self.loop, Trace()))
        bootstrap(self.api)
        self.client = Client(self.api, "tester")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        self.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "shop"}})
        for number in range(4):
            self.add_node(f"node-{number}", f"zone-{'ab'[number % 2]}")

    def add_node(self, name: str, zone: str) -> Object:
        """A node that is past its first minutes: without the taint that new nodes are given."""
        labels = {"topology.kubernetes.io/zone": zone}
        node = self.client.create("nodes", {"metadata": {"name": name, "labels": labels}})
        return self.client.update("nodes", {**node, "spec": {**(node.get("spec") or {}), "taints": []}})

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now_ns + round(seconds * SECOND_NS))

    def create(self, resource: str, obj: Object) -> Object:
        obj["metadata"].setdefault("namespace", "shop")
        return self.client.create(resource, obj)

    def get(self, resource: str, name: str, namespace: str = "shop") -> Object:
        return self.client.require(resource, namespace, name)

    def names(self, resource: str, namespace: str | None = "shop") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.client.list(resource, namespace)]

    def pods(self) -> list[Object]:
        return self.client.list("pods", "shop")

    def patch(self, resource: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Object:
        """Write ``spec`` as ``change`` makes it."""
        obj = self.get(resource, name)
        return self.client.update(resource, {**obj, "spec": change(obj["spec"])})

    def set_pod_status(self, pod: Object, **status: Any) -> Object:
        current = self.get("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])
        return self.client.set_status("pods", current, {**(current.get("status") or {}), **status})

    def event_texts(self, reason: str) -> list[str]:
        events = sorted(self.client.list("events"), key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [event["message"] for event in events if event["reason"] == reason]


class TinyKubelet:
    """Binds every pod to a node at once, makes it Ready after ``start_s`` and lets go of it after ``stop_s``."""

    def __init__(self, cluster: Cluster, start_s: float = 0.5, stop_s: float = 0.5) -> None:
        self.cluster = cluster
        self.start_s, self.stop_s = start_s, stop_s
        self.is_healthy = True
        self._started = 0
        cluster.client.subscribe("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        metadata = event.object["metadata"]
        if event.type == "ADDED" and "nodeName" not in event.object["spec"]:
            self._started += 1
            self.cluster.client.bind(metadata["namespace"], metadata["name"], f"node-{self._started % 4}")
            # Pods of one moment become Ready one after the other, as they do on real nodes.
            delay_ns = round(self.start_s * SECOND_NS) + self._started % 8 * 5 * MILLISECOND_NS
            self.cluster.loop.after(delay_ns, self._become_ready, metadata["namespace"], metadata["name"])
        was_leaving = event.previous is not None and "deletionTimestamp" in event.previous["metadata"]
        if "deletionTimestamp" in metadata and not was_leaving and event.type != "DELETED":
            delay_ns = round(self.stop_s * SECOND_NS)
            self.cluster.loop.after(delay_ns, self._remove, metadata["namespace"], metadata["name"])

    def _become_ready(self, namespace: str, name: str) -> None:
        pod = self.cluster.client.get("pods", namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"] or not self.is_healthy:
            return
        self._started += 1
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.cluster.loop.now_ns)}
        address = f"10.0.{self._started // 250}.{self._started % 250}"
        status = {**(pod.get("status") or {}), "phase": "Running", "podIP": address, "conditions": [ready]}
        self.cluster.client.set_status("pods", pod, status)

    def _remove(self, namespace: str, name: str) -> None:
        self.cluster.client.delete("pods", namespace, name, DeleteOptions(grace_period_seconds=0))


def refuse_pods(message: str) -> Callable[[Any], None]:
    """An admission plug-in that forbids every new pod."""

    def admit(attributes: Any) -> None:
        if attributes.type.resource == "pods" and attributes.operation == "CREATE":
            raise ApiError(403, "Forbidden", message)

    return admit


def deployment(name: str = "web", replicas: int = 3, image: str = "web:v1", **spec: Any) -> Object:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": rolling,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": pod_template(name, image),
            **spec,
        },
    }


def pod_template(name: str, image: str = "web:v1") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": name, "image": image}], "terminationGracePeriodSeconds": 1},
    }
