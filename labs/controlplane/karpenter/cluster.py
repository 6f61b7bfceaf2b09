"""The cluster as Karpenter pictures it: NodePools, nodes with their room, the pods that need a place.

Source: kubernetes-sigs/karpenter pkg/controllers/state/{cluster,statenode}.go, pkg/utils/pod/scheduling.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.cloud import CloudProvider
from labs.api.scheduling import Amounts, amounts, pod_requests, untolerated_taint
from labs.api.store import Object
from labs.controlplane.karpenter.catalogue import Candidate, candidates, total
from labs.controlplane.karpenter.demand import Demand, demand_of
from labs.controlplane.karpenter.requirements import HOSTNAME, NODEPOOL, ZONE, Requirements
from labs.controlplane.karpenter.solver import ExistingNode, Placement, Pool, Solver, fitting
from labs.controlplane.karpenter.topology import PlacedPod, Topology
from labs.controlplane.pods import condition_of, is_active, is_terminal
from labs.controlplane.runtime import controller_of

INITIALIZED = "karpenter.sh/initialized"
REGISTERED = "karpenter.sh/registered"
DISRUPTED_TAINT = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
UNREGISTERED_TAINT = {"key": "karpenter.sh/unregistered", "effect": "NoExecute"}
EPHEMERAL_TAINTS = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.cloudprovider.kubernetes.io/uninitialized",
    "karpenter.sh/unregistered",
)
TERMINATION_FINALIZER = "karpenter.sh/termination"


def is_true(obj: Object, type: str) -> bool:
    """Whether a status condition is True."""
    condition = condition_of(obj, type)
    return condition is not None and condition["status"] == "True"


def is_owned_by_daemon_set(pod: Object) -> bool:
    """Whether a DaemonSet (or the node itself, for a static pod) brought the pod to its node."""
    owner = controller_of(pod)
    return owner is not None and owner["kind"] in ("DaemonSet", "Node")


def is_provisionable(pod: Object) -> bool:
    """Whether the scheduler found no room for a pod, so that it is Karpenter's to help."""
    if not is_active(pod) or pod["spec"].get("nodeName") or is_owned_by_daemon_set(pod):
        return False
    if (pod.get("status") or {}).get("nominatedNodeName"):
        return False
    condition = condition_of(pod, "PodScheduled")
    return condition is not None and condition["status"] == "False" and condition.get("reason") == "Unschedulable"


def is_reschedulable(pod: Object) -> bool:
    """Whether a pod will need another node when its node goes."""
    return is_active(pod) and not is_owned_by_daemon_set(pod) and controller_of(pod) is not None


