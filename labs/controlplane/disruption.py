"""The disruption controller: how many pods of a PodDisruptionBudget may be evicted now.

Source: kubernetes/kubernetes pkg/controller/disruption/disruption.go and
staging/src/k8s.io/component-helpers/apps/poddisruptionbudget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.selectors import format_label_selector, selector_from_label_selector
from labs.api.store import Object, WatchEvent
from labs.controlplane.intstr import IntOrPercent, scaled_value
from labs.controlplane.pods import is_leaving, is_ready, select_pods
from labs.controlplane.runtime import Controller, controller_of
from labs.units import MINUTE_NS, parse_rfc3339, rfc3339

BUDGETS = "poddisruptionbudgets.policy"
DELETION_TIMEOUT_NS = 2 * MINUTE_NS
"""How long an evicted pod may take to be deleted before the budget counts it again."""

_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the "
    "status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these "
    'pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many pods there should be, and how many of them must be healthy."""

    pods: int
    healthy: int


def expectation(
    min_available: IntOrPercent | None, max_unavailable: IntOrPercent | None, matching: int, scale: int
) -> Expectation:
    """``getExpectedPodCount``: ``scale`` is what the pods' controllers want. Raises ValueError for a bad value."""
    if max_unavailable is not None:
        return Expectation(scale, max(0, scale - scaled_value(max_unavailable, scale, rounds_up=True)))
    if isinstance(min_available, int):
        return Expectation(matching, min_available)
    if min_available is not None:
        return Expectation(scale, scaled_value(min_available, scale, rounds_up=True))
    return Expectation(0, 0)


def disruptions_allowed(expected: Expectation, current_healthy: int) -> int:
    """Evictions that leave enough healthy pods; none while no pod is expected."""
    return max(0, current_healthy - expected.healthy) if expected.pods > 0 else 0


def pending_disruptions(
    disrupted: Mapping[str, str], pods: Iterable[Object], now_ns: int
) -> tuple[dict[str, str], list[Object]]:
    """``buildDisruptedPodMap``: evictions still waiting for their deletion, and the pods that were never deleted."""
    pending, overdue = {}, []
    for pod in pods:
        name = pod["metadata"]["name"]
        if name not in disrupted or is_leaving(pod):
            continue
        if parse_rfc3339(disrupted[name]) + DELETION_TIMEOUT_NS < now_ns:
            overdue.append(pod)
        else:
            pending[name] = disrupted[name]
    return pending, overdue


def disruption_condition(
    current: dict[str, Any] | None, status: str, reason: str, message: str, generation: int, now_ns: int
) -> dict[str, Any]:
    """The condition DisruptionAllowed next; its time moves only with its status."""
    changed = rfc3339(now_ns)
    if current is not None and current["status"] == status:
        changed = current["lastTransitionTime"]
    return {
        "type": "DisruptionAllowed",
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": changed,
        "reason": reason,
        "message": message,
    }


