"""``pods/eviction``: each row of the rule."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import PODS, Server

BUDGETS = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
READY = [{"type": "Ready", "status": "True"}]


def budget(server: Server, name: str = "b", *, observed: int = 1, **status: int) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    server.expect(201, "POST", BUDGETS, {"metadata": {"name": name}, "spec": spec})
    stored = server.client.require("poddisruptionbudgets.policy", "shop", name)
    server.client.set_status("poddisruptionbudgets.policy", stored, {"observedGeneration": observed, **status})


def running(server: Server, phase: str = "Running", *, ready: bool = True) -> None:
    bound = server.pod("a", node="n1", labels={"app": "web"})
    status: dict[str, Any] = {"phase": phase, "conditions": READY if ready else []}
    server.client.set_status("pods", bound, status)


def evict(server: Server, status: int, **more: Any) -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}, **more}
    return server.expect(status, "POST", f"{PODS}/a/eviction", body)


def is_leaving(server: Server) -> bool:
    pod = server.client.get("pods", "shop", "a")
    return pod is None or "deletionTimestamp" in pod["metadata"]


def test_a_budget_with_room_loses_one_and_the_pod_is_marked(server: Server) -> None:
    running(server)
    budget(server, disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1)
    assert evict(server, 201)["status"] == "Success"
    status = server.client.require("poddisruptionbudgets.policy", "shop", "b")["status"]
    assert status["disruptionsAllowed"] == 0
    assert status["disruptedPods"] == {"a": "2026-03-02T09:00:00Z"}
    pod = server.client.require("pods", "shop", "a")
    marked = next(item for item in pod["status"]["conditions"] if item["type"] == "DisruptionTarget")
    assert (marked["reason"], marked["message"]) == ("EvictionByEvictionAPI", "Eviction API: evicting")
    assert is_leaving(server)


def test_a_budget_without_room_refuses(server: Server) -> None:
    running(server)
    budget(server, disruptionsAllowed=0, currentHealthy=1, desiredHealthy=1)
    cause = evict(server, 429)["details"]["causes"][0]
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"
    assert not is_leaving(server)


def test_a_budget_that_is_not_processed_yet_asks_to_wait(server: Server) -> None:
    running(server)
    budget(server, observed=0, disruptionsAllowed=1)
    assert evict(server, 429)["details"]["retryAfterSeconds"] == 10


def test_two_budgets_are_an_error(server: Server) -> None:
    running(server)
    budget(server, "b", disruptionsAllowed=1)
    budget(server, "c", disruptionsAllowed=1)
    assert "more than one PodDisruptionBudget" in evict(server, 500)["message"]


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_serves_nobody_needs_no_room(server: Server, phase: str) -> None:
    running(server, phase)
    budget(server, disruptionsAllowed=0)
    evict(server, 201)
    assert is_leaving(server)


@pytest.mark.parametrize(("healthy", "status"), [(1, 201), (0, 429)])
def test_an_unready_pod_goes_when_the_budget_is_met(server: Server, healthy: int, status: int) -> None:
    running(server, ready=False)
    budget(server, disruptionsAllowed=0, currentHealthy=healthy, desiredHealthy=1)
    evict(server, status)


def test_a_dry_run_changes_nothing(server: Server) -> None:
    running(server)
    budget(server, disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1)
    version = server.api.store.resource_version
    evict(server, 201, deleteOptions={"dryRun": ["All"]})
    assert server.api.store.resource_version == version


def test_grace_is_taken_from_the_eviction(server: Server) -> None:
    running(server)
    evict(server, 201, deleteOptions={"gracePeriodSeconds": 7})
    assert server.client.require("pods", "shop", "a")["metadata"]["deletionGracePeriodSeconds"] == 7


def test_a_pod_is_bound_once(server: Server) -> None:
    server.pod("a")
    body = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}}
    server.expect(201, "POST", f"{PODS}/a/binding", body)
    refused = server.expect(409, "POST", "/api/v1/namespaces/shop/bindings", body)
    assert refused["message"].endswith('pod a is already assigned to node "n1"')
