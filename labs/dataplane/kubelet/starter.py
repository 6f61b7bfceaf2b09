"""Pulling the image, creating and starting one container.

Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer),
pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.dataplane.images import Pulled, full_name, go_duration, image_id
from labs.dataplane.kubelet.backoff import after_start
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.process import Place, Surroundings

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker


def start(worker: PodWorker, container: Container) -> None:
    """Begin with the image."""
    image = container.spec["image"]
    policy = container.spec.get("imagePullPolicy") or "IfNotPresent"
    images = worker.host.images
    if container.termination is not None:
        finished_ns = container.termination.finished_ns
        container.backoff = after_start(container.backoff, finished_ns, worker.host.loop.now_ns)
    if images.has(image) and policy != "Always":
        text = f'Container image "{image}" already present on machine'
        worker.host.event(worker.pod, "Normal", "Pulled", text, container.field_path)
        _create(worker, container)
    elif policy == "Never":
        text = f'Container image "{image}" is not present with pull policy of Never'
        _failed(worker, container, "ErrImageNeverPull", text, "ErrImageNeverPull")
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
        worker.host.event(
            worker.pod, "Warning", "Failed", f'Failed to pull image "{image}": {pulled.error}', container.field_path
        )
        _failed(worker, container, "ErrImagePull", pulled.error, "ErrImagePull")
        return
    times = f"{go_duration(pulled.took_ns)} ({go_duration(pulled.waited_ns)} including waiting)"
    text = f'Successfully pulled image "{image}" in {times}. Image size: {pulled.size_bytes} bytes.'
    worker.host.event(worker.pod, "Normal", "Pulled", text, container.field_path)
    container.image_failed_ns = 0
    container.image_backoff = None
    _create(worker, container)


def _failed(worker: PodWorker, container: Container, reason: str, message: str, error: str) -> None:
    now_ns = worker.host.loop.now_ns
    worker.host.event(worker.pod, "Warning", "Failed", f"Error: {error}", container.field_path)
    container.image_backoff = after_start(container.image_backoff, container.image_failed_ns or now_ns, now_ns)
    container.image_failed_ns = now_ns
    container.waiting_reason = reason
    container.waiting_message = message
    worker.starting = None
    worker.write_status()
    # The next look at the pod, which finds the image in its wait.
    container.recheck = worker.host.loop.after(worker.host.until_relist_ns(), worker.sync)


def _create(worker: PodWorker, container: Container) -> None:
    worker.host.loop.after(worker.host.draw_ns(worker.host.times.create_s), _run, worker, container)


def _run(worker: PodWorker, container: Container) -> None:
    if _is_cancelled(worker):
        return
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
    container.is_noticed = container.is_started = container.is_ready = False
    host.event(worker.pod, "Normal", "Created", "Container created", container.field_path)
    host.event(worker.pod, "Normal", "Started", "Container started", container.field_path)
    process = host.programs.create(_surroundings(worker, container))
    container.process = process
    host.loop.after(host.until_relist_ns(), worker.noticed_start, container)
    worker.starting = None
    process.start()
    worker.advance()


def _surroundings(worker: PodWorker, container: Container) -> Surroundings:
    host = worker.host
    run_id = container.container_id
    log = host.logs.begin(worker.uid, container.name)

    def exited(exit_code: int) -> None:
        if container.container_id == run_id:
            worker.exited(container, exit_code)

    return Surroundings(
        loop=host.loop,
        streams=host.streams,
        pod=worker.pod,
        container=container.spec,
        place=Place(host.name, host.zone, worker.pod_ip),
        restart_count=container.restart_count,
        log=lambda text: log.write(host.loop.now_ns, text),
        exited=exited,
    )
