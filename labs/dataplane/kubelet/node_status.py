"""The Node object that a kubelet registers, and its heartbeat.

Source: kubernetes pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodestatus/setters.go;
labels of the AWS cloud provider.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.cloud import Instance, Taint
from labs.api.store import Object
from labs.dataplane.instance_types import allocatable, capacity, instance_spec
from labs.units import rfc3339, rfc3339_micro

KUBELET_VERSION = "v1.37.2-eks-3abbec1"
LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION_S = 40
SHUTTING_DOWN = "node is shutting down"

NOT_READY_TAINT = Taint("node.kubernetes.io/not-ready", "NoSchedule")
_NETWORK_NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the kubelet finds out about its node."""

    is_ready: bool = False
    is_shutting_down: bool = False
    has_memory_pressure: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """What a kubelet is started with: its instance, and labels and taints from its launch."""

    instance: Instance
    labels: Mapping[str, str]
    taints: Sequence[Taint]


def node_object(registration: Registration, now_ns: int) -> Object:
    """The Node as it is first registered: not ready yet, since the network plug-in comes after the kubelet."""
    instance = registration.instance
    taints = [taint.to_wire() for taint in registration.taints]
    # The admission plug-in NodeTaint adds this one to every new node.
    taints.append(NOT_READY_TAINT.to_wire())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": instance.node_name,
            "labels": {**_own_labels(instance), **registration.labels},
            "annotations": {
                "alpha.kubernetes.io/provided-node-ip": instance.private_ip,
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {"providerID": instance.provider_id, "taints": taints},
        "status": node_status(instance, NodeFacts(), now_ns, None),
    }


def _own_labels(instance: Instance) -> dict[str, str]:
    arch = instance_spec(instance.instance_type).arch
    region = instance.zone[:-1]
    return {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/instance-type": instance.instance_type,
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/zone": instance.zone,
        "kubernetes.io/arch": arch,
        "kubernetes.io/hostname": instance.node_name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": instance.instance_type,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": instance.zone,
    }


def node_status(instance: Instance, facts: NodeFacts, now_ns: int, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The status to post; a condition keeps its transition time while its status does."""
    spec = instance_spec(instance.instance_type)
    ready = ("True", "KubeletReady", "kubelet is posting ready status")
    if not facts.is_ready:
        ready = ("False", "KubeletNotReady", _NETWORK_NOT_READY)
    elif facts.is_shutting_down:
        ready = ("False", "KubeletNotReady", SHUTTING_DOWN)
    values = [(name, "False", reason, message) for name, reason, message in _PRESSURES]
    if facts.has_memory_pressure:
        values[0] = (
            "MemoryPressure",
            "True",
            "KubeletHasInsufficientMemory",
            "kubelet has insufficient memory available",
        )
    values.append(("Ready", *ready))
    before = {item["type"]: item for item in (old or {}).get("conditions") or ()}
    return {
        **(old or {}),
        "capacity": capacity(spec),
        "allocatable": allocatable(spec),
        "conditions": [_condition(value, before.get(value[0]), rfc3339(now_ns)) for value in values],
        "addresses": [
            {"type": "InternalIP", "address": instance.private_ip},
            {"type": "InternalDNS", "address": instance.node_name},
            {"type": "Hostname", "address": instance.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": _node_info(instance, spec.arch),
    }


def _condition(value: tuple[str, str, str, str], old: Mapping[str, Any] | None, now: str) -> dict[str, Any]:
    name, status, reason, message = value
    is_same = old is not None and old["status"] == status
    return {
        "type": name,
        "status": status,
        "lastHeartbeatTime": now,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and is_same else now,
        "reason": reason,
        "message": message,
    }


def _node_info(instance: Instance, arch: str) -> dict[str, str]:
    digest = hashlib.sha256(instance.id.encode()).hexdigest()
    return {
        "machineID": f"ec2{digest[:29]}",
        "systemUUID": f"ec2{digest[:5]}-{digest[5:9]}-{digest[9:13]}-{digest[13:17]}-{digest[17:29]}",
        "bootID": f"{digest[29:37]}-{digest[37:41]}-{digest[41:45]}-{digest[45:49]}-{digest[49:61]}",
        "kernelVersion": f"6.12.37-61.105.amzn2023.{'aarch64' if arch == 'arm64' else 'x86_64'}",
        "osImage": "Amazon Linux 2023.8.20250721",
        "containerRuntimeVersion": "containerd://2.1.4",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": arch,
    }


def lease_object(node: Object, now_ns: int) -> Object:
    """The node's lease, owned by the node."""
    metadata = node["metadata"]
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": metadata["name"],
            "namespace": LEASE_NAMESPACE,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {
            "holderIdentity": metadata["name"],
            "leaseDurationSeconds": LEASE_DURATION_S,
            "renewTime": rfc3339_micro(now_ns),
        },
    }
