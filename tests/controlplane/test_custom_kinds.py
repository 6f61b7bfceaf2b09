"""Controllers that know every kind also know those that are defined later."""

from __future__ import annotations

import pytest
from stand_ins import Cluster

from labs.api.deletion import CRDS
from labs.api.store import Object
from labs.controlplane.hpa.controller import scalable_resource
from labs.controlplane.workloads import start_workload_controllers

TABS = "tabs.example.com"


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    start_workload_controllers(cluster.api)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }
    names = {"plural": "tabs", "kind": "Tab"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    cluster.client.create(CRDS, {"metadata": {"name": TABS}, "spec": spec})
    return cluster


def tab(cluster: Cluster, name: str) -> Object:
    return cluster.create(TABS, {"metadata": {"name": name}, "spec": {"size": 2}})


def test_what_a_custom_resource_owns_goes_with_it(cluster: Cluster) -> None:
    owner = tab(cluster, "a")
    reference = {"apiVersion": "example.com/v1", "kind": "Tab", "name": "a", "uid": owner["metadata"]["uid"]}
    for resource in ("configmaps", TABS):
        cluster.create(resource, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    cluster.run(5)
    assert {"a", "owned"} <= set(cluster.names(TABS))
    cluster.client.delete(TABS, "shop", "a")
    cluster.run(5)
    assert cluster.names(TABS) == []
    assert "owned" not in cluster.names("configmaps")


def test_a_namespace_takes_its_custom_resources_with_it(cluster: Cluster) -> None:
    tab(cluster, "a")
    cluster.client.delete("namespaces", "", "shop")
    cluster.run(60)
    assert cluster.names(TABS) == []
    assert cluster.client.get("namespaces", "", "shop") is None


def test_a_custom_resource_is_scaled_where_its_definition_says(cluster: Cluster) -> None:
    tab(cluster, "a")
    assert scalable_resource(cluster.api.types, "example.com/v1", "Tab") == TABS
    scale = cluster.client.scale(TABS, "shop", "a")
    cluster.client.set_scale(TABS, {**scale, "spec": {"replicas": 5}})
    assert cluster.get(TABS, "a")["spec"] == {"size": 5}
