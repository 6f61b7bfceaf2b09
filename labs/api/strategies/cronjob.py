"""batch/v1: CronJobs.

Source: kubernetes/kubernetes pkg/apis/batch/{v1/defaults.go,validation/validation.go},
pkg/registry/batch/cronjob/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.cron import ScheduleError, load_zone, parse_schedule
from labs.api.strategies.batch import validate_job_template
from labs.api.strategies.pod_defaults import default_template
from labs.api.strategies.rules import not_negative
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, invalid, not_supported, required

MAX_NAME_CHARACTERS = 52
"""A Job's name is 11 characters longer, and a label value holds 63."""
POLICIES = ("Allow", "Forbid", "Replace")
ZONE_IN_SCHEDULE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    set_missing(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1, jobTemplate={})
    set_missing(spec["jobTemplate"], metadata={}, spec={})
    default_template(spec["jobTemplate"]["spec"])


def _prepare(obj: Object) -> None:
    obj["status"] = {}


def _validate(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = _schedule_problems(spec)
    problems += not_negative(spec, "startingDeadlineSeconds", "spec")
    problems += _zone_problems(spec.get("timeZone"))
    if spec["concurrencyPolicy"] not in POLICIES:
        problems.append(not_supported("spec.concurrencyPolicy", spec["concurrencyPolicy"], POLICIES))
    problems += validate_job_template(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        problems += not_negative(spec, key, "spec")
    name = obj["metadata"].get("name") or ""
    if len(name) > MAX_NAME_CHARACTERS:
        problems.append(invalid("metadata.name", name, f"must be no more than {MAX_NAME_CHARACTERS} characters"))
    return problems


def _schedule_problems(spec: dict[str, Any]) -> list[FieldError]:
    schedule = spec.get("schedule") or ""
    if not schedule:
        return [required("spec.schedule")]
    if "TZ" in schedule:
        both = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        return [invalid("spec.schedule", schedule, both if spec.get("timeZone") else ZONE_IN_SCHEDULE)]
    try:
        parse_schedule(schedule)
    except ScheduleError as error:
        return [invalid("spec.schedule", schedule, str(error))]
    return []


def _zone_problems(zone: str | None) -> list[FieldError]:
    if zone is None:
        return []
    if not zone:
        return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid("spec.timeZone", zone, text)]
    try:
        load_zone(zone)
    except ScheduleError as error:
        return [invalid("spec.timeZone", zone, str(error))]
    return []


CRON_JOB = Strategy(default=_default, prepare_for_create=_prepare, validate=_validate)
