"""The scheduler: takes waiting pods one at a time, finds each a node and binds it.

Source: pkg/scheduler/{scheduler,schedule_one}.go.
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.conditions import mark_disruption_target, pod_condition, with_condition
from labs.controlplane.rate_limit import TokenBucket
from labs.controlplane.scheduler.attempt import Filters, Search, best_node, search
from labs.controlplane.scheduler.default_spread import default_spread
from labs.controlplane.scheduler.events import SeriesRecorder
from labs.controlplane.scheduler.failure import NO_NODES, Failure, fit_error, prefilter_error
from labs.controlplane.scheduler.nodeinfo import NodeInfo
from labs.controlplane.scheduler.podinfo import PodInfo
from labs.controlplane.scheduler.preemption import (
    Candidate,
    best_candidate,
    find_candidates,
    ineligible,
    not_helpful,
    parse_budget,
)
from labs.controlplane.scheduler.queue import FLUSH_UNSCHEDULABLE_NS, QueuedPod
from labs.controlplane.scheduler.volumes import bind_volumes, volume_filter
from labs.controlplane.scheduler.watcher import Watcher
from labs.errors import ApiError
from labs.sim.streams import Streams
from labs.units import MILLISECOND_NS, SECOND_NS

NAME = "default-scheduler"
CYCLE_NS = 2 * MILLISECOND_NS
"""One scheduling cycle of a small cluster; cycles never overlap."""
BINDING_NS = 5 * MILLISECOND_NS
"""From the decision to the binding at the API server; runs beside the next cycles."""
CLIENT_QPS = 50
CLIENT_BURST = 100
"""The scheduler's own limit on its bindings (clientConnection of KubeSchedulerConfiguration)."""

VOLUME_POLL_NS = SECOND_NS
VOLUME_TIMEOUT_NS = 600 * SECOND_NS
"""How long a pod with a chosen node may wait for its volumes (bindTimeoutSeconds)."""
VOLUMES_TOO_LATE = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
CLAIM_POST_FILTER = "not found"


