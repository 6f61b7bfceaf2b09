"""CronJobs: when jobs start, beside which others, and how long they are kept."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import START_NS, Cluster, pod_template

from labs.api.cron import UTC, load_zone, parse_schedule
from labs.api.store import Object
from labs.controlplane.cronjob import latest_due
from labs.controlplane.workloads import start_workload_controllers
from labs.units import SECOND_NS, rfc3339

CRON_JOBS = "cronjobs.batch"


def cron_job(**spec: Any) -> Object:
    template = pod_template("tick")
    template["spec"]["restartPolicy"] = "Never"
    wanted = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}, **spec}
    return {"metadata": {"name": "tick"}, "spec": wanted}


@pytest.fixture
def clock(cluster: Cluster) -> Cluster:
    start_workload_controllers(cluster.api)
    return cluster


def end(cluster: Cluster, condition: str = "Complete") -> None:
    """Have every job end now."""
    now = rfc3339(cluster.loop.now_ns)
    for job in cluster.client.list("jobs.batch", "shop"):
        done = {"type": condition, "status": "True", "lastTransitionTime": now}
        status = {"conditions": [done], "startTime": job["metadata"]["creationTimestamp"], "completionTime": now}
        cluster.client.set_status("jobs.batch", job, status)


def test_a_job_starts_each_minute_and_is_listed_as_active(clock: Cluster) -> None:
    clock.create(CRON_JOBS, cron_job())
    clock.run(125)
    minute = START_NS // (60 * SECOND_NS)
    assert clock.names("jobs.batch") == [f"tick-{minute + 1}", f"tick-{minute + 2}"]
    status = clock.get(CRON_JOBS, "tick")["status"]
    assert [item["name"] for item in status["active"]] == clock.names("jobs.batch")
    assert status["lastScheduleTime"] == "2026-03-02T09:02:00Z"
    assert clock.event_texts("SuccessfulCreate")[-1].startswith("Created ")
    annotations = clock.client.list("jobs.batch", "shop")[0]["metadata"]["annotations"]
    assert annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-03-02T09:01:00Z"


def test_forbid_waits_for_the_job_that_runs(clock: Cluster) -> None:
    clock.create(CRON_JOBS, cron_job(concurrencyPolicy="Forbid"))
    clock.run(185)
    assert len(clock.names("jobs.batch")) == 1
    assert clock.event_texts("JobAlreadyActive")
    end(clock)
    clock.run(1)
    assert len(clock.names("jobs.batch")) == 2


def test_replace_deletes_the_job_that_runs(clock: Cluster) -> None:
    clock.create(CRON_JOBS, cron_job(concurrencyPolicy="Replace"))
    clock.run(62)
    first = clock.names("jobs.batch")
    clock.run(60)
    second = clock.names("jobs.batch")
    assert len(first) == len(second) == 1
    assert first != second


def test_a_suspended_cronjob_starts_nothing_and_misses_nothing_beyond_its_deadline(clock: Cluster) -> None:
    clock.create(CRON_JOBS, cron_job(suspend=True, startingDeadlineSeconds=30))
    clock.run(100)
    assert clock.names("jobs.batch") == []
    clock.patch(CRON_JOBS, "tick", lambda spec: {**spec, "suspend": False})
    clock.run(1)
    assert clock.names("jobs.batch") == []
    clock.run(25)
    assert len(clock.names("jobs.batch")) == 1


def test_old_jobs_go_by_the_history_limits(clock: Cluster) -> None:
    clock.create(CRON_JOBS, cron_job(successfulJobsHistoryLimit=2))
    clock.run(1)
    for _ in range(4):
        clock.run(60)
        end(clock)
    clock.run(2)
    assert len(clock.names("jobs.batch")) == 2
    status = clock.get(CRON_JOBS, "tick")["status"]
    assert "active" not in status
    assert status["lastSuccessfulTime"] == "2026-03-02T09:04:01Z"
    assert clock.event_texts("SawCompletedJob")[0].endswith("condition: Complete")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("30 3 * * *", "2026-03-03T03:30:00Z"),
        ("*/15 * * * *", "2026-03-02T09:15:00Z"),
        ("0 0 13 * 5", "2026-03-06T00:00:00Z"),
        ("0 0 */2 * 5", "2026-03-03T00:00:00Z"),
        ("0 0 * * 5", "2026-03-06T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 9-17/4 * * mon-fri", "2026-03-02T13:00:00Z"),
        ("@weekly", "2026-03-08T00:00:00Z"),
        ("@every 90m", "2026-03-02T10:30:00Z"),
        ("0 0 30 2 *", None),
    ],
)
def test_schedules_come_due_when_they_say(schedule: str, expected: str | None) -> None:
    due_ns = parse_schedule(schedule).next_ns(START_NS)
    assert (None if due_ns is None else rfc3339(due_ns)) == expected


def test_a_schedule_follows_its_time_zone_over_the_change_of_clocks() -> None:
    zone, schedule = load_zone("Europe/Berlin"), parse_schedule("30 2 * * *")
    times, at_ns = [], START_NS + 26 * 86_400 * SECOND_NS
    for _ in range(2):
        found = schedule.next_ns(at_ns, zone)
        assert found is not None
        at_ns = found
        times.append(rfc3339(at_ns))
    assert times == ["2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"]


def test_only_the_latest_of_many_missed_times_counts() -> None:
    due = latest_due(parse_schedule("* * * * *"), UTC, START_NS, START_NS + 3630 * SECOND_NS, None)
    assert (due.time_ns, due.missed) == (START_NS + 3600 * SECOND_NS, 60)
