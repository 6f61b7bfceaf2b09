"""Deleting finished Jobs after ``ttlSecondsAfterFinished``.

Source: kubernetes/kubernetes pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from __future__ import annotations

from labs.api.deletion import DeleteOptions
from labs.api.store import Object, WatchEvent
from labs.controlplane.job.controller import JOBS
from labs.controlplane.job.rules import is_finished
from labs.controlplane.runtime import Controller, key_of
from labs.units import SECOND_NS, parse_rfc3339


def expires_at_ns(job: Object) -> int | None:
    """When a finished Job is to be deleted; None when it is not finished or stays for good."""
    ttl_s = job["spec"].get("ttlSecondsAfterFinished")
    if ttl_s is None or not is_finished(job):
        return None
    ends = [
        parse_rfc3339(item["lastTransitionTime"])
        for item in job["status"]["conditions"]
        if item["type"] in ("Complete", "Failed") and item["status"] == "True"
    ]
    return min(ends) + int(ttl_s) * SECOND_NS


class TtlAfterFinishedController(Controller):
    """Deletes Jobs, and with them their pods, when their time is over."""

    def start(self) -> None:
        """Watch Jobs."""
        self.watch(JOBS, self._on_job)

    def _on_job(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and expires_at_ns(event.object) is not None:
            self.enqueue(*key_of(event.object))

    def reconcile(self, namespace: str, name: str) -> None:
        """Delete one Job, or come back when it is due."""
        job = self.client.get(JOBS, namespace, name)
        due_ns = expires_at_ns(job) if job is not None else None
        if job is None or due_ns is None or "deletionTimestamp" in job["metadata"]:
            return
        if due_ns > self.client.now_ns:
            self.enqueue(namespace, name, due_ns - self.client.now_ns)
            return
        options = DeleteOptions(propagation="Foreground", uid=job["metadata"]["uid"])
        self.client.delete(JOBS, namespace, name, options)
