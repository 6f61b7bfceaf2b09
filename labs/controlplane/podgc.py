"""The pod garbage collector: pods that nobody else would ever remove.

Source: kubernetes/kubernetes pkg/controller/podgc/gc_controller.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.client import Client
from labs.api.deletion import DeleteOptions
from labs.api.store import Object
from labs.controlplane.pods import condition_of, is_leaving, is_terminal
from labs.controlplane.runtime import Component
from labs.units import SECOND_NS, rfc3339

PERIOD_NS = 20 * SECOND_NS
QUARANTINE_NS = 40 * SECOND_NS
"""How long a node must be gone before its pods are taken for orphans."""

TERMINATED_POD_THRESHOLD = 12_500
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def surplus_terminated(pods: list[Object], threshold: int) -> list[Object]:
    """The oldest of the pods at their end that exceed ``threshold``."""
    ended = [pod for pod in pods if is_terminal(pod)]
    surplus = max(0, len(ended) - threshold)
    return sorted(ended, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))[:surplus]


class PodGarbageCollector(Component):
    """Looks at all pods every 20 seconds."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._missing_since_ns: dict[str, int] = {}

    def start(self) -> None:
        """Begin the passes."""
        self.client.loop.after(PERIOD_NS, self._pass)

    def _pass(self) -> None:
        pods = self.client.list("pods")
        for pod in surplus_terminated(pods, TERMINATED_POD_THRESHOLD):
            self._delete(pod)
        leaving = [pod for pod in pods if is_leaving(pod)]
        for pod in leaving:
            if self._is_out_of_service(pod):
                self._fail_and_delete(pod)
        self._collect_orphans(pods)
        for pod in leaving:
            if not pod["spec"].get("nodeName"):
                self._fail_and_delete(pod)
        self.client.loop.after(PERIOD_NS, self._pass)

    def _is_out_of_service(self, pod: Object) -> bool:
        name = pod["spec"].get("nodeName")
        if not name:
            return False
        node = self.client.get("nodes", "", name)
        if node is None:
            return False
        ready = condition_of(node, "Ready")
        taints = node.get("spec", {}).get("taints") or ()
        is_node_ready = ready is not None and ready["status"] == "True"
        return not is_node_ready and any(taint["key"] == OUT_OF_SERVICE for taint in taints)

    def _collect_orphans(self, pods: list[Object]) -> None:
        now_ns = self.client.now_ns
        used = dict.fromkeys(pod["spec"].get("nodeName", "") for pod in pods)
        missing = [name for name in used if name and self.client.get("nodes", "", name) is None]
        self._missing_since_ns = {name: self._missing_since_ns.get(name, now_ns) for name in missing}
        gone = {name for name, since_ns in self._missing_since_ns.items() if now_ns - since_ns >= QUARANTINE_NS}
        for pod in pods:
            if pod["spec"].get("nodeName") in gone:
                self._fail_and_delete(pod, "PodGC: node no longer exists")

    def _fail_and_delete(self, pod: Object, disruption: str = "") -> None:
        """Mark a pod Failed, and as disrupted where a text says by what, and take it away."""
        metadata = pod["metadata"]
        current = self.client.get("pods", metadata["namespace"], metadata["name"])
        if current is None:
            return
        if not is_terminal(current):
            status = {**(current.get("status") or {}), "phase": "Failed"}
            if disruption:
                others = [item for item in status.get("conditions") or () if item["type"] != "DisruptionTarget"]
                status["conditions"] = [*others, self._disrupted(disruption)]
            self.client.set_status("pods", current, status)
        self._delete(pod)

    def _disrupted(self, message: str) -> dict[str, Any]:
        return {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": rfc3339(self.client.now_ns),
            "reason": "DeletionByPodGC",
            "message": message,
        }

    def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        options = DeleteOptions(grace_period_seconds=0)
        self.client.delete("pods", metadata["namespace"], metadata["name"], options)