@dataclass(frozen=True, slots=True)
class ManagedNode:
    """A NodeClaim with its node, which is None until it has registered."""

    claim: Object
    node: Object | None

    @property
    def name(self) -> str:
        """The node's name, or the claim's while there is none."""
        name: str = (self.node or self.claim)["metadata"]["name"]
        return name

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that pods are matched with."""
        return (self.node or self.claim)["metadata"].get("labels") or {}

    @property
    def is_leaving(self) -> bool:
        """Whether it is being deleted or about to be."""
        if "deletionTimestamp" in self.claim["metadata"] or is_true(self.claim, "DisruptionReason"):
            return True
        return self.node is not None and "deletionTimestamp" in self.node["metadata"]


class ClusterState:
    """Reads the picture out of the store each time; keeps only which offerings ran out of capacity, and when."""

    def __init__(self, client: Client, cloud: CloudProvider) -> None:
        self.client = client
        self.cloud = cloud
        self.unavailable: dict[tuple[str, str, str], int] = {}

    def managed_nodes(self) -> list[ManagedNode]:
        """Every NodeClaim, in order of name."""
        nodes = {node["spec"].get("providerID"): node for node in self.client.list("nodes")}
        return [
            ManagedNode(claim, nodes.get((claim.get("status") or {}).get("providerID") or "-"))
            for claim in self.client.list("nodeclaims.karpenter.sh")
        ]

    def is_synced(self) -> bool:
        """Whether each claim has been launched, so that what was bought is known."""
        return all(
            (item.claim.get("status") or {}).get("providerID") or item.is_leaving for item in self.managed_nodes()
        )

    def candidates(self) -> list[Candidate]:
        """What can be bought now."""
        return candidates(self.cloud.instance_types(), self.unavailable, self.client.now_ns)

    def launchable(self, requirements: Requirements, requests: Mapping[str, Any]) -> list[Candidate]:
        """The types that a claim allows and that hold its requests, cheapest first."""
        return fitting(self.candidates(), requirements, amounts(requests))

    def pools(self) -> list[Pool]:
        """The NodePools that are ready to buy from."""
        offered = self.candidates()
        return [
            self._pool(pool, offered)
            for pool in self.client.list("nodepools.karpenter.sh")
            if is_true(pool, "Ready") and "deletionTimestamp" not in pool["metadata"]
        ]

    def _pool(self, pool: Object, offered: list[Candidate]) -> Pool:
        name = pool["metadata"]["name"]
        template = pool["spec"]["template"]
        spec = template["spec"]
        labels = (template.get("metadata") or {}).get("labels") or {}
        requirements = Requirements.from_terms(spec.get("requirements") or ())
        taints = tuple(spec.get("taints") or ())
        used = [
            amounts((item.claim.get("status") or {}).get("capacity"))
            for item in self.managed_nodes()
            if item.claim["metadata"].get("labels", {}).get(NODEPOOL) == name
        ]
        return Pool(
            name,
            pool["spec"].get("weight") or 0,
            requirements,
            labels,
            taints,
            tuple(offered),
            self._daemon_requests(requirements.with_added(Requirements.from_labels(labels)), taints),
            amounts(pool["spec"].get("limits")),
            total(*used),
        )

    def _daemon_requests(self, requirements: Requirements, taints: tuple[Mapping[str, Any], ...]) -> Amounts:
        parts = []
        for daemon_set in self.client.list("daemonsets.apps"):
            pod = {**daemon_set["spec"]["template"], "metadata": {**daemon_set["metadata"], "uid": ""}}
            demand = demand_of(pod)
            tolerated = untolerated_taint(taints, demand.tolerations) is None
            if tolerated and requirements.is_compatible(demand.node_requirements, may_define_well_known=True):
                parts.append(demand.requests)
        return total(*parts)

    def existing_nodes(self, without: Iterable[str] = ()) -> list[ExistingNode]:
        """Nodes that pods could be placed on, but for those named: own ones, also on their way, and others."""
        left_out = frozenset(without)
        found = []
        managed = self.managed_nodes()
        for item in managed:
            if item.is_leaving or item.name in left_out or not (item.claim.get("status") or {}).get("providerID"):
                continue
            found.append(self._existing_managed(item))
        own = frozenset(item.node["metadata"]["name"] for item in managed if item.node is not None)
        for node in self.client.list("nodes"):
            if node["metadata"]["name"] not in own | left_out and not node["spec"].get("unschedulable"):
                found.append(self._existing(node, "", node["spec"].get("taints") or ()))
        return found

    def _existing_managed(self, item: ManagedNode) -> ExistingNode:
        is_initialized = item.labels.get(INITIALIZED) == "true"
        spec = item.claim["spec"]
        if item.node is not None and is_initialized:
            return self._existing(item.node, item.claim["metadata"]["name"], item.node["spec"].get("taints") or ())
        # Until it is initialized, a node counts with what it will have, and without the taints that will go.
        status = item.claim.get("status") or {}
        labels = {**item.claim["metadata"].get("labels", {}), **item.labels, HOSTNAME: item.name}
        pods = self.client.pods_on_node(item.name) if item.node is not None else []
        daemons = self._daemon_requests(Requirements.from_labels(labels), tuple(spec.get("taints") or ()))
        used = total(
            daemons, *(pod_requests(pod) for pod in pods if is_active(pod) and not is_owned_by_daemon_set(pod))
        )
        free = total(amounts(status.get("allocatable")), {name: -amount for name, amount in used.items()})
        return ExistingNode(
            item.name, item.claim["metadata"]["name"], labels, tuple(spec.get("taints") or ()), free, False
        )

    def _existing(self, node: Object, claim_name: str, taints: Iterable[Mapping[str, Any]]) -> ExistingNode:
        name = node["metadata"]["name"]
        used = total(*(pod_requests(pod) for pod in self.client.pods_on_node(name) if not is_terminal(pod)))
        allocatable = amounts((node.get("status") or {}).get("allocatable"))
        free = total(allocatable, {resource: -amount for resource, amount in used.items()})
        labels = {HOSTNAME: name, **(node["metadata"].get("labels") or {})}
        return ExistingNode(name, claim_name, labels, tuple(taints), free, True)

    def demands(self, leaving: Iterable[str] = ()) -> list[Demand]:
        """Pods that need a place: those that fit nowhere, and those on nodes that are leaving."""
        pods = [pod for pod in self.client.list("pods") if is_provisionable(pod)]
        for node in leaving:
            pods += [pod for pod in self.client.pods_on_node(node) if is_reschedulable(pod)]
        return [demand_of(pod) for pod in pods]

    def simulate(self, leaving: Iterable[str] = ()) -> Placement:
        """Place every pending pod, and the pods of ``leaving`` nodes, without those nodes."""
        gone = sorted({*leaving, *(item.name for item in self.managed_nodes() if item.is_leaving)})
        pools = self.pools()
        existing = self.existing_nodes(gone)
        return Solver(pools, existing, self._topology(pools, existing, gone)).solve(self.demands(gone))

    def _topology(self, pools: list[Pool], existing: list[ExistingNode], gone: list[str]) -> Topology:
        domains: dict[str, dict[str, None]] = {ZONE: {}}
        for pool in pools:
            for candidate in pool.candidates:
                for offering in candidate.offerings:
                    domains[ZONE][offering.zone] = None
        for node in existing:
            for key, value in node.labels.items():
                domains.setdefault(key, {})[value] = None
        placed = []
        for node_object in self.client.list("nodes"):
            name = node_object["metadata"]["name"]
            labels = {HOSTNAME: name, **(node_object["metadata"].get("labels") or {})}
            for pod in self.client.pods_on_node(name):
                if is_active(pod) and not (name in gone and is_reschedulable(pod)):
                    placed.append(PlacedPod(pod, labels))
        return Topology({key: sorted(values) for key, values in domains.items()}, placed)
