"""Giving nodes back: empty ones at once, under-used ones when their pods fit elsewhere or on one cheaper node.

Source: kubernetes-sigs/karpenter pkg/controllers/disruption/{controller,emptiness,consolidation,multinodeconsolidation,
singlenodeconsolidation,validation,queue}.go. Drift is not simulated: nothing here changes an AMI or a NodeClass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.karpenter.candidates import Candidates, DisruptionCandidate
from labs.controlplane.karpenter.cluster import ClusterState, is_provisionable, is_true
from labs.controlplane.karpenter.lifecycle import CLAIMS
from labs.controlplane.karpenter.provisioner import create_claim
from labs.controlplane.karpenter.solver import PlannedClaim
from labs.controlplane.karpenter.status import with_condition
from labs.controlplane.karpenter.termination import mark_disrupted, unmark_disrupted
from labs.units import MINUTE_NS, SECOND_NS

POLL_NS = 10 * SECOND_NS
VALIDATION_DELAY_NS = 15 * SECOND_NS
MULTI_NODE_MAX = 100
QUEUE_POLL_NS = SECOND_NS
REPLACEMENT_TIMEOUT_NS = 10 * MINUTE_NS
TOLD_AGAIN_NS = 15 * MINUTE_NS


@dataclass(slots=True)
class Command:
    """Nodes to end, and at most one to buy before that."""

    reason: str
    candidates: Sequence[DisruptionCandidate]
    replacement: PlannedClaim | None = None
    started_ns: int = 0
    replacement_name: str = field(default="")


class Disruption:
    """One command at a time, decided every ten seconds."""

    def __init__(self, client: Client, state: ClusterState) -> None:
        self._client = client
        self._state = state
        self._candidates = Candidates(client, state)
        self._is_busy = False
        self._told_ns: dict[str, int] = {}

    def start(self) -> None:
        """Begin to poll."""
        self._candidates.start()
        self._client.loop.after(POLL_NS, self._poll)

    def _poll(self) -> None:
        self._client.loop.after(POLL_NS, self._poll)
        if self._is_busy or not self._client.list("nodeclaims.karpenter.sh") or not self._state.is_synced():
            return
        command = self._decide()
        if command is not None:
            self._is_busy = True
            self._client.loop.after(VALIDATION_DELAY_NS, self._validate, command)

    def _decide(self) -> Command | None:
        found = [item for item in self._candidates.find(self._nominated()) if self._candidates.is_consolidatable(item)]
        empty = self._candidates.within_budgets([item for item in found if not item.pods], "Empty")
        if empty:
            return Command("Empty", empty)
        if any(is_provisionable(pod) for pod in self._client.list("pods")):
            return None
        allowed = [
            item
            for item in found
            if item.pods
            and item.pool["spec"].get("disruption", {}).get("consolidationPolicy", "WhenEmptyOrUnderutilized")
            != "WhenEmpty"
        ]
        under_used = self._candidates.within_budgets(allowed, "Underutilized")
        return self._multi_node(under_used[:MULTI_NODE_MAX]) or self._single_node(under_used)

    def _nominated(self) -> frozenset[str]:
        """Nodes that pending pods are to go to."""
        if not any(is_provisionable(pod) for pod in self._client.list("pods")):
            return frozenset()
        return frozenset(node.name for node in self._state.simulate().existing.values())

    def _multi_node(self, candidates: list[DisruptionCandidate]) -> Command | None:
        """The largest prefix of at least two candidates that one cheaper node, or none, can replace."""
        low, high, best = 2, len(candidates), None
        while low <= high:
            middle = (low + high) // 2
            command = self._consolidate(candidates[:middle])
            if command is not None:
                best, low = command, middle + 1
            else:
                high = middle - 1
        return best

    def _single_node(self, candidates: list[DisruptionCandidate]) -> Command | None:
        for candidate in candidates:
            command = self._consolidate([candidate])
            if command is not None:
                return command
        return None

    def _consolidate(self, candidates: list[DisruptionCandidate]) -> Command | None:
        placement = self._state.simulate([item.name for item in candidates])
        moved = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for item in candidates for pod in item.pods}
        if moved & placement.failures.keys():
            return None
        if len(placement.claims) > 1:
            self._tell_why_it_stays(candidates, f"Can't remove without creating {len(placement.claims)} candidates")
            return None
        # A node that is still starting may not come: pods are not moved on the strength of it.
        if any(key in moved and not node.is_initialized for key, node in placement.existing.items()):
            return None
        if not placement.claims:
            return Command("Underutilized", candidates)
        planned = placement.claims[0]
        price = sum(item.price_usd_per_hour for item in candidates)
        planned.candidates = [item for item in planned.candidates if _price(planned, item) < price]
        if len(candidates) > 1:
            # Replacing several nodes by one of their own type could be undone and done again for ever.
            own = {item.managed.labels.get("node.kubernetes.io/instance-type") for item in candidates}
            planned.candidates = [item for item in planned.candidates if item.name not in own]
        if not planned.candidates:
            self._tell_why_it_stays(candidates, "Can't replace with a cheaper node")
            return None
        return Command("Underutilized", candidates, planned)

    def _tell_why_it_stays(self, candidates: list[DisruptionCandidate], why: str) -> None:
        """An event on a single node and its claim, at most every quarter of an hour; several have their own turns."""
        if len(candidates) != 1:
            return
        managed, now_ns = candidates[0].managed, self._client.now_ns
        assert managed.node is not None
        uid = managed.node["metadata"]["uid"]
        if now_ns - self._told_ns.get(uid, -TOLD_AGAIN_NS) >= TOLD_AGAIN_NS:
            self._told_ns[uid] = now_ns
            for item in (managed.node, managed.claim):
                self._client.events.record(item, "Normal", "Unconsolidatable", why)

    def _validate(self, command: Command) -> None:
        """Decide again after the delay; act only when the same is still right."""
        again = self._decide()
        wanted = {item.name for item in command.candidates}
        is_same = again is not None and again.reason == command.reason and {i.name for i in again.candidates} == wanted
        if again is None or not is_same or (again.replacement is None) != (command.replacement is None):
            self._is_busy = False
            return
        self._execute(again)

    def _execute(self, command: Command) -> None:
        now_ns = command.started_ns = self._client.now_ns
        for candidate in command.candidates:
            node = candidate.managed.node
            assert node is not None
            mark_disrupted(self._client, node, {})
            message = f"Disrupting Node: {command.reason}"
            self._client.events.record(node, "Normal", "DisruptionTerminating", message)
            self._set_reason(candidate.managed.claim, "True", command.reason, now_ns)
        if command.replacement is not None:
            command.replacement_name = create_claim(self._client, command.replacement)["metadata"]["name"]
        self._finish(command)

    def _set_reason(self, claim: Object, status: str, reason: str, now_ns: int) -> None:
        current = self._client.get(CLAIMS, "", claim["metadata"]["name"])
        if current is None:
            return
        before: dict[str, Any] = current.get("status") or {}
        conditions = with_condition(before.get("conditions") or [], "DisruptionReason", status, reason, "", now_ns)
        self._client.set_status(CLAIMS, current, {**before, "conditions": conditions})

    def _finish(self, command: Command) -> None:
        """Delete the old nodes as soon as the replacement is initialized; give up when it does not come."""
        if command.replacement_name:
            claim = self._client.get(CLAIMS, "", command.replacement_name)
            is_late = self._client.now_ns - command.started_ns > REPLACEMENT_TIMEOUT_NS
            if claim is None or is_late:
                self._abandon(command)
                return
            if not is_true(claim, "Initialized"):
                self._client.loop.after(QUEUE_POLL_NS, self._finish, command)
                return
        for candidate in command.candidates:
            self._client.delete(CLAIMS, "", candidate.managed.claim["metadata"]["name"])
        self._is_busy = False

    def _abandon(self, command: Command) -> None:
        for candidate in command.candidates:
            node = self._client.get("nodes", "", candidate.name)
            if node is not None:
                unmark_disrupted(self._client, node)
            self._set_reason(candidate.managed.claim, "False", command.reason, self._client.now_ns)
        self._is_busy = False


def _price(planned: PlannedClaim, candidate: Any) -> float:
    offering = candidate.cheapest(planned.requirements)
    return float("inf") if offering is None else float(offering.price_usd_per_hour)
