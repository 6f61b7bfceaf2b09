"""The CronJob controller.

Source: kubernetes/kubernetes pkg/controller/cronjob/{cronjob_controllerv2,utils}.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from labs.api.cron import Schedule, ScheduleError, load_zone, parse_schedule
from labs.api.deletion import DeleteOptions
from labs.api.events import reference_to
from labs.api.store import Object, WatchEvent
from labs.controlplane.ownership import controlled_by
from labs.controlplane.pods import is_leaving
from labs.controlplane.runtime import Controller, owner_reference
from labs.errors import ApiError
from labs.units import MILLISECOND_NS, SECOND_NS, parse_rfc3339, rfc3339

CRON_JOBS, JOBS = "cronjobs.batch", "jobs.batch"
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
AFTER_SCHEDULE_NS = 100 * MILLISECOND_NS
"""How long after its time a job is started: the controller's allowance for clock skew."""
MAX_MISSED = 100
TOO_MANY = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
ALREADY_ACTIVE = "Not starting job because prior execution is running and concurrency policy is Forbid"


@dataclass(frozen=True, slots=True)
class Due:
    """The latest time that has come and was not served (None: there is none), and how many have passed."""

    time_ns: int | None
    missed: int = 0


def latest_due(schedule: Schedule, zone: tzinfo, since_ns: int, now_ns: int, deadline_s: int | None) -> Due:
    """``mostRecentScheduleTime``: the last scheduled time after ``since_ns``, looking back at most the deadline."""
    if deadline_s is not None:
        since_ns = max(since_ns, now_ns - deadline_s * SECOND_NS)
    found, count = None, 0
    due_ns = schedule.next_ns(since_ns, zone)
    while due_ns is not None and due_ns <= now_ns:
        found, count = due_ns, count + 1
        due_ns = schedule.next_ns(due_ns, zone)
    return Due(found, count)


