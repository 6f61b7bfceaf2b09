"""Manifests in the forms in which others publish them apply unchanged, and what they describe becomes Ready."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_server import LabServer

MANIFESTS = Path(__file__).parent / "manifests"
WAIT = "--timeout=100s"
PLACED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: %d
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec:
      nodeSelector: %s
      tolerations: %s
      containers: [{name: work, image: "example.com/work:1", resources: {requests: {cpu: 1500m, memory: 1Gi}}}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with LabServer(tmp_path_factory.mktemp("lab")) as server:
        yield server


def kubectl(server: LabServer, command: str, text: str | None = None) -> str:
    printed = server.kubectl(*command.split(), text=text)
    assert printed.code == 0, printed.text
    return printed.out


def listed(server: LabServer, command: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(kubectl(server, f"get {command} -o json"))["items"]
    return items


def test_a_shop_of_a_dozen_deployments_becomes_ready(server: LabServer) -> None:
    kubectl(server, "create namespace boutique")
    text = (MANIFESTS / "boutique.yaml").read_text(encoding="utf-8")
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    assert kinds.count("Deployment") == 12
    assert kubectl(server, "apply -n boutique -f -", text).count(" created\n") == len(kinds)
    kubectl(server, f"wait -n boutique --for=condition=Available deploy --all {WAIT}")
    kubectl(server, f"wait -n boutique --for=jsonpath={{.status.loadBalancer.ingress}} svc/storefront-external {WAIT}")
    assert {pod["status"]["phase"] for pod in listed(server, "pods -n boutique")} == {"Running"}
    assert "unchanged" in kubectl(server, "apply -n boutique -f -", text)
    # Every Service found the pods that it selects.
    slices = listed(server, "endpointslices -n boutique")
    assert all(endpoint["conditions"]["ready"] for each in slices for endpoint in each["endpoints"])
    assert len({each["metadata"]["labels"]["kubernetes.io/service-name"] for each in slices}) == kinds.count("Service")


def place(server: LabServer, name: str, replicas: int, selector: str, tolerations: str = "[]") -> list[dict[str, Any]]:
    """Run pods that only certain nodes take; returns the nodes that they run on."""
    kubectl(server, "apply -f -", PLACED % (name, replicas, name, name, selector, tolerations))
    kubectl(server, f"wait --for=condition=Available deploy/{name} {WAIT}")
    used = {pod["spec"]["nodeName"] for pod in listed(server, f"pods -l app={name}")}
    return [node for node in listed(server, "nodes") if node["metadata"]["name"] in used]


def pools_of(nodes: list[dict[str, Any]]) -> list[str]:
    return sorted(node["metadata"]["labels"]["karpenter.sh/nodepool"] for node in nodes)


def test_example_node_pools_become_ready_and_make_nodes(server: LabServer) -> None:
    text = (MANIFESTS / "nodepools.yaml").read_text(encoding="utf-8").replace("${CLUSTER_NAME}", "chaos-crunch")
    assert kubectl(server, "apply -f -", text).count(" created\n") == 6
    kubectl(server, f"wait --for=condition=Ready nodepools,ec2nodeclasses --all {WAIT}")
    arm = "[{key: example.com/arm64, operator: Exists}]"
    nodes = place(server, "on-arm", 1, "{kubernetes.io/arch: arm64}", arm)
    assert pools_of(nodes) == ["arm64"]
    assert nodes[0]["status"]["nodeInfo"]["architecture"] == "arm64"
    assert "example.com/arm64" in {taint["key"] for taint in nodes[0]["spec"]["taints"]}
    assert nodes[0]["metadata"]["labels"]["topology.kubernetes.io/zone"] in ("us-east-1a", "us-east-1b")
    nodes = place(server, "on-spot", 1, "{intent: spot}")
    assert nodes[0]["metadata"]["labels"]["karpenter.sh/capacity-type"] == "spot"
    general = place(server, "general", 1, "{karpenter.sh/nodepool: general-purpose}")
    assert int(general[0]["metadata"]["labels"]["karpenter.k8s.aws/instance-generation"]) > 2


def test_a_pool_of_more_weight_goes_first_up_to_its_limit(server: LabServer) -> None:
    pools = pools_of(place(server, "batch", 4, "{intent: batch}"))
    assert pools.count("preferred") == 2
    assert pools.count("overflow") >= 1
    assert kubectl(server, "get nodepool preferred -o jsonpath={.status.resources.cpu}") == "4"