class DisruptionController(Controller):
    """Writes the status of every PodDisruptionBudget."""

    def start(self) -> None:
        """Watch budgets and pods."""
        self.watch(BUDGETS, self.enqueue_object)
        self.watch("pods", self._on_pod)

    def _on_pod(self, event: WatchEvent) -> None:
        pod = event.object
        labels = pod["metadata"].get("labels") or {}
        before = event.previous["metadata"].get("labels") or {} if event.previous is not None else labels
        found = []
        for budget in self.client.list(BUDGETS, pod["metadata"]["namespace"]):
            selector = selector_from_label_selector(budget["spec"].get("selector"))
            if selector.matches(labels):
                found.append(budget)
            elif selector.matches(before):
                self.enqueue(pod["metadata"]["namespace"], budget["metadata"]["name"])
        for budget in found:
            self.enqueue(pod["metadata"]["namespace"], budget["metadata"]["name"])
        if len(found) > 1 and event.type != "DELETED":
            who = f'"{pod["metadata"]["namespace"]}"/"{pod["metadata"]["name"]}"'
            chosen = found[0]["metadata"]["name"]
            text = f'Pod {who} matches multiple PodDisruptionBudgets.  Chose "{chosen}" arbitrarily.'
            self.client.events.record(pod, "Warning", "MultiplePodDisruptionBudgets", text)

    def reconcile(self, namespace: str, name: str) -> None:
        """Write one budget's status."""
        budget = self.client.get(BUDGETS, namespace, name)
        if budget is None:
            return
        pods = select_pods(self.client, namespace, budget["spec"].get("selector"))
        if not pods:
            self.client.events.record(budget, "Normal", "NoPods", "No matching pods found")
        try:
            expected = self._expectation(budget, pods)
        except ValueError as error:
            text = f"Failed to calculate the number of expected pods: {error}"
            self.client.events.record(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            self._fail_safe(budget, str(error))
            return
        self._write(budget, pods, expected)

    def _expectation(self, budget: Object, pods: list[Object]) -> Expectation:
        spec = budget["spec"]
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        needs_scale = most is not None or not isinstance(least, int)
        scale, has_unmanaged = self._expected_scale(pods) if needs_scale else (0, False)
        if has_unmanaged:
            text = _UNMANAGED.format(selector=format_label_selector(spec.get("selector")))
            self.client.events.record(budget, "Warning", "UnmanagedPods", text)
        return expectation(least, most, len(pods), scale)

    def _expected_scale(self, pods: list[Object]) -> tuple[int, bool]:
        """Sum of the sizes of the pods' controllers, and whether a pod has none. Raises ValueError."""
        scales: dict[str, int] = {}
        seen: set[str] = set()
        has_unmanaged = False
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                has_unmanaged = True
            elif owner["uid"] not in seen:
                seen.add(owner["uid"])
                uid, scale = self._scale_of(pod, owner)
                scales[uid] = scale
        return sum(scales.values()), has_unmanaged

    def _scale_of(self, pod: Object, owner: dict[str, str]) -> tuple[str, int]:
        namespace = pod["metadata"]["namespace"]
        kinds = {(kind.api_version, kind.kind): kind for kind in self.client.api.all_types()}
        while True:
            kind = kinds.get((owner["apiVersion"], owner["kind"]))
            found = self.client.get(kind.resource, namespace, owner["name"]) if kind else None
            if kind is None or found is None or found["metadata"]["uid"] != owner["uid"]:
                raise ValueError(f'found no controllers for pod "{pod["metadata"]["name"]}"')
            if "scale" not in kind.subresources:
                raise ValueError(f"{kind.resource} does not implement the scale subresource")
            above = controller_of(found)
            if kind.kind != "ReplicaSet" or above is None or above["kind"] != "Deployment":
                return owner["uid"], found["spec"].get("replicas", 1)
            owner = above

    def _write(self, budget: Object, pods: list[Object], expected: Expectation) -> None:
        now_ns, before = self.client.now_ns, budget.get("status") or {}
        pending, overdue = pending_disruptions(before.get("disruptedPods") or {}, pods, now_ns)
        for pod in overdue:
            whose = f"{budget['metadata']['namespace']}/{budget['metadata']['name']}"
            text = f"Pod was expected by PDB {whose} to be deleted but it wasn't"
            self.client.events.record(pod, "Warning", "NotDeleted", text)
        healthy = sum(is_ready(pod) and not is_leaving(pod) and pod["metadata"]["name"] not in pending for pod in pods)
        allowed = disruptions_allowed(expected, healthy)
        verdict = ("True", "SufficientPods", "") if allowed > 0 else ("False", "InsufficientPods", "")
        status: dict[str, Any] = {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": expected.healthy,
            "expectedPods": expected.pods,
        }
        if pending:
            status["disruptedPods"] = pending
        self._write_status(budget, status, verdict)
        if pending:
            due_ns = min(map(parse_rfc3339, pending.values())) + DELETION_TIMEOUT_NS
            # One nanosecond past it, since an entry counts up to and including its last moment.
            self.enqueue(budget["metadata"]["namespace"], budget["metadata"]["name"], due_ns - now_ns + 1)

    def _fail_safe(self, budget: Object, message: str) -> None:
        before = {key: value for key, value in (budget.get("status") or {}).items() if key != "observedGeneration"}
        status = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0, **before, "disruptionsAllowed": 0}
        self._write_status(budget, status, ("False", "SyncFailed", message), observes=False)

    def _write_status(
        self, budget: Object, status: dict[str, Any], verdict: tuple[str, str, str], *, observes: bool = True
    ) -> None:
        before = budget.get("status") or {}
        observed = budget["metadata"].get("generation", 0) if observes else before.get("observedGeneration", 0)
        conditions = before.get("conditions") or ()
        current = next((item for item in conditions if item["type"] == "DisruptionAllowed"), None)
        others = [item for item in conditions if item["type"] != "DisruptionAllowed"]
        changed = disruption_condition(current, *verdict, observed, self.client.now_ns)
        status = {**status, "conditions": [*others, changed]} | ({"observedGeneration": observed} if observed else {})
        if status != before:
            self.client.update_status(BUDGETS, {**budget, "status": status})
