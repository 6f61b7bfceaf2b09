"""A control plane with Karpenter over the simulated EC2, and kubelets that only make nodes ready."""

from __future__ import annotations

from typing import Any

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.cloud import Instance
from labs.api.store import Store
from labs.controlplane.karpenter.start import start_karpenter
from labs.dataplane.addresses import SubnetAddresses
from labs.dataplane.cloud import ZONES, Cloud, CloudTimes, Launch
from labs.dataplane.instance_types import allocatable, capacity, instance_spec
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, rfc3339

START_NS = 1_767_600_000 * SECOND_NS
REGISTER_NS = 10 * SECOND_NS


class Scene:
    """The parts, with a scheduler's words put in its mouth."""

    def __init__(self, requirements: list[dict[str, Any]] | None = None, **pool_spec: Any) -> None:
        self.loop = Loop(START_NS)
        streams = Streams(1)
        store = Store(self.loop, Trace())
        self.api = ApiServer(self.loop, streams, store)
        self.client = Client(self.api, "test")
        self.cloud = Cloud(self.loop, streams, SubnetAddresses(ZONES), CloudTimes())
        self.cloud.watch(self._boot)
        start_karpenter(self.api, self.cloud)
        self.client.create("ec2nodeclasses.karpenter.k8s.aws", node_class())
        self.client.create("nodepools.karpenter.sh", node_pool(requirements or LARGE, **pool_spec))
        self.run(5)

    def run(self, length_s: float) -> None:
        self.loop.run_until(self.loop.now_ns + round(length_s * SECOND_NS))

    def _boot(self, instance: Instance, launch: Launch) -> None:
        if instance.state == "running":
            self.loop.after(REGISTER_NS, self._register, instance, launch)

    def _register(self, instance: Instance, launch: Launch) -> None:
        spec = instance_spec(instance.instance_type)
        labels = {
            **launch.labels,
            "kubernetes.io/hostname": instance.node_name,
            "topology.kubernetes.io/zone": instance.zone,
            "node.kubernetes.io/instance-type": instance.instance_type,
            "karpenter.sh/capacity-type": instance.capacity_type,
        }
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.loop.now_ns)}
        node = {
            "metadata": {"name": instance.node_name, "labels": labels},
            "spec": {"providerID": instance.provider_id, "taints": [taint.to_wire() for taint in launch.taints]},
        }
        created = self.client.create("nodes", node)
        status = {"capacity": capacity(spec), "allocatable": allocatable(spec), "conditions": [ready]}
        self.client.set_status("nodes", created, status)
        # Stands for the node lifecycle controller, which takes the not-ready taint off a ready node.
        current = self.client.require("nodes", "", instance.node_name)
        kept = [taint for taint in current["spec"].get("taints", []) if "not-ready" not in taint["key"]]
        self.client.update("nodes", {**current, "spec": {**current["spec"], "taints": kept}})

    def pod(self, name: str, cpu: str = "500m", **spec: Any) -> dict[str, Any]:
        """A pod that the scheduler found no room for."""
        labels = spec.pop("labels", {"app": "web"})
        container = {"name": "c", "image": "busybox", "resources": {"requests": {"cpu": cpu, "memory": "128Mi"}}}
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
        metadata = {"name": name, "namespace": "default", "labels": labels, "ownerReferences": [owner]}
        created = self.client.create("pods", {"metadata": metadata, "spec": {"containers": [container], **spec}})
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        return self.client.set_status("pods", created, {"phase": "Pending", "conditions": [condition]})

    def bind(self, name: str, node: str) -> None:
        self.client.bind("default", name, node)
        pod = self.client.require("pods", "default", name)
        self.client.set_status("pods", pod, {**pod["status"], "phase": "Running"})

    def claims(self) -> list[dict[str, Any]]:
        return self.client.list("nodeclaims.karpenter.sh")

    def nodes(self) -> list[dict[str, Any]]:
        return self.client.list("nodes")


LARGE = [
    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
    {"key": "karpenter.k8s.aws/instance-family", "operator": "In", "values": ["m6i"]},
    {"key": "karpenter.k8s.aws/instance-size", "operator": "In", "values": ["large"]},
]


def node_class() -> dict[str, Any]:
    spec = {
        "amiSelectorTerms": [{"alias": "al2023@latest"}],
        "role": "KarpenterNodeRole",
        "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "shop"}}],
        "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "shop"}}],
    }
    return {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "default"}, "spec": spec}


def node_pool(requirements: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    spec = {"template": {"spec": {"nodeClassRef": reference, "requirements": requirements}}, **more}
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "default"}, "spec": spec}
