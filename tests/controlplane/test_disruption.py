"""PodDisruptionBudgets: the sums and the status."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, TinyKubelet, deployment

from labs.api.store import Object
from labs.controlplane.disruption import Expectation, disruptions_allowed, expectation
from labs.controlplane.workloads import start_workload_controllers
from labs.errors import ApiError

BUDGETS = "poddisruptionbudgets.policy"


@pytest.fixture
def kubelet(cluster: Cluster) -> TinyKubelet:
    start_workload_controllers(cluster.api)
    return TinyKubelet(cluster)


def budget(**spec: Any) -> Object:
    return {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def status_after(cluster: Cluster, seconds: float) -> dict[str, Any]:
    cluster.run(seconds)
    status: dict[str, Any] = cluster.get(BUDGETS, "web")["status"]
    return status


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (2, None, Expectation(5, 2)),
        ("50%", None, Expectation(7, 4)),
        (None, 2, Expectation(7, 5)),
        (None, "50%", Expectation(7, 3)),
        (None, 9, Expectation(7, 0)),
    ],
)
def test_expectation_rounds_up(least: Any, most: Any, expected: Expectation) -> None:
    assert expectation(least, most, matching=5, scale=7) == expected


def test_nothing_may_be_disrupted_while_no_pod_is_expected() -> None:
    assert disruptions_allowed(Expectation(0, 0), 3) == 0
    assert disruptions_allowed(Expectation(4, 3), 4) == 1


def test_status_counts_healthy_pods(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=5))
    cluster.create(BUDGETS, budget(minAvailable=4))

    status = status_after(cluster, 5)

    condition = status.pop("conditions")[0]
    assert status == {
        "observedGeneration": 1,
        "disruptionsAllowed": 1,
        "currentHealthy": 5,
        "desiredHealthy": 4,
        "expectedPods": 5,
    }
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "True",
        "SufficientPods",
    )


def test_max_unavailable_follows_the_deployments_size(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=4))
    cluster.create(BUDGETS, budget(maxUnavailable="25%"))

    status = status_after(cluster, 5)

    assert (status["expectedPods"], status["desiredHealthy"], status["disruptionsAllowed"]) == (4, 3, 1)


def test_an_eviction_uses_the_budget_until_the_replacement_is_ready(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=3))
    cluster.create(BUDGETS, budget(minAvailable=2))
    cluster.run(5)
    first, second, _ = cluster.names("pods")

    cluster.client.evict("shop", first)

    with pytest.raises(ApiError) as refusal:
        cluster.client.evict("shop", second)
    assert refusal.value.code == 429
    assert cluster.get(BUDGETS, "web")["status"]["disruptedPods"].keys() == {first}
    status = status_after(cluster, 5)
    assert status["disruptionsAllowed"] == 1
    assert "disruptedPods" not in status


def test_an_eviction_that_never_deleted_its_pod_expires(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create("deployments.apps", deployment(replicas=2))
    cluster.create(BUDGETS, budget(minAvailable=1))
    cluster.run(5)
    name = cluster.names("pods")[0]
    current = cluster.get(BUDGETS, "web")
    disrupted = {name: "2026-03-02T09:00:05Z"}
    cluster.client.set_status(BUDGETS, current, {**current["status"], "disruptedPods": disrupted})

    assert status_after(cluster, 1)["currentHealthy"] == 1
    assert status_after(cluster, 120)["currentHealthy"] == 2
    assert cluster.event_texts("NotDeleted") == ["Pod was expected by PDB shop/web to be deleted but it wasn't"]


def test_pods_whose_owner_has_no_scale_fail_safe(cluster: Cluster, kubelet: TinyKubelet) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"restartPolicy": "Never"}}
    template["spec"]["containers"] = [{"name": "c", "image": "busybox"}]
    cluster.create("jobs.batch", {"metadata": {"name": "once"}, "spec": {"template": template}})
    cluster.create(BUDGETS, budget(maxUnavailable=1))

    status = status_after(cluster, 2)

    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["reason"] == "SyncFailed"
    assert status["conditions"][0]["message"] == "jobs.batch does not implement the scale subresource"


def test_a_budget_without_pods_says_so(cluster: Cluster, kubelet: TinyKubelet) -> None:
    cluster.create(BUDGETS, budget(minAvailable=1))

    status = status_after(cluster, 1)

    assert status["disruptionsAllowed"] == 0
    assert cluster.event_texts("NoPods") == ["No matching pods found"]
