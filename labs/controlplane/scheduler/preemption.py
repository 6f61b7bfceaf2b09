"""Which pods have to go so that a more important one fits.

Source: pkg/scheduler/framework/preemption/preemption.go and plugins/defaultpreemption/default_preemption.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from labs.api.selectors import LabelSelector, selector_from_label_selector
from labs.api.store import Object
from labs.controlplane.scheduler.attempt import Filters
from labs.controlplane.scheduler.cache import Cache
from labs.controlplane.scheduler.failure import (
    NO_VICTIMS,
    PREEMPTION_NOT_HELPFUL,
    Failure,
    availability,
)
from labs.controlplane.scheduler.nodeinfo import NodeInfo
from labs.controlplane.scheduler.podinfo import PodInfo
from labs.units import parse_rfc3339

MIN_CANDIDATE_PERCENT = 10
MIN_CANDIDATES = 100
POLICY_NEVER = "not eligible due to preemptionPolicy=Never."
VICTIM_STILL_LEAVING = "not eligible due to a terminating pod on the nominated node."
_PRIORITY_SHIFT = 2**31


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget, as far as preemption cares."""

    namespace: str
    selector: LabelSelector
    disruptions_allowed: int
    disrupted_pods: frozenset[str]


def parse_budget(budget: Object) -> Budget:
    """The budget of an object; an invalid selector chooses nothing."""
    status = budget.get("status") or {}
    try:
        selector = selector_from_label_selector(budget["spec"].get("selector"))
    except ValueError:
        selector = selector_from_label_selector(None)
    return Budget(
        budget["metadata"]["namespace"],
        selector,
        status.get("disruptionsAllowed", 0),
        frozenset(status.get("disruptedPods") or ()),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, the pods that would have to go (most important first), and how many break a budget."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int


def start_ns(pod: PodInfo) -> int:
    """When the pod started, or a time after all others where it has not."""
    text = (pod.obj.get("status") or {}).get("startTime")
    return parse_rfc3339(text) if text else 2**63


def importance(pod: PodInfo) -> tuple[int, int]:
    """Sort key: higher priority first, then the one that has run longer."""
    return -pod.priority, start_ns(pod)


def split_by_budgets(pods: Sequence[PodInfo], budgets: Sequence[Budget]) -> tuple[list[PodInfo], list[PodInfo]]:
    """The pods whose removal would break a budget, and the others; order is kept."""
    allowed = [budget.disruptions_allowed for budget in budgets]
    breaking: list[PodInfo] = []
    harmless: list[PodInfo] = []
    for pod in pods:
        is_breaking = False
        for index, budget in enumerate(budgets):
            if not pod.labels or budget.namespace != pod.namespace or pod.name in budget.disrupted_pods:
                continue
            if budget.selector.is_empty or not budget.selector.matches(pod.labels):
                continue
            allowed[index] -= 1
            is_breaking = is_breaking or allowed[index] < 0
        (breaking if is_breaking else harmless).append(pod)
    return breaking, harmless


def ineligible(pod: PodInfo, cache: Cache, failures: Mapping[str, Failure]) -> str | None:
    """Why the pod may not preempt others now, or None."""
    if pod.obj["spec"].get("preemptionPolicy") == "Never":
        return POLICY_NEVER
    nominated = pod.nominated_node
    failure = failures.get(nominated)
    if not nominated or (failure is not None and not failure.is_resolvable):
        return None
    node = cache.nodes.get(nominated)
    others = node.pods.values() if node is not None else ()
    if any(other.priority < pod.priority and _is_leaving_for_another(other) for other in others):
        return VICTIM_STILL_LEAVING
    return None


def _is_leaving_for_another(pod: PodInfo) -> bool:
    conditions = (pod.obj.get("status") or {}).get("conditions") or ()
    return pod.is_terminating and any(
        item["type"] == "DisruptionTarget"
        and item["status"] == "True"
        and item.get("reason") == "PreemptionByScheduler"
        for item in conditions
    )


def victims_on(filters: Filters, node: NodeInfo, budgets: Sequence[Budget]) -> Candidate | Failure:
    """The fewest pods of lower priority that have to leave the node, or why that would not help."""
    assert node.facts is not None
    facts, pod = node.facts, filters.pod
    filters, trial = filters.copy(), node.copy()
    lower = [other for other in trial.pods.values() if other.priority < pod.priority]
    if not lower:
        return Failure("DefaultPreemption", (NO_VICTIMS,))
    for other in lower:
        trial.remove(other)
        filters.count(other, facts, -1)
    failure = filters.failure(trial)
    if failure is not None:
        return failure

    def must_go(other: PodInfo) -> bool:
        trial.add(other)
        filters.count(other, facts, 1)
        if filters.failure(trial) is None:
            return False
        trial.remove(other)
        filters.count(other, facts, -1)
        return True

    breaking, harmless = split_by_budgets(sorted(lower, key=importance), budgets)
    broken = [other for other in breaking if must_go(other)]
    gone = [*broken, *(other for other in harmless if must_go(other))]
    return Candidate(facts.name, tuple(sorted(gone, key=importance)), len(broken))


def candidate_count(node_count: int) -> int:
    """How many candidates end the search."""
    return min(max(node_count * MIN_CANDIDATE_PERCENT // 100, MIN_CANDIDATES), node_count)


def find_candidates(
    filters: Filters, failures: Mapping[str, Failure], budgets: Sequence[Budget], offsets: Random
) -> tuple[list[Candidate], dict[str, Failure]]:
    """Nodes on which removing pods makes room, and why the others that were tried do not help."""
    nodes = filters.cache.nodes
    potential = [name for name, failure in failures.items() if failure.is_resolvable]
    if not potential:
        return [], {}
    wanted = candidate_count(len(potential))
    offset = offsets.randrange(len(potential))
    harmless: list[Candidate] = []
    breaking: list[Candidate] = []
    refused: dict[str, Failure] = {}
    for index in range(len(potential)):
        name = potential[(offset + index) % len(potential)]
        outcome = victims_on(filters, nodes[name], budgets)
        if isinstance(outcome, Failure):
            refused[name] = outcome
            continue
        (breaking if outcome.violations else harmless).append(outcome)
        if harmless and len(harmless) + len(breaking) >= wanted:
            break
    return harmless + breaking, refused


def best_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest broken budgets, least important top victim, smallest sum of priorities, fewest, latest started; first."""
    keys: tuple[Callable[[Candidate], int], ...] = (
        lambda item: item.violations,
        lambda item: item.victims[0].priority,
        lambda item: sum(victim.priority + _PRIORITY_SHIFT for victim in item.victims),
        lambda item: len(item.victims),
        lambda item: -_earliest_start_ns(item.victims),
    )
    return min(candidates, key=lambda item: tuple(key(item) for key in keys))


def _earliest_start_ns(victims: Sequence[PodInfo]) -> int:
    top = victims[0].priority
    return min(start_ns(victim) for victim in victims if victim.priority == top)


def not_helpful(node_count: int, refused: Mapping[str, Failure]) -> str:
    """The message when no node becomes free by preemption."""
    reasons: list[str] = [reason for failure in refused.values() for reason in failure.reasons]
    untried: Iterable[str] = (PREEMPTION_NOT_HELPFUL,) * (node_count - len(refused))
    return availability(node_count, [*reasons, *untried])
