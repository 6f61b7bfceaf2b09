"""The DaemonSet controller: one pod on each node that fits.

Source: kubernetes/kubernetes pkg/controller/daemon/{daemon_controller,update}.go and daemon/util. maxSurge is
left out: an update deletes old pods as far as maxUnavailable allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.scheduling import required_node_affinity, untolerated_taint
from labs.api.store import Object, WatchEvent
from labs.controlplane import pods as pod_facts
from labs.controlplane.history import REVISION_LABEL, prune_revisions, update_revision
from labs.controlplane.intstr import scaled_value
from labs.controlplane.ownership import claim, index_orphans
from labs.controlplane.replicaset import create_pod, delete_pod, slow_start_batches
from labs.controlplane.runtime import Controller, key_of, owner_reference
from labs.errors import ApiError

DAEMON_SETS = "daemonsets.apps"
TEMPLATE_GENERATION = "pod-template-generation"
BURST_REPLICAS = 250

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


def daemon_tolerations(pod_spec: dict[str, Any]) -> list[dict[str, Any]]:
    """``AddOrUpdateDaemonPodTolerations``: the template's own and those that every daemon has."""
    extra = _TOLERATED + (_TOLERATED_ON_HOST_NETWORK if pod_spec.get("hostNetwork") else ())
    tolerations = list(pod_spec.get("tolerations") or ())
    for key, effect in extra:
        added = {"key": key, "operator": "Exists", "effect": effect}
        if added not in tolerations:
            tolerations.append(added)
    return tolerations


def node_allows(node: Object, pod_spec: dict[str, Any]) -> tuple[bool, bool]:
    """``NodeShouldRunDaemonPod``: whether a daemon should be started on the node, and whether one may stay."""
    metadata = node["metadata"]
    if not required_node_affinity(pod_spec).matches(metadata["name"], metadata.get("labels") or {}):
        return False, False
    taints = (node.get("spec") or {}).get("taints") or ()
    tolerations = daemon_tolerations(pod_spec)
    should_run = untolerated_taint(taints, tolerations) is None
    return should_run, untolerated_taint(taints, tolerations, ("NoExecute",)) is None


def daemon_pod_spec(pod_spec: dict[str, Any], node: str) -> dict[str, Any]:
    """The template's spec, bound to ``node`` by affinity (ReplaceDaemonSetPodNodeNameNodeAffinity)."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(pod_spec.get("affinity") or {})
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    affinity["nodeAffinity"] = {**(affinity.get("nodeAffinity") or {}), **required}
    return {**pod_spec, "affinity": affinity, "tolerations": daemon_tolerations(pod_spec)}


def target_node(pod: Object) -> str:
    """The node that a daemon is on or is meant for."""
    if pod["spec"].get("nodeName"):
        bound: str = pod["spec"]["nodeName"]
        return bound
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and len(field["values"]) == 1:
                wanted: str = field["values"][0]
                return wanted
    return ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Nodes that need a daemon, and pods that have to go."""

    nodes: list[str]
    pods: list[Object]


