"""Pods: initial status, QoS class, what may change.

Source: kubernetes/kubernetes pkg/registry/core/pod/strategy.go, pkg/apis/core/helper/qos,
pkg/apis/core/validation (ValidatePodUpdate).
"""

from __future__ import annotations

from typing import Any

from labs.api.go_forms import go_diff
from labs.api.objects import clone
from labs.api.quantity import parse_quantity
from labs.api.strategies.container_validation import padded_image
from labs.api.strategies.ephemeral_containers import EPHEMERAL_CONTAINERS
from labs.api.strategies.placement_validation import validate_tolerations
from labs.api.strategies.pod_defaults import default_pod
from labs.api.strategies.pod_validation import validate_pod_spec
from labs.api.strategies.rules import not_negative
from labs.api.strategies.warnings import warn_of_pod
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, required

UPDATE_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def qos_class(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort."""
    requests: dict[str, list[str]] = {}
    is_guaranteed = True
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        resources = container.get("resources") or {}
        limits, asked = resources.get("limits") or {}, resources.get("requests") or {}
        for name in ("cpu", "memory"):
            for amounts in (limits, asked):
                if name in amounts and not parse_quantity(amounts[name]).is_zero:
                    requests.setdefault(name, []).append(amounts[name])
            has_both = name in limits and name in asked
            if not has_both or parse_quantity(limits[name]) != parse_quantity(asked[name]):
                is_guaranteed = False
    if not requests:
        return "BestEffort"
    return "Guaranteed" if is_guaranteed else "Burstable"


def _prepare_for_create(pod: Object) -> None:
    status: dict[str, Any] = {"phase": "Pending"}
    if pod["spec"].get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": None,
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    status["qosClass"] = qos_class(pod["spec"])
    pod["status"] = status


def _validate(pod: Object) -> list[FieldError]:
    spec = pod["spec"]
    problems = _sound(pod)
    if spec.get("ephemeralContainers"):
        problems.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("schedulingGates") and spec.get("nodeName"):
        problems.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return problems


def _sound(pod: Object) -> list[FieldError]:
    return validate_pod_spec(pod["spec"], "spec", pod["metadata"].get("name") or "") + _only_of_pods(pod["spec"])


def _only_of_pods(spec: dict[str, Any]) -> list[FieldError]:
    """What ``validatePodMetadataAndSpec`` asks of a pod and not of a template."""
    problems = not_negative(spec, "terminationGracePeriodSeconds", "spec")
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            problems += padded_image(container, f"spec.{key}[{index}]")
    return problems


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    """``ValidatePodUpdate``: the pod must be sound, and of its spec little may change."""
    before, after = old["spec"], new["spec"]
    if before == after:
        return []
    problems = _sound(new)
    for key in ("containers", "initContainers"):
        path, containers = f"spec.{key}", after.get(key) or []
        if len(containers) != len(before.get(key) or ()):
            return [*problems, forbidden(path, "pod updates may not add or remove containers")]
        for index, container in enumerate(containers):
            problems += [] if container.get("image") else [required(f"{path}[{index}].image")]
            problems += padded_image(container, f"{path}[{index}]")
    deadline = _deadline(after.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    if deadline and after.get("activeDeadlineSeconds") is not None:
        return problems + deadline
    problems += deadline + _tolerations(after.get("tolerations") or [], before.get("tolerations") or [])
    problems += _gates(after.get("schedulingGates") or [], before.get("schedulingGates") or [])
    munged = _munged(after, before)
    if munged != before:
        problems.append(forbidden("spec", f"{UPDATE_RULE}\n{go_diff('core.PodSpec', before, munged)}"))
    return problems


def _deadline(new: int | None, old: int | None) -> list[FieldError]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        text = "must not update from a positive integer to nil value"
        return [] if old is None else [invalid(path, None, text)]
    if not 0 <= new <= 2**31 - 1:
        return [invalid(path, new, "must be between 0 and 2147483647, inclusive")]
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[FieldError]:
    """``validateOnlyAddedTolerations``."""

    def kept(item: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in item.items() if key != "tolerationSeconds"}

    if all(kept(item) in [kept(other) for other in new] for item in old):
        return validate_tolerations(new, "spec.tolerations")
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", text)]


def _gates(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[FieldError]:
    """``validateOnlyDeletedSchedulingGates``."""
    known = [gate.get("name") for gate in old]
    return [
        forbidden(
            f"spec.schedulingGates[{index}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _munged(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The new spec with the old one's values in what may change."""
    munged: dict[str, Any] = clone(new)
    for key in ("containers", "initContainers"):
        for container, before in zip(munged.get(key) or (), old.get(key) or (), strict=True):
            container["image"] = before.get("image")
    for key in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged.pop(key, None)
        if key in old:
            munged[key] = old[key]
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if old.get("schedulingGates"):
        added = munged.get("nodeSelector") or {}
        if (old.get("nodeSelector") or {}).items() <= added.items():
            munged.pop("nodeSelector", None)
            munged |= {"nodeSelector": old["nodeSelector"]} if "nodeSelector" in old else {}
    return munged


POD = Strategy(
    default=default_pod,
    prepare_for_create=_prepare_for_create,
    validate=_validate,
    validate_update=_validate_update,
    is_ratcheting=True,
    warn=warn_of_pod,
    parts={"ephemeralcontainers": EPHEMERAL_CONTAINERS},
)
