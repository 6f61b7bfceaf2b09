"""batch/v1: Jobs.

Source: kubernetes/kubernetes pkg/apis/batch/{v1/defaults.go,validation/validation.go},
pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.go_forms import go_form
from labs.api.objects import at
from labs.api.selectors import selector_from_label_selector
from labs.api.strategies.job_policies import validate_failure_policy
from labs.api.strategies.pod_defaults import default_template
from labs.api.strategies.rules import immutable, label_selector, not_negative
from labs.api.strategies.warnings import warn_of_template
from labs.api.strategies.workloads import MISMATCH, set_missing, validate_pod_template
from labs.api.strategy import FieldError, Object, Strategy, invalid, not_supported, required

MAX_PARALLEL_INDEXED = 100_000
MODES = ("NonIndexed", "Indexed")
RESTART_POLICIES = ("OnFailure", "Never")
REPLACEMENTS = ("Failed", "TerminatingOrFailed")
COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)


def _default_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    set_missing(spec, parallelism=1, completionMode="NonIndexed", suspend=False, manualSelector=False)
    if spec.get("backoffLimit") is None:
        spec["backoffLimit"] = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for condition in rule.get("onPodConditions") or ():
            condition["status"] = condition.get("status") or "True"
    replacement = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    set_missing(spec, podReplacementPolicy=replacement)
    default_template(spec)
    labels = spec["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _prepare_job(obj: Object) -> None:
    obj["status"] = {}
    spec, metadata = obj["spec"], obj["metadata"]
    if spec.get("manualSelector"):
        return
    template = spec["template"].setdefault("metadata", {})
    labels = template["labels"] = dict(template.get("labels") or {})
    uid, name = metadata["uid"], metadata.get("name") or ""
    if not labels.get("job-name") and len(name) <= 63:
        labels["job-name"] = name
        labels["batch.kubernetes.io/job-name"] = name
    labels["controller-uid"] = uid
    labels["batch.kubernetes.io/controller-uid"] = uid
    if not metadata.get("labels"):
        # A real server fills them in whenever it reads the stored Job.
        metadata["labels"] = dict(labels)
    selector = spec.get("selector") or {}
    match = dict(selector.get("matchLabels") or {})
    match["batch.kubernetes.io/controller-uid"] = uid
    spec["selector"] = {**selector, "matchLabels": match}


def _validate_job(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    return validate_job_template(spec, "spec") + _selector_problems(spec)


def validate_job_template(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``validateJobSpec``: also of the Jobs that a CronJob makes."""
    problems = [problem for key in COUNTS for problem in not_negative(spec, key, path)]
    problems += _mode_problems(spec, path)
    policy = spec.get("podFailurePolicy")
    if policy is not None:
        problems += validate_failure_policy(policy, spec, f"{path}.podFailurePolicy")
    if spec.get("podReplacementPolicy") is not None:
        problems += _replacement_problems(spec, path)
    return problems + _template_problems(spec, path)


def _mode_problems(spec: dict[str, Any], path: str) -> list[FieldError]:
    mode = spec.get("completionMode") or "NonIndexed"
    problems: list[FieldError] = []
    if mode not in MODES:
        problems.append(not_supported(f"{path}.completionMode", mode, MODES))
    if mode == "Indexed":
        if spec.get("completions") is None:
            problems.append(required(f"{path}.completions", "when completion mode is Indexed"))
        if (spec.get("parallelism") or 0) > MAX_PARALLEL_INDEXED:
            text = f"must be less than or equal to {MAX_PARALLEL_INDEXED} when completion mode is Indexed"
            problems.append(invalid(f"{path}.parallelism", spec["parallelism"], text))
    if mode == "NonIndexed":
        for key in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(key) is not None:
                problems.append(invalid(f"{path}.{key}", spec[key], "requires indexed completion mode"))
    return problems


def _replacement_problems(spec: dict[str, Any], path: str) -> list[FieldError]:
    replacement, has_policy = spec["podReplacementPolicy"], spec.get("podFailurePolicy") is not None
    allowed = ("Failed",) if has_policy else REPLACEMENTS
    return [] if replacement in allowed else [not_supported(f"{path}.podReplacementPolicy", replacement, allowed)]


def _template_problems(spec: dict[str, Any], path: str) -> list[FieldError]:
    problems = validate_pod_template(spec["template"], f"{path}.template")
    policy, here = spec["template"]["spec"].get("restartPolicy"), f"{path}.template.spec.restartPolicy"
    if policy == "Always":
        problems.append(required(here, 'valid values: "OnFailure", "Never"'))
    elif policy not in RESTART_POLICIES:
        problems.append(not_supported(here, policy, RESTART_POLICIES))
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        problems.append(invalid(here, policy, text))
    return problems


def _selector_problems(spec: dict[str, Any]) -> list[FieldError]:
    selector = spec.get("selector")
    labels = at(spec, "template", "metadata", "labels")
    if selector is None:
        return [required("spec.selector"), invalid("spec.template.metadata.labels", labels, MISMATCH)]
    problems = label_selector(selector, "spec.selector")
    if not problems and not selector_from_label_selector(selector).matches(labels):
        problems.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    return problems


def _validate_job_update(new: Object, old: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    if new["spec"].get("completionMode") != "Indexed" or new["spec"].get("completions") != new["spec"].get(
        "parallelism"
    ):
        problems += immutable(new["spec"], old["spec"], "completions", "spec")
    for key in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "manualSelector"):
        problems += immutable(new["spec"], old["spec"], key, "spec")
    if new["spec"].get("template") != old["spec"].get("template") and not _may_change_template(old):
        shown = go_form("core.PodTemplateSpec", new["spec"].get("template"))
        problems.append(invalid("spec.template", shown, "field is immutable"))
    return problems


def _may_change_template(old: Object) -> bool:
    """A job that is suspended and has not started may still be directed to other nodes."""
    return bool(old["spec"].get("suspend")) and not (old.get("status") or {}).get("startTime")


JOB = Strategy(
    default=_default_job,
    prepare_for_create=_prepare_job,
    validate=_validate_job,
    validate_update=_validate_job_update,
    warn=warn_of_template("spec", "template"),
)
