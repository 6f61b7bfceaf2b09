"""``pods/eviction``: deleting a pod as far as its PodDisruptionBudget allows.

Source: kubernetes/kubernetes pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labs import errors
from labs.api.deletion import DeleteOptions
from labs.api.objects import at
from labs.api.selectors import selector_from_label_selector
from labs.api.store import Object
from labs.errors import ApiError
from labs.units import rfc3339

if TYPE_CHECKING:
    from labs.api.apiserver import ApiServer

MAX_DISRUPTED_PODS = 2000
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


def evict(api: ApiServer, namespace: str, name: str, options: DeleteOptions) -> None:
    """Delete the pod. Raises 404, 409 on preconditions, 429 when the budget forbids it, 500 for two budgets."""
    pod = api.require("pods", namespace, name)
    if not _is_exempt(pod):
        budgets = budgets_of(api, pod)
        if len(budgets) > 1:
            raise ApiError(
                500,
                "InternalError",
                f"Internal error occurred: {SEVERAL_BUDGETS}",
                {"causes": [{"message": SEVERAL_BUDGETS}]},
            )
        if budgets and not _may_skip_budget(pod, budgets[0]):
            _take_from_budget(api, budgets[0], name, options.is_dry_run)
            pod = _mark_disrupted(api, pod, options.is_dry_run)
    api.delete("pods", namespace, name, options)


def _is_exempt(pod: Object) -> bool:
    phase = at(pod, "status", "phase")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


def budgets_of(api: ApiServer, pod: Object) -> list[Object]:
    """The disruption budgets that select a pod, in order of name."""
    labels = pod["metadata"].get("labels") or {}
    return [
        budget
        for budget in api.store.list("poddisruptionbudgets.policy", pod["metadata"]["namespace"])
        if selector_from_label_selector(at(budget, "spec", "selector")).matches(labels)
    ]


def _may_skip_budget(pod: Object, budget: Object) -> bool:
    """Whether an unready pod may go without asking the budget (unhealthyPodEvictionPolicy)."""
    conditions = at(pod, "status", "conditions") or []
    if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
        return False
    if at(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired: int = status.get("desiredHealthy", 0)
    current: int = status.get("currentHealthy", 0)
    return desired > 0 and current >= desired


def _too_many_requests(cause: str, retry_after_s: int) -> ApiError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if retry_after_s:
        details["retryAfterSeconds"] = retry_after_s
    return ApiError(429, "TooManyRequests", VIOLATES, details)


def _take_from_budget(api: ApiServer, budget: Object, pod_name: str, is_dry_run: bool) -> None:
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many_requests(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudgets.policy", name, "pdb disruptions allowed is negative")
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudgets.policy", name, why)
    if allowed == 0:
        desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _too_many_requests(
            f"The disruption budget {name} needs {desired} healthy pods and has {current} currently", 0
        )
    changed = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, pod_name: rfc3339(api.loop.now_ns)},
    }
    api.update(
        "poddisruptionbudgets.policy",
        {**budget, "status": changed},
        subresource="status",
        manager="kube-apiserver",
        is_dry_run=is_dry_run,
    )


def _mark_disrupted(api: ApiServer, pod: Object, is_dry_run: bool) -> Object:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(api.loop.now_ns),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = pod.get("status") or {}
    others = [item for item in status.get("conditions") or [] if item["type"] != "DisruptionTarget"]
    changed = {**pod, "status": {**status, "conditions": [*others, condition]}}
    return api.update("pods", changed, subresource="status", manager="kube-apiserver", is_dry_run=is_dry_run)
