"""The selector by which a pod without constraints of its own is spread.

Source: pkg/scheduler/framework/plugins/helper/spread.go (DefaultSelector).
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.selectors import LabelSelector, Requirement, selector_of
from labs.controlplane.runtime import controller_of
from labs.controlplane.scheduler.podinfo import PodInfo, SpreadConstraint
from labs.controlplane.scheduler.spread import default_constraints

_WORKLOADS = {
    "ReplicaSet": "replicasets.apps",
    "ReplicationController": "replicationcontrollers",
    "StatefulSet": "statefulsets.apps",
}


def default_spread(client: Client, pod: PodInfo) -> tuple[SpreadConstraint, ...]:
    """The default constraints of a pod; none when neither a service nor a workload selects it."""
    if pod.spread:
        return ()
    requirements = (*_service_requirements(client, pod), *_workload_requirements(client, pod))
    return default_constraints(pod.namespace, LabelSelector(requirements)) if requirements else ()


def _service_requirements(client: Client, pod: PodInfo) -> tuple[Requirement, ...]:
    merged: dict[str, str] = {}
    for service in client.list("services", pod.namespace):
        selector = service["spec"].get("selector")
        if selector and all(pod.labels.get(key) == value for key, value in selector.items()):
            merged |= selector
    return tuple(Requirement(key, "=", (merged[key],)) for key in sorted(merged))


def _workload_requirements(client: Client, pod: PodInfo) -> tuple[Requirement, ...]:
    owner = controller_of(pod.obj)
    resource = _WORKLOADS.get(owner["kind"]) if owner is not None else None
    if owner is None or resource is None:
        return ()
    workload = client.get(resource, pod.namespace, owner["name"])
    if workload is None:
        return ()
    return selector_of(workload).requirements or ()
