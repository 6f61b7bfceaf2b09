"""The rules of Jobs: how many pods to run, when a Job has failed or is complete, and how long to back off.

Source: kubernetes/kubernetes pkg/controller/job/{job_controller,backoff_utils}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.store import Object
from labs.controlplane import pods as pod_facts
from labs.units import MINUTE_NS, SECOND_NS, parse_rfc3339, rfc3339

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
POD_FAILURE_BACKOFF_NS = 10 * SECOND_NS
MAX_POD_FAILURE_BACKOFF_NS = 10 * MINUTE_NS

Condition = dict[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a Job is over: ``type`` is Complete or Failed."""

    type: str
    reason: str
    message: str

    @property
    def interim_type(self) -> str:
        """The condition that holds until the Job's last pod has ended."""
        return "SuccessCriteriaMet" if self.type == "Complete" else "FailureTarget"


COMPLETE = Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
BACKOFF_LIMIT = Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass(frozen=True, slots=True)
class Tally:
    """A Job's pods: ``succeeded`` and ``failed`` count every pod so far, the others those that are there."""

    active: int
    ready: int
    terminating: int
    succeeded: int
    failed: int


def is_failed(pod: Object, *, replaces_only_failed: bool) -> bool:
    """``isPodFailed``: a pod that is being deleted counts too, unless only pods at their end are replaced."""
    phase = pod_facts.phase_of(pod)
    if phase == "Failed":
        return True
    return not replaces_only_failed and pod_facts.is_leaving(pod) and phase != "Succeeded"


def restarts(pods: Iterable[Object]) -> int:
    """Container restarts of the pods that have not ended."""
    return sum(
        item.get("restartCount", 0)
        for pod in pods
        if not pod_facts.is_terminal(pod)
        for field in ("initContainerStatuses", "containerStatuses")
        for item in (pod.get("status") or {}).get(field) or ()
    )


def exceeds_backoff_limit(spec: dict[str, Any], failed: int, pods: Sequence[Object]) -> bool:
    """Whether more pods failed, or containers restarted (restartPolicy OnFailure), than the Job puts up with."""
    limit = spec.get("backoffLimit", 6)
    if failed > limit:
        return True
    if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    count = restarts(pods)
    return count > 0 if limit == 0 else count >= limit


def deadline_ns(spec: dict[str, Any], start_time: str | None) -> int | None:
    """When the Job's activeDeadlineSeconds are over; None without one or before its start."""
    if spec.get("activeDeadlineSeconds") is None or start_time is None or spec.get("suspend"):
        return None
    return parse_rfc3339(start_time) + int(spec["activeDeadlineSeconds"]) * SECOND_NS


def is_successful(spec: dict[str, Any], tally: Tally) -> bool:
    """Whether enough pods have succeeded; without completions one is enough once no pod runs."""
    completions = spec.get("completions")
    if completions is None:
        return tally.succeeded > 0 and tally.active == 0
    return tally.succeeded >= int(completions)


def wanted_active(spec: dict[str, Any], tally: Tally) -> int:
    """How many pods should run now."""
    parallelism: int = spec.get("parallelism", 1)
    if spec.get("suspend"):
        return 0
    if spec.get("completions") is None:
        return tally.active if tally.succeeded > 0 else parallelism
    return max(0, min(int(spec["completions"]) - tally.succeeded, parallelism))


def backoff_left_ns(failures: int, last_failure_ns: int, now_ns: int) -> int:
    """How long new pods wait after ``failures`` in a row: 10 s, doubled each time, at most 10 min."""
    if failures == 0:
        return 0
    delay_ns = min(POD_FAILURE_BACKOFF_NS << min(failures - 1, 20), MAX_POD_FAILURE_BACKOFF_NS)
    return max(0, last_failure_ns + delay_ns - now_ns)


def finished_at_ns(pod: Object, now_ns: int) -> int:
    """``getFinishedTime``: when the last container ended, else when deletion was asked for, else now."""
    ends = []
    for item in (pod.get("status") or {}).get("containerStatuses") or ():
        terminated = (item.get("state") or {}).get("terminated") or {}
        if terminated.get("finishedAt"):
            ends.append(parse_rfc3339(terminated["finishedAt"]))
    if ends:
        return max(ends)
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata:
        grace_ns = int(metadata.get("deletionGracePeriodSeconds", 0)) * SECOND_NS
        return parse_rfc3339(metadata["deletionTimestamp"]) - grace_ns
    return now_ns


def has_condition(conditions: Iterable[Condition], type: str) -> bool:
    """Whether the condition is True."""
    return any(item["type"] == type and item["status"] == "True" for item in conditions)


def with_condition(
    conditions: Sequence[Condition], type: str, status: str, reason: str, message: str, now_ns: int
) -> list[Condition]:
    """``ensureJobConditionStatus``: the condition set; nothing new when it was never there and is to be False."""
    now = rfc3339(now_ns)
    fresh = {
        "type": type,
        "status": status,
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }
    current = next((item for item in conditions if item["type"] == type), None)
    if current is None:
        return [*conditions, fresh] if status != "False" else list(conditions)
    if (current["status"], current.get("reason"), current.get("message")) == (status, reason, message):
        return list(conditions)
    return [fresh if item is current else item for item in conditions]


def verdict_of(conditions: Iterable[Condition]) -> Verdict | None:
    """The verdict that an interim condition of an earlier sync holds."""
    for item in conditions:
        if item["status"] == "True" and item["type"] in ("SuccessCriteriaMet", "FailureTarget"):
            final_type = "Complete" if item["type"] == "SuccessCriteriaMet" else "Failed"
            return Verdict(final_type, item.get("reason", ""), item.get("message", ""))
    return None


def is_finished(job: Object) -> bool:
    """Whether the Job is Complete or Failed."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return has_condition(conditions, "Complete") or has_condition(conditions, "Failed")
