"""Controllers of pods.

Source: kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.durations import human_duration
from labs.api.selectors import format_label_selector, selector_from_label_selector
from labs.api.tables.printer import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Column,
    Object,
    Printer,
    View,
    container_cells,
    given,
    integers,
    is_true,
    labels_text,
    name_of,
    spec_of,
    status_of,
    texts,
    wide,
)
from labs.units import parse_rfc3339

_PODS = wide("Containers", "Images", "Selector")


def _deployment(deployment: Object, view: View) -> list[Any]:
    spec, status = spec_of(deployment), status_of(deployment)
    try:
        selector = str(selector_from_label_selector(spec.get("selector")))
    except ValueError:
        selector = "<invalid>"
    return [
        name_of(deployment),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        view.object_age(deployment),
        *container_cells(spec.get("template") or {}),
        selector,
    ]


def _replica_counts(owner: Object, view: View) -> list[Any]:
    spec, status = spec_of(owner), status_of(owner)
    return [
        name_of(owner),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        view.object_age(owner),
        *container_cells(spec.get("template") or {}),
    ]


def _replica_set(replica_set: Object, view: View) -> list[Any]:
    return [*_replica_counts(replica_set, view), format_label_selector(spec_of(replica_set).get("selector"))]


def _replication_controller(controller: Object, view: View) -> list[Any]:
    return [*_replica_counts(controller, view), labels_text(spec_of(controller).get("selector"))]


def _stateful_set(stateful_set: Object, view: View) -> list[Any]:
    spec = spec_of(stateful_set)
    return [
        name_of(stateful_set),
        f"{status_of(stateful_set).get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        view.object_age(stateful_set),
        *container_cells(spec.get("template") or {}),
    ]


def _daemon_set(daemon_set: Object, view: View) -> list[Any]:
    spec, status = spec_of(daemon_set), status_of(daemon_set)
    template = spec.get("template") or {}
    return [
        name_of(daemon_set),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        labels_text(spec_of(template).get("nodeSelector")),
        view.object_age(daemon_set),
        *container_cells(template),
        format_label_selector(spec.get("selector")),
    ]


def _job(job: Object, view: View) -> list[Any]:
    spec = spec_of(job)
    return [
        name_of(job),
        _job_status(job),
        _job_completions(job),
        _job_duration(job, view),
        view.object_age(job),
        *container_cells(spec.get("template") or {}),
        format_label_selector(spec.get("selector")),
    ]


def _job_status(job: Object) -> str:
    for condition in ("Complete", "Failed"):
        if is_true(job, condition):
            return condition
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_true(job, condition):
            return condition
    return "Running"


def _job_completions(job: Object) -> str:
    spec, succeeded = spec_of(job), status_of(job).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(job: Object, view: View) -> str:
    started, completed = status_of(job).get("startTime"), status_of(job).get("completionTime")
    if not started:
        return ""
    return human_duration((parse_rfc3339(completed) if completed else view.now_ns) - parse_rfc3339(started))


def _cron_job(cron_job: Object, view: View) -> list[Any]:
    spec, status = spec_of(cron_job), status_of(cron_job)
    job_spec = spec_of(spec.get("jobTemplate") or {})
    suspend = spec.get("suspend")
    last = status.get("lastScheduleTime")
    return [
        name_of(cron_job),
        spec.get("schedule", ""),
        given(spec.get("timeZone"), NONE),
        UNSET if suspend is None else str(suspend),
        len(status.get("active") or []),
        view.age(last) if last else NONE,
        view.object_age(cron_job),
        *container_cells(job_spec.get("template") or {}),
        format_label_selector(job_spec.get("selector")),
    ]


def _controller_revision(revision: Object, view: View) -> list[Any]:
    owners = revision["metadata"].get("ownerReferences") or []
    owner = next((each for each in owners if each.get("controller")), None)
    controller = NONE
    if owner is not None:
        group, slash, _ = owner["apiVersion"].partition("/")
        kind = f"{owner['kind']}.{group}" if slash else owner["kind"]
        controller = f"{kind.lower()}/{owner['name']}"
    return [name_of(revision), controller, revision.get("revision", 0), view.object_age(revision)]


def _pod_template(template: Object, view: View) -> list[Any]:
    pod = template.get("template") or {}
    return [name_of(template), *container_cells(pod), labels_text((pod.get("metadata") or {}).get("labels"))]


_REPLICAS = (NAME, *integers("Desired", "Current", "Ready"), AGE, *_PODS)

PRINTERS = {
    ("apps", "Deployment"): Printer((NAME, *texts("Ready", "Up-to-date", "Available"), AGE, *_PODS), _deployment),
    ("apps", "ReplicaSet"): Printer(_REPLICAS, _replica_set),
    ("", "ReplicationController"): Printer(_REPLICAS, _replication_controller),
    ("apps", "StatefulSet"): Printer((NAME, *texts("Ready"), AGE, *_PODS[:2]), _stateful_set),
    ("apps", "DaemonSet"): Printer(
        (
            NAME,
            *integers("Desired", "Current", "Ready", "Up-to-date", "Available"),
            *texts("Node Selector"),
            AGE,
            *_PODS,
        ),
        _daemon_set,
    ),
    ("batch", "Job"): Printer((NAME, *texts("Status", "Completions", "Duration"), AGE, *_PODS), _job),
    ("batch", "CronJob"): Printer(
        (
            NAME,
            *texts("Schedule", "Timezone"),
            Column("Suspend", "boolean"),
            *integers("Active"),
            *texts("Last Schedule"),
            AGE,
            *_PODS,
        ),
        _cron_job,
    ),
    ("apps", "ControllerRevision"): Printer((NAME, *texts("Controller", "Revision"), AGE), _controller_revision),
    ("", "PodTemplate"): Printer((NAME, *texts("Containers", "Images", "Pod Labels")), _pod_template),
}
