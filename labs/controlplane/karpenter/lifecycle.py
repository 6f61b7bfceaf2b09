"""The life of a NodeClaim: launched, registered, initialized; and given up when that takes too long.

Source: kubernetes-sigs/karpenter pkg/controllers/nodeclaim/lifecycle/{launch,registration,initialization,liveness}.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.client import Client
from labs.api.cloud import FleetRequest, FleetResult, Instance, Override, Taint
from labs.api.store import Object, WatchEvent
from labs.controlplane.karpenter.catalogue import Candidate, is_offered
from labs.controlplane.karpenter.cluster import (
    EPHEMERAL_TAINTS,
    INITIALIZED,
    REGISTERED,
    TERMINATION_FINALIZER,
    UNREGISTERED_TAINT,
    ClusterState,
    is_true,
)
from labs.controlplane.karpenter.requirements import CAPACITY_TYPE, NODEPOOL, REGION, ZONE, Requirements
from labs.controlplane.karpenter.status import with_condition, with_root_condition
from labs.controlplane.runtime import Controller
from labs.units import MINUTE_NS, SECOND_NS, parse_rfc3339

LAUNCH_TIMEOUT_NS = 5 * MINUTE_NS
REGISTRATION_TIMEOUT_NS = 15 * MINUTE_NS
LAUNCH_TYPES_MAX = 60
CLAIMS = "nodeclaims.karpenter.sh"
CONDITIONS = ("Launched", "Registered", "Initialized")


class NodeClaimLifecycle(Controller):
    """Drives each claim to Ready; one phase after the other, each ending in one condition."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        super().__init__(client)
        self._state = state

    def start(self) -> None:
        """Watch claims, and nodes by their providerID."""
        self.client.subscribe(CLAIMS, self.enqueue_object)
        self.client.subscribe("nodes", self._on_node)

    def _on_node(self, event: WatchEvent) -> None:
        provider_id = event.object["spec"].get("providerID")
        for claim in self.client.list(CLAIMS):
            if (claim.get("status") or {}).get("providerID") == provider_id is not None:
                self.enqueue("", claim["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one claim a phase further."""
        claim = self.client.get(CLAIMS, "", name)
        if claim is None or "deletionTimestamp" in claim["metadata"]:
            return
        if self._is_too_late(claim):
            self.client.delete(CLAIMS, "", name)
        elif not is_true(claim, "Launched"):
            self._launch(claim)
        elif not is_true(claim, "Registered"):
            self._register(claim)
        elif not is_true(claim, "Initialized"):
            self._initialize(claim)

    def _is_too_late(self, claim: Object) -> bool:
        age_ns = self.client.now_ns - parse_rfc3339(claim["metadata"]["creationTimestamp"])
        if not is_true(claim, "Launched"):
            return age_ns > LAUNCH_TIMEOUT_NS
        return not is_true(claim, "Registered") and age_ns > REGISTRATION_TIMEOUT_NS

    def _set(self, claim: Object, condition: str, status: str, reason: str, message: str, **fields: Any) -> None:
        now_ns = self.client.now_ns
        before = claim.get("status") or {}
        conditions = with_condition(before.get("conditions") or [], condition, status, reason, message, now_ns)
        conditions = with_root_condition(conditions, CONDITIONS, now_ns)
        self.client.set_status(CLAIMS, claim, {**before, **fields, "conditions": conditions})

    def _launch(self, claim: Object) -> None:
        requirements = Requirements.from_terms(claim["spec"]["requirements"])
        asked = (claim["spec"].get("resources") or {}).get("requests") or {}
        types = self._state.launchable(requirements, asked)
        overrides = [
            Override(candidate.name, offering.zone, offering.capacity_type)
            for candidate in types[:LAUNCH_TYPES_MAX]
            for offering in candidate.offerings
            if is_offered(offering, requirements)
        ]
        result = self._state.cloud.launch(
            FleetRequest(tuple(overrides), _launch_labels(claim), _launch_taints(claim), _tags(claim))
        )
        if result.instance is None:
            self._give_up(claim, result)
            return
        chosen = next(item for item in types if item.name == result.instance.instance_type)
        self._launched(claim, result.instance, chosen)
        self.enqueue("", claim["metadata"]["name"], after_ns=REGISTRATION_TIMEOUT_NS + SECOND_NS)

    def _give_up(self, claim: Object, result: FleetResult) -> None:
        for error in result.errors:
            override = error.override
            key = (override.capacity_type, override.instance_type, override.zone)
            self._state.unavailable[key] = self.client.now_ns
        why = (
            result.errors[0].message if result.errors else "all requested instance types were unavailable during launch"
        )
        name = claim["metadata"]["name"]
        message = f"NodeClaim {name} event: insufficient capacity, {why}"
        self.client.events.record(claim, "Warning", "InsufficientCapacityError", message)
        self.client.delete(CLAIMS, "", name)

    def _launched(self, claim: Object, instance: Instance, chosen: Candidate) -> None:
        labels = {
            **claim["metadata"].get("labels", {}),
            **chosen.labels,
            ZONE: instance.zone,
            REGION: instance.zone[:-1],
            CAPACITY_TYPE: instance.capacity_type,
        }
        updated = self.client.update(CLAIMS, {**claim, "metadata": {**claim["metadata"], "labels": labels}})
        self._set(
            updated,
            "Launched",
            "True",
            "Launched",
            "",
            providerID=instance.provider_id,
            capacity=dict(chosen.capacity),
            allocatable=dict(chosen.allocatable_wire),
        )

    def _node_of(self, claim: Object) -> Object | None:
        provider_id = claim["status"]["providerID"]
        nodes = [node for node in self.client.list("nodes") if node["spec"].get("providerID") == provider_id]
        return nodes[0] if nodes else None

    def _register(self, claim: Object) -> None:
        node = self._node_of(claim)
        if node is None:
            self._set(claim, "Registered", "Unknown", "NodeNotFound", "Node not registered with cluster")
            return
        metadata, spec = dict(node["metadata"]), dict(node["spec"])
        metadata["labels"] = {**metadata.get("labels", {}), **claim["metadata"].get("labels", {}), REGISTERED: "true"}
        metadata["annotations"] = {**metadata.get("annotations", {}), **claim["metadata"].get("annotations", {})}
        metadata["finalizers"] = sorted({*metadata.get("finalizers", []), TERMINATION_FINALIZER})
        metadata["ownerReferences"] = [
            {
                "apiVersion": claim["apiVersion"],
                "kind": claim["kind"],
                "name": claim["metadata"]["name"],
                "uid": claim["metadata"]["uid"],
                "blockOwnerDeletion": True,
            }
        ]
        taints = [taint for taint in spec.get("taints") or [] if taint["key"] != UNREGISTERED_TAINT["key"]]
        known = [(taint["key"], taint["effect"]) for taint in taints]
        wanted = [*(claim["spec"].get("taints") or []), *(claim["spec"].get("startupTaints") or [])]
        spec["taints"] = taints + [taint for taint in wanted if (taint["key"], taint["effect"]) not in known]
        self.client.update("nodes", {**node, "metadata": metadata, "spec": spec})
        self._set(claim, "Registered", "True", "Registered", "", nodeName=node["metadata"]["name"])

    def _initialize(self, claim: Object) -> None:
        node = self._node_of(claim)
        if node is None:
            return
        why = _not_initialized(claim, node)
        if why is not None:
            self._set(claim, "Initialized", "Unknown", *why)
            return
        labels = {**node["metadata"].get("labels", {}), INITIALIZED: "true"}
        self.client.update("nodes", {**node, "metadata": {**node["metadata"], "labels": labels}})
        self._set(claim, "Initialized", "True", "Initialized", "")


def _not_initialized(claim: Object, node: Object) -> tuple[str, str] | None:
    """Reason and message while a node is not initialized; None when it is."""
    name = node["metadata"]["name"]
    if not is_true(node, "Ready"):
        return "NodeNotReady", f"Node {name} status not ready"
    taints = node["spec"].get("taints") or ()
    startup = [(taint["key"], taint["effect"]) for taint in claim["spec"].get("startupTaints") or ()]
    for taint in taints:
        text = f"{taint['key']}:{taint['effect']}"
        if (taint["key"], taint["effect"]) in startup:
            return "StartupTaintsExist", f'StartupTaint "{text}" still exists'
        if taint["key"] in EPHEMERAL_TAINTS:
            return "KnownEphemeralTaintsExist", f'KnownEphemeralTaint "{text}" still exists'
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    for resource in (claim["spec"].get("resources") or {}).get("requests") or ():
        if resource not in allocatable:
            return "ResourceNotRegistered", f'Resource "{resource}" was requested but not registered'
    return None


def _launch_labels(claim: Object) -> dict[str, str]:
    labels: dict[str, str] = claim["metadata"].get("labels", {})
    return {NODEPOOL: labels[NODEPOOL]} if NODEPOOL in labels else {}


def _launch_taints(claim: Object) -> tuple[Taint, ...]:
    spec = claim["spec"]
    listed = [*(spec.get("taints") or ()), *(spec.get("startupTaints") or ()), UNREGISTERED_TAINT]
    return tuple(Taint(taint["key"], taint["effect"], taint.get("value", "")) for taint in listed)


def _tags(claim: Object) -> dict[str, str]:
    name = claim["metadata"]["name"]
    return {"karpenter.sh/nodeclaim": name, **_launch_labels(claim)}
