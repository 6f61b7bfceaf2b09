"""Probes against a program whose health a test sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from cluster_rig import Cluster, build_cluster

from labs.dataplane.kubelet.probes import failure_text, is_success, probe_spec
from labs.dataplane.process import Answer, Check, Surroundings
from labs.dataplane.programs.idle import IdleProcess, Plan


class Patient(IdleProcess):
    """``answer_now`` is what every check gets; None: no answer comes."""

    is_health_steady = False

    def __init__(self, surroundings: Surroundings, answer_now: Answer | None) -> None:
        super().__init__(surroundings, Plan())
        self.answer_now = answer_now
        self.asked: list[Check] = []

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        self.asked.append(check)
        if self.answer_now is not None:
            answer(self.answer_now)


class Ward:
    """Creates patients and remembers them."""

    def __init__(self) -> None:
        self.patients: list[Patient] = []
        self.first_answer: Answer | None = Answer()

    def create(self, surroundings: Surroundings) -> Patient:
        self.patients.append(Patient(surroundings, self.first_answer))
        return self.patients[-1]

    def forget(self, uid: str, containers: Sequence[str]) -> None:
        """Patients are kept."""


HTTP = {"httpGet": {"path": "/healthz", "port": "web"}, "periodSeconds": 5, "failureThreshold": 3}


@pytest.fixture
def ward() -> Ward:
    return Ward()


@pytest.fixture
def probed(ward: Ward) -> Cluster:
    cluster = build_cluster(programs=ward)
    cluster.node()
    cluster.run(1)
    return cluster


def start(cluster: Cluster, **probes: object) -> None:
    ports = [{"name": "web", "containerPort": 8080}]
    node = cluster.client.list("nodes")[0]["metadata"]["name"]
    cluster.pod("web", node, container={"ports": ports, **probes})
    cluster.run(10)


def test_readiness_flips_after_three_failures_and_returns_after_one_success(probed: Cluster, ward: Ward) -> None:
    start(probed, readinessProbe=HTTP)
    assert probed.is_ready("web")
    patient = ward.patients[0]
    assert patient.asked[0] == Check("httpGet", port=8080, path="/healthz")
    patient.answer_now = Answer(status=503)
    probed.run(11)
    assert probed.is_ready("web")
    probed.run(5)
    assert not probed.is_ready("web")
    assert "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503" in probed.events("web")
    patient.answer_now = Answer()
    probed.run(5)
    assert probed.is_ready("web")
    assert probed.container("web")["restartCount"] == 0


def test_pod_without_answer_is_never_ready(probed: Cluster, ward: Ward) -> None:
    ward.first_answer = None
    start(probed, readinessProbe=HTTP)
    probed.run(30)
    assert probed.phase("web") == "Running"
    assert not probed.is_ready("web")
    ip = probed.get("web")["status"]["podIP"]
    text = f'Get "http://{ip}:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    assert f"Unhealthy: Readiness probe failed: {text}" in probed.events("web")


def test_liveness_restarts_the_container(probed: Cluster, ward: Ward) -> None:
    start(probed, livenessProbe=HTTP)
    ward.patients[0].answer_now = Answer(is_refused=True)
    probed.run(20)
    assert probed.container("web")["restartCount"] == 1
    assert "Killing: Container main failed liveness probe, will be restarted" in probed.events("web")
    assert len(ward.patients) == 2
    assert probed.is_ready("web")


def test_startup_probe_holds_back_the_others(probed: Cluster, ward: Ward) -> None:
    ward.first_answer = Answer(is_refused=True)
    startup = {**HTTP, "periodSeconds": 2, "failureThreshold": 30}
    start(probed, startupProbe=startup, readinessProbe=HTTP, livenessProbe={**HTTP, "failureThreshold": 1})
    probed.run(20)
    assert probed.container("web")["restartCount"] == 0
    assert probed.container("web")["started"] is False
    ward.patients[0].answer_now = Answer()
    probed.run(2.1)
    assert probed.container("web")["started"] is True
    assert probed.is_ready("web")


def test_startup_that_never_comes_restarts_the_container(probed: Cluster, ward: Ward) -> None:
    ward.first_answer = Answer(is_refused=True)
    start(probed, startupProbe={**HTTP, "periodSeconds": 2, "failureThreshold": 3})
    assert probed.container("web")["restartCount"] == 1
    assert "Killing: Container main failed startup probe, will be restarted" in probed.events("web")


def test_initial_delay_counts_from_the_start(probed: Cluster, ward: Ward) -> None:
    start(probed, readinessProbe={**HTTP, "initialDelaySeconds": 20})
    assert not ward.patients[0].asked
    probed.run(20)
    assert probed.is_ready("web")


def test_deletion_stops_liveness_but_not_readiness(probed: Cluster, ward: Ward) -> None:
    hook = {"preStop": {"sleep": {"seconds": 20}}}
    start(probed, readinessProbe={**HTTP, "periodSeconds": 1}, livenessProbe=HTTP, lifecycle=hook)
    probed.delete("web")
    ward.patients[0].answer_now = Answer(is_refused=True)
    probed.run(15)
    assert not probed.is_ready("web")
    assert probed.container("web")["restartCount"] == 0
    assert probed.phase("web") == "Running"


@pytest.mark.parametrize(
    ("probe", "answer", "success", "text"),
    [
        ({"httpGet": {"port": 80}}, Answer(status=302), True, ""),
        ({"httpGet": {"port": 80}}, Answer(status=404), False, "HTTP probe failed with statuscode: 404"),
        (
            {"httpGet": {"port": 80, "path": "/x"}},
            Answer(is_refused=True),
            False,
            'Get "http://10.0.0.9:80/x": dial tcp 10.0.0.9:80: connect: connection refused',
        ),
        (
            {"tcpSocket": {"port": 80}},
            Answer(is_refused=True),
            False,
            "dial tcp 10.0.0.9:80: connect: connection refused",
        ),
        ({"exec": {"command": ["cat", "/x"]}}, Answer(exit_code=1, output="no such file"), False, "no such file"),
        (
            {"exec": {"command": ["cat", "/x"]}},
            None,
            False,
            'command timed out: "cat /x" timed out after 1s',
        ),
    ],
)
def test_answers_are_judged_by_kind(probe: dict[str, object], answer: Answer | None, success: bool, text: str) -> None:
    spec = probe_spec({"livenessProbe": probe}, "liveness")
    assert spec is not None
    assert is_success(spec, answer) is success
    if not success:
        assert failure_text(spec, answer, "10.0.0.9") == text


def test_steady_health_stops_the_asking_until_it_is_woken(cluster: Cluster) -> None:
    node = cluster.node()
    cluster.run(1)
    pod = cluster.pod("web", node, container={"readinessProbe": {**HTTP, "httpGet": {"port": 80}}})
    cluster.run(60)
    kubelet = cluster.kubelets.get(node)
    assert kubelet is not None
    before = cluster.loop.events_run
    kubelet.workers[pod["metadata"]["uid"]].probes.wake()
    cluster.run(0.01)
    assert cluster.is_ready("web")
    assert cluster.loop.events_run <= before + 2
