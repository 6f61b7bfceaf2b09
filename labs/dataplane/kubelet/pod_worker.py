"""One pod on its node, from the first sight of it to its removal.

Source: kubernetes pkg/kubelet/{kubelet,pod_workers}.go and pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod).
``sync`` decides what to start; starting is in ``starter``, stopping in ``stopper``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labs.api.apiserver import DeleteOptions
from labs.api.store import Object
from labs.dataplane.kubelet import starter, stopper
from labs.dataplane.kubelet.backoff import JITTER, RECHECK_NS, go_duration_s, remaining_ns
from labs.dataplane.kubelet.containers import CONTAINER_CREATING, POD_INITIALIZING, Container, Termination
from labs.dataplane.kubelet.host import Host
from labs.dataplane.kubelet.probes import (
    KINDS,
    LIVENESS,
    READINESS,
    STARTUP,
    ProbeSpec,
    ProbeWorker,
    failure_text,
    probe_spec,
)
from labs.dataplane.kubelet.status import TERMINAL_PHASES, PodFacts, is_initialized, pod_status
from labs.dataplane.process import Answer
from labs.errors import ApiError
from labs.units import SECOND_NS

DEFAULT_GRACE_S = 30


class PodWorker:
    """The containers of one pod, and what the API is told of them."""

    __slots__ = (
        "_probes",
        "_start_ns",
        "containers",
        "deadline_ns",
        "has_sandbox",
        "host",
        "is_gone",
        "is_halted",
        "is_leaving",
        "is_over",
        "pod",
        "pod_ip",
        "starting",
    )

    def __init__(self, host: Host, pod: Object) -> None:
        self.host = host
        self.pod = pod
        self.containers = _containers(pod)
        self.pod_ip = ""
        self.has_sandbox = False
        self.starting: Container | None = None
        self.is_leaving = False
        self.is_over = False
        self.is_gone = False
        self.is_halted = False
        self.deadline_ns = 0
        self._start_ns = host.loop.now_ns
        self._probes: dict[str, list[ProbeWorker]] = {}

    @property
    def uid(self) -> str:
        """The pod's uid."""
        uid: str = self.pod["metadata"]["uid"]
        return uid

    @property
    def restart_policy(self) -> str:
        """``spec.restartPolicy``."""
        policy: str = self.pod["spec"].get("restartPolicy", "Always")
        return policy

    # What the kubelet tells the worker.

    def begin(self) -> None:
        """First sight of the pod."""
        if "deletionTimestamp" in self.pod["metadata"]:
            self.on_pod(self.pod)
        elif (self.pod.get("status") or {}).get("phase") in TERMINAL_PHASES:
            self.is_over = True
        else:
            self.write_status()
            self.host.loop.after(self.host.draw_ns(self.host.times.sandbox_s), self._sandbox_ready)

    def on_pod(self, pod: Object) -> None:
        """The API object changed."""
        self.pod = pod
        metadata = pod["metadata"]
        if "deletionTimestamp" not in metadata:
            return
        if not self.is_over:
            stopper.leave(self, max(1, metadata.get("deletionGracePeriodSeconds") or 0) * SECOND_NS)
        elif not self.is_leaving:  # deleted in the moment in which it ended: nobody else would remove it
            self.is_leaving = True
            self.host.loop.after(self.host.until_relist_ns(), self.remove_object)

    def on_removed(self) -> None:
        """The API object is gone: what still runs gets the least grace there is."""
        self.is_gone = True
        if self.is_over:
            self._forget()
        else:
            stopper.leave(self, SECOND_NS)

    def halt(self) -> None:
        """The machine lost power: nothing runs, and nothing is told."""
        self.is_halted = True
        for container in self.containers:
            self.stop_probes(container)
            _cancel_timers(container)
            if container.process is not None:
                container.process.vanish()
                container.process = None
        self._leave_sandbox()

    def reconnect(self) -> None:
        """The API server can be reached again: tell it what happened meanwhile."""
        if self.is_leaving and self.is_over:
            self.remove_object()
        else:
            self.write_status()

    # Starting.

    def _sandbox_ready(self) -> None:
        if self.is_halted or self.is_leaving:
            return
        is_host_network = self.pod["spec"].get("hostNetwork", False)
        self.pod_ip = self.host.ip if is_host_network else self.host.addresses.take(self.host.zone)
        self.has_sandbox = True
        self.advance()

    def sync(self) -> None:
        """Look at every container, tell the API, and start what is to start."""
        if self.is_halted or self.is_leaving or self.is_over:
            return
        phase = self.write_status()
        if phase in TERMINAL_PHASES:
            self.is_over = True
            self._leave_sandbox()
        else:
            self._stop_needless_sidecars()
            self.advance()

    def _stop_needless_sidecars(self) -> None:
        """Sidecars end when every other container has ended for good."""
        regular = [container for container in self.containers if not container.is_init]
        if any(container.termination is None or self._shall_run(container) for container in regular):
            return
        for container in self.containers:
            stopper.stop(self, container, self._grace_ns(), f"Stopping container {container.name}")

    def _grace_ns(self) -> int:
        grace_s: int = self.pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_S)
        return grace_s * SECOND_NS

    def advance(self) -> None:
        """Start the next container that may start, one at a time."""
        if self.starting is not None or self.is_halted or self.is_leaving or self.is_over or not self.has_sandbox:
            return
        for container in self._candidates():
            if self._may_start_now(container):
                self.starting = container
                starter.start(self, container)
                return

    def _candidates(self) -> Iterator[Container]:
        """Containers that are to run now and do not: init containers in order, then all others."""
        for container in self.containers:
            if container.is_init:
                if container.is_sidecar:
                    if not container.is_running:
                        yield container
                    if not container.is_started and not is_initialized(self.containers):
                        return
                elif not container.has_succeeded:
                    if not container.is_running and self._shall_run(container):
                        yield container
                    return
            elif not container.is_running and self._shall_run(container):
                yield container

    def _shall_run(self, container: Container) -> bool:
        if not container.is_noticed:
            return False
        ended = container.termination
        if ended is None or self.restart_policy == "Always":
            return True
        return self.restart_policy == "OnFailure" and ended.exit_code != 0

    def _may_start_now(self, container: Container) -> bool:
        """Whether no wait holds the container; if one does, come back when it is over."""
        now_ns = self.host.loop.now_ns
        if container.image_failed_ns:
            left_ns = remaining_ns(container.image_backoff, container.image_failed_ns, now_ns)
            if left_ns:
                text = f'Back-off pulling image "{container.spec["image"]}"'
                self._wait(container, left_ns, "ImagePullBackOff", text, text, "Normal")
            return not left_ns
        if container.termination is None:
            return True
        left_ns = remaining_ns(container.backoff, container.termination.finished_ns, now_ns)
        if left_ns and container.backoff is not None:
            metadata = self.pod["metadata"]
            full_name = f"{metadata['name']}_{metadata['namespace']}({self.uid})"
            delay = go_duration_s(container.backoff.delay_ns)
            message = f"back-off {delay} restarting failed container={container.name} pod={full_name}"
            event = f"Back-off restarting failed container {container.name} in pod {full_name}"
            self._wait(container, left_ns, "CrashLoopBackOff", message, event, "Warning")
        return not left_ns

    def _wait(self, container: Container, left_ns: int, reason: str, message: str, event: str, event_type: str) -> None:
        if container.recheck is not None and container.recheck.is_pending:
            return
        container.waiting_reason = reason
        container.waiting_message = message
        self.host.event(self.pod, event_type, "BackOff", event, container.field_path)
        look_ns = min(left_ns, RECHECK_NS)
        look_ns += round(look_ns * JITTER * self.host.rng.random())
        container.recheck = self.host.loop.after(look_ns, self.sync)
        self.write_status()

    # What the runtime reports.

    def noticed_start(self, container: Container) -> None:
        """The kubelet sees that a container runs."""
        if container.process is None or self.is_halted:
            return
        container.is_noticed = True
        specs = [spec for kind in KINDS if (spec := probe_spec(container.spec, kind)) is not None]
        kinds = {spec.kind for spec in specs}
        container.is_started = STARTUP not in kinds
        container.is_ready = container.is_started and READINESS not in kinds
        workers = [
            ProbeWorker(self.host.loop, container, spec, self._probe_changed, self._probe_failed) for spec in specs
        ]
        self._probes[container.name] = workers
        self.write_status()
        for worker in workers:
            if not self.is_leaving or worker.spec.kind == READINESS:
                worker.start()
        if container.is_sidecar:
            self.advance()

    def exited(self, container: Container, exit_code: int, reason: str = "") -> None:
        """A container's process is over; the kubelet notices at its next look."""
        if container.process is None or self.is_halted:
            return
        now_ns = self.host.loop.now_ns
        container.process = None
        container.termination = Termination(exit_code, container.started_ns, now_ns, container.container_id, reason)
        container.is_noticed = False
        _cancel_timers(container)
        self.stop_probes(container)
        if self.is_leaving:
            stopper.check_stopped(self)
        else:
            self.host.loop.after(self.host.until_relist_ns(), self._noticed_exit, container)

    def _noticed_exit(self, container: Container) -> None:
        if container.process is not None or self.is_halted:
            return
        self.settle_exit(container)
        self.sync()

    def settle_exit(self, container: Container) -> None:
        """Show the end of a container in the status."""
        container.is_noticed = True
        container.is_ready = container.is_started = False
        container.waiting_reason = container.waiting_message = ""

    # Probes.

    def _probe_changed(self, container: Container, spec: ProbeSpec, is_good: bool) -> None:
        if spec.kind == READINESS:
            container.is_ready = is_good
            self.write_status()
        elif not is_good:
            grace_ns = self._grace_ns() if spec.grace_s is None else spec.grace_s * SECOND_NS
            text = f"Container {container.name} failed {spec.kind} probe, will be restarted"
            stopper.stop(self, container, grace_ns, text)
        elif spec.kind == STARTUP:
            self._started_up(container)

    def _started_up(self, container: Container) -> None:
        workers = self._probes[container.name]
        container.is_started = True
        container.is_ready = all(worker.spec.kind != READINESS for worker in workers)
        self.write_status()
        for worker in workers:
            worker.tick()
        if container.is_sidecar:
            self.advance()

    def _probe_failed(self, container: Container, spec: ProbeSpec, answer: Answer | None) -> None:
        text = f"{spec.kind.capitalize()} probe failed: {failure_text(spec, answer, self.pod_ip)}"
        self.host.event(self.pod, "Warning", "Unhealthy", text, container.field_path)

    def stop_probes(self, container: Container, *kinds: str) -> None:
        """Stop the probes of a container: those of ``kinds``, or all."""
        for worker in self._probes.get(container.name, ()):
            if not kinds or worker.spec.kind in kinds:
                worker.stop()

    def stop_killing_probes(self) -> None:
        """The pod is leaving: only readiness is still asked."""
        for container in self.containers:
            self.stop_probes(container, LIVENESS, STARTUP)

    def wake_probes(self) -> None:
        """A program's health may have changed: ask again where asking had stopped."""
        for container in self.containers:
            for worker in self._probes.get(container.name, ()):
                worker.wake()

    # What the API is told.

    def write_status(self) -> str:
        """Tell the API when something changed; returns the phase."""
        stored = self.host.client.get("pods", self.pod["metadata"]["namespace"], self.pod["metadata"]["name"])
        is_mine = stored is not None and stored["metadata"]["uid"] == self.uid
        base = stored if stored is not None and is_mine else self.pod
        facts = PodFacts(self._start_ns, self.host.ip, self.pod_ip, self.has_sandbox, self.is_leaving)
        status = pod_status(base, self.containers, facts, self.host.loop.now_ns)
        if is_mine and self.host.is_connected and not self.is_halted and status != base.get("status"):
            self.pod = self.host.client.set_status("pods", base, status)
        phase: str = status["phase"]
        return phase

    def remove_object(self) -> None:
        """The last step of a graceful deletion."""
        if self.is_halted or not self.host.is_connected:
            return
        metadata = self.pod["metadata"]
        options = DeleteOptions(grace_period_seconds=0, uid=self.uid)
        try:
            self.host.client.delete("pods", metadata["namespace"], metadata["name"], options)
        except ApiError as error:
            if error.reason != "Conflict":  # a conflict: another pod has the name by now, this one is gone
                raise
        if self.is_gone:
            self._forget()

    def finish_leaving(self) -> None:
        """Everything has stopped after a deletion: last status, then the end of the object."""
        self.is_over = True
        self._leave_sandbox()
        if self.is_gone:
            self._forget()
            return
        if any(container.termination is not None for container in self.containers):
            self.write_status()
        self.host.loop.after(self.host.until_relist_ns(), self.remove_object)

    def _forget(self) -> None:
        self.host.logs.forget(self.uid, [container.name for container in self.containers])
        self.host.forget(self.uid)

    def _leave_sandbox(self) -> None:
        self.host.programs.forget(self.uid, [container.name for container in self.containers])
        if self.pod_ip and self.pod_ip != self.host.ip:
            self.host.addresses.give_back(self.pod_ip)


def _cancel_timers(container: Container) -> None:
    for timer in container.signals:
        timer.cancel()
    container.signals.clear()
    if container.recheck is not None:
        container.recheck.cancel()
        container.recheck = None


def _containers(pod: Object) -> list[Container]:
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
