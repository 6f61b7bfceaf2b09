"""apps/v1: StatefulSets and ControllerRevisions.

Source: kubernetes/kubernetes pkg/apis/apps/{v1/defaults.go,validation/validation.go},
pkg/registry/apps/{statefulset,controllerrevision}/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.names import dns1123_label
from labs.api.objects import at
from labs.api.strategies.claim_validation import validate_claim_spec
from labs.api.strategies.pod_defaults import default_template
from labs.api.strategies.rules import at_most_all, immutable, int_or_percent, name_in, not_negative, one_of
from labs.api.strategies.storage import default_claim
from labs.api.strategies.warnings import warn_of_template
from labs.api.strategies.workloads import is_zero, selector_problems, set_missing, validate_pod_template
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

FIXED = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, replicas=1, revisionHistoryLimit=10, persistentVolumeClaimRetentionPolicy={})
    spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        set_missing(strategy, rollingUpdate={})
    if strategy["type"] == "RollingUpdate" and strategy.get("rollingUpdate") is not None:
        set_missing(strategy["rollingUpdate"], partition=0, maxUnavailable=1)
    retention = spec["persistentVolumeClaimRetentionPolicy"]
    for key in ("whenDeleted", "whenScaled"):
        retention[key] = retention.get(key) or "Retain"
    default_template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
        default_claim(claim)


def _prepare(obj: Object) -> None:
    obj["status"] = {"replicas": 0, "availableReplicas": 0}


def _validate(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    management = spec["podManagementPolicy"]
    problems: list[FieldError] = []
    if management not in ("OrderedReady", "Parallel"):
        problems.append(invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"))
    problems += _strategy_problems(spec["updateStrategy"])
    retention = spec["persistentVolumeClaimRetentionPolicy"]
    for key in ("whenDeleted", "whenScaled"):
        problems += one_of(retention, key, ("Retain", "Delete"), "spec.persistentVolumeClaimRetentionPolicy")
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        problems += validate_claim_spec(claim["spec"], f"spec.volumeClaimTemplates[{index}].spec")
    problems += not_negative(spec, "replicas", "spec") + not_negative(spec, "minReadySeconds", "spec")
    problems += not_negative(spec.get("ordinals") or {}, "start", "spec.ordinals")
    problems += name_in(spec, "serviceName", dns1123_label, "spec")
    own, mismatch = selector_problems(spec, "empty selector is invalid for statefulset", unreadable="")
    problems += own + mismatch
    return problems + _template_problems(spec)


def _template_problems(spec: dict[str, Any]) -> list[FieldError]:
    """``ValidatePodTemplateSpecForStatefulSet``: the volumes of the claim templates are there for each pod."""
    path, template = "spec.template", spec["template"]
    claims = [
        {"name": at(claim, "metadata", "name") or "", "persistentVolumeClaim": {"claimName": "claim"}}
        for claim in spec.get("volumeClaimTemplates") or ()
    ]
    names = {claim["name"] for claim in claims}
    own = [item for item in template["spec"].get("volumes") or () if item.get("name") not in names]
    whole = {**template, "spec": {**template["spec"], "volumes": [*claims, *own], "hostname": "", "subdomain": ""}}
    problems = validate_pod_template(whole, path)
    policy = template["spec"].get("restartPolicy")
    if policy != "Always":
        problems.append(not_supported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in StatefulSet is not Supported"
        problems.append(forbidden(f"{path}.spec.activeDeadlineSeconds", text))
    return problems


def _strategy_problems(strategy: dict[str, Any]) -> list[FieldError]:
    path, rolling = "spec.updateStrategy", strategy.get("rollingUpdate")
    if strategy["type"] == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        return [invalid(f"{path}.rollingUpdate", rolling, text)] if rolling is not None else []
    if strategy["type"] != "RollingUpdate":
        shown = {"Type": strategy["type"], "RollingUpdate": rolling}
        return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    problems = not_negative(rolling, "partition", f"{path}.rollingUpdate")
    limit, path = rolling["maxUnavailable"], f"{path}.rollingUpdate.maxUnavailable"
    problems += int_or_percent(limit, path)
    if is_zero(limit):
        problems.append(invalid(path, limit, "cannot be 0"))
    return problems + at_most_all(limit, path)


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    return [problem for key in FIXED for problem in immutable(new["spec"], old["spec"], key, "spec")]


def _validate_revision(obj: Object) -> list[FieldError]:
    problems = [] if obj.get("data") is not None else [required("data", "data is mandatory")]
    number = obj.setdefault("revision", 0)
    return problems + ([invalid("revision", number, "must be greater than or equal to 0")] if number < 0 else [])


def _validate_revision_update(new: Object, old: Object) -> list[FieldError]:
    return [FieldError(item.reason, "data", item.message) for item in immutable(new, old, "data", "")]


STATEFUL_SET = Strategy(
    default=_default,
    prepare_for_create=_prepare,
    validate=_validate,
    validate_update=_validate_update,
    warn=warn_of_template("spec", "template"),
)
CONTROLLER_REVISION = Strategy(validate=_validate_revision, validate_update=_validate_revision_update)
