"""A pod's phase, conditions and status from the states of its containers.

Source: kubernetes pkg/kubelet/kubelet_pods.go (getPhase, generateAPIPodStatus) and pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.store import Object
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.ending import Ending
from labs.units import rfc3339

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
DISRUPTION_TARGET = "DisruptionTarget"
TERMINAL_PHASES = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the status says besides its containers."""

    start_ns: int
    host_ip: str
    pod_ip: str
    is_sandbox_ready: bool
    is_leaving: bool
    """Whether the pod is being stopped for good."""
    ending: Ending | None = None
    """Why the kubelet itself ended the pod, once everything in it has stopped."""


def pod_phase(containers: Sequence[Container], restart_policy: str, is_leaving: bool) -> str:
    """The phase: the first row of upstream's table that fits."""
    init_phase = _init_phase([c for c in containers if c.is_init], restart_policy)
    if init_phase is not None and not is_leaving and not is_initialized(containers):
        return init_phase
    counted = [c for c in containers if not c.is_init or c.is_sidecar]
    if any(_is_waiting(c) for c in counted if not c.is_init) and not is_leaving:
        return "Pending"
    if any(c.is_running and c.is_noticed for c in counted):
        return "Running"
    regular = [c for c in containers if not c.is_init]
    return _stopped_phase(regular, restart_policy, is_leaving)


def is_initialized(containers: Sequence[Container]) -> bool:
    """Whether a regular container has run: from then on, what becomes of a sidecar no longer holds the pod back."""
    return any(c.container_id for c in containers if not c.is_init)


def _init_phase(init: Sequence[Container], restart_policy: str) -> str | None:
    for container in init:
        if container.is_sidecar:
            if not container.is_started:
                return "Pending"
        elif container.has_succeeded:
            continue
        elif container.termination is not None and not container.shall_restart(restart_policy):
            return "Failed"
        else:
            return "Pending"
    return None


def _is_waiting(container: Container) -> bool:
    """Waiting without a former run: a crash loop does not make a pod Pending again."""
    if container.is_running and container.is_noticed:
        return False
    return container.termination is None and container.last_termination is None


def _stopped_phase(regular: Sequence[Container], restart_policy: str, is_leaving: bool) -> str:
    have_succeeded = all(c.has_succeeded for c in regular)
    if is_leaving:
        return "Succeeded" if have_succeeded else "Failed"
    if any(c.shall_restart(restart_policy) for c in regular):
        return "Running"
    return "Succeeded" if have_succeeded else "Failed"


def condition_values(
    containers: Sequence[Container], phase: str, facts: PodFacts, gates: Sequence[dict[str, Any]], old: Object
) -> list[dict[str, str]]:
    """The kubelet's conditions in upstream's order: type, status and, where there is one, reason and message."""
    containers_ready = _containers_ready(containers, phase)
    values = [
        _condition("PodReadyToStartContainers", facts.is_sandbox_ready),
        _initialized([] if is_initialized(containers) else [c for c in containers if c.is_init], phase),
        _ready(containers_ready, gates, old),
        {**containers_ready, "type": "ContainersReady"},
    ]
    if facts.ending is not None and facts.ending.is_disruption:
        values.append(_condition(DISRUPTION_TARGET, True, "TerminationByKubelet", facts.ending.message))
    return values


def _condition(type: str, is_true: bool, reason: str = "", message: str = "") -> dict[str, str]:
    condition = {"type": type, "status": "True" if is_true else "False"}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _initialized(init: Sequence[Container], phase: str) -> dict[str, str]:
    incomplete = [c.name for c in init if not (c.is_started if c.is_sidecar else c.has_succeeded)]
    if not incomplete:
        return _condition("Initialized", True)
    if phase == "Failed":
        return _condition("Initialized", False, "PodFailed")
    text = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return _condition("Initialized", False, "ContainersNotInitialized", text)


def _containers_ready(containers: Sequence[Container], phase: str) -> dict[str, str]:
    if phase == "Succeeded":
        return _condition("ContainersReady", False, "PodCompleted")
    if phase == "Failed":
        return _condition("ContainersReady", False, "PodFailed")
    unready = [c.name for c in containers if (not c.is_init or c.is_sidecar) and not c.is_ready]
    if not unready:
        return _condition("ContainersReady", True)
    text = f"containers with unready status: [{' '.join(unready)}]"
    return _condition("ContainersReady", False, "ContainersNotReady", text)


def _ready(containers_ready: dict[str, str], gates: Sequence[dict[str, Any]], old: Object) -> dict[str, str]:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    statuses = {item["type"]: item["status"] for item in old.get("conditions") or ()}
    problems = []
    for gate in gates:
        name = gate["conditionType"]
        if name not in statuses:
            problems.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif statuses[name] != "True":
            problems.append(f'the status of pod readiness gate "{name}" is not "True", but {statuses[name]}')
    if problems:
        return _condition("Ready", False, "ReadinessGatesNotReady", ", ".join(problems))
    return _condition("Ready", True)


def pod_status(pod: Object, containers: Sequence[Container], facts: PodFacts, now_ns: int) -> dict[str, Any]:
    """The whole status; conditions of others stay, and a condition keeps its time while its status does."""
    old = pod.get("status") or {}
    spec = pod["spec"]
    phase = pod_phase(containers, spec.get("restartPolicy", "Always"), facts.is_leaving)
    ending = facts.ending
    if ending is not None:
        phase = "Failed"
    if old.get("phase") in TERMINAL_PHASES:
        phase = old["phase"]
    values = condition_values(containers, phase, facts, spec.get("readinessGates") or (), old)
    status: dict[str, Any] = {"phase": phase}
    generation = pod["metadata"].get("generation")
    if generation is not None:
        status = {"observedGeneration": generation, **status}
    status["conditions"] = _merge_conditions(old.get("conditions") or [], values, generation, rfc3339(now_ns))
    status["hostIP"] = facts.host_ip
    status["hostIPs"] = [{"ip": facts.host_ip}]
    if facts.pod_ip:
        status["podIP"] = facts.pod_ip
        status["podIPs"] = [{"ip": facts.pod_ip}]
    status["startTime"] = rfc3339(facts.start_ns)
    init = [c.status() for c in containers if c.is_init]
    if init:
        status["initContainerStatuses"] = init
    status["containerStatuses"] = [c.status() for c in containers if not c.is_init]
    for kept in ("qosClass", "nominatedNodeName", "reason", "message"):
        if kept in old:
            status[kept] = old[kept]
    if ending is not None:
        status |= {"reason": ending.reason, "message": ending.message}
    return status


def _merge_conditions(
    old: Sequence[dict[str, Any]], values: Sequence[dict[str, str]], generation: int | None, now: str
) -> list[dict[str, Any]]:
    before = {item["type"]: item for item in old}
    merged: list[dict[str, Any]] = []
    for value in values:
        known = before.get(value["type"])
        has_same_status = known is not None and known["status"] == value["status"]
        condition: dict[str, Any] = {"type": value["type"]}
        if generation is not None:
            condition["observedGeneration"] = generation
        condition |= {
            "status": value["status"],
            "lastProbeTime": None,
            "lastTransitionTime": known["lastTransitionTime"] if known and has_same_status else now,
        }
        merged.append(condition | {key: value[key] for key in ("reason", "message") if key in value})
    own = {*OWN_CONDITIONS, *(value["type"] for value in values)}
    return merged + [item for item in old if item["type"] not in own]
