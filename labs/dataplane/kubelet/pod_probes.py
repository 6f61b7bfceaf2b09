"""The probes of one pod, and what follows from their answers.

Source: kubernetes pkg/kubelet/prober/prober_manager.go, pkg/kubelet/kubelet.go (handleProbeSync).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.dataplane.kubelet import stopper
from labs.dataplane.kubelet.containers import Container
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
from labs.dataplane.process import Answer
from labs.units import SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker


class PodProbes:
    """One worker for each probe of each running container."""

    __slots__ = ("_pod", "_workers")

    def __init__(self, pod: PodWorker) -> None:
        self._pod = pod
        self._workers: dict[str, list[ProbeWorker]] = {}

    def begin(self, container: Container) -> None:
        """The container runs: it has started, and is ready, as far as no probe has to say so."""
        specs = [spec for kind in KINDS if (spec := probe_spec(container.spec, kind)) is not None]
        kinds = {spec.kind for spec in specs}
        container.is_started = STARTUP not in kinds
        container.is_ready = container.is_started and READINESS not in kinds
        loop = self._pod.host.loop
        self._workers[container.name] = [
            ProbeWorker(loop, container, spec, self._changed, self._failed) for spec in specs
        ]

    def ask(self, container: Container) -> None:
        """Ask for the first time; of a pod that is leaving only readiness."""
        for worker in self._workers.get(container.name, ()):
            if not self._pod.is_leaving or worker.spec.kind == READINESS:
                worker.start()

    def stop(self, container: Container, *kinds: str) -> None:
        """Stop the probes of a container: those of ``kinds``, or all."""
        for worker in self._workers.get(container.name, ()):
            if not kinds or worker.spec.kind in kinds:
                worker.stop()

    def stop_killing(self) -> None:
        """The pod is leaving: only readiness is still asked."""
        for container in self._pod.containers:
            self.stop(container, LIVENESS, STARTUP)

    def wake(self) -> None:
        """A program's health may have changed: ask again where asking had stopped."""
        for workers in self._workers.values():
            for worker in workers:
                worker.wake()

    def _changed(self, container: Container, spec: ProbeSpec, is_good: bool) -> None:
        pod = self._pod
        if spec.kind == READINESS:
            container.is_ready = is_good
            pod.write_status()
        elif not is_good:
            grace_ns = pod.grace_ns if spec.grace_s is None else spec.grace_s * SECOND_NS
            text = f"Container {container.name} failed {spec.kind} probe, will be restarted"
            if container.is_init:
                text = f"Init container {container.name} failed {spec.kind} probe"
            stopper.stop(pod, container, grace_ns, text)
        elif spec.kind == STARTUP:
            self._started_up(container)

    def _started_up(self, container: Container) -> None:
        workers = self._workers[container.name]
        container.is_started = True
        container.is_ready = all(worker.spec.kind != READINESS for worker in workers)
        self._pod.write_status()
        for worker in workers:
            worker.tick()
        if container.is_sidecar:
            self._pod.advance()

    def _failed(self, container: Container, spec: ProbeSpec, answer: Answer | None) -> None:
        pod = self._pod
        text = f"{spec.kind.capitalize()} probe failed: {failure_text(spec, answer, pod.pod_ip)}"
        pod.host.event(pod.pod, "Warning", "Unhealthy", text, container.field_path)
