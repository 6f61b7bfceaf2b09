"""The Job controller.

Source: kubernetes/kubernetes pkg/controller/job/job_controller.go. Pod failure policies, success policies and the
completion mode Indexed are left out. Upstream counts a pod in two writes (its uid, then the number), so that a crash
between them loses nothing; here a pod is counted and its finalizer taken off in one sync.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.store import Object, WatchEvent
from labs.controlplane import pods as pod_facts
from labs.controlplane.job import rules
from labs.controlplane.job.rules import Tally, Verdict
from labs.controlplane.ownership import claim, index_orphans, owners_selecting
from labs.controlplane.ranking import choose_for_deletion
from labs.controlplane.replicaset import create_pod, delete_pod, slow_start_batches
from labs.controlplane.runtime import Controller, Key, controller_of, key_of, owner_reference
from labs.errors import ApiError
from labs.units import SECOND_NS, rfc3339

JOBS = "jobs.batch"
SYNC_BATCH_PERIOD_NS = SECOND_NS
"""Changes of pods within this time are handled together."""

MAX_PODS_PER_SYNC = 500


@dataclass(frozen=True, slots=True)
class Failures:
    """Pods that failed since the last one that succeeded, and when the last of them did."""

    count: int = 0
    last_ns: int = 0


class JobController(Controller):
    """Runs the pods of Jobs until enough have succeeded or too many have failed."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._failures_of: dict[Key, Failures] = {}

    def start(self) -> None:
        """Watch Jobs and pods."""
        index_orphans(self.client, "pods")
        self.watch(JOBS, self._on_job)
        self.watch("pods", self._on_pod)

    def _on_job(self, event: WatchEvent) -> None:
        previous, metadata = event.previous, event.object["metadata"]
        if event.type == "DELETED":
            for pod in self.client.owned_by("pods", metadata["uid"]):
                self._untrack(pod)
        is_same = previous is not None and previous["metadata"].get("generation") == metadata.get("generation")
        is_batched = event.type == "MODIFIED" and is_same
        self._enqueue(*key_of(event.object), is_batched=is_batched)

    def _enqueue(self, namespace: str, name: str, *, is_batched: bool) -> None:
        if is_batched:
            self.enqueue(namespace, name, SYNC_BATCH_PERIOD_NS)
        else:
            self.enqueue(namespace, name)

    def _on_pod(self, event: WatchEvent) -> None:
        namespace = event.object["metadata"]["namespace"]
        owner = controller_of(event.object)
        if owner is not None and owner["kind"] == "Job":
            job = self.client.get(JOBS, namespace, owner["name"])
            if job is None or job["metadata"]["uid"] != owner["uid"]:
                self._untrack(event.object)
            else:
                self._enqueue(namespace, owner["name"], is_batched=True)
        for name in owners_selecting(self.client, JOBS, event):
            self._enqueue(namespace, name, is_batched=True)

    def reconcile(self, namespace: str, name: str) -> None:
        """Sync one Job. Raises the first ApiError of its writes."""
        job = self.client.get(JOBS, namespace, name)
        if job is None:
            self._failures_of.pop((namespace, name), None)
            return
        if rules.is_finished(job):
            self._release_pods(job)
            return
        error = _JobSync(self.client, self, job).run()
        if error is not None:
            raise error

    def _release_pods(self, job: Object) -> None:
        for pod in self.client.owned_by("pods", job["metadata"]["uid"]):
            if pod_facts.is_terminal(pod) or pod_facts.is_leaving(pod):
                self._untrack(pod)

    def note_ended(self, job: Object, ended: list[tuple[int, bool]]) -> Failures:
        """Count pods that ended, as (time, whether it failed), into the Job's run of failures."""
        key = key_of(job)
        failures = self._failures_of.get(key, Failures())
        for time_ns, has_failed in sorted(ended):
            failures = Failures(failures.count + 1, time_ns) if has_failed else Failures()
        self._failures_of[key] = failures
        return failures

    def _untrack(self, pod: Object) -> None:
        untrack(self.client, pod)


