"""Subresources with a verb of their own: pods/binding, pods/eviction, scale.

Source: kubernetes/kubernetes pkg/registry/core/pod/storage/{storage,eviction}.go, pkg/registry/apps/deployment/storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labs import errors
from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object
from labs.api.users import Requester
from labs.units import rfc3339

if TYPE_CHECKING:
    from labs.api.apiserver import ApiServer

NOT_NEGATIVE = "must be greater than or equal to 0"


def bind(api: ApiServer, namespace: str, name: str, node_name: str) -> Object:
    """Set spec.nodeName and PodScheduled=True. Raises 404, and 409 for a bound or leaving pod."""
    pod = api.require("pods", namespace, name)
    if "deletionTimestamp" in pod["metadata"]:
        raise errors.conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        bound = pod["spec"]["nodeName"]
        raise errors.conflict("pods/binding", name, f'pod {name} is already assigned to node "{bound}"')
    status: dict[str, Any] = dict(pod.get("status") or {})
    condition = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(api.loop.now_ns),
    }
    others = [item for item in status.get("conditions") or [] if item["type"] != "PodScheduled"]
    status["conditions"] = [*others, condition]
    metadata = dict(pod["metadata"])
    node = api.store.get("nodes", "", node_name)
    node_labels = (node or {"metadata": {}})["metadata"].get("labels") or {}
    topology = {
        key: node_labels[key]
        for key in ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
        if key in node_labels
    }
    if topology:
        metadata["labels"] = {**(metadata.get("labels") or {}), **topology}
    spec = {**pod["spec"], "nodeName": node_name}
    return api.store.put("pods", {**pod, "metadata": metadata, "spec": spec, "status": status})


def get_scale(api: ApiServer, resource: str, namespace: str, name: str) -> Object:
    """The ``autoscaling/v1`` Scale of a workload. Raises 404."""
    workload = api.require(resource, namespace, name)
    metadata = workload["metadata"]
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: metadata[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in metadata
        },
        "spec": {"replicas": workload["spec"].get("replicas", 1)},
        "status": {
            "replicas": (workload.get("status") or {}).get("replicas", 0),
            "selector": str(selector_from_label_selector(workload["spec"].get("selector"))),
        },
    }


def put_scale(api: ApiServer, resource: str, scale: Object, user: Requester, manager: str) -> Object:
    """Write spec.replicas of a workload through its Scale. Raises 404, 409 on a stale version, 422."""
    metadata = scale["metadata"]
    name = metadata["name"]
    workload = api.require(resource, metadata["namespace"], name)
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        raise errors.invalid_field("Scale.autoscaling", name, "spec.replicas", replicas, NOT_NEGATIVE)
    version = metadata.get("resourceVersion") or workload["metadata"]["resourceVersion"]
    changed = {
        **workload,
        "metadata": {**workload["metadata"], "resourceVersion": version},
        "spec": {**workload["spec"], "replicas": replicas},
    }
    api.update(resource, changed, subresource="scale", user=user, manager=manager)
    return get_scale(api, resource, metadata["namespace"], name)
