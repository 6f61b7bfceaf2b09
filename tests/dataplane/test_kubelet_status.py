from __future__ import annotations

import itertools
from typing import Any

import pytest

from labs.dataplane.kubelet.containers import Container, Termination
from labs.dataplane.kubelet.status import PodFacts, pod_phase, pod_status
from labs.dataplane.programs.idle import IdleProcess
from labs.units import SECOND_NS


def container(state: str, name: str = "a", is_init: bool = False, **spec: Any) -> Container:
    """``state``: waiting, running, ``0`` or another exit code, ``crashing``."""
    made = Container({"name": name, "image": "x", **spec}, is_init, "ContainerCreating")
    if state == "running":
        made.process = IdleProcess.__new__(IdleProcess)
        made.is_ready = made.is_started = True
    elif state != "waiting":
        code = 1 if state == "crashing" else int(state)
        made.termination = Termination(code, 0, SECOND_NS, "containerd://1")
        made.waiting_reason = "CrashLoopBackOff" if state == "crashing" else ""
    return made


@pytest.mark.parametrize(
    ("states", "policy", "is_leaving", "phase"),
    [
        (["waiting"], "Always", False, "Pending"),
        (["running", "waiting"], "Always", False, "Pending"),
        (["running", "0"], "Never", False, "Running"),
        (["crashing"], "Always", False, "Running"),
        (["0"], "Always", False, "Running"),
        (["0", "0"], "OnFailure", False, "Succeeded"),
        (["0", "1"], "OnFailure", False, "Running"),
        (["0", "1"], "Never", False, "Failed"),
        (["0"], "Always", True, "Succeeded"),
        (["143"], "Always", True, "Failed"),
    ],
)
def test_phase_follows_upstream_table(states: list[str], policy: str, is_leaving: bool, phase: str) -> None:
    assert pod_phase([container(state) for state in states], policy, is_leaving) == phase


@pytest.mark.parametrize(
    ("init", "policy", "phase"),
    [
        ("waiting", "Always", "Pending"),
        ("running", "Never", "Pending"),
        ("1", "Never", "Failed"),
        ("1", "Always", "Pending"),
    ],
)
def test_init_container_holds_the_phase(init: str, policy: str, phase: str) -> None:
    containers = [container(init, "first", is_init=True), container("waiting")]
    assert pod_phase(containers, policy, False) == phase


def test_started_sidecar_lets_the_pod_run() -> None:
    sidecar = container("running", "proxy", is_init=True, restartPolicy="Always")
    assert pod_phase([sidecar, container("running")], "Always", False) == "Running"


FACTS = PodFacts(0, "10.0.0.4", "10.0.0.5", True, False)


def status_of(containers: list[Container], **pod: Any) -> dict[str, Any]:
    base = {"metadata": {"name": "p", "generation": 1}, "spec": {"restartPolicy": "Always"}, **pod}
    return pod_status(base, containers, FACTS, 5 * SECOND_NS)


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str | None, str | None]]:
    return {item["type"]: (item["status"], item.get("reason"), item.get("message")) for item in status["conditions"]}


def test_conditions_name_the_containers_that_are_not_ready() -> None:
    found = conditions(status_of([container("waiting", "a"), container("running", "b"), container("waiting", "c")]))
    unready = ("False", "ContainersNotReady", "containers with unready status: [a c]")
    assert found["Ready"] == found["ContainersReady"] == unready
    assert found["Initialized"] == ("True", None, None)


def test_readiness_gate_keeps_ready_false_until_its_condition_is_true() -> None:
    spec = {"restartPolicy": "Always", "readinessGates": [{"conditionType": "example.com/lb"}]}
    without = conditions(status_of([container("running")], spec=spec))
    text = 'corresponding condition of pod readiness gate "example.com/lb" does not exist.'
    assert without["Ready"] == ("False", "ReadinessGatesNotReady", text)
    assert without["ContainersReady"][0] == "True"
    gate = {"type": "example.com/lb", "status": "True"}
    assert conditions(status_of([container("running")], spec=spec, status={"conditions": [gate]}))["Ready"][0] == "True"


def test_conditions_of_others_stay_and_times_change_with_the_status_only() -> None:
    old = {
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:01Z"},
            {"type": "ContainersReady", "status": "False", "lastTransitionTime": "1970-01-01T00:00:01Z"},
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
        ]
    }
    status = status_of([container("running")], status=old)
    times = {item["type"]: item.get("lastTransitionTime") for item in status["conditions"]}
    assert times["Ready"] == "1970-01-01T00:00:01Z"
    assert times["ContainersReady"] == "1970-01-01T00:00:05Z"
    assert status["conditions"][-1] == old["conditions"][2]


def test_finished_pod_says_completed() -> None:
    pod = {"spec": {"restartPolicy": "Never"}}
    assert conditions(status_of([container("0")], **pod))["Ready"] == ("False", "PodCompleted", None)
    assert conditions(status_of([container("2")], **pod))["Ready"] == ("False", "PodFailed", None)


def test_terminal_phase_never_reverts() -> None:
    for phase, state in itertools.product(("Succeeded", "Failed"), ("running", "waiting")):
        assert status_of([container(state)], status={"phase": phase})["phase"] == phase


def test_crash_loop_shows_the_last_end_beside_the_wait() -> None:
    entry = status_of([container("crashing")])["containerStatuses"][0]
    assert entry["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert entry["lastState"]["terminated"] == {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": "1970-01-01T00:00:00Z",
        "finishedAt": "1970-01-01T00:00:01Z",
        "containerID": "containerd://1",
    }
