"""Which pods count, and what they request.

Source: kubernetes/kubernetes pkg/controller/podautoscaler/replica_calculator.go (groupPods, calculateRequests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.api.quantity import milli
from labs.api.scheduling import pod_requests
from labs.api.store import Object, name_of
from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.pods import condition_of, is_leaving
from labs.units import SECOND_NS, parse_rfc3339

CPU_INITIALIZATION_PERIOD_NS = 300 * SECOND_NS
INITIAL_READINESS_DELAY_NS = 30 * SECOND_NS


@dataclass(frozen=True, slots=True)
class ReadyCondition:
    """A pod's Ready condition: its status and when that last changed."""

    status: str
    transition_ns: int


@dataclass(frozen=True, slots=True)
class Pod:
    """What the autoscaler reads of a pod.

    ``requests_milli``: by container (restartable init containers included), None where it requests nothing of
    the resource in question. ``has_pod_requests``: whether the pod sets any pod-level request; then
    ``pod_request_milli`` is what the pod as a whole requests of the resource, None for nothing.
    """

    name: str
    phase: str = "Running"
    is_deleting: bool = False
    start_ns: int | None = None
    ready: ReadyCondition | None = None
    requests_milli: Mapping[str, int | None] = field(default_factory=dict)
    has_pod_requests: bool = False
    pod_request_milli: int | None = None

    @property
    def is_running_and_ready(self) -> bool:
        """Whether the pod runs and its Ready condition is True."""
        return self.phase == "Running" and self.ready is not None and self.ready.status == "True"


@dataclass(frozen=True, slots=True)
class Sample:
    """One pod's metric value, in thousandths."""

    value_milli: int
    timestamp_ns: int = 0
    window_ns: int = 0


@dataclass(frozen=True, slots=True)
class Readiness:
    """How long a starting pod's CPU is not taken at face value, and the time now."""

    now_ns: int
    cpu_initialization_period_ns: int = CPU_INITIALIZATION_PERIOD_NS
    initial_readiness_delay_ns: int = INITIAL_READINESS_DELAY_NS


@dataclass(frozen=True, slots=True)
class PodGroups:
    """Pods by how their metric counts, each in the order of the pod list."""

    ready_count: int
    unready: tuple[str, ...]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def group_pods(pods: Iterable[Pod], samples: Mapping[str, Sample], resource: str, readiness: Readiness) -> PodGroups:
    """The pods as ready (counted), unready, missing a sample, or ignored. ``resource`` is "" for Pods metrics."""
    ready_count = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        if pod.is_deleting or pod.phase == "Failed":
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            unready.append(pod.name)
        elif pod.name not in samples:
            missing.append(pod.name)
        elif resource == "cpu" and _is_cpu_premature(pod, samples[pod.name], readiness):
            unready.append(pod.name)
        else:
            ready_count += 1
    return PodGroups(ready_count, tuple(unready), tuple(missing), tuple(ignored))


def _is_cpu_premature(pod: Pod, sample: Sample, readiness: Readiness) -> bool:
    """Whether the pod's CPU may still be that of its start."""
    if pod.ready is None or pod.start_ns is None:
        return True
    is_unready = pod.ready.status == "False"
    if pod.start_ns + readiness.cpu_initialization_period_ns > readiness.now_ns:
        return is_unready or sample.timestamp_ns < pod.ready.transition_ns + sample.window_ns
    return is_unready and pod.start_ns + readiness.initial_readiness_delay_ns > pod.ready.transition_ns


def requests_milli(
    pods: Iterable[Pod], resource: str, container: str = "", is_pod_level_enabled: bool = True
) -> dict[str, int]:
    """The request by pod name, in thousandths. Raises MetricError for a container without one."""
    requests = {}
    for pod in pods:
        if is_pod_level_enabled and pod.has_pod_requests and not container:
            if pod.pod_request_milli is None:
                raise MetricError(f"missing pod-level request for {resource} in Pod {pod.name}")
            requests[pod.name] = pod.pod_request_milli
        else:
            requests[pod.name] = _container_requests_milli(pod, resource, container)
    return requests


def _container_requests_milli(pod: Pod, resource: str, container: str) -> int:
    if container and container not in pod.requests_milli:
        raise MetricError(f"container {container} not found in Pod {pod.name}")
    total = 0
    for name, request in pod.requests_milli.items():
        if container in ("", name):
            if request is None:
                raise MetricError(f"missing request for {resource} in container {name} of Pod {pod.name}")
            total += request
    return total


def read_pod(obj: Object, resource: str) -> Pod:
    """A pod object in wire form, as far as the autoscaler looks at it for ``resource``."""
    spec, status = obj["spec"], obj.get("status") or {}
    restartable = [
        container for container in spec.get("initContainers") or () if container.get("restartPolicy") == "Always"
    ]
    start = status.get("startTime")
    has_pod_requests = _has_pod_requests(spec)
    return Pod(
        name=name_of(obj),
        phase=status.get("phase", ""),
        is_deleting=is_leaving(obj),
        start_ns=parse_rfc3339(start) if start else None,
        ready=_ready_condition(obj),
        requests_milli={
            container["name"]: _request_milli(container, resource) for container in [*spec["containers"], *restartable]
        },
        has_pod_requests=has_pod_requests,
        pod_request_milli=_pod_request_milli(obj, resource) if has_pod_requests else None,
    )


def _has_pod_requests(spec: Mapping[str, Any]) -> bool:
    """``IsPodLevelRequestsSet``."""
    names = (spec.get("resources") or {}).get("requests") or {}
    return any(name in ("cpu", "memory") or name.startswith("hugepages-") for name in names)


def _pod_request_milli(obj: Object, resource: str) -> int | None:
    """What the pod occupies of the resource; its containers' sum stands in for what it does not set itself."""
    amount = pod_requests(obj).get(resource)
    return amount if amount is None or resource == "cpu" else amount * 1000


def _request_milli(holder: Mapping[str, Any], resource: str) -> int | None:
    quantity = ((holder.get("resources") or {}).get("requests") or {}).get(resource)
    return None if quantity is None else milli(quantity)


def _ready_condition(pod: Object) -> ReadyCondition | None:
    condition = condition_of(pod, "Ready")
    if condition is None:
        return None
    transition = condition.get("lastTransitionTime")
    return ReadyCondition(condition["status"], parse_rfc3339(transition) if transition else 0)