def condition_of_end(job: Object) -> str:
    """``Complete`` or ``Failed`` for a job that has ended, else empty."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return str(condition["type"])
    return ""


def jobs_to_forget(jobs: Sequence[Object], spec: dict[str, Any]) -> list[Object]:
    """The oldest ended jobs beyond the history limits."""
    surplus: list[Object] = []
    for end, limit in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        if spec.get(limit) is None:
            continue
        ended = [job for job in jobs if condition_of_end(job) == end]
        ended.sort(key=lambda job: (job["status"].get("startTime", ""), job["metadata"]["name"]))
        surplus += ended[: max(0, len(ended) - spec[limit])]
    return surplus


def new_job(cron_job: Object, scheduled_ns: int, zone: tzinfo) -> Object:
    """``getJobFromTemplate2``: the job of one scheduled time; its name tells the minute."""
    template, metadata = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    wanted = template.get("metadata") or {}
    at = datetime.fromtimestamp(scheduled_ns // SECOND_NS, zone).isoformat().replace("+00:00", "Z")
    own: dict[str, Any] = {
        "name": f"{metadata['name']}-{scheduled_ns // (60 * SECOND_NS)}",
        "namespace": metadata["namespace"],
        "annotations": {**(wanted.get("annotations") or {}), SCHEDULED_AT: at},
        "ownerReferences": [owner_reference(cron_job)],
    }
    if wanted.get("labels"):
        own["labels"] = wanted["labels"]
    return {"metadata": own, "spec": template["spec"]}


class CronJobController(Controller):
    """Starts the jobs of CronJobs and clears away old ones."""

    def start(self) -> None:
        """Watch CronJobs and Jobs."""
        self.watch(CRON_JOBS, self.enqueue_object)
        self.watch(JOBS, self._on_job)

    def _on_job(self, event: WatchEvent) -> None:
        self.enqueue_controller_of(event, "CronJob")

    def reconcile(self, namespace: str, name: str) -> None:
        """Keep one CronJob's status, start what is due, come back for the next time. Raises ApiError."""
        cron_job = self.client.get(CRON_JOBS, namespace, name)
        if cron_job is None:
            return
        jobs = controlled_by(self.client, JOBS, cron_job["metadata"]["uid"])
        status = self._seen_status(cron_job, jobs)
        if not is_leaving(cron_job):
            self._forget(cron_job, jobs)
            if not cron_job["spec"].get("suspend"):
                status = self._start_due(cron_job, status)
        if status != (cron_job.get("status") or {}):
            self.client.set_status(CRON_JOBS, cron_job, status)

    def _seen_status(self, cron_job: Object, jobs: Sequence[Object]) -> dict[str, Any]:
        """The status without jobs that have ended or gone."""
        status = dict(cron_job.get("status") or {})
        active = {item["uid"]: item for item in status.get("active") or ()}
        record = self.client.events.record
        for job in jobs:
            uid, name, end = job["metadata"]["uid"], job["metadata"]["name"], condition_of_end(job)
            if not end and uid not in active:
                text = f"Saw a job that the controller did not create or forgot: {name}"
                record(cron_job, "Warning", "UnexpectedJob", text)
            if end and active.pop(uid, None) is not None:
                record(cron_job, "Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {end}")
            if end == "Complete":
                completed = job["status"].get("completionTime", "")
                status["lastSuccessfulTime"] = max(status.get("lastSuccessfulTime", ""), completed)
        known = {job["metadata"]["uid"] for job in jobs}
        for uid in [uid for uid in active if uid not in known]:
            record(cron_job, "Normal", "MissingJob", f"Active job went missing: {active.pop(uid)['name']}")
        status["active"] = list(active.values())
        return {key: value for key, value in status.items() if value}

    def _forget(self, cron_job: Object, jobs: Sequence[Object]) -> None:
        for job in jobs_to_forget(jobs, cron_job["spec"]):
            self._delete(cron_job, job["metadata"]["name"])

    def _delete(self, cron_job: Object, name: str) -> None:
        self.client.delete(JOBS, cron_job["metadata"]["namespace"], name, DeleteOptions(propagation="Background"))
        self.client.events.record(cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    def _start_due(self, cron_job: Object, status: dict[str, Any]) -> dict[str, Any]:
        """The status after starting the job that is due, if one is and may."""
        spec, metadata, now_ns = cron_job["spec"], cron_job["metadata"], self.client.now_ns
        record = self.client.events.record
        try:
            schedule = parse_schedule(spec["schedule"])
            zone = load_zone(spec["timeZone"]) if spec.get("timeZone") else UTC
        except ScheduleError as error:
            why = f'unparseable schedule: "{spec["schedule"]}" : {error}'
            record(cron_job, "Warning", "UnparseableSchedule", why)
            return status
        next_ns = schedule.next_ns(now_ns, zone)
        if next_ns is not None:
            self.enqueue(metadata["namespace"], metadata["name"], next_ns - now_ns + AFTER_SCHEDULE_NS)
        since_ns = parse_rfc3339(status.get("lastScheduleTime") or metadata["creationTimestamp"])
        deadline_s = spec.get("startingDeadlineSeconds")
        due = latest_due(schedule, zone, since_ns, now_ns, deadline_s)
        if due.time_ns is None:
            return status
        if due.missed > MAX_MISSED:
            record(cron_job, "Warning", "TooManyMissedTimes", TOO_MANY)
        if deadline_s is not None and due.time_ns + deadline_s * SECOND_NS < now_ns:
            at = datetime.fromtimestamp(due.time_ns // SECOND_NS, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
            record(cron_job, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {at}")
            return status
        if not self._makes_room(cron_job, status):
            return status
        if spec["concurrencyPolicy"] == "Replace":
            status = {key: value for key, value in status.items() if key != "active"}
        return self._start_job(cron_job, status, due.time_ns, zone)

    def _makes_room(self, cron_job: Object, status: dict[str, Any]) -> bool:
        """Whether the concurrency policy lets a job start; Replace deletes the ones that run."""
        active, policy = status.get("active") or [], cron_job["spec"]["concurrencyPolicy"]
        if policy == "Forbid" and active:
            self.client.events.record(cron_job, "Normal", "JobAlreadyActive", ALREADY_ACTIVE)
            return False
        if policy == "Replace":
            for item in active:
                self._delete(cron_job, item["name"])
        return True

    def _start_job(self, cron_job: Object, status: dict[str, Any], due_ns: int, zone: tzinfo) -> dict[str, Any]:
        job = new_job(cron_job, due_ns, zone)
        if self.client.get(JOBS, job["metadata"]["namespace"], job["metadata"]["name"]) is not None:
            return status
        try:
            made = self.client.create(JOBS, job)
        except ApiError as error:
            text = f"Error creating job: {error.message}"
            self.client.events.record(cron_job, "Warning", "FailedCreate", text)
            raise
        self.client.events.record(cron_job, "Normal", "SuccessfulCreate", f"Created job {made['metadata']['name']}")
        active = [*(status.get("active") or ()), reference_to(made)]
        return {**status, "active": active, "lastScheduleTime": rfc3339(due_ns)}
