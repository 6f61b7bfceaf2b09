"""Ending a node: taint, drain through the eviction API in tiers, end the instance, let the objects go.

Source: kubernetes-sigs/karpenter pkg/controllers/node/termination/{controller,terminator/terminator,eviction}.go and
pkg/controllers/nodeclaim/lifecycle/termination.go.
"""

from __future__ import annotations

from labs.api.apiserver import DeleteOptions
from labs.api.client import Client
from labs.api.scheduling import is_tolerated
from labs.api.store import Object, WatchEvent
from labs.controlplane.karpenter.cluster import (
    DISRUPTED_TAINT,
    TERMINATION_FINALIZER,
    ClusterState,
    is_owned_by_daemon_set,
)
from labs.controlplane.pods import is_active, is_terminal
from labs.controlplane.runtime import Controller
from labs.errors import ApiError
from labs.units import MINUTE_NS, SECOND_NS, parse_duration, parse_rfc3339, rfc3339

CLAIMS = "nodeclaims.karpenter.sh"
REQUEUE_NS = SECOND_NS
INSTANCE_POLL_NS = 5 * SECOND_NS
DRAIN_MIN_NS = 5 * SECOND_NS
STUCK_AFTER_NS = MINUTE_NS
DEADLINE = "karpenter.sh/nodeclaim-termination-timestamp"
EXCLUDE_LABEL = {"node.kubernetes.io/exclude-from-external-load-balancers": "karpenter"}
CRITICAL = ("system-cluster-critical", "system-node-critical")


