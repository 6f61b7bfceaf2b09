"""The kubelet of one node: registration, heartbeat, and one worker for each pod."""

from __future__ import annotations

from collections.abc import Callable

from labs.api.store import Object
from labs.dataplane.kubelet import stopper
from labs.dataplane.kubelet.ending import NOT_ADMITTED
from labs.dataplane.kubelet.host import Host
from labs.dataplane.kubelet.node_status import (
    LEASE_NAMESPACE,
    NodeFacts,
    Registration,
    lease_object,
    node_object,
    node_status,
)
from labs.dataplane.kubelet.pod_worker import PodWorker
from labs.dataplane.kubelet.pressure import MemoryPressure
from labs.dataplane.kubelet.shutdown import EVENT_TEXT, NodeShutdown, ShutdownTimes
from labs.sim.loop import Timer
from labs.units import MINUTE_NS, SECOND_NS, rfc3339_micro

LEASES = "leases.coordination.k8s.io"
RENEW_NS = 10 * SECOND_NS
STATUS_REPORT_NS = 5 * MINUTE_NS
"""An unchanged node status is sent this often; the spread keeps nodes apart (node_status_update jitter)."""
STATUS_JITTER = 0.5


class Kubelet:
    """``host`` is the node as its pods see it; ``workers`` holds one worker for each pod, by uid."""

    def __init__(self, host: Host, registration: Registration, shutdown: ShutdownTimes) -> None:
        self.host = host
        self.registration = registration
        self._shutdown_times = shutdown
        self.workers: dict[str, PodWorker] = {}
        self.is_on = False
        self.is_ready = False
        self.is_shutting_down = False
        self.pressure = MemoryPressure(self)
        self._lease_timer: Timer | None = None
        self._report_timer: Timer | None = None

    # Life of the node.

    def register(self) -> None:
        """The kubelet process starts: the Node appears (or is taken over), not ready yet; heartbeats begin."""
        self.is_on = True
        node = self._node()
        if node is None:
            node = self.host.client.create("nodes", node_object(self.registration, self.host.loop.now_ns))
        self._post_status()
        self.event("Normal", "Starting", "Starting kubelet.")
        self._renew_lease()
        self._schedule_report()
        for pod in self.host.client.pods_on_node(self.host.name):
            self.see(pod)

    def become_ready(self) -> None:
        """The network plug-in is up."""
        if not self.is_on:
            return
        self.is_ready = True
        self._post_status()
        self.event("Normal", "NodeReady", f"Node {self.host.name} status is now: NodeReady")

    def shut_down(self, done: Callable[[], None]) -> None:
        """The machine is told to stop: the node is not ready, pods end in their order, then ``done`` is called."""
        if self.is_shutting_down:
            return
        if not self._shutdown_times.grace_s:
            done()
            return
        self.is_shutting_down = True
        self.event("Normal", "Shutdown", EVENT_TEXT)
        self._post_status()
        NodeShutdown(self, self._shutdown_times, done).begin()

    def power_off(self) -> None:
        """The machine stops: programs end, and nobody hears of it."""
        self.is_on = self.is_ready = self.is_shutting_down = False
        self.pressure = MemoryPressure(self)
        for timer in (self._lease_timer, self._report_timer):
            if timer is not None:
                timer.cancel()
        for worker in self.workers.values():
            worker.halt()
        self.workers.clear()

    def disconnect(self) -> None:
        """Nothing reaches the API server any more, nor comes from it; programs go on."""
        self.host.is_connected = False

    def connect(self) -> None:
        """The API server can be reached again: catch up."""
        self.host.is_connected = True
        self._post_status()
        self._renew_lease()
        present = {pod["metadata"]["uid"]: pod for pod in self.host.client.pods_on_node(self.host.name)}
        for uid, worker in list(self.workers.items()):
            if uid in present:
                worker.reconnect()
            else:
                worker.on_removed()
        for pod in present.values():
            self.see(pod)

    # Heartbeat.

    def _node(self) -> Object | None:
        return self.host.client.get("nodes", "", self.host.name)

    def event(self, type: str, reason: str, message: str) -> None:
        """Record an event about the node, when the API server can be reached."""
        node = self._node()
        if node is not None and self.host.is_connected:
            self.host.client.events.record(node, type, reason, message, host=self.host.name)

    def pressure_changed(self) -> None:
        """Tell the API server of the condition MemoryPressure."""
        which = "NodeHasInsufficientMemory" if self.pressure.is_present else "NodeHasSufficientMemory"
        self.event("Normal", which, f"Node {self.host.name} status is now: {which}")
        self._post_status()

    def _post_status(self) -> None:
        node = self._node()
        if node is None or not self.host.is_connected:
            return
        now_ns = self.host.loop.now_ns
        facts = NodeFacts(self.is_ready, self.is_shutting_down, self.pressure.is_present)
        status = node_status(self.registration.instance, facts, now_ns, node.get("status"))
        self.host.client.set_status("nodes", node, status)

    def _schedule_report(self) -> None:
        delay_ns = round(STATUS_REPORT_NS * (1 + STATUS_JITTER * (self.host.rng.random() - 0.5)))
        self._report_timer = self.host.loop.after(delay_ns, self._report)

    def _report(self) -> None:
        self._post_status()
        self._schedule_report()

    def _renew_lease(self) -> None:
        if self._lease_timer is not None:
            self._lease_timer.cancel()
        self._lease_timer = self.host.loop.after(RENEW_NS, self._renew_lease)
        node = self._node()
        if node is None or not self.host.is_connected:
            return
        lease = self.host.client.get(LEASES, LEASE_NAMESPACE, self.host.name)
        now_ns = self.host.loop.now_ns
        if lease is None:
            self.host.client.create(LEASES, lease_object(node, now_ns))
            return
        spec = {**lease["spec"], "renewTime": rfc3339_micro(now_ns)}
        self.host.client.update(LEASES, {**lease, "spec": spec})

    # Pods.

    def see(self, pod: Object) -> None:
        """A pod of this node is new or has changed."""
        if not self.is_on or not self.host.is_connected:
            return
        uid = pod["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is None:
            worker = self.workers[uid] = PodWorker(self.host, pod)
            if self.is_shutting_down and not (pod.get("status") or {}).get("startTime"):
                self.host.event(pod, "Warning", NOT_ADMITTED.reason, NOT_ADMITTED.message)
                worker.reject(NOT_ADMITTED)
            else:
                worker.begin()
        else:
            worker.on_pod(pod)

    def see_removed(self, pod: Object) -> None:
        """A pod of this node is gone from the API."""
        worker = self.workers.get(pod["metadata"]["uid"])
        if worker is not None and self.host.is_connected:
            worker.on_removed()

    def kill_container(self, uid: str, container: str, reason: str = "") -> None:
        """KILL one container as the kernel or a fault does; ``reason`` is OOMKilled or empty.

        Does nothing when there is no such container running.
        """
        worker = self.workers.get(uid)
        found = worker.container(container) if worker is not None else None
        if worker is not None and found is not None:
            stopper.kill(worker, found, reason)

    def take_memory(self, uid: str, container: str, size_bytes: int) -> None:
        """A fault holds ``size_bytes`` more (or less, when negative) in a container, until it runs anew.

        More than the limit of the container is its end by the OOM killer. Does nothing when it does not run.
        """
        worker = self.workers.get(uid)
        found = worker.container(container) if worker is not None else None
        if worker is not None and found is not None and found.is_running:
            found.extra_memory_bytes = max(0, found.extra_memory_bytes + size_bytes)
            stopper.check_memory(worker, found)
