"""Buying nodes: pods that fit nowhere are gathered in a batch, placed in a simulation, and claims are made.

Source: kubernetes-sigs/karpenter pkg/controllers/provisioning/{provisioner,batcher}.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.client import Client
from labs.api.quantity import format_milli, format_value
from labs.api.store import Object, WatchEvent
from labs.controlplane.karpenter.cluster import (
    TERMINATION_FINALIZER,
    ClusterState,
    is_provisionable,
)
from labs.controlplane.karpenter.requirements import HOSTNAME, INSTANCE_TYPE, NODEPOOL, Requirement
from labs.controlplane.karpenter.solver import PlannedClaim
from labs.sim.loop import Timer
from labs.units import MINUTE_NS, SECOND_NS

BATCH_IDLE_NS = SECOND_NS
BATCH_MAX_NS = 10 * SECOND_NS
RECHECK_NS = 10 * SECOND_NS
SYNC_RETRY_NS = SECOND_NS
EVENT_PERIOD_NS = 5 * MINUTE_NS


class Provisioner:
    """One batch at a time."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        self._client = client
        self._state = state
        self._batch_started_ns: int | None = None
        self._batch_pods: set[str] = set()
        self._timer: Timer | None = None
        self._recheck: Timer | None = None
        self._told_ns: dict[tuple[str, str], int] = {}

    def start(self) -> None:
        """Watch for pods that fit nowhere, and for nodes that are leaving."""
        self._client.subscribe("pods", self._on_pod)
        self._client.subscribe("nodeclaims.karpenter.sh", self._on_claim)

    def _on_pod(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._told_ns.pop((event.object["metadata"]["uid"], ""), None)
        elif is_provisionable(event.object):
            self.trigger(event.object["metadata"]["uid"])

    def _on_claim(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and "deletionTimestamp" in event.object["metadata"]:
            self.trigger(event.object["metadata"]["uid"])

    def trigger(self, uid: str) -> None:
        """Something needs a node: begin a batch, or let the running one wait for more."""
        now_ns = self._client.now_ns
        if self._batch_started_ns is None:
            self._batch_started_ns = now_ns
            self._batch_pods = set()
        elif uid in self._batch_pods:
            return
        self._batch_pods.add(uid)
        self._reschedule(min(now_ns + BATCH_IDLE_NS, self._batch_started_ns + BATCH_MAX_NS))

    def _reschedule(self, time_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._client.loop.at(time_ns, self._provision)

    def _provision(self) -> None:
        if not self._state.is_synced():
            self._reschedule(self._client.now_ns + SYNC_RETRY_NS)
            return
        self._batch_started_ns = None
        placement = self._state.simulate()
        for planned in placement.claims:
            claim = create_claim(self._client, planned)
            for demand in planned.demands:
                self._tell(demand.namespace, demand.name, "Normal", "Nominated", _nomination(claim, ""))
        for (namespace, name), node in placement.existing.items():
            if node.claim_name:
                claim_name = {"metadata": {"name": node.claim_name}}
                node_name = node.name if node.name != node.claim_name else ""
                self._tell(namespace, name, "Normal", "Nominated", _nomination(claim_name, node_name))
        for (namespace, name), why in placement.failures.items():
            self._tell(namespace, name, "Warning", "FailedScheduling", f"Failed to schedule pod, {why}")
        self._plan_recheck()

    def _plan_recheck(self) -> None:
        if self._recheck is None or not self._recheck.is_pending:
            self._recheck = self._client.loop.after(RECHECK_NS, self._check_again)

    def _check_again(self) -> None:
        for pod in self._client.list("pods"):
            if is_provisionable(pod):
                self.trigger(pod["metadata"]["uid"])

    def _tell(self, namespace: str, name: str, type: str, reason: str, message: str) -> None:
        pod = self._client.get("pods", namespace, name)
        if pod is None:
            return
        key = (pod["metadata"]["uid"], message)
        now_ns = self._client.now_ns
        if now_ns - self._told_ns.get(key, -EVENT_PERIOD_NS) >= EVENT_PERIOD_NS:
            self._told_ns[key] = now_ns
            self._client.events.record(pod, type, reason, message)


def _nomination(claim: Object, node_name: str) -> str:
    text = f"Pod should schedule on: nodeclaim/{claim['metadata']['name']}"
    return f"{text}, node/{node_name}" if node_name else text


def create_claim(client: Client, planned: PlannedClaim) -> Object:
    """Make the NodeClaim of a planned node."""
    pool = client.require("nodepools.karpenter.sh", "", planned.pool.name)
    template: dict[str, Any] = pool["spec"]["template"]
    requirements = [item for item in planned.requirements if item.key not in (HOSTNAME, NODEPOOL)]
    requirements.append(Requirement(INSTANCE_TYPE, frozenset(item.name for item in planned.candidates)))
    spec = {
        key: template["spec"][key]
        for key in ("nodeClassRef", "taints", "startupTaints", "expireAfter", "terminationGracePeriod")
        if key in template["spec"]
    }
    spec["requirements"] = [item.to_wire() for item in sorted(requirements, key=lambda item: item.key)]
    spec["resources"] = {"requests": _wire_amounts(planned.requests)}
    metadata = {
        "generateName": f"{planned.pool.name}-",
        "labels": {**planned.pool.labels, NODEPOOL: planned.pool.name},
        "annotations": dict((template.get("metadata") or {}).get("annotations") or {}),
        "finalizers": [TERMINATION_FINALIZER],
        "ownerReferences": [
            {
                "apiVersion": pool["apiVersion"],
                "kind": pool["kind"],
                "name": planned.pool.name,
                "uid": pool["metadata"]["uid"],
                "blockOwnerDeletion": True,
            }
        ],
    }
    return client.create(
        "nodeclaims.karpenter.sh",
        {"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": metadata, "spec": spec},
    )


def _wire_amounts(requests: dict[str, int]) -> dict[str, str]:
    return {
        name: format_milli(amount)
        if name == "cpu"
        else format_value(amount, "BinarySI" if name == "memory" else "DecimalSI")
        for name, amount in sorted(requests.items())
    }