class NodeTermination(Controller):
    """Works on claims that are being deleted; the key is the claim's name."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        super().__init__(client)
        self._state = state

    def start(self) -> None:
        """Watch claims, and nodes that somebody deletes."""
        self.client.subscribe(CLAIMS, self._on_claim)
        self.client.subscribe("nodes", self._on_node)

    def _on_claim(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and "deletionTimestamp" in event.object["metadata"]:
            self.enqueue_object(event)

    def _on_node(self, event: WatchEvent) -> None:
        if event.type == "DELETED" or "deletionTimestamp" not in event.object["metadata"]:
            return
        for owner in event.object["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "NodeClaim":
                # A node that goes takes its claim with it, and the claim's own end does the rest.
                self.client.delete(CLAIMS, "", owner["name"])
                self.enqueue("", owner["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring the end of one claim a step further."""
        claim = self.client.get(CLAIMS, "", name)
        if claim is None or "deletionTimestamp" not in claim["metadata"]:
            return
        claim = self._with_deadline(claim)
        node_name = (claim.get("status") or {}).get("nodeName")
        node = self.client.get("nodes", "", node_name) if node_name else None
        if node is not None and not self._is_drained(claim, self._marked(node)):
            self.enqueue("", name, after_ns=REQUEUE_NS)
        elif not self._is_instance_gone(claim):
            self.enqueue("", name, after_ns=INSTANCE_POLL_NS)
        else:
            if node is not None:
                self._release("nodes", self.client.require("nodes", "", node["metadata"]["name"]))
            self._release(CLAIMS, claim)

    def _with_deadline(self, claim: Object) -> Object:
        grace = claim["spec"].get("terminationGracePeriod")
        annotations = claim["metadata"].get("annotations") or {}
        if not grace or DEADLINE in annotations:
            return claim
        end_ns = parse_rfc3339(claim["metadata"]["deletionTimestamp"]) + parse_duration(grace)
        metadata = {**claim["metadata"], "annotations": {**annotations, DEADLINE: rfc3339(end_ns)}}
        return self.client.update(CLAIMS, {**claim, "metadata": metadata})

    def _marked(self, node: Object) -> Object:
        """The node, deleted and tainted, if it was not yet."""
        name = node["metadata"]["name"]
        if "deletionTimestamp" not in node["metadata"]:
            self.client.delete("nodes", "", name)
            node = self.client.require("nodes", "", name)
        return mark_disrupted(self.client, node, EXCLUDE_LABEL)

    def _is_drained(self, claim: Object, node: Object) -> bool:
        deadline = (claim["metadata"].get("annotations") or {}).get(DEADLINE)
        waiting = [pod for pod in self.client.pods_on_node(node["metadata"]["name"]) if self._is_waited_for(pod)]
        if deadline is not None:
            self._force(waiting, parse_rfc3339(deadline))
        for tier in range(4):
            in_tier = [pod for pod in waiting if _tier(pod) == tier]
            if in_tier:
                self._evict([pod for pod in in_tier if is_active(pod)])
                return False
        since_ns = parse_rfc3339(node["metadata"]["deletionTimestamp"])
        return self.client.now_ns - since_ns >= DRAIN_MIN_NS

    def _is_waited_for(self, pod: Object) -> bool:
        if is_terminal(pod) or is_tolerated(DISRUPTED_TAINT, pod["spec"].get("tolerations") or ()):
            return False
        deleted = pod["metadata"].get("deletionTimestamp")
        return deleted is None or self.client.now_ns - parse_rfc3339(deleted) <= STUCK_AFTER_NS

    def _evict(self, pods: list[Object]) -> None:
        for pod in pods:
            metadata = pod["metadata"]
            try:
                self.client.evict(metadata["namespace"], metadata["name"])
            except ApiError as error:
                # 429: a budget forbids it for now, and the next pass asks again; 404: it has gone.
                if error.code not in (404, 429):
                    raise

    def _force(self, pods: list[Object], deadline_ns: int) -> None:
        for pod in pods:
            grace_seconds = pod["spec"].get("terminationGracePeriodSeconds", 30)
            left_s = max((deadline_ns - self.client.now_ns) // SECOND_NS, 0)
            if left_s <= grace_seconds:
                metadata = pod["metadata"]
                options = DeleteOptions(grace_period_seconds=max(left_s, 1))
                self.client.delete("pods", metadata["namespace"], metadata["name"], options)

    def _is_instance_gone(self, claim: Object) -> bool:
        provider_id = (claim.get("status") or {}).get("providerID")
        if not provider_id:
            return True
        instance_id = provider_id.rpartition("/")[2]
        instance = self._state.cloud.instance(instance_id)
        if instance is None or instance.state == "terminated":
            return True
        if instance.state != "shutting-down":
            self._state.cloud.terminate(instance_id)
        return False

    def _release(self, resource: str, obj: Object) -> None:
        kept = [name for name in obj["metadata"].get("finalizers") or [] if name != TERMINATION_FINALIZER]
        self.client.update(resource, {**obj, "metadata": {**obj["metadata"], "finalizers": kept}})


def mark_disrupted(client: Client, node: Object, labels: dict[str, str]) -> Object:
    """The node with the disrupted taint (and labels), written only when something is missing."""
    taints = list(node["spec"].get("taints") or [])
    known = node["metadata"].get("labels") or {}
    if not any(taint["key"] == DISRUPTED_TAINT["key"] for taint in taints):
        taints.append(DISRUPTED_TAINT)
    elif all(known.get(key) == value for key, value in labels.items()):
        return node
    return client.update(
        "nodes",
        {
            **node,
            "metadata": {**node["metadata"], "labels": {**known, **labels}},
            "spec": {**node["spec"], "taints": taints},
        },
    )


def unmark_disrupted(client: Client, node: Object) -> None:
    """Take the disrupted taint away again."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint["key"] != DISRUPTED_TAINT["key"]]
    client.update("nodes", {**node, "spec": {**node["spec"], "taints": taints}})


def _tier(pod: Object) -> int:
    """The order of draining: non-critical before critical, and within each others before daemons."""
    is_critical = pod["spec"].get("priorityClassName") in CRITICAL
    return 2 * int(is_critical) + int(is_owned_by_daemon_set(pod))
