"""Which pods stand behind a Service, and under which ports: what both endpoints controllers share.

Source: kubernetes/kubernetes pkg/controller/util/endpoint/controller_utils.go, pkg/api/v1/service (FindPort).
"""

from __future__ import annotations

from typing import Any

from labs.api.store import Object, WatchEvent
from labs.controlplane.pods import is_leaving, is_ready, is_terminal
from labs.controlplane.runtime import Controller

MANAGED_BY_ENDPOINTS = "endpoints.kubernetes.io/managed-by"
LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"


def is_member(pod: Object, *, includes_terminating: bool) -> bool:
    """``ShouldPodBeInEndpoints``: a pod with an address that has not run to its end."""
    if is_terminal(pod) or not (pod.get("status") or {}).get("podIP"):
        return False
    return includes_terminating or not is_leaving(pod)


def port_number(pod: Object, port: dict[str, Any]) -> int | None:
    """``FindPort``: the pod's port for a Service port; None when it has none of that name."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target or int(port["port"])
    protocol = port.get("protocol", "TCP")
    for container in (*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())):
        for offered in container.get("ports") or ():
            if offered.get("name") == target and offered.get("protocol", "TCP") == protocol:
                number: int = offered["containerPort"]
                return number
    return None


def target_reference(pod: Object) -> dict[str, str]:
    """The ``targetRef`` of an endpoint."""
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def hostname_of(pod: Object, service: Object) -> str:
    """The host name under a headless Service, empty when the pod asks for none."""
    name: str = pod["spec"].get("hostname", "")
    return name if pod["spec"].get("subdomain") == service["metadata"]["name"] else ""


def is_headless(service: Object) -> bool:
    """Whether the Service has no address of its own."""
    return bool(service["spec"].get("clusterIP") == "None")


def copied_labels(service: Object, own: dict[str, str]) -> dict[str, str]:
    """The Service's labels with the controller's ``own`` above them."""
    labels = {key: value for key, value in (service["metadata"].get("labels") or {}).items() if key != HEADLESS}
    return labels | own | ({HEADLESS: ""} if is_headless(service) else {})


def _endpoint_facts(pod: Object) -> tuple[object, ...]:
    status = pod.get("status") or {}
    return (
        pod["metadata"].get("labels"),
        status.get("podIP"),
        is_ready(pod),
        is_leaving(pod),
        is_terminal(pod),
        pod["spec"].get("nodeName"),
        pod["spec"].get("hostname"),
        pod["spec"].get("subdomain"),
    )


def selects(service: Object, pod: Object) -> bool:
    """Whether the Service has a selector and it matches the pod."""
    selector: dict[str, str] = service["spec"].get("selector") or {}
    labels: dict[str, str] = pod["metadata"].get("labels") or {}
    return bool(selector) and selector.items() <= labels.items()


def enqueue_services_of(controller: Controller, event: WatchEvent) -> None:
    """Queue the Services that select the pod now or did before, if its endpoint may differ."""
    pod, previous = event.object, event.previous
    services = controller.client.list("services", pod["metadata"]["namespace"])
    if not any(service["spec"].get("selector") for service in services):
        return
    if event.type == "MODIFIED" and previous is not None and _endpoint_facts(pod) == _endpoint_facts(previous):
        return
    for service in services:
        if selects(service, pod) or (previous is not None and selects(service, previous)):
            controller.enqueue(service["metadata"]["namespace"], service["metadata"]["name"])


class TriggerTimes:
    """When the change began that a write of endpoints answers to.

    Source: kubernetes/kubernetes staging/src/k8s.io/endpointslice/trigger_time_tracker.go.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[str, str]] = {}

    def update(self, service: Object, pods: list[Object]) -> str:
        """The earliest new time of the Service and its pods; empty when none is new."""
        metadata = service["metadata"]
        key = (metadata["namespace"], metadata["name"])
        times = {pod["metadata"]["name"]: _trigger_time(pod) for pod in pods}
        known = self._seen.get(key)
        self._seen[key] = times
        if known is None:
            created: str = metadata["creationTimestamp"]
            return min([created, *filter(None, times.values())])
        changed = [time for name, time in times.items() if time and time > known.get(name, "")]
        return min(changed, default="")

    def forget(self, namespace: str, name: str) -> None:
        """The Service is gone."""
        self._seen.pop((namespace, name), None)


def _trigger_time(pod: Object) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            time: str = condition.get("lastTransitionTime") or ""
            return time
    return ""
