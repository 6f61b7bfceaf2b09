"""What Container Insights' agent reads off API objects: owners, limits, container states, services.

Source: opentelemetry-collector-contrib, receiver/awscontainerinsightreceiver/internal/stores/podstore.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api import quantity

Object = Mapping[str, Any]

_HASH = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{3,}")
_SCHEDULED_JOB = re.compile(r"(.+)-\d{8,}")
_WAITING_REASONS = {
    "CrashLoopBackOff": "crash_loop_back_off",
    "ImagePullBackOff": "image_pull_error",
    "ErrImagePull": "image_pull_error",
    "InvalidImageName": "image_pull_error",
    "StartError": "start_error",
    "CreateContainerError": "create_container_error",
    "CreateContainerConfigError": "create_container_config_error",
}
PHASES = ("Running", "Pending", "Failed", "Unknown", "Succeeded")


def workload_name(pod: Object) -> str:
    """The ``PodName`` dimension: the owner's name; a StatefulSet's or bare pod keeps its own."""
    name: str = pod["metadata"]["name"]
    owners = pod["metadata"].get("ownerReferences") or ()
    owner = next((reference for reference in owners if reference.get("controller")), None)
    if owner is None or owner["kind"] == "StatefulSet":
        return name
    owner_name: str = owner["name"]
    if owner["kind"] == "ReplicaSet":
        deployment, _, suffix = owner_name.rpartition("-")
        return deployment if deployment and _HASH.fullmatch(suffix) else owner_name
    if owner["kind"] == "Job":
        scheduled = _SCHEDULED_JOB.fullmatch(owner_name)
        return scheduled.group(1) if scheduled else owner_name
    return owner_name


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests or limits: millicores and bytes; None when a container has none."""

    cpu_millicores: int | None
    memory_bytes: int | None


def container_sizes(container: Object, kind: str) -> Sizes:
    """``requests`` or ``limits`` of one container."""
    sizes = (container.get("resources") or {}).get(kind) or {}
    return Sizes(
        quantity.milli(sizes["cpu"]) if "cpu" in sizes else None,
        quantity.value(sizes["memory"]) if "memory" in sizes else None,
    )


def pod_requests(pod: Object) -> tuple[int, int]:
    """Millicores and bytes that the containers request; one without a request counts as 0."""
    sizes = [container_sizes(container, "requests") for container in pod["spec"]["containers"]]
    return sum(size.cpu_millicores or 0 for size in sizes), sum(size.memory_bytes or 0 for size in sizes)


def pod_limits(pod: Object) -> Sizes:
    """The sum of the limits; None where any container has no limit."""
    sizes = [container_sizes(container, "limits") for container in pod["spec"]["containers"]]
    return Sizes(_sum_of_all([s.cpu_millicores for s in sizes]), _sum_of_all([s.memory_bytes for s in sizes]))


def _sum_of_all(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def node_capacity(node: Object) -> tuple[int, int]:
    """Millicores and bytes of the machine: the "node limit" of the formulas."""
    capacity = (node.get("status") or {}).get("capacity") or {}
    return quantity.milli(capacity.get("cpu")), quantity.value(capacity.get("memory"))


def phase(pod: Object) -> str:
    """The pod's phase."""
    found: str = (pod.get("status") or {}).get("phase") or "Pending"
    return found


def has_condition(obj: Object, condition: str, status: str = "True") -> bool:
    """Whether the object's condition has that status."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(item["type"] == condition and item["status"] == status for item in conditions)


def container_statuses(pod: Object) -> list[Object]:
    """The statuses of the pod's containers."""
    return list((pod.get("status") or {}).get("containerStatuses") or ())


def restarts(pod: Object) -> int:
    """Restarts of all containers so far."""
    return sum(status.get("restartCount", 0) for status in container_statuses(pod))


def status_counts(pod: Object) -> dict[str, int]:
    """The 0/1 and count metrics of a pod's state; the ``reason`` ones only while they hold."""
    counts = {f"pod_status_{name.lower()}": int(phase(pod) == name) for name in PHASES}
    counts["pod_status_ready"] = int(has_condition(pod, "Ready"))
    counts["pod_status_scheduled"] = int(has_condition(pod, "PodScheduled"))
    statuses = container_statuses(pod)
    for kind in ("running", "waiting", "terminated"):
        counts[f"pod_container_status_{kind}"] = sum(kind in (item.get("state") or {}) for item in statuses)
    for status in statuses:
        for reason in _reasons(status):
            counts[reason] = counts.get(reason, 0) + 1
    counts["pod_number_of_containers"] = len(pod["spec"]["containers"])
    counts["pod_number_of_running_containers"] = counts["pod_container_status_running"]
    return counts


def _reasons(status: Object) -> list[str]:
    state = status.get("state") or {}
    reasons = []
    waiting = _WAITING_REASONS.get((state.get("waiting") or {}).get("reason", ""))
    if waiting is not None:
        reasons.append(f"pod_container_status_waiting_reason_{waiting}")
    ends = (state.get("terminated"), (status.get("lastState") or {}).get("terminated"))
    if any((end or {}).get("reason") == "OOMKilled" for end in ends):
        reasons.append("pod_container_status_terminated_reason_oom_killed")
    return reasons


def service_of(pod: Object, services: Iterable[Object]) -> str | None:
    """The ``Service`` dimension: the first service, by name, that selects the pod."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    names = [
        service["metadata"]["name"]
        for service in services
        if service["metadata"].get("namespace") == metadata.get("namespace")
        and (selector := service["spec"].get("selector"))
        and all(labels.get(key) == wanted for key, wanted in selector.items())
    ]
    return min(names, default=None)


def instance_id(node: Object) -> str:
    """The EC2 instance id at the end of the provider id, or the node's name."""
    provider_id: str = node["spec"].get("providerID") or node["metadata"]["name"]
    return provider_id.rpartition("/")[2]
