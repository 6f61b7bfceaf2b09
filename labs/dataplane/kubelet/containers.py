"""The state of one container on its node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labs.api.store import Object
from labs.dataplane.kubelet.backoff import Backoff
from labs.dataplane.process import Process
from labs.sim.loop import Timer
from labs.units import rfc3339

CONTAINER_CREATING = "ContainerCreating"
POD_INITIALIZING = "PodInitializing"


@dataclass(frozen=True, slots=True)
class Termination:
    """How one run of a container ended."""

    exit_code: int
    started_ns: int
    finished_ns: int
    container_id: str
    reason: str = ""

    def to_wire(self) -> dict[str, Any]:
        """``state.terminated``."""
        reason = self.reason or ("Completed" if self.exit_code == 0 else "Error")
        return {
            "exitCode": self.exit_code,
            "reason": reason,
            "startedAt": rfc3339(self.started_ns),
            "finishedAt": rfc3339(self.finished_ns),
            "containerID": self.container_id,
        }


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
    termination: Termination | None = None
    last_termination: Termination | None = None
    restart_count: int = 0
    is_starting: bool = False
    is_started: bool = False
    is_ready: bool = False
    is_noticed: bool = True
    backoff: Backoff | None = None
    image_backoff: Backoff | None = None
    image_failed_ns: int = 0
    recheck: Timer | None = None
    """Pending look at a wait that will be over."""
    signals: list[Timer] = field(default_factory=list)
    """Pending TERM and KILL."""

    @property
    def name(self) -> str:
        """Its name in the pod."""
        name: str = self.spec["name"]
        return name

    @property
    def field_path(self) -> str:
        """Where events point to."""
        return f"spec.{'initContainers' if self.is_init else 'containers'}{{{self.name}}}"

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
        status["started"] = self.is_started
        return status

    def _state(self) -> dict[str, Any]:
        if self.process is not None and self.is_noticed:
            return {"running": {"startedAt": rfc3339(self.started_ns)}}
        if self.termination is not None and not self.waiting_reason:
            return {"terminated": self.termination.to_wire()}
        waiting = {"reason": self.waiting_reason or CONTAINER_CREATING}
        return {"waiting": {**waiting, "message": self.waiting_message} if self.waiting_message else waiting}
