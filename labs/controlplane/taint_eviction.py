"""The taint eviction controller: deletes pods from nodes whose NoExecute taints they do not tolerate (any longer).

Source: pkg/controller/tainteviction/{taint_eviction,timed_workers}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labs.api.client import Client
from labs.api.scheduling import Taint, Toleration, tolerates
from labs.api.store import Object, WatchEvent
from labs.controlplane.conditions import mark_disruption_target
from labs.controlplane.runtime import Controller, Key, key_of
from labs.sim.loop import Timer
from labs.units import SECOND_NS

NAME = "taint-eviction-controller"
REASON = "TaintManagerEviction"


def toleration_s(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> int | None:
    """For how many seconds a pod bears the NoExecute taints of its node; 0 not at all, None for ever."""
    limits: list[int] = []
    for taint in taints:
        matching = next((item for item in tolerations if tolerates(item, taint)), None)
        if matching is None:
            return 0
        if matching.get("tolerationSeconds") is not None:
            limits.append(max(0, matching["tolerationSeconds"]))
    return min(limits, default=None)


@dataclass(frozen=True, slots=True)
class _Eviction:
    """A pod's deletion, planned since ``since_ns``; once it ran, it is kept so that it does not run again."""

    since_ns: int
    timer: Timer


class TaintEviction(Controller):
    """Keys are nodes (without namespace) and pods."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._evictions: dict[Key, _Eviction] = {}

    def start(self) -> None:
        """Watch nodes and pods."""
        self.client.subscribe("nodes", self._on_node)
        self.client.subscribe("pods", self._on_pod)
        for node in self.client.list("nodes"):
            self.enqueue(*key_of(node))

    def _on_node(self, event: WatchEvent) -> None:
        is_new = event.previous is None or _no_execute(event.previous) != _no_execute(event.object)
        if is_new and event.type != "DELETED":
            self.enqueue_object(event)

    def _on_pod(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._cancel(event.object)
            return
        before = event.previous["spec"] if event.previous is not None else {}
        now = event.object["spec"]
        if any(before.get(field) != now.get(field) for field in ("nodeName", "tolerations")):
            self.enqueue_object(event)

    def reconcile(self, namespace: str, name: str) -> None:
        """Plan, keep or cancel the deletion of one pod, or of each pod of one node."""
        if namespace:
            pod = self.client.get("pods", namespace, name)
            pods = [pod] if pod is not None and pod["spec"].get("nodeName") else []
        else:
            pods = self.client.pods_on_node(name)
        for pod in pods:
            node = self.client.get("nodes", "", pod["spec"]["nodeName"])
            self._plan(pod, _no_execute(node) if node is not None else [])

    def _plan(self, pod: Object, taints: list[Taint]) -> None:
        limit_s = toleration_s(taints, pod["spec"].get("tolerations") or ()) if taints else None
        if limit_s is None:
            self._cancel(pod)
            return
        now_ns = since_ns = self.client.now_ns
        planned = self._evictions.get(key_of(pod))
        if planned is not None:
            if not planned.timer.is_pending:
                return
            if limit_s and planned.since_ns < now_ns:
                return  # the timer that runs ends no later
            since_ns = planned.since_ns
            self._cancel(pod)
        timer = self.client.loop.at(now_ns + limit_s * SECOND_NS, self._evict, *key_of(pod), pod["metadata"]["uid"])
        self._evictions[key_of(pod)] = _Eviction(since_ns, timer)

    def _cancel(self, pod: Object) -> None:
        planned = self._evictions.pop(key_of(pod), None)
        if planned is not None and planned.timer.is_pending:
            planned.timer.cancel()
            self._record(pod, "Cancelling deletion of Pod")

    def _evict(self, namespace: str, name: str, uid: str) -> None:
        pod = self.client.get("pods", namespace, name)
        if pod is None or pod["metadata"]["uid"] != uid:
            return
        message = "Taint manager: deleting due to NoExecute taint"
        pod = mark_disruption_target(self.client, pod, "DeletionByTaintManager", message)
        self._record(pod, "Marking for deletion Pod")
        self.client.delete("pods", namespace, name)

    def _record(self, pod: Object, what: str) -> None:
        namespace, name = key_of(pod)
        self.client.events.record(pod, "Normal", REASON, f"{what} {namespace}/{name}")


def _no_execute(node: Object) -> list[Taint]:
    return [taint for taint in (node.get("spec") or {}).get("taints") or () if taint["effect"] == "NoExecute"]
