"""Each checker fails when what it forbids happens: the rule is broken on purpose, behind the engine's back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labs.api.objects import clone
from labs.api.store import Object
from labs.dataplane.traffic.ledger import Ledger
from labs.units import MINUTE_NS
from labs.world import World

from .checkers import BUDGETS, DEPLOYMENTS, Checkers, unsettled
from .faults import open_shop
from .run import _check_requests

READY = [{"type": "Ready", "status": "True"}]


@pytest.fixture(scope="module")
def settled() -> World:
    world = World(7)
    open_shop(world)
    world.run_until(world.now_ns + 3 * MINUTE_NS)
    assert not list(unsettled(world))
    Checkers(world)
    return world


def pod_of(world: World, app: str = "frontend") -> Object:
    """A private copy of a running pod of the shop."""
    found = next(pod for pod in world.store.list("pods", "shop") if pod["metadata"]["name"].startswith(app))
    copied: Object = clone(found)
    return copied


def write(world: World, pod: Object) -> None:
    """A write that no rule of the API server has seen; the checkers raise from within it."""
    world.store.put("pods", pod)


def as_new(pod: Object, name: str) -> Object:
    return {**pod, "metadata": {**pod["metadata"], "name": name, "uid": f"uid-{name}"}}


def over_commit(world: World) -> None:
    pod = as_new(pod_of(world), "huge")
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "500"}}
    pod["status"].pop("podIP", None)
    write(world, pod)


def bind_twice(world: World) -> None:
    pod = pod_of(world)
    others = [node["metadata"]["name"] for node in world.store.list("nodes")]
    pod["spec"]["nodeName"] = next(name for name in others if name != pod["spec"]["nodeName"])
    write(world, pod)


def raise_the_dead(world: World) -> None:
    pod = pod_of(world, "worker")
    pod["status"]["phase"] = "Failed"
    write(world, pod)
    pod = clone(pod)
    pod["status"]["phase"] = "Running"
    write(world, pod)


def give_an_address_twice(world: World) -> None:
    pod = pod_of(world, "backend")
    pod["status"]["podIP"] = pod_of(world, "frontend")["status"]["podIP"]
    write(world, pod)


def change_the_uid(world: World) -> None:
    pod = pod_of(world)
    pod["metadata"]["uid"] = "another"
    write(world, pod)


def give_a_uid_twice(world: World) -> None:
    pod = as_new(pod_of(world), "twin")
    pod["metadata"]["uid"] = pod_of(world)["metadata"]["uid"]
    write(world, pod)


def take_a_deletion_back(world: World) -> None:
    pod = pod_of(world)
    pod["metadata"]["deletionTimestamp"] = "2026-03-02T09:00:00Z"
    write(world, pod)
    pod = clone(pod)
    del pod["metadata"]["deletionTimestamp"]
    write(world, pod)


def turn_the_version_back(world: World) -> None:
    world.store.resource_version = 1
    write(world, pod_of(world))


def break_a_budget(world: World) -> None:
    """Every pod of one budget is evicted, whatever the budget allows."""
    budget = world.store.list(BUDGETS, "shop")[0]
    labels = budget["spec"]["selector"]["matchLabels"]
    for pod in world.store.list("pods", "shop"):
        if labels.items() <= (pod["metadata"].get("labels") or {}).items():
            evicted = clone(pod)
            evicted["metadata"]["deletionTimestamp"] = "2026-03-02T09:00:00Z"
            evicted["status"]["conditions"].append(
                {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
            )
            write(world, evicted)


@pytest.mark.parametrize(
    ("mutation", "what"),
    [
        (over_commit, "over-committed in cpu"),
        (bind_twice, "bound once"),
        (raise_the_dead, "stays as it ended"),
        (give_an_address_twice, "given once"),
        (change_the_uid, "keeps its uid"),
        (give_a_uid_twice, "a uid is given once"),
        (take_a_deletion_back, "not taken back"),
        (turn_the_version_back, "versions rise"),
        (break_a_budget, "broke"),
    ],
)
def test_a_checker_sees_its_rule_broken(settled: World, mutation: Callable[[World], None], what: str) -> None:
    before = {resource: settled.store.list(resource) for resource in ("pods", "nodes")}
    version = settled.store.resource_version
    with pytest.raises(AssertionError, match=what):
        mutation(settled)
    restore(settled, before, version)


def restore(world: World, before: dict[str, list[Object]], version: int) -> None:
    """Put the tables back as they were, below the store's surface, for the next mutation."""
    for resource, objects in before.items():
        table = world.store._tables[resource]
        known = {(obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in objects}
        for key in list(table.objects):
            if key not in known:
                table.remove(key)
        for key, obj in known.items():
            table.put(key, obj)
    world.store.resource_version = max(version, world.store.resource_version) + 10


def test_a_lost_request_is_seen(settled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _check_requests(settled)
    true = settled.dataplane.ledger.conservation()
    lost = type(true)(**{**{name: getattr(true, name) for name in true.__slots__}, "arrived": true.arrived + 1})
    monkeypatch.setattr(Ledger, "conservation", lambda self: lost)
    with pytest.raises(AssertionError, match="arrived"):
        _check_requests(settled)


def test_a_shop_that_is_not_whole_is_seen(settled: World) -> None:
    deployment = clone(settled.store.list(DEPLOYMENTS)[0])
    deployment["status"]["readyReplicas"] = 0
    table = settled.store._tables[DEPLOYMENTS]
    key = (deployment["metadata"]["namespace"], deployment["metadata"]["name"])
    before = table.put(key, deployment)
    assert before is not None
    assert any("wanted" in text for text in unsettled(settled))
    table.put(key, before)
