"""What must never happen, checked within each write to the store; and what must be true in the end."""

from __future__ import annotations

from collections.abc import Iterator

from labs.api.scheduling import amounts, pod_requests
from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object, Store, WatchEvent
from labs.units import MILLISECOND_NS
from labs.world import World

BUDGETS = "poddisruptionbudgets.policy"
DEPLOYMENTS = "deployments.apps"
CLAIMS = "nodeclaims.karpenter.sh"
HPAS = "horizontalpodautoscalers.autoscaling"

HEARSAY_NS = 50 * MILLISECOND_NS
"""The disruption controller may not have heard yet of a pod that was lost this long ago; nor has upstream's."""


class Checkers:
    """Observes every write. Raises AssertionError, which nothing in the engine catches."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = world.store.resource_version
        self._uids = {
            obj["metadata"]["uid"]: None for resource in world.api.types for obj in world.store.list(resource)
        }
        self._lost_ns: dict[str, int] = {}
        world.store.observe_writes(self.check)

    def check(self, event: WatchEvent) -> None:
        """Check one write."""
        self._check_versions(event)
        self._check_identity(event)
        if event.resource == "pods":
            self._check_binding(event)
            self._check_life(event)
            self._check_address(event)
            self._check_eviction(event)
            self._check_room(event.object["spec"].get("nodeName"))
        elif event.resource == "nodes":
            self._check_room(event.object["metadata"]["name"])

    def _check_versions(self, event: WatchEvent) -> None:
        assert event.resource_version > self._version, "resource versions rise"
        assert event.object["metadata"]["resourceVersion"] == str(event.resource_version)
        self._version = event.resource_version

    def _check_identity(self, event: WatchEvent) -> None:
        uid = event.object["metadata"]["uid"]
        if event.previous is None:
            assert uid not in self._uids, "a uid is given once"
            self._uids[uid] = None
            return
        before = event.previous["metadata"]
        assert before["uid"] == uid, "an object keeps its uid"
        assert before["creationTimestamp"] == event.object["metadata"]["creationTimestamp"]
        assert before.get("generation", 0) <= event.object["metadata"].get("generation", 0), "generations rise"
        if "deletionTimestamp" in before:
            assert "deletionTimestamp" in event.object["metadata"], "a deletion is not taken back"

    def _check_binding(self, event: WatchEvent) -> None:
        before = event.previous["spec"].get("nodeName") if event.previous is not None else None
        if before:
            assert event.object["spec"].get("nodeName") == before, "a pod is bound once"

    def _check_life(self, event: WatchEvent) -> None:
        before = _phase(event.previous) if event.previous is not None else ""
        if before in ("Succeeded", "Failed"):
            assert _phase(event.object) == before, "a pod that ended stays as it ended"
        is_lost = event.previous is not None and _is_healthy(event.previous) and not _is_there(event)
        if is_lost and not _is_evicted(event.object):  # of its own evictions the API server knows at once
            self._lost_ns[event.object["metadata"]["uid"]] = self._world.now_ns

    def _check_address(self, event: WatchEvent) -> None:
        address = (event.object.get("status") or {}).get("podIP")
        was = ((event.previous or {}).get("status") or {}).get("podIP")
        if not address or address == was or event.object["spec"].get("hostNetwork"):
            return
        for pod in self._world.store.list("pods"):
            is_other = pod["metadata"]["uid"] != event.object["metadata"]["uid"]
            is_using = _is_occupying(pod) and not pod["spec"].get("hostNetwork")
            assert not (is_other and is_using and pod["status"].get("podIP") == address), f"{address} is given once"

    def _check_room(self, name: str | None) -> None:
        """No node holds more than it can allocate."""
        node = self._world.store.get("nodes", "", name) if name else None
        if node is None:
            return
        room = amounts((node.get("status") or {}).get("allocatable"))
        taken: dict[str, int] = {}
        for pod in self._world.store.by_index("pods", "spec.nodeName", node["metadata"]["name"]):
            if _is_occupying(pod):
                for resource, amount in pod_requests(pod).items():
                    taken[resource] = taken.get(resource, 0) + amount
        for resource, amount in taken.items():
            assert not room or amount <= room.get(resource, 0), f"{name} is over-committed in {resource}"

    def _check_eviction(self, event: WatchEvent) -> None:
        """An eviction leaves its budget as many healthy pods as the budget asks for."""
        pod = event.object
        if event.previous is None or not _is_evicted(pod) or _is_evicted(event.previous):
            return
        if not _is_healthy(event.previous):
            return
        for budget in _budgets_of(self._world.store, pod):
            disrupted = budget["status"].get("disruptedPods") or {}
            healthy = sum(
                self._counts_as_healthy(other) and other["metadata"]["name"] not in disrupted
                for other in _selected(self._world.store, budget)
            )
            healthy += sum(self._world.now_ns - lost_ns < HEARSAY_NS for lost_ns in self._lost_ns.values())
            desired = budget["status"]["desiredHealthy"]
            assert healthy >= desired, f"an eviction broke {budget['metadata']['name']}: {healthy} of {desired} left"

    def _counts_as_healthy(self, pod: Object) -> bool:
        return _is_healthy(pod)


def _is_there(event: WatchEvent) -> bool:
    return event.type != "DELETED" and _is_healthy(event.object)


def _phase(pod: Object) -> str:
    phase: str = (pod.get("status") or {}).get("phase", "Pending")
    return phase


def _is_occupying(pod: Object) -> bool:
    return _phase(pod) not in ("Succeeded", "Failed")


def _condition(obj: Object, type: str) -> dict[str, str]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item["type"] == type), {})


def _is_healthy(pod: Object) -> bool:
    return _condition(pod, "Ready").get("status") == "True" and "deletionTimestamp" not in pod["metadata"]


def _is_evicted(pod: Object) -> bool:
    return _condition(pod, "DisruptionTarget").get("reason") == "EvictionByEvictionAPI"


def _budgets_of(store: Store, pod: Object) -> Iterator[Object]:
    for budget in store.list(BUDGETS, pod["metadata"]["namespace"]):
        if selector_from_label_selector(budget["spec"]["selector"]).matches(pod["metadata"].get("labels") or {}):
            yield budget


def _selected(store: Store, budget: Object) -> Iterator[Object]:
    selector = selector_from_label_selector(budget["spec"]["selector"])
    for pod in store.list("pods", budget["metadata"]["namespace"]):
        if selector.matches(pod["metadata"].get("labels") or {}):
            yield pod


def unsettled(world: World) -> Iterator[str]:
    """What is not yet as it should be once all faults are over; nothing when the shop has converged."""
    for deployment in world.store.list(DEPLOYMENTS):
        wanted, status = deployment["spec"]["replicas"], deployment.get("status") or {}
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        if counts != [wanted] * 4 or status.get("observedGeneration") != deployment["metadata"]["generation"]:
            yield f"Deployment {deployment['metadata']['name']}: {wanted} wanted, {status}"
    nodes = {node["metadata"]["name"]: node for node in world.store.list("nodes")}
    for pod in world.store.list("pods"):
        name = pod["metadata"]["name"]
        if _phase(pod) == "Pending" or "deletionTimestamp" in pod["metadata"]:
            yield f"Pod {name}: {_phase(pod)}, {pod['metadata'].get('deletionTimestamp')}"
        elif pod["spec"]["nodeName"] not in nodes:
            yield f"Pod {name} is on {pod['spec']['nodeName']}, which is gone"
    for name, node in nodes.items():
        if _condition(node, "Ready").get("status") != "True":
            yield f"Node {name} is not ready"
    for claim in world.store.list(CLAIMS):
        if (claim.get("status") or {}).get("nodeName") not in nodes or "deletionTimestamp" in claim["metadata"]:
            yield f"NodeClaim {claim['metadata']['name']} has no node, or is on its way out"
    for hpa in world.store.list(HPAS):
        if any(_condition(hpa, each).get("status") != "True" for each in ("AbleToScale", "ScalingActive")):
            yield f"HPA {hpa['metadata']['name']} cannot scale: {hpa['status'].get('conditions')}"
    for budget in world.store.list(BUDGETS):
        status = budget["status"]
        if status["currentHealthy"] < status["desiredHealthy"]:
            yield f"Budget {budget['metadata']['name']} is short of healthy pods"
