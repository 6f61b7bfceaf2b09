"""The official Python client as it ships: typed, dynamic, informer, leader election, create_from_yaml."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import models
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from lab_server import ROOT, LabServer

from kubernetes import client, config, dynamic, informer, utils, watch

WAIT_S = 30
OTHER_MODELS = {"Event": "CoreV1Event", "EndpointSlice": "V1EndpointSlice"}
CUSTOM_GROUPS = ("karpenter.sh", "karpenter.k8s.aws", "metrics.k8s.io")
"""Groups that the client has no models for."""


@pytest.fixture(scope="module")
def api(server: LabServer) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(server.ready["kubeconfig"]) as api:
        yield api


@pytest.fixture(scope="module")
def shop(server: LabServer, api: client.ApiClient) -> list[Any]:
    """The course's own shop, created with ``utils.create_from_yaml`` and running."""
    namespace = ROOT / "kubernetes" / "shop"
    created = [utils.create_from_yaml(api, str(path)) for path in sorted(namespace.rglob("*.yaml"))]
    server.advance("3m")
    return created


def test_an_object_lives_through_create_read_replace_patch_and_delete(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(
        "default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="life"), data={"a": "1"})
    )
    assert core.read_namespaced_config_map("life", "default").data == {"a": "1"}
    made.data = {"a": "2"}
    replaced = core.replace_namespaced_config_map("life", "default", made)
    assert int(replaced.metadata.resource_version) > int(made.metadata.resource_version)
    with pytest.raises(client.ApiException) as conflict:
        core.replace_namespaced_config_map("life", "default", made)
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")
    patched = core.patch_namespaced_config_map("life", "default", {"data": {"a": None, "b": "3"}})
    assert patched.data == {"b": "3"}
    jsoned = core.patch_namespaced_config_map("life", "default", [{"op": "add", "path": "/data/c", "value": "4"}])
    assert jsoned.data == {"b": "3", "c": "4"}
    assert "life" in [item.metadata.name for item in core.list_namespaced_config_map("default").items]
    assert core.delete_namespaced_config_map("life", "default")["status"] == "Success"
    with pytest.raises(client.ApiException) as missing:
        core.read_namespaced_config_map("life", "default")
    assert missing.value.status == 404


def test_a_deployment_is_scaled_and_its_pods_evicted(server: LabServer, api: client.ApiClient) -> None:
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    container = client.V1Container(name="web", image="example.com/web:v1")
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "typed"}), spec=client.V1PodSpec(containers=[container])
    )
    spec = client.V1DeploymentSpec(
        selector=client.V1LabelSelector(match_labels={"app": "typed"}), template=template, replicas=1
    )
    body = client.V1Deployment(metadata=client.V1ObjectMeta(name="typed"), spec=spec)
    apps.create_namespaced_deployment("default", body)
    assert apps.patch_namespaced_deployment_scale("typed", "default", {"spec": {"replicas": 2}}).spec.replicas == 2
    server.advance("30s")
    assert apps.read_namespaced_deployment("typed", "default").status.ready_replicas == 2
    pods = core.list_namespaced_pod("default", label_selector="app=typed").items
    name = pods[0].metadata.name
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace="default"))
    assert core.create_namespaced_pod_eviction(name, "default", eviction)
    deleted = core.delete_namespaced_pod(pods[1].metadata.name, "default", grace_period_seconds=0)
    assert deleted.metadata.name == pods[1].metadata.name
    server.advance("60s")
    assert name not in {pod.metadata.name for pod in core.list_namespaced_pod("default").items}


def test_logs_are_text(api: client.ApiClient, shop: list[Any]) -> None:
    core = client.CoreV1Api(api)
    for pod in core.list_namespaced_pod("shop").items:
        assert isinstance(core.read_namespaced_pod_log(pod.metadata.name, "shop", tail_lines=5), str)


def model_of(api: client.ApiClient, kind: str, version: str) -> str:
    return OTHER_MODELS.get(kind, f"{version[0].upper()}{version[1:]}{kind}")


def test_every_object_that_is_listed_fits_its_model(server: LabServer, api: client.ApiClient, shop: list[Any]) -> None:
    checked = set()
    for path in ["/api/v1", *(f"/apis/{item}" for item in group_versions(server))]:
        for resource in server.api("GET", path).json()["resources"]:
            if "list" not in resource["verbs"] or any(group in path for group in CUSTOM_GROUPS):
                continue
            name = model_of(api, resource["kind"], path.rpartition("/")[2])
            # An event of the older recorders has no eventTime, on a real server too, and that model asks for one.
            if (name, path) == ("CoreV1Event", "/apis/events.k8s.io/v1"):
                continue
            assert hasattr(models, f"{name}List"), name
            listing = server.api("GET", f"{path}/{resource['name']}").body.decode()
            parsed = api.deserialize(listing, f"{name}List", "application/json")
            for item in parsed.items:
                assert api.sanitize_for_serialization(item)["metadata"]["name"] == item.metadata.name
            checked.add(name if parsed.items else "")
    assert {"V1Pod", "V1Node", "V1Deployment", "V2HorizontalPodAutoscaler", "CoreV1Event", "V1Lease"} <= checked


def group_versions(server: LabServer) -> list[str]:
    groups = server.api("GET", "/apis").json()["groups"]
    return [version["groupVersion"] for group in groups for version in group["versions"]]


def test_api_discovery_and_version_have_models_too(api: client.ApiClient) -> None:
    assert re.match(r"v1\.37\.", client.VersionApi(api).get_code().git_version)
    names = {resource.name for resource in client.CoreV1Api(api).get_api_resources().resources}
    assert {"pods", "pods/log", "nodes"} <= names
    assert "apps" in {group.name for group in client.ApisApi(api).get_api_versions().groups}


