"""One pod on its node, from the first sight of it to its removal.

Source: kubernetes pkg/kubelet/{kubelet,pod_workers}.go and pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod).
``sync`` decides what to start; starting is in ``starter``, stopping in ``stopper``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from labs.api.apiserver import DeleteOptions
from labs.api.store import Object
from labs.dataplane.kubelet import ephemeral, starter, stopper
from labs.dataplane.kubelet.backoff import JITTER, RECHECK_NS, go_duration_s, remaining_ns
from labs.dataplane.kubelet.containers import LOST, Container, Termination, containers_of
from labs.dataplane.kubelet.ending import DEADLINE_EXCEEDED, Ending
from labs.dataplane.kubelet.host import Host
from labs.dataplane.kubelet.pod_probes import PodProbes
from labs.dataplane.kubelet.sandbox import sandbox_problem
from labs.dataplane.kubelet.status import TERMINAL_PHASES, PodFacts, is_initialized, pod_status
from labs.dataplane.kubelet.termination_message import termination_message
from labs.dataplane.kubelet.volumes import PodVolumes
from labs.dataplane.process import EXIT_KILLED
from labs.errors import ApiError
from labs.sim.loop import Timer
from labs.units import MILLISECOND_NS, SECOND_NS, parse_rfc3339

DEFAULT_GRACE_S = 30
MOUNT_RETRY_NS = 500 * MILLISECOND_NS
MOUNT_RETRY_MAX_NS = 122 * SECOND_NS
"""A volume that cannot be mounted is tried again after this, doubling (goroutinemap/exponentialbackoff)."""

SANDBOX_RETRY_NS = 10 * SECOND_NS
"""A pod without a sandbox is looked at again after this (pod_workers.go, backOffPeriod)."""


class PodWorker:
    """The containers of one pod, and what the API is told of them."""

    __slots__ = (
        "_deadline",
        "_is_removing",
        "_start_ns",
        "containers",
        "ending",
        "ephemeral",
        "has_sandbox",
        "host",
        "is_gone",
        "is_halted",
        "is_leaving",
        "is_over",
        "pod",
        "pod_ip",
        "probes",
        "starting",
        "volumes",
    )

    def __init__(self, host: Host, pod: Object) -> None:
        self.host = host
        self.pod = pod
        self.containers = containers_of(pod)
        self.ephemeral: list[Container] = []
        """Those that joined the running pod."""
        self.volumes = PodVolumes(host.client, pod, host.name, host.volumes)
        self.probes = PodProbes(self)
        self.pod_ip = ""
        self.has_sandbox = False
        self.starting: Container | None = None
        self.ending: Ending | None = None
        """Why the kubelet itself ends the pod."""
        self.is_leaving = False
        """Whether everything is being stopped for good."""
        self.is_over = False
        self.is_gone = False
        self.is_halted = False
        started = (pod.get("status") or {}).get("startTime")
        self._start_ns = parse_rfc3339(started) if started else host.loop.now_ns
        self._is_removing = False
        self._deadline: Timer | None = None

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

    @property
    def grace_ns(self) -> int:
        """``spec.terminationGracePeriodSeconds``."""
        grace_s = self.pod["spec"].get("terminationGracePeriodSeconds")
        return (DEFAULT_GRACE_S if grace_s is None else int(grace_s)) * SECOND_NS

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        return next((each for each in self.everything if each.name == name), None)

    @property
    def everything(self) -> list[Container]:
        """All containers, those included that joined later."""
        return [*self.containers, *self.ephemeral] if self.ephemeral else self.containers

    # What the kubelet tells the worker.

    def begin(self) -> None:
        """First sight of the pod."""
        if "deletionTimestamp" in self.pod["metadata"]:
            self.on_pod(self.pod)
        elif (self.pod.get("status") or {}).get("phase") in TERMINAL_PHASES:
            self.is_over = True
        else:
            self.write_status()
            self._set_deadline()
            self._mount(MOUNT_RETRY_NS)

    def on_pod(self, pod: Object) -> None:
        """The API object changed."""
        self.pod = pod
        metadata = pod["metadata"]
        if "deletionTimestamp" not in metadata:
            self._set_deadline()
            ephemeral.notice(self)
        elif not self.is_over:
            stopper.leave(self, max(1, metadata.get("deletionGracePeriodSeconds") or 0) * SECOND_NS)
        elif not self._is_removing:  # it had ended before: nobody else would remove it
            self._remove_later()

    def on_removed(self) -> None:
        """The API object is gone: what still runs gets the least grace there is."""
        self.is_gone = True
        if self.is_over:
            self._forget()
        else:
            stopper.leave(self, SECOND_NS)

    def end(self, ending: Ending, grace_ns: int) -> None:
        """The kubelet ends the pod by itself: its containers are stopped, and the object stays, Failed."""
        if self.is_over or self.is_halted or self.is_leaving:
            return
        self.ending = ending
        stopper.leave(self, grace_ns)

    def reject(self, ending: Ending) -> None:
        """The node does not take the pod: it fails without having run."""
        self.ending = ending
        self.is_over = True
        self.write_status()

    def halt(self) -> None:
        """The machine lost power: nothing runs, and nothing is told."""
        self.is_halted = True
        for container in self.everything:
            self.probes.stop(container)
            container.cancel_timers()
            container.end_sessions(EXIT_KILLED)
            if container.log is not None:
                container.log.end()
            if container.process is not None:
                container.process.vanish()
                container.process = None
        self._leave_sandbox()

    def reconnect(self) -> None:
        """The API server can be reached again: tell it what happened meanwhile."""
        if self._is_removing:
            self.remove_object()
        else:
            self.write_status()

    def _set_deadline(self) -> None:
        """``spec.activeDeadlineSeconds`` counts from the pod's start on the node."""
        limit_s = self.pod["spec"].get("activeDeadlineSeconds")
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if limit_s is not None and not self.is_over:
            self._deadline = self.host.loop.at(self._start_ns + limit_s * SECOND_NS, self._exceed_deadline)

    def _exceed_deadline(self) -> None:
        if not (self.is_leaving or self.is_over or self.is_halted):
            self.host.event(self.pod, "Normal", DEADLINE_EXCEEDED.reason, DEADLINE_EXCEEDED.message)
            self.end(DEADLINE_EXCEEDED, self.grace_ns)

    # Starting.

    def _mount(self, retry_ns: int) -> None:
        """Wait until every volume is there, then make the sandbox."""
        if self.is_halted or self.is_leaving or self.is_over:
            return
        missing = self.volumes.missing()
        if missing:
            self.host.event(self.pod, "Warning", "FailedMount", missing)
            self.host.loop.after(retry_ns, self._mount, min(2 * retry_ns, MOUNT_RETRY_MAX_NS))
        elif problem := sandbox_problem(self.host.client, self.pod):
            self.host.event(self.pod, "Warning", "FailedCreatePodSandBox", problem)
            self.host.loop.after(SANDBOX_RETRY_NS, self._mount, retry_ns)
        else:
            self.host.loop.after(self.host.draw_ns(self.host.times.sandbox_s), self._sandbox_ready)

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
        elif any(
            container.shall_restart(self.restart_policy) for container in self.containers if not container.is_init
        ):
            self.advance()
        else:
            # Everything else has ended for good: sidecars end, too.
            stopper.stop_all(self, self.grace_ns)

    def advance(self) -> None:
        """Start the next container that may start, one at a time."""
        if self.starting is not None or self.is_halted or self.is_leaving or self.is_over or not self.has_sandbox:
            return
        for container in chain(ephemeral.to_start(self), self._candidates()):
            if self._may_start_now(container):
                self.starting = container
                starter.start(self, container)
                return

    def _candidates(self) -> Iterator[Container]:
        """Containers that are to run now and do not: init containers in order, then all others."""
        for container in self.containers:
            shall_run = container.is_noticed and container.shall_restart(self.restart_policy)
            if not container.is_init:
                if not container.is_running and shall_run:
                    yield container
            elif container.is_sidecar:
                if not container.is_running:
                    yield container
                if not container.is_started and not is_initialized(self.containers):
                    return
            elif not container.has_succeeded and not is_initialized(self.containers):
                if not container.is_running and shall_run:
                    yield container
                return

    def _may_start_now(self, container: Container) -> bool:
        """Whether no wait holds the container; if one does, come back when it is over."""
        if container.recheck is not None and container.recheck.is_pending:
            return False
        now_ns = self.host.loop.now_ns
        if container.image_failed_ns:
            left_ns = remaining_ns(container.image_backoff, container.image_failed_ns, now_ns)
            if left_ns:
                text = f'Back-off pulling image "{container.spec["image"]}"'
                self.host.event(self.pod, "Normal", "BackOff", text, container.field_path)
                self.host.event(self.pod, "Warning", "Failed", "Error: ImagePullBackOff", container.field_path)
                self._wait(container, left_ns, "ImagePullBackOff", f"{text}: {container.image_error}")
            return not left_ns
        if container.termination is None:
            return True
        left_ns = remaining_ns(container.backoff, container.termination.finished_ns, now_ns)
        if left_ns and container.backoff is not None:
            metadata = self.pod["metadata"]
            full_name = f"{metadata['name']}_{metadata['namespace']}({self.uid})"
            delay = go_duration_s(container.backoff.delay_ns)
            text = f"Back-off restarting failed container {container.name} in pod {full_name}"
            self.host.event(self.pod, "Warning", "BackOff", text, container.field_path)
            message = f"back-off {delay} restarting failed container={container.name} pod={full_name}"
            self._wait(container, left_ns, "CrashLoopBackOff", message)
        return not left_ns

    def _wait(self, container: Container, left_ns: int, reason: str, message: str) -> None:
        container.waiting_reason = reason
        container.waiting_message = message
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
        self.probes.begin(container)
        self.write_status()
        self.probes.ask(container)
        if container.is_sidecar:
            self.advance()

    def exited(self, container: Container, exit_code: int, reason: str = "") -> None:
        """A container's process is over; the kubelet notices at its next look."""
        if container.process is None or self.is_halted:
            return
        now_ns = self.host.loop.now_ns
        container.process = None
        message = termination_message(container, exit_code)
        run = (exit_code, container.started_ns, now_ns, container.container_id)
        container.termination = Termination(*run, reason, message)
        container.is_noticed = False
        container.cancel_timers()
        container.end_sessions(EXIT_KILLED)
        if container.log is not None:
            container.log.end()
        self.probes.stop(container)
        if self.starting is container:
            self.starting = None  # it ended before its postStart hook did
        stopper.check_stopped(self)
        if not self.is_leaving:
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

    # What the API is told.

    def write_status(self) -> str:
        """Tell the API when something changed; returns the phase."""
        stored = self.host.client.get("pods", self.pod["metadata"]["namespace"], self.pod["metadata"]["name"])
        is_mine = stored is not None and stored["metadata"]["uid"] == self.uid
        base = stored if stored is not None and is_mine else self.pod
        ending = self.ending if self.is_over else None
        facts = PodFacts(self._start_ns, self.host.ip, self.pod_ip, self.has_sandbox, self.is_leaving, ending)
        status = pod_status(base, self.containers, facts, self.host.loop.now_ns)
        status |= ephemeral.statuses(self.ephemeral, base.get("status") or {})
        if is_mine and self.host.is_connected and not self.is_halted and status != base.get("status"):
            self.pod = self.host.client.set_status("pods", base, status)
        phase: str = status["phase"]
        return phase

    def finish_leaving(self) -> None:
        """Everything has stopped for good: last status, and the end of the object if it is being deleted."""
        self.is_over = True
        self._leave_sandbox()
        if self.is_gone:
            self._forget()
            return
        is_deleted = "deletionTimestamp" in self.pod["metadata"]
        if self.ending is not None or any(container.termination is not None for container in self.containers):
            for container in self.containers:
                if container.termination is None:
                    container.termination = LOST
                    self.settle_exit(container)
            self.write_status()
        if is_deleted:
            self._remove_later()

    def _remove_later(self) -> None:
        self._is_removing = True
        self.host.loop.after(self.host.until_relist_ns(), self.remove_object)

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

    def _forget(self) -> None:
        self.host.logs.forget(self.uid, [container.name for container in self.everything])
        self.host.forget(self.uid)

    def _leave_sandbox(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self.host.programs.forget(self.uid, [container.name for container in self.everything])
        self.host.outside.forget(self.uid)
        if self.pod_ip and self.pod_ip != self.host.ip:
            self.host.addresses.give_back(self.pod_ip)
