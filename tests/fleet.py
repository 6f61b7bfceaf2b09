"""Nodes and pods for tests of placement, and the scheduler at work on them."""

from __future__ import annotations

from typing import Any

from stand_ins import START_NS, Cluster

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.store import Object, Store
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def node(
    name: str,
    zone: str = "a",
    *,
    cpu: str = "4",
    memory: str = "16Gi",
    pods: int = 110,
    labels: dict[str, str] | None = None,
    images: dict[str, int] | None = None,
    **spec: Any,
) -> Object:
    status: dict[str, Any] = {"allocatable": {"cpu": cpu, "memory": memory, "pods": str(pods)}}
    if images:
        status["images"] = [{"names": [image], "sizeBytes": size} for image, size in images.items()]
    all_labels = {HOSTNAME: name, ZONE: zone, **(labels or {})}
    return {"metadata": {"name": name, "labels": all_labels}, "spec": spec, "status": status}


def pod(
    name: str, app: str = "web", *, cpu: str = "100m", memory: str = "128Mi", port: int | None = None, **spec: Any
) -> Object:
    container: dict[str, Any] = {"name": "c", "image": "web:1"}
    container["resources"] = {"requests": {"cpu": cpu, "memory": memory}}
    if port is not None:
        container["ports"] = [{"containerPort": 80, "hostPort": port, "protocol": "TCP"}]
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}},
        "spec": {"containers": [container], "priority": 0, **spec},
        "status": {"phase": "Pending"},
    }


def anti_affinity(app: str, key: str = HOSTNAME) -> dict[str, Any]:
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(app, key)]}}


def affinity(app: str, key: str = ZONE) -> dict[str, Any]:
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term(app, key)]}}


def term(app: str, key: str) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}


def spread(app: str, key: str = ZONE, max_skew: int = 1, when: str = "DoNotSchedule") -> list[dict[str, Any]]:
    selector = {"matchLabels": {"app": app}}
    return [{"maxSkew": max_skew, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector}]


class BareCluster(Cluster):
    """A store and its rules without the kinds' defaults and admission, and without nodes."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.api = ApiServer(self.loop, Streams(7), Store(self.loop, Trace()))
        self.client = Client(self.api, "tester")


class ScheduledCluster(BareCluster):
    """A cluster with the scheduler; pods only wait on their node."""

    def __init__(self, *nodes: Object) -> None:
        super().__init__()
        for each in nodes:
            self.client.create("nodes", each)
        Scheduler(Client(self.api, NAME), self.api.streams).start()

    def add(self, *pods: Object, seconds: float = 1) -> None:
        for each in pods:
            self.client.create("pods", each)
        self.run(seconds)

    def node_of(self, name: str) -> str | None:
        found: str | None = self.get("pods", name)["spec"].get("nodeName")
        return found

    def condition(self, name: str) -> dict[str, Any]:
        [found] = [item for item in self.get("pods", name)["status"]["conditions"] if item["type"] == "PodScheduled"]
        return found

    def message(self, name: str) -> str:
        text: str = self.condition(name)["message"]
        return text