def test_metrics_of_nodes_and_pods_are_read(api: client.ApiClient, shop: list[Any]) -> None:
    assert len(utils.get_nodes_metrics(api)["items"]) >= 2
    pods = utils.get_pods_metrics(api, "shop")["items"]
    assert all(utils.parse_quantity(pod["containers"][0]["usage"]["memory"]) > 0 for pod in pods)
    assert pods


def test_a_watch_goes_on_where_a_list_ended(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    version = core.list_namespaced_secret("default").metadata.resource_version
    core.create_namespaced_secret("default", client.V1Secret(metadata=client.V1ObjectMeta(name="new")))
    core.delete_namespaced_secret("new", "default")
    stream = watch.Watch().stream(core.list_namespaced_secret, "default", resource_version=version, timeout_seconds=5)
    assert [(event["type"], event["object"].metadata.name) for event in stream] == [
        ("ADDED", "new"),
        ("DELETED", "new"),
    ]


def labelled(name: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"heard": "yes"}))


def test_an_informer_keeps_up(server: LabServer, api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map("default", labelled("first"))
    heard: list[tuple[str, str]] = []
    changed = threading.Event()
    shared = informer.SharedInformer(core.list_namespaced_config_map, "default", label_selector="heard=yes")

    def listen(kind: str) -> None:
        def hear(obj: Any) -> None:
            heard.append((kind, obj.metadata.name))
            changed.set()

        shared.add_event_handler(kind, hear)

    for kind in ("ADDED", "MODIFIED", "DELETED"):
        listen(kind)
    shared.start()
    assert changed.wait(WAIT_S)
    for act in (
        lambda: core.patch_namespaced_config_map("first", "default", {"data": {"a": "b"}}),
        lambda: core.delete_namespaced_config_map("first", "default"),
    ):
        changed.clear()
        act()
        assert changed.wait(WAIT_S)
    assert heard == [("ADDED", "first"), ("MODIFIED", "first"), ("DELETED", "first")]
    assert shared.cache.list_keys() == []
    # It looks at its stop flag when the next event comes.
    stopping = threading.Thread(target=shared.stop)
    stopping.start()
    core.create_namespaced_config_map("default", labelled("last"))
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_a_candidate_becomes_leader(server: LabServer) -> None:
    config.load_kube_config(server.ready["kubeconfig"])
    leading = threading.Event()

    def lead() -> None:
        leading.set()
        raise RuntimeError("enough of leading: this is how a leader steps down")

    lease = LeaseLock("election", "default", "candidate-1")
    settings = electionconfig.Config(
        lease,
        lease_duration=4,
        renew_deadline=3,
        retry_period=1,
        onstarted_leading=lead,
        onstopped_leading=None,
    )
    candidate = threading.Thread(target=leaderelection.LeaderElection(settings).run)
    candidate.start()
    candidate.join(WAIT_S)
    assert not candidate.is_alive()
    assert leading.is_set()
    held = client.CoordinationV1Api().read_namespaced_lease("election", "default")
    assert held.spec.holder_identity == "candidate-1"


def test_the_dynamic_client_works_on_any_kind(api: client.ApiClient, tmp_path: Any) -> None:
    any_kind = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery.json"))
    maps = any_kind.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "any"}, "data": {"a": "1"}}
    assert maps.server_side_apply(body=body, namespace="default", field_manager="test").data.a == "1"
    assert maps.patch(body={"data": {"a": "2"}}, name="any", namespace="default").data.a == "2"
    with pytest.raises(client.ApiException) as conflict:
        maps.server_side_apply(body=body, namespace="default", field_manager="test")
    assert conflict.value.status == 409
    assert maps.delete(name="any", namespace="default").status == "Success"
    pools = any_kind.resources.get(api_version="karpenter.sh/v1", kind="NodePool")
    assert [pool.metadata.name for pool in pools.get().items]


def test_create_from_yaml_creates_once(api: client.ApiClient, tmp_path: Any) -> None:
    manifest = tmp_path / "two.yaml"
    manifest.write_text(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n---\n"
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: two}}]}\n",
        encoding="utf-8",
    )
    utils.create_from_yaml(api, str(manifest))
    with pytest.raises(utils.FailToCreateError) as refused:
        utils.create_from_yaml(api, str(manifest))
    assert {error.status for error in refused.value.api_exceptions} == {409}


def test_create_from_yaml_applies_again_and_again(api: client.ApiClient) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    for value in ("1", "2"):
        settings["data"] = {"a": value}
        utils.create_from_yaml(api, yaml_objects=[settings], apply=True)
    found = client.CoreV1Api(api).read_namespaced_config_map("applied", "default")
    assert found.data == {"a": "2"}
    assert [(entry.manager, entry.operation) for entry in found.metadata.managed_fields] == [("python-client", "Apply")]


def test_a_conflict_is_tried_again_with_what_is_new(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="shared")))
    tries = []

    def write() -> dict[str, str]:
        found = core.read_namespaced_config_map("shared", "default")
        if not tries:
            core.patch_namespaced_config_map("shared", "default", {"data": {"theirs": "1"}})
        tries.append(found.metadata.resource_version)
        found.data = {**(found.data or {}), "mine": "1"}
        replaced: dict[str, str] = core.replace_namespaced_config_map("shared", "default", found).data
        return replaced

    assert utils.retry_on_conflict(write) == {"mine": "1", "theirs": "1"}
    assert len(tries) == 2


def test_the_shop_is_ready(api: client.ApiClient, shop: list[Any]) -> None:
    for deployment in client.AppsV1Api(api).list_namespaced_deployment("shop").items:
        assert deployment.status.ready_replicas == deployment.spec.replicas, deployment.metadata.name
