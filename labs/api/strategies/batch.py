"""batch/v1: Jobs.

Source: kubernetes/kubernetes pkg/apis/batch/{v1/defaults.go,validation/validation.go},
pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.strategies.pod_defaults import default_template
from labs.api.strategies.rules import immutable, not_negative
from labs.api.strategies.workloads import set_missing, validate_template
from labs.api.strategy import FieldError, Object, Strategy, invalid, not_supported, required

MAX_PARALLEL_INDEXED = 100_000


def _default_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    set_missing(spec, parallelism=1, completionMode="NonIndexed", suspend=False, manualSelector=False)
    if spec.get("backoffLimit") is None:
        spec["backoffLimit"] = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
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
    problems = _count_problems(spec, "spec")
    if spec["completionMode"] not in ("Indexed", "NonIndexed"):
        problems.append(not_supported("spec.completionMode", spec["completionMode"], ("Indexed", "NonIndexed")))
    elif spec["completionMode"] == "Indexed" and spec.get("completions") is None:
        problems.append(required("spec.completions", "when completion mode is Indexed"))
    return problems + _template_problems(spec, "spec")


def _template_problems(spec: dict[str, Any], path: str) -> list[FieldError]:
    if spec["template"]["spec"].get("restartPolicy") != "Always":
        return validate_template(spec, f"{path}.template", restart_policies=("OnFailure", "Never"))
    text = 'Required value: valid values: "OnFailure", "Never"'
    problem = FieldError("FieldValueRequired", f"{path}.template.spec.restartPolicy", text)
    return [problem, *validate_template(spec, f"{path}.template", restart_policies=("Always", "OnFailure", "Never"))]


def validate_job_template(spec: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidateJobTemplateSpec``: the spec of the Jobs that a CronJob makes."""
    return _count_problems(spec, path) + _template_problems(spec, path)


def _count_problems(spec: dict[str, Any], path: str) -> list[FieldError]:
    keys = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
    return [problem for key in keys for problem in not_negative(spec, key, path)]


def _validate_job_update(new: Object, old: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    if new["spec"].get("completionMode") != "Indexed" or new["spec"].get("completions") != new["spec"].get(
        "parallelism"
    ):
        problems += immutable(new["spec"], old["spec"], "completions", "spec")
    for key in ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "manualSelector"):
        problems += immutable(new["spec"], old["spec"], key, "spec")
    if new["spec"].get("template") != old["spec"].get("template") and not _may_change_template(old):
        problems.append(invalid("spec.template", new["spec"].get("template"), "field is immutable"))
    return problems


def _may_change_template(old: Object) -> bool:
    """A job that is suspended and has not started may still be directed to other nodes."""
    return bool(old["spec"].get("suspend")) and not (old.get("status") or {}).get("startTime")


JOB = Strategy(
    default=_default_job,
    prepare_for_create=_prepare_job,
    validate=_validate_job,
    validate_update=_validate_job_update,
)
