"""`defaults/children-*`: what the controllers make of a StatefulSet and a DaemonSet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golden.stage import AGENT, DATA, add_namespace, folder, new_server, send, without_chance

from labs.api.rest.handler import RestApi
from labs.api.rest.message import Request
from labs.controlplane.workloads import start_workload_controllers
from labs.units import SECOND_NS

PATHS = {
    "controllerrevisions": "/apis/apps/v1/namespaces/golden/controllerrevisions",
    "pvcs": "/api/v1/namespaces/golden/persistentvolumeclaims",
}
OWNERS = ("daemonset", "statefulset")


@pytest.fixture
def data(request: pytest.FixtureRequest) -> Path:
    given = folder(request.config, "defaults")
    return given if (given / "children-pvcs.json").exists() else DATA / "defaults"


@pytest.fixture
def server(data: Path) -> RestApi:
    """Two seconds after the owners were created on a server whose controllers run."""
    server = new_server()
    add_namespace(server, "golden")
    start_workload_controllers(server.api)
    for name in OWNERS:
        asked = json.loads((data / f"{name}.output.json").read_text())["request"]
        body = (data / f"{name}.input.yaml").read_bytes()
        server.handle(Request.to(asked["method"], asked["path"], body, AGENT | {"content-type": "application/yaml"}))
    server.api.loop.run_until(server.api.loop.now_ns + 2 * SECOND_NS)
    return server


def comparable(obj: dict[str, Any]) -> dict[str, Any]:
    """Without the hash of the template and the uid of the owner, which upstream and this server compute otherwise."""
    text = json.dumps(without_chance(obj))
    labels = obj["metadata"].get("labels", {})
    hashes = [value for key, value in labels.items() if key.endswith("hash")]
    for number, found in enumerate([*hashes, *(item["uid"] for item in obj["metadata"].get("ownerReferences", ()))]):
        text = text.replace(found, f"chance-{number}")
    same: dict[str, Any] = json.loads(text)
    return same


@pytest.mark.parametrize("kind", PATHS)
def test_children_are_what_a_real_control_plane_makes(kind: str, server: RestApi, data: Path) -> None:
    made = [comparable(item) for item in send(server, "GET", PATHS[kind]).json()["items"]]
    recorded = [comparable(item) for item in json.loads((data / f"children-{kind}.json").read_text())["items"]]
    by_controller = [item for item in recorded if "kube-controller-manager" in json.dumps(item)]
    assert made
    assert made == by_controller


def test_the_status_of_a_statefulset_whose_pod_waits_is_the_recorded_one(server: RestApi, data: Path) -> None:
    recorded = json.loads((data / "statefulset.output.json").read_text())["after_2s"]["status"]
    path = "/apis/apps/v1/namespaces/golden/statefulsets/db"
    status = send(server, "GET", path).json()["status"]
    revisions = {"currentRevision", "updateRevision"}
    assert {key: status[key] for key in status.keys() - revisions} == {
        key: recorded[key] for key in recorded.keys() - revisions
    }
    assert status["currentRevision"] == status["updateRevision"]
