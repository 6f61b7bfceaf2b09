"""Deleting: grace, finalizers, propagation, preconditions, namespaces."""

from __future__ import annotations

import pytest
from api.conftest import CONFIG_MAPS, DEPLOYMENTS, PODS, Server, deployment

MERGE = "application/merge-patch+json"


def test_a_bound_pod_has_its_grace(server: Server) -> None:
    server.pod("a", node="n1")
    leaving = server.expect(200, "DELETE", f"{PODS}/a")
    assert leaving["metadata"]["deletionGracePeriodSeconds"] == 30
    assert leaving["metadata"]["deletionTimestamp"] == "2026-03-02T09:00:30Z"
    assert leaving["metadata"]["generation"] == 2
    server.expect(200, "GET", f"{PODS}/a")


def test_a_second_delete_only_shortens_the_grace(server: Server) -> None:
    server.pod("a", node="n1")
    server.expect(200, "DELETE", f"{PODS}/a?gracePeriodSeconds=10")
    version = server.expect(200, "DELETE", f"{PODS}/a?gracePeriodSeconds=20")["metadata"]
    assert version["deletionGracePeriodSeconds"] == 10
    shorter = server.expect(200, "DELETE", f"{PODS}/a?gracePeriodSeconds=5")["metadata"]
    assert shorter["deletionTimestamp"] == "2026-03-02T09:00:05Z"
    server.expect(200, "DELETE", f"{PODS}/a", {"gracePeriodSeconds": 0})
    server.expect(404, "GET", f"{PODS}/a")


def test_a_pod_without_a_node_goes_at_once(server: Server) -> None:
    server.pod("a")
    server.expect(200, "DELETE", f"{PODS}/a")
    server.expect(404, "GET", f"{PODS}/a")


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_propagation_leaves_a_finalizer_for_the_collector(server: Server, policy: str, finalizer: str) -> None:
    server.expect(201, "POST", DEPLOYMENTS, deployment("web"))
    stays = server.expect(200, "DELETE", f"{DEPLOYMENTS}/web", {"propagationPolicy": policy})
    assert stays["metadata"]["finalizers"] == [finalizer]
    assert stays["metadata"]["deletionGracePeriodSeconds"] == 0
    stays["metadata"].pop("finalizers")
    server.expect(200, "PUT", f"{DEPLOYMENTS}/web", stays)
    server.expect(404, "GET", f"{DEPLOYMENTS}/web")


def test_no_finalizer_can_be_added_while_an_object_is_deleted(server: Server) -> None:
    body = {"metadata": {"name": "a", "finalizers": ["example.org/a"]}}
    server.expect(201, "POST", CONFIG_MAPS, body)
    server.expect(200, "DELETE", f"{CONFIG_MAPS}/a")
    patch = {"metadata": {"finalizers": ["example.org/a", "example.org/b"]}}
    refused = server.expect(422, "PATCH", f"{CONFIG_MAPS}/a", patch, media=MERGE)
    expected = (
        'no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.org/b"}'
    )
    assert refused["details"]["causes"][0]["message"] == f"Forbidden: {expected}"


@pytest.mark.parametrize("wrong", [{"uid": "other"}, {"resourceVersion": "1"}])
def test_preconditions_must_hold(server: Server, wrong: dict[str, str]) -> None:
    made = server.config_map("a")
    refused = server.expect(409, "DELETE", f"{CONFIG_MAPS}/a", {"preconditions": wrong})
    assert "Precondition failed" in refused["message"]
    right = {key: made["metadata"][key] for key in ("uid", "resourceVersion")}
    server.expect(200, "DELETE", f"{CONFIG_MAPS}/a", {"preconditions": right})


def test_a_namespace_goes_when_its_last_finalizer_is_taken(server: Server) -> None:
    leaving = server.expect(200, "DELETE", "/api/v1/namespaces/shop")
    assert leaving["status"]["phase"] == "Terminating"
    refused = server.expect(403, "POST", CONFIG_MAPS, {"metadata": {"name": "late"}})
    assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    leaving["spec"]["finalizers"] = []
    server.expect(200, "PUT", "/api/v1/namespaces/shop/finalize", leaving)
    server.expect(404, "GET", "/api/v1/namespaces/shop")


def test_events_go_after_an_hour_unless_they_are_written_again(server: Server) -> None:
    pod = server.pod("a")
    server.client.events.record(pod, "Normal", "Once", "said once")
    server.client.events.record(pod, "Normal", "Twice", "said twice")
    server.run(1800)
    server.client.events.record(pod, "Normal", "Twice", "said twice")
    server.run(1860)
    assert [item["reason"] for item in server.client.list("events", "shop")] == ["Twice"]
    server.run(1860)
    assert server.client.list("events", "shop") == []
