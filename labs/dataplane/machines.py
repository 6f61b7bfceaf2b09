"""From an instance to a node: the kubelet starts on a booted machine and ends with it, the node goes with the instance.

Source of the last part: kubernetes/cloud-provider controllers/nodelifecycle (5 s check of nodes that are not ready).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from labs.api.client import Client
from labs.api.cloud import ON_DEMAND, FleetRequest, Instance, Override, Taint
from labs.dataplane.cloud import SHUTTING_DOWN, STOPPING, TERMINATED, Cloud, CloudTimes, Launch, Spread
from labs.dataplane.kubelet.kubelet import Kubelet
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.dataplane.kubelet.node_status import Registration
from labs.errors import UsageError
from labs.sim.streams import Streams
from labs.units import SECOND_NS, to_ns

CHECK_NS = 5 * SECOND_NS


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """An EKS managed node group with a fixed number of nodes, spread over ``zones`` in turn."""

    name: str
    instance_type: str
    count: int
    zones: Sequence[str]
    labels: dict[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()


class Machines:
    """Joins the cloud's instances with kubelets."""

    def __init__(self, client: Client, cloud: Cloud, kubelets: Kubelets, streams: Streams, times: CloudTimes) -> None:
        self._client = client
        self._cloud = cloud
        self._kubelets = kubelets
        self._rng: random.Random = streams.python("machines")
        self._times = times

    def start(self) -> None:
        """Watch the cloud from now on."""
        self._cloud.watch(self._changed)
        self._cloud.is_shutting_down = self._is_shutting_down

    def launch_group(self, group: NodeGroup, is_prebooted: bool = True) -> list[Instance]:
        """Launch the group's nodes. Raises UsageError when the cloud has no capacity for one."""
        labels = {
            "eks.amazonaws.com/nodegroup": group.name,
            "eks.amazonaws.com/capacityType": "ON_DEMAND",
            **group.labels,
        }
        tags = {"eks:nodegroup-name": group.name, "Name": group.name}
        instances = []
        for number in range(group.count):
            override = Override(group.instance_type, group.zones[number % len(group.zones)], ON_DEMAND)
            result = self._cloud.launch(FleetRequest([override], labels, group.taints, tags), is_prebooted)
            if result.instance is None:
                raise UsageError(f"Node group {group.name} cannot start: {result.errors[0].message}")
            instances.append(result.instance)
        return instances

    def _changed(self, instance: Instance, launch: Launch) -> None:
        name = instance.node_name
        kubelet = self._kubelets.get(name)
        if self._cloud.has_power(instance):
            if kubelet is None:
                kubelet = self._kubelets.add(Registration(instance, launch.labels, launch.taints))
            if not kubelet.is_on:
                self._boot(kubelet, instance, launch.is_prebooted)
        elif instance.state == TERMINATED:
            self._kubelets.remove(name)
        elif kubelet is not None and self._is_told(instance) and kubelet.is_on:
            kubelet.shut_down(lambda: self._stop_services(kubelet))
        elif kubelet is not None:
            kubelet.power_off()
        if instance.state == SHUTTING_DOWN:
            self._client.loop.after(CHECK_NS, self._check_node, instance.id)

    def _is_told(self, instance: Instance) -> bool:
        """Whether an instance that stops has the time to shut down: it has power, and is not forced."""
        is_stopping = instance.state in (STOPPING, SHUTTING_DOWN) and not self._cloud.is_forced(instance)
        return is_stopping and not self._cloud.is_dark(instance.zone)

    def _is_shutting_down(self, instance: Instance) -> bool:
        kubelet = self._kubelets.get(instance.node_name)
        return kubelet is not None and kubelet.is_on and kubelet.is_shutting_down

    def _stop_services(self, kubelet: Kubelet) -> None:
        """The inhibitor is released: systemd stops the kubelet and what still runs, and the machine is off."""
        self._client.loop.after(self._draw_ns(self._times.services), kubelet.power_off)

    def _boot(self, kubelet: Kubelet, instance: Instance, is_prebooted: bool) -> None:
        times = self._times
        register_ns = 0 if is_prebooted else self._draw_ns(times.register)
        ready_ns = 0 if is_prebooted else self._draw_ns(times.ready)
        self._client.loop.after(register_ns, self._register, kubelet, instance.id, ready_ns)

    def _register(self, kubelet: Kubelet, instance_id: str, ready_ns: int) -> None:
        instance = self._cloud.instance(instance_id)
        if instance is not None and self._cloud.has_power(instance) and not kubelet.is_on:
            kubelet.register()
            self._client.loop.after(ready_ns, kubelet.become_ready)

    def _check_node(self, instance_id: str) -> None:
        """Delete the node of an ended instance once it is no longer ready."""
        instance = self._cloud.instance(instance_id)
        node = self._client.get("nodes", "", instance.node_name) if instance is not None else None
        if instance is None or node is None or node["spec"].get("providerID") != instance.provider_id:
            return
        conditions = (node.get("status") or {}).get("conditions") or ()
        is_ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        if instance.state == TERMINATED and not is_ready:
            name = instance.node_name
            text = f"Deleting node {name} because it does not exist in the cloud provider"
            self._client.events.record(node, "Normal", "DeletingNode", text)
            self._client.delete("nodes", "", name)
        else:
            self._client.loop.after(CHECK_NS, self._check_node, instance_id)

    def _draw_ns(self, spread: Spread) -> int:
        return to_ns(spread.median_s * self._rng.lognormvariate(0.0, spread.sigma))
