"""The small loops: NodePool and EC2NodeClass status, expiration, claims whose instance has gone.

Source: kubernetes-sigs/karpenter pkg/controllers/nodepool/{readiness,counter}, nodeclaim/{expiration,
garbagecollection};
aws/karpenter-provider-aws pkg/controllers/nodeclass.
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.quantity import format_milli, format_value
from labs.api.scheduling import Amounts, amounts
from labs.api.store import Object, WatchEvent
from labs.controlplane.karpenter.catalogue import total
from labs.controlplane.karpenter.cluster import ClusterState, is_true
from labs.controlplane.karpenter.lifecycle import CLAIMS
from labs.controlplane.karpenter.requirements import NODEPOOL
from labs.controlplane.karpenter.status import Condition, with_condition, with_root_condition
from labs.controlplane.runtime import Controller
from labs.units import MINUTE_NS, SECOND_NS, parse_duration, parse_rfc3339

POOLS = "nodepools.karpenter.sh"
CLASSES = "ec2nodeclasses.karpenter.k8s.aws"
CLASS_CONDITIONS = (
    "AMIsReady",
    "CapacityReservationsReady",
    "InstanceProfileReady",
    "SecurityGroupsReady",
    "SubnetsReady",
    "ValidationSucceeded",
)
POOL_CONDITIONS = ("NodeClassReady", "ValidationSucceeded")
EXPIRATION_POLL_NS = 10 * SECOND_NS
GARBAGE_PERIOD_NS = 2 * MINUTE_NS
ORPHAN_AGE_NS = 30 * SECOND_NS


class NodeClassStatus(Controller):
    """Every part of an EC2NodeClass is found at once: the simulated account has what it names."""

    def start(self) -> None:
        """Watch NodeClasses."""
        self.client.subscribe(CLASSES, self.enqueue_object)

    def reconcile(self, namespace: str, name: str) -> None:
        """Set the conditions."""
        node_class = self.client.get(CLASSES, "", name)
        if node_class is None:
            return
        now_ns = self.client.now_ns
        conditions: list[Condition] = (node_class.get("status") or {}).get("conditions") or []
        for condition in CLASS_CONDITIONS:
            conditions = with_condition(conditions, condition, "True", condition, "", now_ns)
        self._write(node_class, with_root_condition(conditions, CLASS_CONDITIONS, now_ns))

    def _write(self, node_class: Object, conditions: list[Condition]) -> None:
        before = node_class.get("status") or {}
        self.client.set_status(CLASSES, node_class, {**before, "conditions": conditions})


class NodePoolStatus(Controller):
    """Readiness of a NodePool, and what its nodes add up to."""

    def start(self) -> None:
        """Watch NodePools, NodeClasses and claims."""
        self.client.subscribe(POOLS, self.enqueue_object)
        self.client.subscribe(CLASSES, self._on_class)
        self.client.subscribe(CLAIMS, self._on_claim)

    def _on_class(self, event: WatchEvent) -> None:
        for pool in self.client.list(POOLS):
            self.enqueue("", pool["metadata"]["name"])

    def _on_claim(self, event: WatchEvent) -> None:
        pool = (event.object["metadata"].get("labels") or {}).get(NODEPOOL)
        if pool:
            self.enqueue("", pool)

    def reconcile(self, namespace: str, name: str) -> None:
        """Write the status of one NodePool."""
        pool = self.client.get(POOLS, "", name)
        if pool is None:
            return
        now_ns = self.client.now_ns
        reference = pool["spec"]["template"]["spec"]["nodeClassRef"]
        node_class = self.client.get(CLASSES, "", reference["name"])
        is_ready = node_class is not None and is_true(node_class, "Ready")
        before = pool.get("status") or {}
        conditions = with_condition(
            before.get("conditions") or [], "ValidationSucceeded", "True", "ValidationSucceeded", "", now_ns
        )
        if is_ready:
            conditions = with_condition(conditions, "NodeClassReady", "True", "NodeClassReady", "", now_ns)
        else:
            why = "NodeClass not found on cluster" if node_class is None else "NodeClass not ready"
            conditions = with_condition(conditions, "NodeClassReady", "False", why.replace(" ", ""), why, now_ns)
        conditions = with_root_condition(conditions, POOL_CONDITIONS, now_ns)
        status = {**before, "conditions": conditions, "resources": self._resources(name)}
        self.client.set_status(POOLS, pool, status)

    def _resources(self, pool_name: str) -> dict[str, str]:
        claims = [
            claim
            for claim in self.client.list(CLAIMS)
            if (claim["metadata"].get("labels") or {}).get(NODEPOOL) == pool_name
        ]
        summed = total(*(amounts((claim.get("status") or {}).get("capacity")) for claim in claims))
        nodes = sum(1 for claim in claims if (claim.get("status") or {}).get("nodeName"))
        return {**_wire(summed), "nodes": str(nodes)}


def _wire(summed: Amounts) -> dict[str, str]:
    return {
        name: format_milli(amount)
        if name == "cpu"
        else format_value(amount, "BinarySI" if name == "memory" else "DecimalSI")
        for name, amount in sorted(summed.items())
    }


class Upkeep:
    """Expiration, and objects that lost their other half."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        self._client = client
        self._state = state

    def start(self) -> None:
        """Begin the loops."""
        self._client.loop.after(EXPIRATION_POLL_NS, self._expire)
        self._client.loop.after(GARBAGE_PERIOD_NS, self._collect)

    def _expire(self) -> None:
        self._client.loop.after(EXPIRATION_POLL_NS, self._expire)
        for claim in self._client.list(CLAIMS):
            after = claim["spec"].get("expireAfter", "720h")
            if after == "Never" or "deletionTimestamp" in claim["metadata"]:
                continue
            age_ns = self._client.now_ns - parse_rfc3339(claim["metadata"]["creationTimestamp"])
            if age_ns > parse_duration(after):
                self._client.delete(CLAIMS, "", claim["metadata"]["name"])

    def _collect(self) -> None:
        self._client.loop.after(GARBAGE_PERIOD_NS, self._collect)
        instances = {instance.provider_id: instance for instance in self._state.cloud.instances()}
        claimed = set()
        for managed in self._state.managed_nodes():
            provider_id = (managed.claim.get("status") or {}).get("providerID")
            claimed.add(provider_id)
            is_lost = is_true(managed.claim, "Registered") and provider_id not in instances
            is_node_ready = managed.node is not None and is_true(managed.node, "Ready")
            if is_lost and not is_node_ready:
                self._client.delete(CLAIMS, "", managed.claim["metadata"]["name"])
        for provider_id, instance in instances.items():
            is_own = "karpenter.sh/nodeclaim" in instance.tags
            if is_own and provider_id not in claimed and self._client.now_ns - instance.launched_ns > ORPHAN_AGE_NS:
                self._state.cloud.terminate(instance.id)
