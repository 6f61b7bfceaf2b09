"""A cluster without control plane: API, kubelets, and pods that a test binds itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.apiserver import ApiServer, DeleteOptions
from labs.api.client import Client
from labs.api.cloud import FleetRequest, Override
from labs.api.store import Store
from labs.dataplane.addresses import SubnetAddresses
from labs.dataplane.cloud import ZONES, Cloud, CloudTimes
from labs.dataplane.kubelet.kubelets import KubeletConfig, Kubelets
from labs.dataplane.machines import Machines
from labs.dataplane.process import Process, Programs, Surroundings
from labs.dataplane.programs.catalogue import Entry
from labs.dataplane.programs.idle import IdleProcess, Plan
from labs.dataplane.programs.shell import ShellProcess
from labs.dataplane.shell.session import script_of
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import parse_rfc3339, to_ns

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


class IdlePrograms:
    """Every image idles, or does what its shell command says."""

    def create(self, surroundings: Surroundings) -> Process:
        script = script_of(surroundings.arguments)
        if script is not None:
            return ShellProcess(surroundings, Entry(), script)
        return IdleProcess(surroundings, Plan())

    def forget(self, uid: str, containers: Sequence[str]) -> None:
        """Nothing is kept."""


@dataclass
class Cluster:
    """``seconds`` counts from the start."""

    loop: Loop
    streams: Streams
    trace: Trace
    api: ApiServer
    client: Client
    cloud: Cloud
    kubelets: Kubelets
    machines: Machines
    history: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return (self.loop.now_ns - START_NS) / 1e9

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now_ns + to_ns(seconds))

    def node(self, instance_type: str = "m5.large", zone: str = ZONES[0], is_prebooted: bool = True) -> str:
        result = self.cloud.launch(FleetRequest([Override(instance_type, zone)]), is_prebooted)
        assert result.instance is not None
        return result.instance.node_name

    def pod(self, name: str, node: str, **spec: Any) -> dict[str, Any]:
        """Create and bind a pod; ``container`` holds fields of its one container."""
        container = {"name": "main", "image": "nginx:1.29", **spec.pop("container", {})}
        containers = spec.pop("containers", [container])
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "annotations": spec.pop("annotations", {})},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 30, **spec},
        }
        self.client.create("pods", pod)
        return self.client.bind("default", name, node)

    def get(self, name: str) -> dict[str, Any]:
        return self.client.require("pods", "default", name)

    def phase(self, name: str) -> str:
        return str(self.get(name)["status"]["phase"])

    def condition(self, name: str, type: str) -> dict[str, Any]:
        return next(item for item in self.get(name)["status"]["conditions"] if item["type"] == type)

    def is_ready(self, name: str) -> bool:
        return bool(self.condition(name, "Ready")["status"] == "True")

    def container(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.get(name)["status"]["containerStatuses"][0]
        return status

    def delete(self, name: str, grace_s: int | None = None) -> None:
        self.client.delete("pods", "default", name, DeleteOptions(grace_period_seconds=grace_s))

    def events(self, name: str) -> list[str]:
        found = [event for event in self.client.list("events") if event["involvedObject"]["name"] == name]
        found.sort(key=lambda event: (event["firstTimestamp"], int(event["metadata"]["resourceVersion"])))
        return [f"{event['reason']}: {event['message']}" for event in found]


def build_cluster(seed: int = 7, programs: Programs | None = None) -> Cluster:
    loop, streams, trace = Loop(START_NS), Streams(seed), Trace()
    api = ApiServer(loop, streams, Store(loop, trace))
    client = Client(api, "kubelet")
    addresses = SubnetAddresses(ZONES)
    cloud = Cloud(loop, streams, addresses, CloudTimes())
    kubelets = Kubelets(client, streams, programs or IdlePrograms(), addresses, KubeletConfig())
    machines = Machines(client, cloud, kubelets, streams, CloudTimes())
    kubelets.start()
    machines.start()
    return Cluster(loop, streams, trace, api, client, cloud, kubelets, machines)
