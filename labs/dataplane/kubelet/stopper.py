"""Stopping containers: preStop, TERM, KILL, within the grace period.

Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), pod_workers.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.hooks import pre_stop_ns
from labs.dataplane.process import EXIT_KILLED
from labs.units import SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker

MINIMUM_TERM_NS = 2 * SECOND_NS
"""Every container gets this long between TERM and KILL, however short the grace."""


def leave(worker: PodWorker, grace_ns: int) -> None:
    """The pod is being deleted: stop everything; a later call may only shorten the grace."""
    if worker.is_halted:
        return
    deadline_ns = worker.host.loop.now_ns + grace_ns
    if worker.is_leaving:
        if deadline_ns < worker.deadline_ns:
            worker.deadline_ns = deadline_ns
            _shorten(worker)
        return
    worker.is_leaving = True
    worker.deadline_ns = deadline_ns
    worker.starting = None
    worker.stop_killing_probes()
    for container in worker.containers:
        if not container.is_sidecar:
            stop(worker, container, grace_ns, f"Stopping container {container.name}")
    check_stopped(worker)


def stop(worker: PodWorker, container: Container, grace_ns: int, message: str) -> None:
    """preStop, then TERM, then KILL for one container that runs and is not being stopped already."""
    if container.process is None or container.signals:
        return
    host = worker.host
    host.event(worker.pod, "Normal", "Killing", message, container.field_path)
    hook_ns = pre_stop_ns(container.spec)
    term_after_ns = min(hook_ns or 0, grace_ns)
    kill_after_ns = term_after_ns + max(MINIMUM_TERM_NS, grace_ns - term_after_ns)
    container.signals = [
        host.loop.after(term_after_ns, _terminate, container),
        host.loop.after(kill_after_ns, kill, worker, container),
    ]


def _shorten(worker: PodWorker) -> None:
    now_ns = worker.host.loop.now_ns
    for container in worker.containers:
        if not container.signals or container.process is None:
            continue
        term, end = container.signals
        if term.is_pending and term.time_ns > worker.deadline_ns:
            term.cancel()
            term = worker.host.loop.at(worker.deadline_ns, _terminate, container)
        earliest_ns = (term.time_ns if term.is_pending else now_ns) + MINIMUM_TERM_NS
        end_ns = min(end.time_ns, max(worker.deadline_ns, earliest_ns))
        end.cancel()
        container.signals = [term, worker.host.loop.at(end_ns, kill, worker, container)]


def _terminate(container: Container) -> None:
    if container.process is not None:
        container.process.terminate()


def kill(worker: PodWorker, container: Container, reason: str = "") -> None:
    """KILL: the process stops at once; ``reason`` is OOMKilled or empty."""
    if container.process is not None:
        container.process.kill()
        worker.exited(container, EXIT_KILLED, reason)


def check_stopped(worker: PodWorker) -> None:
    """When nothing else runs, stop the sidecars; when nothing runs at all, finish."""
    if worker.is_over:
        return
    running = [container for container in worker.containers if container.process is not None]
    if any(not container.is_sidecar for container in running):
        return
    left_ns = max(0, worker.deadline_ns - worker.host.loop.now_ns)
    for container in reversed(running):
        stop(worker, container, left_ns, f"Stopping container {container.name}")
    if running:
        return
    for container in worker.containers:
        if container.termination is not None:
            worker.settle_exit(container)
    worker.finish_leaving()
