"""Reading pods as the autoscaler sees them."""

from typing import Any

import pytest

from labs.controlplane.hpa.errors import MetricError
from labs.controlplane.hpa.pods import Pod, ReadyCondition, read_pod, requests_milli
from labs.units import parse_rfc3339

MOMENT = "2026-03-02T09:00:00Z"


def container(name: str, cpu: str | None = None, **more: str) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": {"cpu": cpu} if cpu else {}}, **more}


def pod_object(spec: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec, "status": status or {}}


def test_sidecars_count_towards_the_request_and_plain_init_containers_do_not() -> None:
    spec = {
        "containers": [container("main", "200m")],
        "initContainers": [container("setup", "1"), container("proxy", "50m", restartPolicy="Always")],
    }

    assert requests_milli([read_pod(pod_object(spec), "cpu")], "cpu") == {"web": 250}


def test_a_pod_level_request_is_used_unless_one_container_is_asked_for() -> None:
    spec = {"containers": [container("main", "200m")], "resources": {"requests": {"cpu": "1"}}}
    pod = read_pod(pod_object(spec), "cpu")

    assert requests_milli([pod], "cpu") == {"web": 1000}
    assert requests_milli([pod], "cpu", "main") == {"web": 200}


def test_a_container_that_is_not_there_has_no_request() -> None:
    pod = read_pod(pod_object({"containers": [container("main", "200m")]}), "cpu")

    with pytest.raises(MetricError, match="container side not found in Pod web"):
        requests_milli([pod], "cpu", "side")


def test_start_readiness_and_deletion_are_read_from_the_object() -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": MOMENT}
    obj = pod_object(
        {"containers": []}, {"phase": "Running", "startTime": MOMENT, "conditions": [{"type": "Initialized"}, ready]}
    )
    obj["metadata"]["deletionTimestamp"] = MOMENT
    moment_ns = parse_rfc3339(MOMENT)

    assert read_pod(obj, "cpu") == Pod("web", "Running", True, moment_ns, ReadyCondition("True", moment_ns))
    assert read_pod(obj, "cpu").is_running_and_ready
