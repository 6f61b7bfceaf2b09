"""Stopping containers: preStop, their turn, TERM, KILL, within the grace period.

Source: kubernetes pkg/kubelet/kuberuntime/{kuberuntime_container.go (killContainer),
kuberuntime_termination_order.go}, pod_workers.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.dataplane.kubelet.containers import OOM_KILLED, Container, Stage
from labs.dataplane.kubelet.hooks import run_hook
from labs.dataplane.process import EXIT_KILLED
from labs.units import SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker

MINIMUM_TERM_NS = 2 * SECOND_NS
"""Every container gets this long between TERM and KILL, however short the grace."""


def leave(worker: PodWorker, grace_ns: int) -> None:
    """The pod ends for good: stop everything; a later call may only shorten the grace."""
    if worker.is_halted:
        return
    if worker.is_leaving:
        deadline_ns = worker.host.loop.now_ns + grace_ns
        for container in worker.everything:
            _shorten(worker, container, deadline_ns)
        return
    worker.is_leaving = True
    worker.starting = None
    worker.probes.stop_killing()
    stop_all(worker, grace_ns)
    check_stopped(worker)


def stop_all(worker: PodWorker, grace_ns: int) -> None:
    """Stop every container of the pod, sidecars after those that they serve."""
    for container in worker.everything:
        stop(worker, container, grace_ns, f"Stopping container {container.name}", is_ordered=True)


def stop(worker: PodWorker, container: Container, grace_ns: int, message: str, is_ordered: bool = False) -> None:
    """preStop, then TERM, then KILL for one container that runs and is not being stopped already."""
    if container.process is None or container.stage is not Stage.NONE:
        return
    host = worker.host
    host.event(worker.pod, "Normal", "Killing", message, container.field_path)
    started_ns = host.loop.now_ns
    container.is_ordered = is_ordered
    container.stop_deadline_ns = started_ns + grace_ns
    hook = (container.spec.get("lifecycle") or {}).get("preStop")
    if not hook or grace_ns <= 0:
        _await_turn(worker, container)
        return
    container.stage = Stage.HOOK
    container.stop_timer = host.loop.after(grace_ns, _await_turn, worker, container)

    def done(is_good: bool) -> None:
        if not is_good:
            host.event(worker.pod, "Warning", "FailedPreStopHook", "PreStopHook failed", container.field_path)
        if container.stage is Stage.HOOK:
            # The grace loses the whole seconds that the hook took.
            container.stop_deadline_ns += (host.loop.now_ns - started_ns) % SECOND_NS
            _await_turn(worker, container)

    run_hook(worker, container, hook, done)


def _await_turn(worker: PodWorker, container: Container) -> None:
    if container.process is None or worker.is_halted:
        return
    _cancel(container)
    container.stage = Stage.TURN
    if not container.is_ordered or _is_due(worker, container):
        _terminate(worker, container)
    else:
        deadline_ns = max(container.stop_deadline_ns, worker.host.loop.now_ns)
        container.stop_timer = worker.host.loop.at(deadline_ns, _terminate, worker, container)


def _is_due(worker: PodWorker, container: Container) -> bool:
    """A sidecar's turn comes when every regular container and every later sidecar has ended."""
    if not container.is_sidecar:
        return True
    at = worker.containers.index(container)
    later = [each for each in worker.containers[at + 1 :] if each.is_sidecar or not each.is_init]
    return not any(each.is_running for each in later)


def _terminate(worker: PodWorker, container: Container) -> None:
    if container.process is None or worker.is_halted:
        return
    _cancel(container)
    container.stage = Stage.TERM
    now_ns = worker.host.loop.now_ns
    end_ns = max(container.stop_deadline_ns, now_ns + MINIMUM_TERM_NS)
    container.stop_timer = worker.host.loop.at(end_ns, kill, worker, container)
    container.process.terminate()


def _shorten(worker: PodWorker, container: Container, deadline_ns: int) -> None:
    if container.process is None or container.stage is Stage.NONE or container.stop_deadline_ns <= deadline_ns:
        return
    container.stop_deadline_ns = deadline_ns
    _cancel(container)
    loop = worker.host.loop
    if container.stage is Stage.HOOK:
        container.stop_timer = loop.at(deadline_ns, _await_turn, worker, container)
    elif container.stage is Stage.TURN:
        container.stop_timer = loop.at(deadline_ns, _terminate, worker, container)
    else:
        end_ns = max(deadline_ns, loop.now_ns + MINIMUM_TERM_NS)
        container.stop_timer = loop.at(end_ns, kill, worker, container)


def _cancel(container: Container) -> None:
    if container.stop_timer is not None:
        container.stop_timer.cancel()
        container.stop_timer = None


def kill(worker: PodWorker, container: Container, reason: str = "") -> None:
    """KILL: the process stops at once; ``reason`` is OOMKilled or empty."""
    if container.process is not None:
        container.process.kill()
        worker.exited(container, EXIT_KILLED, reason)


def check_memory(worker: PodWorker, container: Container) -> None:
    """The kernel's OOM killer: everything in a container that holds more than its limit is killed (oom.group)."""
    limit = container.memory_limit_bytes
    if limit is not None and container.memory_bytes(worker.host.loop.now_ns) > limit:
        kill(worker, container, OOM_KILLED)


def check_stopped(worker: PodWorker) -> None:
    """Send TERM to the sidecars whose turn has come; when nothing runs at all, finish a pod that ends for good."""
    if worker.is_over:
        return
    for container in reversed(worker.everything):
        if container.stage is Stage.TURN and _is_due(worker, container):
            _terminate(worker, container)
    if worker.is_leaving and not any(container.is_running for container in worker.everything):
        for container in worker.everything:
            if container.termination is not None:
                worker.settle_exit(container)
        worker.finish_leaving()
