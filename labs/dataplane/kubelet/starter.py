"""Pulling the image, creating and starting one container, and its postStart hook.

Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer),
pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.dataplane.images import Pulled, full_name, go_duration, image_id, name_error
from labs.dataplane.kubelet import stopper
from labs.dataplane.kubelet.backoff import after_start
from labs.dataplane.kubelet.containers import OOM_KILLED, Container
from labs.dataplane.kubelet.environment import ConfigFault
from labs.dataplane.kubelet.hooks import run_hook
from labs.dataplane.kubelet.machine import build_machine
from labs.dataplane.process import Place, Surroundings
from labs.units import SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker

_RETRY_NS = 10 * SECOND_NS
_RETRY_JITTER = 0.5
"""A pod whose last sync failed is looked at again after this (pod_workers.go, backOffPeriod)."""


def start(worker: PodWorker, container: Container) -> None:
    """Begin with the image."""
    image = container.spec["image"]
    policy = container.spec.get("imagePullPolicy") or "IfNotPresent"
    images = worker.host.images
    wrong = name_error(image)
    if wrong:
        text = f'Failed to apply default image tag "{image}": {wrong}'
        worker.host.event(worker.pod, "Warning", "InspectFailed", text, container.field_path)
        _refuse(worker, container, "InvalidImageName", text, "InvalidImageName")
        return
    if container.termination is not None:
        finished_ns = container.termination.finished_ns
        container.backoff = after_start(container.backoff, finished_ns, worker.host.loop.now_ns)
    if images.has(image) and policy != "Always":
        text = f'Container image "{image}" already present on machine'
        worker.host.event(worker.pod, "Normal", "Pulled", text, container.field_path)
        _create(worker, container)
    elif policy == "Never":
        text = f'Container image "{image}" is not present with pull policy of Never'
        worker.host.event(worker.pod, "Warning", "ErrImageNeverPull", text, container.field_path)
        _refuse(worker, container, "ErrImageNeverPull", text, "ErrImageNeverPull")
    else:
        worker.host.event(worker.pod, "Normal", "Pulling", f'Pulling image "{image}"', container.field_path)
        images.pull(image, lambda pulled: _pulled(worker, container, pulled))


def _is_cancelled(worker: PodWorker) -> bool:
    return worker.is_halted or worker.is_leaving


def _pulled(worker: PodWorker, container: Container, pulled: Pulled) -> None:
    if _is_cancelled(worker):
        return
    image = container.spec["image"]
    if pulled.error:
        text = f'Failed to pull image "{image}": {pulled.error}'
        worker.host.event(worker.pod, "Warning", "Failed", text, container.field_path)
        _failed_pull(worker, container, pulled.error)
        return
    times = f"{go_duration(pulled.took_ns)} ({go_duration(pulled.waited_ns)} including waiting)"
    text = f'Successfully pulled image "{image}" in {times}. Image size: {pulled.size_bytes} bytes.'
    worker.host.event(worker.pod, "Normal", "Pulled", text, container.field_path)
    container.image_failed_ns = 0
    container.image_backoff = None
    _create(worker, container)


def _failed_pull(worker: PodWorker, container: Container, message: str) -> None:
    now_ns = worker.host.loop.now_ns
    worker.host.event(worker.pod, "Warning", "Failed", "Error: ErrImagePull", container.field_path)
    container.image_backoff = after_start(container.image_backoff, container.image_failed_ns or now_ns, now_ns)
    container.image_failed_ns = now_ns
    container.image_error = f"ErrImagePull: {message}"
    _wait(worker, container, "ErrImagePull", message, worker.host.until_relist_ns())


def _refuse(worker: PodWorker, container: Container, reason: str, message: str, error: str) -> None:
    """The container cannot be made as things are; the pod is looked at again in a while."""
    worker.host.event(worker.pod, "Warning", "Failed", f"Error: {error}", container.field_path)
    delay_ns = round(_RETRY_NS * (1 + _RETRY_JITTER * worker.host.rng.random()))
    _wait(worker, container, reason, message, delay_ns)


def _wait(worker: PodWorker, container: Container, reason: str, message: str, delay_ns: int) -> None:
    container.waiting_reason = reason
    container.waiting_message = message
    worker.starting = None
    worker.write_status()
    container.recheck = worker.host.loop.after(delay_ns, worker.sync)


def _create(worker: PodWorker, container: Container) -> None:
    worker.host.loop.after(worker.host.draw_ns(worker.host.times.create_s), _run, worker, container)


def _run(worker: PodWorker, container: Container) -> None:
    if _is_cancelled(worker):
        return
    host = worker.host
    try:
        container.machine = build_machine(worker, container, lambda: _signal(container))
    except ConfigFault as fault:
        _refuse(worker, container, "CreateContainerConfigError", str(fault), str(fault))
        return
    _renew(worker, container)
    host.event(worker.pod, "Normal", "Created", "Container created", container.field_path)
    host.event(worker.pod, "Normal", "Started", "Container started", container.field_path)
    process = host.programs.create(_surroundings(worker, container))
    container.process = process
    process.start()
    hook = (container.spec.get("lifecycle") or {}).get("postStart")
    if hook and container.process is not None:
        # The kubelet is busy with the hook: it sees that the container runs when the hook is over.
        run_hook(worker, container, hook, lambda is_good: _hooked(worker, container, is_good))
    else:
        _settled(worker, container)


def _renew(worker: PodWorker, container: Container) -> None:
    """A new run: what is known of the one before becomes its last state."""
    host = worker.host
    image = container.spec["image"]
    if container.termination is not None:
        container.last_termination = container.termination
        container.termination = None
        container.restart_count += 1
    container.waiting_reason = container.waiting_message = ""
    container.image = full_name(image)
    container.image_id = image_id(image)
    container.container_id = f"containerd://{host.rng.getrandbits(256):064x}"
    container.started_ns = host.loop.now_ns
    container.extra_memory_bytes = 0
    container.is_noticed = container.is_started = container.is_ready = False


def _signal(container: Container) -> None:
    if container.process is not None:
        container.process.terminate()


def _hooked(worker: PodWorker, container: Container, is_good: bool) -> None:
    if _is_cancelled(worker):
        return
    if not is_good:
        worker.host.event(worker.pod, "Warning", "FailedPostStartHook", "PostStartHook failed", container.field_path)
        stopper.stop(worker, container, worker.grace_ns, "FailedPostStartHook")
    _settled(worker, container)


def _settled(worker: PodWorker, container: Container) -> None:
    worker.host.loop.after(worker.host.until_relist_ns(), worker.noticed_start, container)
    worker.starting = None
    worker.advance()


def _surroundings(worker: PodWorker, container: Container) -> Surroundings:
    host = worker.host
    run_id = container.container_id
    log = container.log = host.logs.begin(worker.uid, container.name)
    container.print = lambda content: log.write(host.loop.now_ns, content.decode(errors="replace").removesuffix("\n"))

    def exited(exit_code: int) -> None:
        if container.container_id == run_id:
            worker.exited(container, exit_code)

    def run_out_of_memory(_: None = None) -> None:
        if container.container_id == run_id:
            stopper.kill(worker, container, OOM_KILLED)

    assert container.machine is not None
    return Surroundings(
        loop=host.loop,
        streams=host.streams,
        pod=worker.pod,
        container=container.spec,
        place=Place(host.name, host.zone, worker.pod_ip),
        restart_count=container.restart_count,
        log=lambda text: log.write(host.loop.now_ns, text),
        exited=exited,
        run_out_of_memory=run_out_of_memory,
        machine=container.machine,
        memory_limit_bytes=container.memory_limit_bytes,
    )
