"""apps/v1: Deployments, ReplicaSets and DaemonSets.

Source: kubernetes/kubernetes pkg/apis/apps/{v1/defaults.go,validation/validation.go},
pkg/registry/apps/{deployment,replicaset,daemonset}/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.metadata import validate_annotations
from labs.api.objects import at
from labs.api.selectors import selector_from_label_selector
from labs.api.strategies.pod_defaults import default_template
from labs.api.strategies.pod_validation import validate_pod_spec
from labs.api.strategies.rules import (
    IMMUTABLE,
    at_most_all,
    int_or_percent,
    label_map,
    label_selector,
    not_negative,
)
from labs.api.strategies.warnings import warn_of_template
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

DEFAULT_SURGE = "25%"
EMPTY_SELECTOR = "empty selector is invalid for deployment"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
MISMATCH = "`selector` does not match template `labels`"


def set_missing(holder: dict[str, Any], **values: Any) -> None:
    """Set what is absent or null."""
    for key, value in values.items():
        if holder.get(key) is None:
            holder[key] = value


def _default_deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec["strategy"] = spec.get("strategy") or {}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        set_missing(rolling, maxUnavailable=DEFAULT_SURGE, maxSurge=DEFAULT_SURGE)
    default_template(spec)


def _default_replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, replicas=1)
    default_template(spec)


def _default_daemon_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, revisionHistoryLimit=10)
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        set_missing(rolling, maxUnavailable=1, maxSurge=0)
    default_template(spec)
    annotations = obj["metadata"].setdefault("annotations", {})
    annotations.setdefault(TEMPLATE_GENERATION, "1")


def _count_template(new: Object, old: Object) -> None:
    """The deprecated count of template changes."""
    before = (old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "0")
    is_changed = new["spec"].get("template") != old["spec"].get("template")
    count = int(before) + 1 if is_changed and before.isdigit() else before
    annotations = new["metadata"].get("annotations") or {}
    new["metadata"]["annotations"] = {**annotations, TEMPLATE_GENERATION: str(count)}


def _default_replication_controller(obj: Object) -> None:
    _default_replica_set(obj)
    spec = obj["spec"]
    labels = at(spec, "template", "metadata", "labels") or {}
    spec["selector"] = spec.get("selector") or dict(labels)
    if not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _default_pod_template(obj: Object) -> None:
    default_template(obj)


def _empty_status(obj: Object) -> None:
    obj["status"] = {}


def _daemon_set_status(obj: Object) -> None:
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    obj["status"] = dict.fromkeys(counts, 0)


def _replica_set_status(obj: Object) -> None:
    obj["status"] = {"replicas": 0}


def validate_pod_template(template: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidatePodTemplateSpec``."""
    problems = label_map(at(template, "metadata", "labels"), f"{path}.labels")
    problems += validate_annotations(at(template, "metadata", "annotations"), f"{path}.annotations")
    problems += validate_pod_spec(template["spec"], f"{path}.spec")
    if template["spec"].get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        problems.append(forbidden(f"{path}.spec.ephemeralContainers", text))
    return problems


