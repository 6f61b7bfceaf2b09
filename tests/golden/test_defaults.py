"""`defaults/`: an object as it is returned after its smallest form was created."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from golden.stage import AGENT, add_namespace, folder, new_server, send, without_chance

from labs.api.rest.message import Request, Response


def is_served(path: str) -> bool:
    return send(new_server(), "GET", path).status == 200


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    inputs = sorted(folder(metafunc.config, "defaults").glob("*.input.yaml"))
    chosen = [path for path in inputs if is_served(recorded(path)["request"]["path"])]
    metafunc.parametrize("case", chosen, ids=[path.name.removesuffix(".input.yaml") for path in chosen])


def recorded(path: Path) -> dict[str, dict[str, str]]:
    output = path.with_name(path.name.replace(".input.yaml", ".output.json"))
    loaded: dict[str, dict[str, str]] = json.loads(output.read_text())
    return loaded


def test_created_object_is_what_a_real_server_returns(case: Path) -> None:
    server = new_server()
    add_namespace(server, "golden")
    expected = recorded(case)
    request = expected["request"]
    headers = AGENT | {"content-type": "application/yaml"}
    answer = server.handle(Request.to(request["method"], request["path"], case.read_bytes(), headers))
    assert isinstance(answer, Response)
    assert answer.status == 201, answer.body
    assert without_chance(answer.json()) == without_chance(expected["created"])


def test_system_namespaces_and_priority_classes_are_there(request: pytest.FixtureRequest) -> None:
    server, data = new_server(), folder(request.config, "defaults")
    for name, path in (
        ("namespaces", "/api/v1/namespaces"),
        ("priorityclasses", "/apis/scheduling.k8s.io/v1/priorityclasses"),
    ):
        listing = json.loads((data / f"cluster-{name}.json").read_text())
        own = [item for item in listing["items"] if _is_of_server(item)]
        assert without_chance(send(server, "GET", path).json()["items"]) == without_chance(own)


def _is_of_server(item: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    return any(entry["manager"] == "kube-apiserver" for entry in item["metadata"].get("managedFields", []))


@pytest.mark.parametrize(("name", "path"), [("cluster-apiv1", "/api/v1"), ("cluster-apps-v1", "/apis/apps/v1")])
def test_every_served_resource_is_discovered_as_on_a_real_server(
    name: str, path: str, request: pytest.FixtureRequest
) -> None:
    listing = json.loads((folder(request.config, "defaults") / f"{name}.json").read_text())
    expected = {item["name"]: item for item in without_chance(listing)["resources"]}
    for found in send(new_server(), "GET", path).json()["resources"]:
        assert found == expected[found["name"]]


def test_version_is_the_recorded_one(request: pytest.FixtureRequest) -> None:
    expected = json.loads((folder(request.config, "defaults") / "cluster-version.json").read_text())
    assert send(new_server(), "GET", "/version/").json() == expected
