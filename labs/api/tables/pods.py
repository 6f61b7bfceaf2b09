"""Pods.

Source: kubernetes pkg/printers/internalversion/printers.go, printPod.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labs.api.tables.printer import (
    AGE,
    NAME,
    NONE,
    Object,
    Printer,
    View,
    is_true,
    name_of,
    spec_of,
    status_of,
    texts,
    wide,
)

_FINISHED = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}


def _cells(pod: Object, view: View) -> list[Any]:
    spec, status = spec_of(pod), status_of(pod)
    sidecars = {each["name"] for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"}
    ready = sum(_is_ready_sidecar(each, sidecars) for each in _initialized(pod, sidecars))
    reason = _reason_before_containers(status)
    stuck = _first_unfinished(pod, sidecars)
    if stuck is not None:
        reason = _init_reason(stuck, spec.get("initContainers") or [], status["initContainerStatuses"])
    counted = status.get("initContainerStatuses") or []
    if stuck is not None:
        counted = counted[: counted.index(stuck) + 1]
    if stuck is None or is_true(pod, "Initialized"):
        containers = status.get("containerStatuses") or []
        reason = _reason_of_containers(pod, containers, reason)
        ready += sum(_is_running(each) for each in containers)
        counted = [*(each for each in counted if each["name"] in sidecars), *containers]
    total = len(spec.get("containers") or []) + len(sidecars)
    address = status.get("podIP") or next((each.get("ip") for each in status.get("podIPs") or ()), None)
    return [
        name_of(pod),
        f"{ready}/{total}",
        _reason_when_deleted(pod) or reason,
        _restarts(counted, view),
        view.object_age(pod),
        address or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(pod),
    ]


def _reason_before_containers(status: Object) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _reason_when_deleted(pod: Object) -> str | None:
    status = status_of(pod)
    if not pod["metadata"].get("deletionTimestamp"):
        return None
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return None if status.get("phase") in _FINISHED else "Terminating"


def _first_unfinished(pod: Object, sidecars: set[str]) -> dict[str, Any] | None:
    """The first init container that has neither ended well nor, as a sidecar, started."""
    for container in status_of(pod).get("initContainerStatuses") or []:
        terminated = _state(container, "terminated")
        has_ended_well = terminated is not None and terminated.get("exitCode", 0) == 0
        if not has_ended_well and not (container["name"] in sidecars and container.get("started")):
            return dict(container)
    return None


def _initialized(pod: Object, sidecars: set[str]) -> list[dict[str, Any]]:
    """The init containers before the first unfinished one."""
    containers: list[dict[str, Any]] = status_of(pod).get("initContainerStatuses") or []
    stuck = _first_unfinished(pod, sidecars)
    return containers if stuck is None else containers[: containers.index(stuck)]


def _is_ready_sidecar(container: Object, sidecars: set[str]) -> bool:
    is_started = container["name"] in sidecars and bool(container.get("started"))
    terminated = _state(container, "terminated")
    return is_started and bool(container.get("ready")) and not (terminated and terminated.get("exitCode", 0) == 0)


def _init_reason(container: dict[str, Any], declared: list[Any], statuses: list[Any]) -> str:
    terminated, waiting = _state(container, "terminated"), _state(container, "waiting")
    if terminated is not None:
        return f"Init:{_terminated_reason(terminated)}"
    if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
        return f"Init:{waiting['reason']}"
    return f"Init:{statuses.index(container)}/{len(declared)}"


def _reason_of_containers(pod: Object, containers: list[dict[str, Any]], reason: str) -> str:
    """The first container's reason wins; a completed pod of which something runs or failed is not Completed."""
    failure = ""
    for container in reversed(containers):
        terminated, waiting = _state(container, "terminated"), _state(container, "waiting")
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = _terminated_reason(terminated)
            failure = reason if terminated.get("exitCode", 0) != 0 else failure
    if reason != "Completed":
        return reason
    is_running = any(_is_running(each) for each in containers)
    if is_running and is_true(pod, "Ready"):
        return "Running"
    return failure or ("NotReady" if is_running else reason)


def _terminated_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal", 0)
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _is_running(container: Object) -> bool:
    waiting = _state(container, "waiting")
    has_other_state = bool(waiting and waiting.get("reason")) or _state(container, "terminated") is not None
    return not has_other_state and bool(container.get("ready")) and _state(container, "running") is not None


def _state(container: Object, name: str) -> dict[str, Any] | None:
    state: dict[str, Any] = container.get("state") or {}
    return state.get(name)


def _restarts(containers: Iterable[Object], view: View) -> str:
    """The number, and how long ago the last container ended that was restarted."""
    counted = list(containers)
    count = sum(each.get("restartCount", 0) for each in counted)
    ends = [((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "" for each in counted]
    last = max(ends, default="")
    return f"{count} ({view.age(last)} ago)" if count and last else str(count)


def _readiness_gates(pod: Object) -> str:
    gates = spec_of(pod).get("readinessGates") or []
    met = sum(is_true(pod, gate["conditionType"]) for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


def _conditions(pod: Object) -> list[dict[str, str]]:
    phase = status_of(pod).get("phase")
    if phase not in _FINISHED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _FINISHED[phase]}]


PRINTERS = {
    ("", "Pod"): Printer(
        (
            NAME,
            *texts("Ready", "Status", "Restarts"),
            AGE,
            *wide("IP", "Node", "Nominated Node", "Readiness Gates"),
        ),
        _cells,
        _conditions,
    )
}