def validate_template(spec: dict[str, Any], path: str, *, owner: str = "ReplicaSet") -> list[FieldError]:
    """The template of pods that always run again."""
    template = spec["template"]
    problems = validate_pod_template(template, path)
    policy = template["spec"].get("restartPolicy")
    if policy != "Always":
        problems.append(not_supported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if template["spec"].get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {owner} is not Supported"
        problems.append(forbidden(f"{path}.spec.activeDeadlineSeconds", text))
    return problems


def selector_problems(
    spec: dict[str, Any], empty_text: str, unreadable: str = "invalid label selector"
) -> tuple[list[FieldError], list[FieldError]]:
    """Problems of the selector itself, and of the template's labels under it."""
    selector = spec.get("selector")
    labels = at(spec, "template", "metadata", "labels") or {}
    mismatch = invalid("spec.template.metadata.labels", labels, MISMATCH)
    if selector is None:
        return [required("spec.selector")], [mismatch]
    problems = label_selector(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        problems.append(invalid("spec.selector", selector, empty_text))
        return problems, []
    if problems:
        return [*problems, invalid("spec.selector", selector, unreadable)], []
    return [], [] if selector_from_label_selector(selector).matches(labels) else [mismatch]


def _validate_deployment(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = not_negative(spec, "replicas", "spec")
    own, mismatch = selector_problems(spec, EMPTY_SELECTOR)
    problems += own
    problems += mismatch
    problems += validate_template(spec, "spec.template")
    problems += _strategy_problems(spec["strategy"])
    problems += not_negative(spec, "minReadySeconds", "spec")
    problems += not_negative(spec, "revisionHistoryLimit", "spec")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        problems += not_negative(spec, "progressDeadlineSeconds", "spec")
        if deadline <= (spec.get("minReadySeconds") or 0):
            problems.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return problems


def _strategy_problems(strategy: dict[str, Any]) -> list[FieldError]:
    path = "spec.strategy"
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "Recreate":
        if rolling is None:
            return []
        return [forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
    if strategy["type"] != "RollingUpdate":
        return [not_supported(path, _go_strategy(strategy), ("Recreate", "RollingUpdate"))]
    if rolling is None:
        return [required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")]
    problems: list[FieldError] = []
    for key in ("maxUnavailable", "maxSurge"):
        problems += int_or_percent(rolling[key], f"{path}.rollingUpdate.{key}")
    if is_zero(rolling["maxUnavailable"]) and is_zero(rolling["maxSurge"]):
        text = "may not be 0 when `maxSurge` is 0"
        problems.append(invalid(f"{path}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], text))
    return problems + at_most_all(rolling["maxUnavailable"], f"{path}.rollingUpdate.maxUnavailable")


def _go_strategy(strategy: dict[str, Any]) -> dict[str, Any]:
    return {"Type": strategy["type"], "RollingUpdate": strategy.get("rollingUpdate")}


def is_zero(value: Any) -> bool:
    """Whether an int-or-percent is 0 or 0 %."""
    return value == 0 or (isinstance(value, str) and value.rstrip("%").strip("0") == "" and value != "")


def _validate_replica_set(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = not_negative(spec, "replicas", "spec") + not_negative(spec, "minReadySeconds", "spec")
    own, mismatch = selector_problems(spec, EMPTY_SELECTOR)
    return problems + own + mismatch + validate_template(spec, "spec.template")


def _validate_replication_controller(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = not_negative(spec, "replicas", "spec") + not_negative(spec, "minReadySeconds", "spec")
    labels = at(spec, "template", "metadata", "labels") or {}
    if not spec["selector"]:
        problems.append(required("spec.selector"))
    elif not spec["selector"].items() <= labels.items():
        problems.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    return problems + validate_template(spec, "spec.template")


def _validate_pod_template(obj: Object) -> list[FieldError]:
    problems = label_map(at(obj, "template", "metadata", "labels"), "template.metadata.labels")
    return problems + validate_pod_spec(obj["template"]["spec"], "template.spec")


def _validate_daemon_set(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    selector = spec.get("selector")
    problems = label_selector(selector, "spec.selector")
    labels = at(spec, "template", "metadata", "labels") or {}
    if not problems and (selector is None or not selector_from_label_selector(selector).matches(labels)):
        problems.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        problems.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
    problems += validate_template(spec, "spec.template", owner="DaemonSet")
    problems += not_negative(spec, "minReadySeconds", "spec")
    problems += _update_strategy_problems(spec["updateStrategy"], "spec.updateStrategy")
    return problems + not_negative(spec, "revisionHistoryLimit", "spec")


def _update_strategy_problems(strategy: dict[str, Any], path: str) -> list[FieldError]:
    if strategy["type"] == "OnDelete":
        return []
    if strategy["type"] != "RollingUpdate":
        return [not_supported(path, _go_strategy(strategy), ("RollingUpdate", "OnDelete"))]
    rolling = strategy.get("rollingUpdate")
    if rolling is None:
        return [required(f"{path}.rollingUpdate")]
    problems: list[FieldError] = []
    for rule in (int_or_percent, at_most_all):
        for key in ("maxUnavailable", "maxSurge"):
            problems += rule(rolling[key], f"{path}.rollingUpdate.{key}")
    has_unavailable, has_surge = not is_zero(rolling["maxUnavailable"]), not is_zero(rolling["maxSurge"])
    if has_unavailable and has_surge:
        text = "may not be set when maxUnavailable is non-zero"
        problems.append(invalid(f"{path}.rollingUpdate.maxSurge", rolling["maxSurge"], text))
    elif not has_unavailable and not has_surge:
        problems.append(required(f"{path}.rollingUpdate.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return problems


def _selector_is_immutable(new: Object, old: Object) -> list[FieldError]:
    if new["spec"].get("selector") == old["spec"].get("selector"):
        return []
    return [invalid("spec.selector", new["spec"].get("selector"), IMMUTABLE)]


DEPLOYMENT = Strategy(
    default=_default_deployment,
    prepare_for_create=_empty_status,
    validate=_validate_deployment,
    validate_update=_selector_is_immutable,
    warn=warn_of_template("spec", "template"),
)
DAEMON_SET = Strategy(
    default=_default_daemon_set,
    prepare_for_create=_daemon_set_status,
    prepare_for_update=_count_template,
    validate=_validate_daemon_set,
    validate_update=_selector_is_immutable,
    warn=warn_of_template("spec", "template"),
)
REPLICA_SET = Strategy(
    default=_default_replica_set,
    prepare_for_create=_replica_set_status,
    validate=_validate_replica_set,
    validate_update=_selector_is_immutable,
    warn=warn_of_template("spec", "template"),
)
REPLICATION_CONTROLLER = Strategy(
    default=_default_replication_controller,
    prepare_for_create=_replica_set_status,
    validate=_validate_replication_controller,
    warn=warn_of_template("spec", "template"),
)
POD_TEMPLATE = Strategy(
    default=_default_pod_template, validate=_validate_pod_template, warn=warn_of_template("template")
)
