"""Subresources with a verb of their own: pods/binding, pods/eviction, scale.

Source: kubernetes/kubernetes pkg/registry/core/pod/storage/{storage,eviction}.go, pkg/registry/apps/deployment/storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labs import errors
from labs.api.objects import at
from labs.api.resources import ResourceType
from labs.api.selectors import selector_of
from labs.api.store import Object
from labs.api.users import Requester
from labs.errors import ApiError
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


def _replicas_path(kind: ResourceType, key: str) -> list[str]:
    """Where a kind keeps what ``key`` (specReplicasPath, statusReplicasPath) stands for."""
    if kind.custom is not None and kind.custom.scale is not None:
        return kind.custom.scale[key].removeprefix(".").split(".")
    return [key.removesuffix("ReplicasPath"), "replicas"]


def replicas_of(kind: ResourceType, obj: Object) -> int | None:
    """The number of replicas that an object asks for, None where it does not say."""
    found: int | None = at(obj, *_replicas_path(kind, "specReplicasPath"))
    return found


def with_replicas(kind: ResourceType, obj: Object, count: int) -> Object:
    """The object asking for ``count`` replicas."""
    return _with(obj, _replicas_path(kind, "specReplicasPath"), count)


def _with(value: Any, path: list[str], leaf: Any) -> dict[str, Any]:
    inner = dict(value or {})
    inner[path[0]] = leaf if len(path) == 1 else _with(inner.get(path[0]), path[1:], leaf)
    return inner


def _selector_text(kind: ResourceType, workload: Object) -> str:
    if kind.custom is None:
        return str(selector_of(workload))
    path = (kind.custom.scale or {}).get("labelSelectorPath") or ""
    return str(at(workload, *path.removeprefix(".").split(".")) or "") if path else ""


def get_scale(api: ApiServer, kind: ResourceType, namespace: str, name: str) -> Object:
    """The ``autoscaling/v1`` Scale of a workload. Raises 404, and 500 where a custom one does not say its size."""
    workload = api.require(kind.resource, namespace, name)
    metadata = workload["metadata"]
    replicas = replicas_of(kind, workload)
    if replicas is None and kind.custom is not None:
        path = (kind.custom.scale or {})["specReplicasPath"]
        raise ApiError(
            500, "InternalError", f'Internal error occurred: the spec replicas field "{path}" does not exist'
        )
    status: dict[str, Any] = {"replicas": at(workload, *_replicas_path(kind, "statusReplicasPath")) or 0}
    selector = _selector_text(kind, workload)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: metadata[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in metadata
        },
        "spec": {"replicas": 1 if replicas is None else replicas},
        "status": {**status, **({"selector": selector} if selector or kind.custom is None else {})},
    }


def put_scale(api: ApiServer, kind: ResourceType, scale: Object, user: Requester, manager: str) -> Object:
    """Write the replicas of a workload through its Scale. Raises 404, 409 on a stale version, 422."""
    metadata = scale["metadata"]
    name = metadata["name"]
    workload = api.require(kind.resource, metadata.get("namespace", ""), name)
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        raise errors.invalid_field("Scale.autoscaling", name, "spec.replicas", replicas, NOT_NEGATIVE)
    version = metadata.get("resourceVersion") or workload["metadata"]["resourceVersion"]
    changed = with_replicas(
        kind, {**workload, "metadata": {**workload["metadata"], "resourceVersion": version}}, replicas
    )
    api.update(kind.resource, changed, kind=kind, subresource="scale", user=user, manager=manager)
    return get_scale(api, kind, metadata.get("namespace", ""), name)