class Scheduler:
    """Schedules the pods whose ``schedulerName`` is default-scheduler."""

    def __init__(self, client: Client, streams: Streams) -> None:
        self._client = client
        self._ties = streams.python("scheduler/ties")
        self._offsets = streams.python("scheduler/preemption")
        self._events = SeriesRecorder(client, NAME)
        self._watcher = Watcher(client, NAME, self._wake)
        self._cache = self._watcher.cache
        self._queue = self._watcher.queue
        self._bindings = TokenBucket(CLIENT_QPS, CLIENT_BURST, client.now_ns)
        self._next_start = 0
        self._is_awake = False

    def start(self) -> None:
        """Begin to watch and to schedule."""
        self._watcher.start()
        self._client.loop.after(FLUSH_UNSCHEDULABLE_NS, self._flush_unschedulable)

    def _flush_unschedulable(self) -> None:
        self._queue.flush_unschedulable(self._client.now_ns)
        self._client.loop.after(FLUSH_UNSCHEDULABLE_NS, self._flush_unschedulable)
        self._wake()

    def _wake(self) -> None:
        if not self._is_awake and self._queue.has_next():
            self._is_awake = True
            self._client.loop.after(CYCLE_NS, self._cycle)

    def _cycle(self) -> None:
        self._is_awake = False
        self._queue.flush_rested(self._client.now_ns)
        queued = self._queue.pop()
        if queued is not None:
            self._schedule(queued)
        self._wake()

    def _schedule(self, queued: QueuedPod) -> None:
        pod = queued.pod
        if pod.is_terminating:
            return
        node_count = len(self._cache.order)
        if not node_count:
            self._refuse(queued, NO_NODES, frozenset(), "")
            return
        volumes = volume_filter(self._client, pod)
        if isinstance(volumes, Failure):
            message = prefilter_error(node_count, volumes, CLAIM_POST_FILTER)
            self._refuse(queued, message, frozenset((volumes.plugin,)), None)
            return
        filters = Filters.of(pod, self._cache, volumes)
        found = search(filters, self._next_start)
        self._next_start = (self._next_start + found.examined) % node_count
        if found.feasible:
            constraints = default_spread(self._client, pod) if len(found.feasible) > 1 else ()
            self._assume(queued, best_node(pod, constraints, self._cache, found.feasible, self._ties))
        else:
            self._preempt(queued, filters, found)

    def _assume(self, queued: QueuedPod, node: NodeInfo) -> None:
        assert node.facts is not None
        pod = queued.pod.on_node(node.facts.name)
        self._watcher.assume(pod)
        wait_ns = self._bindings.reserve_ns(self._client.now_ns)
        delay_ns = BINDING_NS + wait_ns
        give_up_ns = self._client.now_ns + delay_ns + VOLUME_TIMEOUT_NS
        self._client.loop.after(delay_ns, self._bind, queued, pod, give_up_ns)

    def _bind(self, queued: QueuedPod, pod: PodInfo, give_up_ns: int) -> None:
        """PreBind, which may have to be asked again each second, and Bind."""
        try:
            are_volumes_bound = bind_volumes(self._client, pod)
            if are_volumes_bound:
                self._client.bind(pod.namespace, pod.name, pod.node)
        except ApiError as error:
            why = f'binding rejected: running Bind plugin "DefaultBinder": {error.message}'
            self._binding_failed(queued, pod, why)
            return
        if are_volumes_bound:
            note = f"Successfully assigned {pod.namespace}/{pod.name} to {pod.node}"
            self._events.record(pod.obj, "Normal", "Scheduled", "Binding", note)
        elif self._current(pod) is None or self._client.now_ns >= give_up_ns:
            self._binding_failed(queued, pod, VOLUMES_TOO_LATE)
        else:
            self._client.loop.after(VOLUME_POLL_NS, self._bind, queued, pod, give_up_ns)

    def _binding_failed(self, queued: QueuedPod, pod: PodInfo, why: str) -> None:
        self._watcher.forget(pod)
        if self._queue.get(pod.uid) is queued:
            self._queue.put_back_after_error(queued, self._client.now_ns)
            self._report(queued.pod, why, "SchedulerError", None)
            self._wake_after_rest()

    def _wake_after_rest(self) -> None:
        due_ns = self._queue.next_rest_end_ns()
        if due_ns is not None:
            self._client.loop.at(max(due_ns, self._client.now_ns + SECOND_NS), self._end_rest)

    def _end_rest(self) -> None:
        self._queue.flush_rested(self._client.now_ns)
        self._wake()

    def _preempt(self, queued: QueuedPod, filters: Filters, found: Search) -> None:
        """No node fits: make room by preemption where that helps, and say why there is none."""
        pod = queued.pod
        plugins = frozenset(failure.plugin for failure in found.failures.values())
        node_count = len(self._cache.order)
        reason = ineligible(pod, self._cache, found.failures)
        if reason is not None:
            self._refuse(queued, fit_error(node_count, found.failures, f"preemption: {reason}"), plugins, None)
            return
        budgets = [parse_budget(budget) for budget in self._client.list("poddisruptionbudgets.policy")]
        candidates, refused = find_candidates(filters, found.failures, budgets, self._offsets)
        if not candidates:
            why = f"preemption: {not_helpful(node_count, refused)}"
            self._refuse(queued, fit_error(node_count, found.failures, why), plugins, "")
            return
        chosen = best_candidate(candidates)
        self._evict(pod, chosen)
        self._refuse(queued, fit_error(node_count, found.failures, ""), plugins, chosen.node)

    def _evict(self, pod: PodInfo, chosen: Candidate) -> None:
        for rival in list(self._cache.nominated.get(chosen.node, {}).values()):
            if rival.priority < pod.priority:
                self._nominate(rival, "")
        for victim in chosen.victims:
            current = self._current(victim)
            if current is None or victim.is_terminating:
                continue
            message = f"{NAME}: preempting to accommodate a higher priority pod"
            current = mark_disruption_target(self._client, current, "PreemptionByScheduler", message)
            self._client.delete("pods", victim.namespace, victim.name)
            note = f"Preempted by pod {pod.uid} on node {chosen.node}"
            self._events.record(current, "Normal", "Preempted", "Preempting", note, related=pod.obj)

    def _current(self, pod: PodInfo) -> Object | None:
        current = self._client.get("pods", pod.namespace, pod.name)
        return current if current is not None and current["metadata"]["uid"] == pod.uid else None

    def _nominate(self, pod: PodInfo, node: str) -> None:
        self._cache.nominate(pod, node)
        current = self._current(pod)
        if current is not None:
            self._client.set_status("pods", current, _with_nomination(current.get("status") or {}, node))

    def _refuse(self, queued: QueuedPod, message: str, plugins: frozenset[str], nominated: str | None) -> None:
        """The attempt failed for want of room; ``nominated`` None keeps the nomination, empty withdraws it."""
        self._queue.put_back(queued, plugins, self._client.now_ns)
        if nominated is not None:
            self._cache.nominate(queued.pod, nominated)
        self._report(queued.pod, message, "Unschedulable", nominated)

    def _report(self, pod: PodInfo, message: str, reason: str, nominated: str | None) -> None:
        """Say in an event and on the pod that an attempt failed."""
        self._events.record(pod.obj, "Warning", "FailedScheduling", "Scheduling", message)
        current = self._current(pod)
        if current is None:
            return
        condition = pod_condition(current, "PodScheduled", "False", reason, message)
        status = with_condition(current.get("status") or {}, condition, self._client.now_ns)
        if nominated is not None:
            status = _with_nomination(status, nominated)
        self._client.set_status("pods", current, status)


def _with_nomination(status: dict[str, object], node: str) -> dict[str, object]:
    changed = {key: value for key, value in status.items() if key != "nominatedNodeName"}
    return changed | {"nominatedNodeName": node} if node else changed
