"""Pods: initial status, QoS class, what may change.

Source: kubernetes/kubernetes pkg/registry/core/pod/strategy.go, pkg/apis/core/helper/qos,
pkg/apis/core/validation (ValidatePodUpdate).
"""

from __future__ import annotations

from typing import Any

from labs.api.objects import clone
from labs.api.quantity import parse_quantity
from labs.api.strategies.container_validation import padded_image
from labs.api.strategies.ephemeral_containers import EPHEMERAL_CONTAINERS
from labs.api.strategies.pod_defaults import default_pod
from labs.api.strategies.pod_validation import validate_pod_spec
from labs.api.strategies.rules import not_negative
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid

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
    problems = validate_pod_spec(spec, "spec", pod["metadata"].get("name") or "")
    problems += _only_of_pods(spec)
    if spec.get("ephemeralContainers"):
        problems.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("schedulingGates") and spec.get("nodeName"):
        problems.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return problems


def _only_of_pods(spec: dict[str, Any]) -> list[FieldError]:
    """What ``validatePodMetadataAndSpec`` asks of a pod and not of a template."""
    problems = not_negative(spec, "terminationGracePeriodSeconds", "spec")
    for key in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            problems += padded_image(container, f"spec.{key}[{index}]")
    return problems


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    if new["spec"] == old["spec"]:
        return []
    if len(new["spec"].get("containers") or ()) != len(old["spec"]["containers"]):
        return [forbidden("spec.containers", "pod updates may not add or remove containers")]
    expected: dict[str, Any] = clone(old["spec"])
    spec = new["spec"]
    for key in ("containers", "initContainers"):
        for before, after in zip(expected.get(key) or (), spec.get(key) or (), strict=False):
            before["image"] = after.get("image")
    expected |= {key: spec[key] for key in ("activeDeadlineSeconds", "schedulingGates") if key in spec}
    if not spec.get("schedulingGates"):
        expected.pop("schedulingGates", None)
    before_tolerations = expected.get("tolerations") or []
    after_tolerations = spec.get("tolerations") or []
    if all(item in after_tolerations for item in before_tolerations) and after_tolerations:
        expected["tolerations"] = after_tolerations
    elif before_tolerations != after_tolerations:
        return [forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")]
    problems: list[FieldError] = []
    for index, container in enumerate(spec["containers"]):
        if not container.get("image"):
            problems.append(invalid(f"spec.containers[{index}].image", "", "must not be empty"))
    if expected != spec:
        problems.append(forbidden("spec", UPDATE_RULE))
    return problems


POD = Strategy(
    default=default_pod,
    prepare_for_create=_prepare_for_create,
    validate=_validate,
    validate_update=_validate_update,
    parts={"ephemeralcontainers": EPHEMERAL_CONTAINERS},
)
