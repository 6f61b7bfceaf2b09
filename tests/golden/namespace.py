"""The namespace `golden` of the recordings: everything in it, two seconds after it was created."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from golden.stage import AGENT, DATA, new_server, read, recordings, send

from labs.api.client import Client
from labs.api.metrics import MetricValue, PodSample
from labs.api.rest.handler import RestApi
from labs.api.rest.message import Request
from labs.api.store import WatchEvent
from labs.controlplane.hpa.controller import HpaController
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.node_lifecycle import NodeLifecycle
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.controlplane.workloads import MANAGER, start_workload_controllers
from labs.units import SECOND_NS, rfc3339

STARTED_NS = 19 * SECOND_NS // 10
READ_NS = {"before pods run": 18 * SECOND_NS // 10, "after pods run": 25 * SECOND_NS // 10}
"""The recording was read while its pods became Ready."""
STAND_IN = "python-urllib3"
NEIGHBOURS = Path(__file__).parent / "neighbours" / "objects.yaml"


class NoMetrics:
    """A metrics API that answers with nothing."""

    def pod_samples(self, resource: str, namespace: str, selector: Any) -> list[PodSample]:
        return []

    def pod_values(self, metric: str, namespace: str, selector: Any, metric_selector: Any) -> list[MetricValue]:
        return []


class Kubelets:
    """The recordings' stand-in: a bound pod runs and is Ready after two seconds."""

    def __init__(self, server: RestApi) -> None:
        self.client = Client(server.api, STAND_IN)
        for index in range(20):
            zone = f"zone-{'abc'[index % 3]}"
            labels = {
                "kubernetes.io/hostname": f"node-{index}",
                "topology.kubernetes.io/region": "region-1",
                "topology.kubernetes.io/zone": zone,
            }
            node = self.client.create("nodes", {"metadata": {"name": f"node-{index}", "labels": labels}})
            node = self.client.update("nodes", {**node, "spec": {}})
            capacity = {"cpu": "8", "memory": "32Gi", "pods": "110"}
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
            self.client.set_status(
                "nodes", node, {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}
            )
        self._started = 0
        self.client.subscribe("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        was_bound = event.previous is not None and event.previous["spec"].get("nodeName")
        if event.object["spec"].get("nodeName") and not was_bound:
            metadata = event.object["metadata"]
            self.client.loop.after(STARTED_NS, self._run, metadata["namespace"], metadata["name"])

    def _run(self, namespace: str, name: str) -> None:
        pod = self.client.require("pods", namespace, name)
        self._started += 1
        now = rfc3339(self.client.loop.now_ns)
        kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
        conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds]
        address = f"10.244.0.{self._started}"
        status = {
            **pod["status"],
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [*conditions, *pod["status"]["conditions"]],
        }
        self.client.set_status("pods", pod, status)


def moments(root: Path) -> list[RestApi]:
    """The namespace at both moments."""
    return [namespace_after_2s(root, moment) for moment in READ_NS]


@cache
def namespace_after_2s(root: Path, moment: str = "after pods run") -> RestApi:
    """A server whose controllers have had two seconds with all recorded inputs and their neighbours."""
    server = new_server()
    Kubelets(server)
    start_workload_controllers(server.api)
    Scheduler(Client(server.api, NAME, "kube-scheduler"), server.api.streams).start()
    metrics = NoMetrics()
    client = Client(server.api, "horizontal-pod-autoscaler", MANAGER)
    HpaController(client, MetricReaders(metrics, metrics)).start()
    NodeLifecycle(Client(server.api, "node-controller", MANAGER)).start()
    loop = server.api.loop
    send(server, "POST", "/api/v1/namespaces", {"metadata": {"name": "golden"}})
    loop.run_until(loop.now_ns + SECOND_NS)
    start_ns = loop.now_ns
    for _, path, body in sorted(requests(root), key=lambda request: request[0]):
        server.handle(Request.to("POST", path, body, AGENT | {"content-type": "application/yaml"}))
        loop.run_until(loop.now_ns + SECOND_NS // 200)
    loop.run_until(start_ns + READ_NS[moment])
    return server


def requests(root: Path) -> list[tuple[int, str, bytes]]:
    """Order, path and body of every create: of the asked recordings, of the committed ones, of the neighbours."""
    found: dict[tuple[str, str], tuple[int, str, bytes]] = {}
    for neighbour in yaml.safe_load(NEIGHBOURS.read_text(encoding="utf-8")):
        key = neighbour["path"], neighbour["body"]["metadata"]["name"]
        found[key] = neighbour["order"], neighbour["path"], yaml.safe_dump(neighbour["body"]).encode()
    for place in dict.fromkeys((DATA, root)):
        for output in recordings(place / "defaults", "*.output.json"):
            recorded = read(output)
            path, metadata = recorded["request"]["path"], recorded["created"]["metadata"]
            body = output.with_name(output.name.partition(".output.json")[0] + ".input.yaml").read_bytes()
            found[path, metadata["name"]] = int(metadata["resourceVersion"]), path, body
    return list(found.values())
