"""The state of one container on its node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from labs.api.quantity import value
from labs.api.store import Object
from labs.dataplane.kubelet.backoff import Backoff
from labs.dataplane.kubelet.logs import LogFile
from labs.dataplane.process import Process
from labs.dataplane.shell.machine import Machine
from labs.dataplane.shell.session import Session
from labs.sim.loop import Timer
from labs.units import rfc3339

CONTAINER_CREATING = "ContainerCreating"
POD_INITIALIZING = "PodInitializing"
OOM_KILLED = "OOMKilled"


class Stage(Enum):
    """How far the stopping of a container is: its preStop hook, its turn among the pod's containers, TERM."""

    NONE = "none"
    HOOK = "hook"
    TURN = "turn"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class Termination:
    """How one run of a container ended; ``container_id`` is empty for one that never ran."""

    exit_code: int
    started_ns: int
    finished_ns: int
    container_id: str
    reason: str = ""
    message: str = ""

    def to_wire(self) -> dict[str, Any]:
        """``state.terminated``."""
        reason = self.reason or ("Completed" if self.exit_code == 0 else "Error")
        wire: dict[str, Any] = {"exitCode": self.exit_code, "reason": reason}
        if self.message:
            wire["message"] = self.message
        wire |= {
            "startedAt": rfc3339(self.started_ns) if self.container_id else None,
            "finishedAt": rfc3339(self.finished_ns) if self.container_id else None,
        }
        return wire | ({"containerID": self.container_id} if self.container_id else {})


LOST = Termination(
    137, 0, 0, "", "ContainerStatusUnknown", "The container could not be located when the pod was terminated"
)
"""What a container that never ran shows once its pod has ended for good (status_manager.go, TerminatePod)."""


@dataclass(slots=True)
class Container:
    """One container: waiting (neither ``process`` nor ``termination``), running or terminated.

    ``is_noticed``: the kubelet has seen the present state, which takes until its next look at the runtime.
    """

    spec: Object
    is_init: bool
    waiting_reason: str
    waiting_message: str = ""
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    started_ns: int = 0
    process: Process | None = None
    machine: Machine | None = None
    log: LogFile | None = None
    print: Callable[[bytes], None] = lambda content: None
    """Writes to the log of the present run."""
    sessions: list[Session] = field(default_factory=list)
    """Commands that run beside process 1: ``kubectl exec`` and hooks."""
    extra_memory_bytes: int = 0
    """What a fault takes in the container's name."""
    termination: Termination | None = None
    last_termination: Termination | None = None
    restart_count: int = 0
    is_started: bool = False
    is_ready: bool = False
    is_noticed: bool = True
    backoff: Backoff | None = None
    image_backoff: Backoff | None = None
    image_failed_ns: int = 0
    image_error: str = ""
    recheck: Timer | None = None
    """Pending look at a wait that will be over."""
    stage: Stage = Stage.NONE
    stop_deadline_ns: int = 0
    is_ordered: bool = False
    """Whether its TERM waits for the containers that are to end before it."""
    stop_timer: Timer | None = None
    """The end of the present stage at the latest."""
    is_ephemeral: bool = False
    """Whether it joined the running pod: it is never ready, and never runs again."""

    @property
    def name(self) -> str:
        """Its name in the pod."""
        name: str = self.spec["name"]
        return name

    @property
    def field_path(self) -> str:
        """Where events point to."""
        kind = "initContainers" if self.is_init else "ephemeralContainers" if self.is_ephemeral else "containers"
        return f"spec.{kind}{{{self.name}}}"

    @property
    def is_sidecar(self) -> bool:
        """A restartable init container: it counts as done once it has started."""
        return self.is_init and self.spec.get("restartPolicy") == "Always"

    @property
    def is_running(self) -> bool:
        """Whether the runtime has a process for it."""
        return self.process is not None

    @property
    def has_succeeded(self) -> bool:
        """Whether its last run ended with exit code 0."""
        return self.termination is not None and self.termination.exit_code == 0

    @property
    def memory_limit_bytes(self) -> int | None:
        """``resources.limits.memory``, or None."""
        limit = ((self.spec.get("resources") or {}).get("limits") or {}).get("memory")
        return value(limit) if limit is not None else None

    def memory_bytes(self, now_ns: int) -> int:
        """The working set of everything in it; 0 while it does not run."""
        return self.process.memory_bytes(now_ns) + self.extra_memory_bytes if self.process is not None else 0

    def shall_restart(self, pod_policy: str) -> bool:
        """Whether it is to run again after its last end (kuberuntime, ShouldContainerBeRestarted).

        A matching rule of its own goes first, then its own policy, then the pod's; a sidecar always runs again, and an
        init container that has succeeded never.
        """
        ended = self.termination
        if ended is None or self.is_sidecar:
            return True
        for rule in self.spec.get("restartPolicyRules") or ():
            codes = rule.get("exitCodes") or {}
            if (ended.exit_code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
                return bool(rule.get("action") == "Restart")
        policy = self.spec.get("restartPolicy") or pod_policy
        if policy == "Always" and not self.is_init:
            return True
        return policy != "Never" and ended.exit_code != 0

    def cancel_timers(self) -> None:
        """Nothing is waited for any more."""
        for timer in (self.stop_timer, self.recheck):
            if timer is not None:
                timer.cancel()
        self.stop_timer = self.recheck = None
        self.stage = Stage.NONE

    def end_sessions(self, code: int) -> None:
        """The container is over, and what runs beside process 1 with it."""
        sessions, self.sessions = self.sessions, []
        for session in sessions:
            session.kill(code)

    def status(self) -> dict[str, Any]:
        """Its entry in ``containerStatuses``."""
        ended = self.termination if self.waiting_reason and self.termination else self.last_termination
        last = {"terminated": ended.to_wire()} if ended else {}
        status: dict[str, Any] = {
            "name": self.name,
            "state": self._state(),
            "lastState": last,
            "ready": self.is_ready or (self.is_init and not self.is_sidecar and self.has_succeeded),
            "restartCount": self.restart_count,
            "image": self.image or self.spec["image"],
            "imageID": self.image_id,
        }
        if self.container_id:
            status["containerID"] = self.container_id
        if self.is_ephemeral:
            status["ready"] = False
        else:
            status["started"] = self.is_started
        return status

    def _state(self) -> dict[str, Any]:
        if self.process is not None and self.is_noticed:
            return {"running": {"startedAt": rfc3339(self.started_ns)}}
        if self.termination is not None and not self.waiting_reason:
            return {"terminated": self.termination.to_wire()}
        waiting = {"reason": self.waiting_reason or CONTAINER_CREATING}
        return {"waiting": {**waiting, "message": self.waiting_message} if self.waiting_message else waiting}


def containers_of(pod: Object) -> list[Container]:
    """Init containers first; restart counts go on from those that the status has, for a kubelet that restarts."""
    spec: dict[str, Any] = pod["spec"]
    init = spec.get("initContainers") or []
    status = pod.get("status") or {}
    known = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    counts = {entry["name"]: entry["restartCount"] + (1 if entry.get("containerID") else 0) for entry in known}
    waiting = POD_INITIALIZING if init else CONTAINER_CREATING
    containers = [Container(entry, True, waiting) for entry in init]
    containers += [Container(entry, False, waiting) for entry in spec["containers"]]
    for container in containers:
        container.restart_count = counts.get(container.name, 0)
    return containers