def untrack(client: Client, pod: Object) -> None:
    """Take the tracking finalizer off a pod, if it is there and has one."""
    metadata = pod["metadata"]
    current = client.get("pods", metadata["namespace"], metadata["name"])
    if current is None or not is_tracked(current):
        return
    metadata = dict(current["metadata"])
    kept = [name for name in metadata.pop("finalizers") if name != rules.TRACKING_FINALIZER]
    if kept:
        metadata["finalizers"] = kept
    client.update("pods", {**current, "metadata": metadata})


def is_tracked(pod: Object) -> bool:
    """Whether the pod has not been counted yet."""
    return rules.TRACKING_FINALIZER in (pod["metadata"].get("finalizers") or ())


class _JobSync:
    """One sync of one Job."""

    def __init__(self, client: Client, controller: JobController, job: Object) -> None:
        self._client = client
        self._controller = controller
        self._job = job
        self._spec: dict[str, Any] = job["spec"]
        self._before: dict[str, Any] = job.get("status") or {}
        self._conditions: list[dict[str, str]] = list(self._before.get("conditions") or ())
        self._start_time: str | None = self._before.get("startTime")
        self._now_ns = client.now_ns

    def run(self) -> ApiError | None:
        """Count, judge, run or delete pods, write the status. The first refused write, or None."""
        pods = claim(self._client, "pods", self._job)
        ended = self._ended(pods)
        failures = self._controller.note_ended(
            self._job, [(rules.finished_at_ns(pod, self._now_ns), has_failed) for pod, has_failed in ended]
        )
        active = [pod for pod in pods if pod_facts.is_active(pod)]
        tally = self._tally(pods, active, ended)
        self._start_or_suspend()
        verdict = self._judge(tally, pods)
        error = None
        if verdict is not None:
            tally, error = self._stop(tally, active)
        elif not pod_facts.is_leaving(self._job):
            tally, error = self._manage(tally, active, failures)
        self._write(tally, self._conclude(verdict, tally))
        for pod, _ in ended:
            untrack(self._client, pod)
        return error

    def _ended(self, pods: list[Object]) -> list[tuple[Object, bool]]:
        """The pods that ended since the last sync, and whether they failed."""
        only_failed = self._spec.get("podReplacementPolicy") == "Failed"
        found = []
        for pod in filter(is_tracked, pods):
            if pod_facts.phase_of(pod) == "Succeeded":
                found.append((pod, False))
            elif rules.is_failed(pod, replaces_only_failed=only_failed):
                found.append((pod, True))
        return found

    def _tally(self, pods: list[Object], active: list[Object], ended: list[tuple[Object, bool]]) -> Tally:
        failed = sum(has_failed for _, has_failed in ended)
        return Tally(
            active=len(active),
            ready=sum(map(pod_facts.is_ready, active)),
            terminating=sum(map(pod_facts.is_terminating, pods)),
            succeeded=self._before.get("succeeded", 0) + len(ended) - failed,
            failed=self._before.get("failed", 0) + failed,
        )

    def _start_or_suspend(self) -> None:
        was_suspended = rules.has_condition(self._conditions, "Suspended")
        if self._spec.get("suspend"):
            self._start_time = None
            if not was_suspended:
                self._set("Suspended", "True", "JobSuspended", "Job suspended")
                self._client.events.record(self._job, "Normal", "Suspended", "Job suspended")
            return
        if was_suspended:
            self._set("Suspended", "False", "JobResumed", "Job resumed")
            self._client.events.record(self._job, "Normal", "Resumed", "Job resumed")
        if self._start_time is None:
            self._start_time = rfc3339(self._now_ns)

    def _set(self, type: str, status: str, reason: str, message: str) -> None:
        self._conditions = rules.with_condition(self._conditions, type, status, reason, message, self._now_ns)

    def _judge(self, tally: Tally, pods: list[Object]) -> Verdict | None:
        verdict = rules.verdict_of(self._conditions)
        if verdict is not None:
            return verdict
        due_ns = rules.deadline_ns(self._spec, self._start_time)
        if rules.exceeds_backoff_limit(self._spec, tally.failed, pods):
            return rules.BACKOFF_LIMIT
        if due_ns is not None and due_ns <= self._now_ns:
            return rules.DEADLINE
        if not self._spec.get("suspend") and rules.is_successful(self._spec, tally):
            return rules.COMPLETE
        if due_ns is not None:
            self._controller.enqueue(*key_of(self._job), due_ns - self._now_ns)
        return None

    def _stop(self, tally: Tally, active: list[Object]) -> tuple[Tally, ApiError | None]:
        errors = [error for error in (delete_pod(self._client, self._job, pod) for pod in active) if error]
        stopped = len(active) - len(errors)
        left = Tally(tally.active - stopped, 0, tally.terminating + stopped, tally.succeeded, tally.failed)
        return left, errors[0] if errors else None

    def _manage(self, tally: Tally, active: list[Object], failures: Failures) -> tuple[Tally, ApiError | None]:
        wanted = rules.wanted_active(self._spec, tally)
        if tally.active > wanted:
            surplus = choose_for_deletion(active, active, tally.active - wanted, self._now_ns)
            return self._stop(tally, surplus[:MAX_PODS_PER_SYNC])
        waits_for_end = tally.terminating if self._spec.get("podReplacementPolicy") == "Failed" else 0
        missing = min(wanted - tally.active - waits_for_end, MAX_PODS_PER_SYNC)
        if missing <= 0:
            return tally, None
        wait_ns = rules.backoff_left_ns(failures.count, failures.last_ns, self._now_ns)
        if wait_ns > 0:
            self._controller.enqueue(*key_of(self._job), wait_ns)
            return tally, None
        created, error = self._create(missing)
        return Tally(tally.active + created, tally.ready, tally.terminating, tally.succeeded, tally.failed), error

    def _create(self, count: int) -> tuple[int, ApiError | None]:
        pod = pod_facts.pod_from_template(self._spec["template"], self._job, owner_reference(self._job))
        finalizers = [*(pod["metadata"].get("finalizers") or ()), rules.TRACKING_FINALIZER]
        pod["metadata"]["finalizers"] = list(dict.fromkeys(finalizers))
        created = 0
        for batch in slow_start_batches(count):
            errors = [error for error in (create_pod(self._client, self._job, pod) for _ in range(batch)) if error]
            created += batch - len(errors)
            if errors:
                return created, errors[0]
        return created, None

    def _conclude(self, verdict: Verdict | None, tally: Tally) -> str | None:
        """Set the conditions of the verdict; the completion time of a Job that is complete."""
        if verdict is None:
            return None
        self._set(verdict.interim_type, "True", verdict.reason, verdict.message)
        if tally.active or tally.terminating:
            return None
        self._set(verdict.type, "True", verdict.reason, verdict.message)
        if verdict.type == "Complete":
            self._client.events.record(self._job, "Normal", "Completed", "Job completed")
            return rfc3339(self._now_ns)
        self._client.events.record(self._job, "Warning", verdict.reason, verdict.message)
        return None

    def _write(self, tally: Tally, completion_time: str | None) -> None:
        status: dict[str, Any] = {"conditions": self._conditions} if self._conditions else {}
        optional = {
            "startTime": self._start_time,
            "completionTime": completion_time,
            "active": tally.active,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
        }
        status |= {key: value for key, value in optional.items() if value}
        status |= {"terminating": tally.terminating, "ready": tally.ready, "uncountedTerminatedPods": {}}
        if status != self._before:
            self._client.update_status(JOBS, {**self._job, "status": status})
