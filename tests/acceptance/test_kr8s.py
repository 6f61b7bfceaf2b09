"""kr8s as it ships: objects that read, write, scale, wait and watch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kr8s
import pytest
from kr8s.objects import ConfigMap, Deployment, Node, Service, new_class
from lab_server import LabServer

WAIT_S = 30
pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")
"""kr8s says of each version newer than its own tests that it does not know it."""


@pytest.fixture(scope="module")
def api(server: LabServer) -> Any:
    return kr8s.api(kubeconfig=server.ready["kubeconfig"])


@pytest.fixture(scope="module")
def web(api: Any) -> Iterator[Deployment]:
    """A Deployment of two pods that are ready."""
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    deployment = Deployment({"metadata": {"name": "web", "namespace": "default"}, "spec": spec}, api=api)
    deployment.create()
    deployment.wait("condition=Available", timeout=WAIT_S)
    yield deployment
    deployment.delete()


def test_it_knows_the_server_and_who_asks(api: Any) -> None:
    assert api.version()["gitVersion"].startswith("v1.37.")
    assert api.whoami() == "admin"
    assert {"pods", "deployments", "nodepools"} <= {row["name"] for row in api.api_resources()}
    assert "karpenter.sh/v1" in list(api.api_versions())


def test_a_deployment_scales_and_waits(web: Deployment) -> None:
    web.scale(3)
    web.wait("jsonpath='{.status.readyReplicas}'=3", timeout=WAIT_S)
    assert len(web.pods()) == 3
    assert all(pod.ready() for pod in web.pods())


def test_labels_annotations_and_patches_are_kept(web: Deployment) -> None:
    web.label(tier="front")
    web.annotate({"note": "seen"})
    web.patch({"metadata": {"labels": {"owner": "team"}}})
    web.refresh()
    assert {"tier": "front", "owner": "team"}.items() <= dict(web.labels).items()
    assert web.annotations["note"] == "seen"


def test_a_deleted_pod_is_gone_and_replaced(web: Deployment) -> None:
    pod = web.pods()[0]
    pod.delete()
    pod.wait("delete", timeout=WAIT_S)
    assert not pod.exists()
    assert pod.name not in {other.name for other in web.pods()}


def test_a_service_finds_its_pods(api: Any, web: Deployment) -> None:
    service = Service(
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
        api=api,
    )
    service.create()
    assert {pod.name for pod in service.ready_pods()} <= {pod.name for pod in web.pods()}
    assert service.ready()
    service.delete()


def test_nodes_are_cordoned_and_tainted(api: Any) -> None:
    node = next(iter(Node.list(api=api)))
    node.cordon()
    assert node.unschedulable
    node.uncordon()
    node.taint("team", "shop", effect="NoSchedule")
    assert {"key": "team", "value": "shop", "effect": "NoSchedule"} in node.taints
    node.patch({"spec": {"taints": None}})
    node.refresh()
    assert not node.unschedulable
    assert not node.taints


def test_a_watch_tells_what_is_there(api: Any, web: Deployment) -> None:
    names = set()
    for kind, pod in api.watch("pods", namespace="default", label_selector="app=web"):
        assert kind in ("ADDED", "MODIFIED")
        names.add(pod.name)
        if len(names) == 2:
            break
    assert names <= {pod.name for pod in api.get("pods", namespace="default")}


def test_custom_kinds_need_no_model(api: Any) -> None:
    node_pool = new_class(kind="NodePool", version="karpenter.sh/v1", namespaced=False)
    assert [pool.name for pool in node_pool.list(api=api)] == ["default"]
    assert [pool.name for pool in api.get("nodepools.karpenter.sh")] == ["default"]


def test_what_is_missing_is_said(api: Any) -> None:
    settings = ConfigMap({"metadata": {"name": "settings", "namespace": "default"}, "data": {"a": "1"}}, api=api)
    settings.create()
    settings.patch([{"op": "replace", "path": "/data/a", "value": "2"}], type="json")
    assert dict(settings.data) == {"a": "2"}
    settings.delete()
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("settings", namespace="default", api=api)
