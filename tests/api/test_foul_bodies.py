"""Bodies of wrong types, with nulls and nested too deeply: every one gets an answer, and none breaks the server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labs.api.rest.message import Request, Response
from labs.world import World, WorldConfig

JUNK: tuple[Any, ...] = ([], {}, "x", 7, None, True, [1], {"a": 1}, [[]], [{}], [None])
ROOT = "/apis/apps/v1/namespaces/default/deployments"
POD = "/api/v1/namespaces/default/pods/web"
CONTAINERS = {"containers": [{"name": "a", "image": "b"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": CONTAINERS}
DEPLOYMENT = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}}
REVIEWS = "/apis/authorization.k8s.io/v1"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
REQUESTS = (
    ("POST", f"{POD}/eviction", "application/json"),
    ("POST", f"{POD}/binding", "application/json"),
    ("DELETE", POD, "application/json"),
    ("PUT", f"{ROOT}/web/scale", "application/json"),
    ("PATCH", f"{ROOT}/web/scale", MERGE),
    ("PATCH", f"{ROOT}/web", MERGE),
    ("PATCH", f"{ROOT}/web", STRATEGIC),
    ("PATCH", f"{ROOT}/web", "application/json-patch+json"),
    ("PATCH", f"{ROOT}/web?fieldManager=x", "application/apply-patch+yaml"),
    ("PUT", f"{ROOT}/web/status", "application/json"),
    ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "application/json"),
    ("POST", f"{REVIEWS}/subjectaccessreviews", "application/json"),
    ("POST", f"{REVIEWS}/selfsubjectaccessreviews", "application/json"),
    ("POST", f"{REVIEWS}/selfsubjectrulesreviews", "application/json"),
    ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "application/json"),
)


@pytest.fixture(scope="module")
def world() -> World:
    world = World(7, WorldConfig(node_groups=(), databases=(), platform=()))
    assert ask(world, "POST", ROOT, DEPLOYMENT) == 201
    return world


def ask(world: World, method: str, target: str, body: Any, media: str = "application/json") -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = world.rest.handle(Request.to(method, target, raw, {"content-type": media}))
    assert isinstance(answer, Response)
    # A real server's refusal of a Binding has neither reason nor code of its own, and so goes out as 500.
    is_refused_binding = "/binding" in target and b'"message":"target.' in answer.body
    assert answer.status < 500 or is_refused_binding, (method, target, body, answer.body)
    return answer.status


def bodies(junk: Any) -> list[Any]:
    """The junk alone, and in the place of everything that some kind has."""
    fields = ("spec", "status", "metadata", "target", "deleteOptions", "gracePeriodSeconds", "propagationPolicy")
    fields += ("preconditions", "dryRun", "kind", "apiVersion")
    inner = ("resourceAttributes", "nonResourceAttributes", "user", "groups", "replicas", "audiences", "token")
    return [junk, *({field: junk} for field in fields), *({"spec": {field: junk}} for field in inner)]


@pytest.mark.parametrize(("method", "target", "media"), REQUESTS)
def test_a_body_of_wrong_types_gets_an_answer(world: World, method: str, target: str, media: str) -> None:
    for junk in JUNK:
        # An earlier body may have been a good one, and have ended the pod.
        ask(world, "POST", POD.removesuffix("/web"), {"metadata": {"name": "web"}, "spec": CONTAINERS})
        for body in bodies(junk):
            ask(world, method, target, body, media)


def test_every_published_kind_answers_to_wrong_types(world: World) -> None:
    refused = 0
    for kind in world.api.types.values():
        if kind.resource in world.api.virtual or "karpenter" in kind.group:
            continue
        base = f"/{'apis' if kind.group else 'api'}/{kind.api_version}"
        target = base + ("/namespaces/default/" if kind.is_namespaced else "/") + kind.plural
        for junk in JUNK:
            for field in ("spec", "data", "rules", "subjects", "roleRef", "metadata"):
                refused += ask(world, "POST", f"{target}?dryRun=All", {"metadata": {"name": "x"}, field: junk}) >= 400
            for field in ("labels", "annotations", "ownerReferences", "finalizers", "name", "generateName"):
                refused += ask(world, "POST", f"{target}?dryRun=All", {"metadata": {"name": "x", field: junk}}) >= 400
    assert refused > 1_000


def test_null_elements_are_read_as_go_reads_them(world: World) -> None:
    """A null in a list of structs is an empty struct, a null list is none."""
    pods = POD.removesuffix("/web")
    body = {"metadata": {"name": "nulls"}, "spec": {"containers": [None]}}
    answer = world.rest.handle(Request.to("POST", pods, json.dumps(body).encode()))
    assert isinstance(answer, Response)
    assert answer.status == 422
    assert "spec.containers[0].name: Required value" in answer.json()["message"]
    body = {"metadata": {"name": "nulls", "labels": None}, "spec": {**CONTAINERS, "volumes": None}}
    assert ask(world, "POST", pods, body) == 201


@pytest.mark.parametrize("depth", [300, 500, 950, 5_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_deep_nesting_is_refused_or_dropped(world: World, depth: int, opening: str, closing: str) -> None:
    before = world.store.resource_version
    deep = opening * depth + "1" + closing * depth
    for media in (MERGE, STRATEGIC):
        for field in ("foo", "spec"):
            ask(world, "PATCH", f"{ROOT}/web", f'{{"{field}":{deep}}}'.encode(), media)
    ask(world, "POST", ROOT, f'{{"metadata":{{"name":"deep"}},"spec":{{"template":{deep}}}}}'.encode())
    ask(world, "DELETE", f"{ROOT}/nobody", deep.encode())
    assert world.store.resource_version == before