def plan_daemons(nodes: Sequence[Object], by_node: dict[str, list[Object]], pod_spec: dict[str, Any]) -> Plan:
    """``podsShouldBeOnNode`` for every node: the oldest daemon stays, failed ones are replaced."""
    missing: list[str] = []
    surplus: list[Object] = []
    for node in nodes:
        name = node["metadata"]["name"]
        should_run, may_stay = node_allows(node, pod_spec)
        daemons = [pod for pod in by_node.get(name, []) if not pod_facts.is_leaving(pod)]
        ended = [pod for pod in daemons if pod_facts.is_terminal(pod)]
        running = [pod for pod in daemons if not pod_facts.is_terminal(pod)]
        if not may_stay:
            surplus += daemons
            continue
        surplus += ended
        if should_run and not daemons:
            missing.append(name)
        oldest_first = sorted(running, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        surplus += oldest_first[1:]
    return Plan(missing, surplus)


class DaemonSetController(Controller):
    """Keeps the daemons of every DaemonSet."""

    def start(self) -> None:
        """Watch DaemonSets, nodes and pods."""
        index_orphans(self.client, "pods")
        self.watch(DAEMON_SETS, self.enqueue_object)
        self.watch("pods", self._on_pod)
        self.watch("nodes", self._on_node)

    def _on_pod(self, event: WatchEvent) -> None:
        self.enqueue_controller_of(event, "DaemonSet")

    def _on_node(self, event: WatchEvent) -> None:
        if event.previous is not None and event.type == "MODIFIED" and not _concerns_daemons(event):
            return
        for daemon_set in self.client.list(DAEMON_SETS):
            self.enqueue(*key_of(daemon_set))

    def reconcile(self, namespace: str, name: str) -> None:
        """Start and stop the daemons of one set. Raises the first ApiError of its writes."""
        daemon_set = self.client.get(DAEMON_SETS, namespace, name)
        if daemon_set is None or pod_facts.is_leaving(daemon_set):
            return
        pods = claim(self.client, "pods", daemon_set)
        by_node: dict[str, list[Object]] = {}
        for pod in pods:
            by_node.setdefault(target_node(pod), []).append(pod)
        nodes = self.client.list("nodes")
        revision = update_revision(self.client, daemon_set, REVISION_LABEL)
        digest: str = revision["metadata"]["labels"][REVISION_LABEL]
        plan = plan_daemons(nodes, by_node, daemon_set["spec"]["template"]["spec"])
        error = self._apply(daemon_set, plan, digest)
        if not plan.nodes and not plan.pods:
            self._roll(daemon_set, pods, digest, len(nodes))
        self._write_status(daemon_set, nodes, by_node, digest)
        live = {(pod["metadata"].get("labels") or {}).get(REVISION_LABEL) for pod in pods} | {digest}
        prune_revisions(self.client, daemon_set, {f"{name}-{held}" for held in live})
        if error is not None:
            raise error

    def _apply(self, daemon_set: Object, plan: Plan, digest: str) -> ApiError | None:
        for pod in plan.pods[:BURST_REPLICAS]:
            delete_pod(self.client, daemon_set, pod)
        waiting = plan.nodes[:BURST_REPLICAS]
        for batch in slow_start_batches(len(waiting)):
            errors = [self._create(daemon_set, node, digest) for node in waiting[:batch]]
            del waiting[:batch]
            failed = [error for error in errors if error is not None]
            if failed:
                return failed[0]
        return None

    def _create(self, daemon_set: Object, node: str, digest: str) -> ApiError | None:
        template = daemon_set["spec"]["template"]
        generation = (daemon_set["metadata"].get("annotations") or {}).get(
            "deprecated.daemonset.template.generation", str(daemon_set["metadata"].get("generation", 1))
        )
        pod = pod_facts.pod_from_template(template, daemon_set, owner_reference(daemon_set))
        labels = {**(pod["metadata"].get("labels") or {}), REVISION_LABEL: digest, TEMPLATE_GENERATION: generation}
        pod["metadata"]["labels"] = labels
        pod["spec"] = daemon_pod_spec(template["spec"], node)
        return create_pod(self.client, daemon_set, pod)

    def _roll(self, daemon_set: Object, pods: list[Object], digest: str, nodes: int) -> None:
        strategy = daemon_set["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        limit = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        unavailable = sum(not pod_facts.is_ready(pod) or pod_facts.is_leaving(pod) for pod in pods)
        budget = max(1, scaled_value(limit, nodes, rounds_up=True)) - unavailable
        for pod in pods:
            if pod["metadata"]["labels"].get(REVISION_LABEL) == digest or pod_facts.is_leaving(pod):
                continue
            if not pod_facts.is_ready(pod):
                delete_pod(self.client, daemon_set, pod)
            elif budget > 0:
                budget -= 1
                delete_pod(self.client, daemon_set, pod)

    def _write_status(
        self, daemon_set: Object, nodes: list[Object], by_node: dict[str, list[Object]], digest: str
    ) -> None:
        spec, now_ns = daemon_set["spec"], self.client.now_ns
        min_ready_s = spec.get("minReadySeconds", 0)
        desired = current = misplaced = ready = available = updated = 0
        for node in nodes:
            should_run, _ = node_allows(node, spec["template"]["spec"])
            daemons = by_node.get(node["metadata"]["name"], [])
            desired += should_run
            if not should_run:
                misplaced += bool(daemons)
            elif daemons:
                oldest = min(daemons, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
                at_ns = pod_facts.available_at_ns(oldest, min_ready_s)
                current += 1
                ready += pod_facts.is_ready(oldest)
                available += at_ns is not None and at_ns <= now_ns
                updated += oldest["metadata"]["labels"].get(REVISION_LABEL) == digest
        status: dict[str, Any] = {
            "currentNumberScheduled": current,
            "numberMisscheduled": misplaced,
            "desiredNumberScheduled": desired,
            "numberReady": ready,
            "observedGeneration": daemon_set["metadata"].get("generation", 0),
        }
        optional = {
            "updatedNumberScheduled": updated,
            "numberAvailable": available,
            "numberUnavailable": desired - available,
        }
        status |= {key: value for key, value in optional.items() if value}
        if status != daemon_set.get("status"):
            self.client.update_status(DAEMON_SETS, {**daemon_set, "status": status})
        if min_ready_s and ready != available:
            self.enqueue(*key_of(daemon_set), (min_ready_s + 1) * 1_000_000_000)


def _concerns_daemons(event: WatchEvent) -> bool:
    """Whether a change of a node may change where daemons run."""
    before = event.previous
    if before is None:
        return True
    return before["metadata"].get("labels") != event.object["metadata"].get("labels") or (
        (before.get("spec") or {}).get("taints") != (event.object.get("spec") or {}).get("taints")
    )
