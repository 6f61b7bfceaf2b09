"""Jobs: completions, failures, deadlines, conditions and cleaning up."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet

from labs.api.store import Object
from labs.controlplane.job.rules import backoff_left_ns
from labs.controlplane.workloads import start_workload_controllers
from labs.units import SECOND_NS

JOBS = "jobs.batch"


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    start_workload_controllers(cluster.api)
    return TinyKubelet(cluster)


def job(**spec: Any) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox", "command": ["true"]}]}
    return {"metadata": {"name": "once"}, "spec": {"template": {"spec": pod}, **spec}}


def end_pods(cluster: Cluster, phase: str) -> None:
    for pod in cluster.pods():
        if pod["status"]["phase"] == "Running":
            cluster.set_pod_status(pod, phase=phase, conditions=[])


def conditions(cluster: Cluster) -> list[tuple[str, str]]:
    status = cluster.get(JOBS, "once")["status"]
    return [(item["type"], item["reason"]) for item in status.get("conditions") or ()]


def test_a_job_runs_its_pod_and_completes(cluster: Cluster, kubelet: TinyKubelet) -> None:
    uid = cluster.create(JOBS, job())["metadata"]["uid"]
    cluster.run(3)
    [pod] = cluster.pods()
    assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "once"
    assert pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == uid
    status = cluster.get(JOBS, "once")["status"]
    assert (status["active"], status["ready"], status["terminating"]) == (1, 1, 0)

    end_pods(cluster, "Succeeded")
    cluster.run(3)

    status = cluster.get(JOBS, "once")["status"]
    assert status["succeeded"] == 1
    assert "active" not in status
    assert status["uncountedTerminatedPods"] == {}
    assert status["completionTime"] > status["startTime"]
    assert conditions(cluster) == [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
    assert "finalizers" not in cluster.pods()[0]["metadata"]
    assert cluster.event_texts("Completed") == ["Job completed"]


def test_parallelism_bounds_the_active_pods_until_completions_are_reached(
    cluster: Cluster, kubelet: TinyKubelet
) -> None:
    cluster.create(JOBS, job(parallelism=2, completions=5))
    most = 0
    for _ in range(8):
        cluster.run(3)
        most = max(most, cluster.get(JOBS, "once")["status"].get("active", 0))
        end_pods(cluster, "Succeeded")

    assert most == 2
    assert cluster.get(JOBS, "once")["status"]["succeeded"] == 5
    assert len(cluster.pods()) == 5


def test_failures_back_off_and_exceed_their_limit(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(JOBS, job(backoffLimit=1))
    cluster.run(3)
    end_pods(cluster, "Failed")
    cluster.run(5)
    assert len(cluster.pods()) == 1
    cluster.run(10)
    assert len(cluster.pods()) == 2

    end_pods(cluster, "Failed")
    cluster.run(5)

    status = cluster.get(JOBS, "once")["status"]
    assert status["failed"] == 2
    assert "completionTime" not in status
    assert conditions(cluster) == [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]
    assert cluster.event_texts("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]


def test_a_job_past_its_deadline_fails_once_its_pods_are_gone(cluster: Cluster, kubelet: TinyKubelet) -> None:
    kubelet.stop_s = 5
    cluster.create(JOBS, job(activeDeadlineSeconds=20))
    cluster.run(20.5)
    assert conditions(cluster) == [("FailureTarget", "DeadlineExceeded")]
    assert cluster.get(JOBS, "once")["status"]["terminating"] == 1

    cluster.run(8)

    assert conditions(cluster) == [("FailureTarget", "DeadlineExceeded"), ("Failed", "DeadlineExceeded")]
    assert cluster.pods() == []


def test_container_restarts_count_against_the_limit(cluster: Cluster, kubelet: TinyKubelet) -> None:
    spec = job(backoffLimit=3)
    spec["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    cluster.create(JOBS, spec)
    cluster.run(3)
    cluster.set_pod_status(cluster.pods()[0], containerStatuses=[{"name": "c", "restartCount": 3}])

    cluster.run(5)

    assert ("Failed", "BackoffLimitExceeded") in conditions(cluster)


def test_a_finished_job_is_deleted_with_its_pods_after_its_time(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(JOBS, job(ttlSecondsAfterFinished=30))
    cluster.run(3)
    end_pods(cluster, "Succeeded")
    cluster.run(20)
    assert cluster.names(JOBS) == ["once"]

    cluster.run(20)

    assert cluster.names(JOBS) == []
    assert cluster.pods() == []


def test_deleting_a_running_job_frees_its_pods(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(JOBS, job(parallelism=2, completions=2))
    cluster.run(3)

    cluster.client.delete(JOBS, "shop", "once")
    cluster.run(3)

    assert cluster.pods() == []


def test_a_suspended_job_runs_nothing_until_resumed(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(JOBS, job(suspend=True))
    cluster.run(3)
    assert cluster.pods() == []
    assert conditions(cluster) == [("Suspended", "JobSuspended")]

    cluster.patch(JOBS, "once", lambda spec: {**spec, "suspend": False})
    cluster.run(3)

    assert len(cluster.pods()) == 1
    assert conditions(cluster) == [("Suspended", "JobResumed")]


def test_backoff_doubles_up_to_ten_minutes() -> None:
    assert [backoff_left_ns(n, 0, 0) // SECOND_NS for n in (0, 1, 2, 3, 7, 50)] == [0, 10, 20, 40, 600, 600]
    assert backoff_left_ns(1, 0, 4 * SECOND_NS) == 6 * SECOND_NS
