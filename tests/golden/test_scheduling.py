"""Recorded refusals: pods that fit nowhere are told so in the same words.

`pytest tests/golden --golden DIR` replays the recordings of another folder (`DIR/scheduling/*.json`).
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.store import Object, Store
from labs.api.strategies.registry import all_strategies
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, parse_rfc3339

DATA = Path(__file__).parent / "data" / "scheduling"
Wire = dict[str, Any]
FLEET = re.compile(r"(\d+) nodes, (\S+)/(\S+) each, zones a/b/c by i%3; (.*)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption("--golden", default=None)
    given = sorted((Path(asked).resolve() / "scheduling").glob("*.json")) if asked else []
    paths = given or sorted(DATA.glob("*.json"))
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    metafunc.parametrize("recording", found.values(), ids=found)


def nodes_of(note: str) -> list[Object]:
    """The nodes that a recording's note describes."""
    described = FLEET.match(note)
    assert described is not None, note
    count, cpu, memory, exceptions = described.groups()
    nodes = []
    for index in range(int(count)):
        name = f"node-{index}"
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{'abc'[index % 3]}"}
        spec: Wire = {}
        taint = re.search(rf"\b{name} tainted (\w+)=(\w+):(\w+)", exceptions)
        if taint is not None:
            spec["taints"] = [dict(zip(("key", "value", "effect"), taint.groups(), strict=True))]
        if re.search(rf"\b{name} cordoned", exceptions):
            spec["unschedulable"] = True
        status = {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}}
        nodes.append({"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})
    return nodes


def group_of(name: str) -> str:
    """The deployment of a pod, or the pod itself."""
    owned = re.fullmatch(r"(.+)-[bcdf0-9]{5,10}-[a-z0-9]{5}", name)
    return owned.group(1) if owned is not None else name


def replay(recording: Wire) -> Client:
    loop = Loop(parse_rfc3339("2026-03-02T09:00:00Z"))
    streams = Streams(7)
    store = Store(loop, Trace())
    api = ApiServer(loop, streams, store, strategies=all_strategies(store, streams))
    client = Client(api, "tester")
    for node in nodes_of(recording["note"]):
        status = node.pop("status")
        client.set_status("nodes", client.create("nodes", node), status)
    Scheduler(Client(api, NAME), streams).start()
    for pod in recording["pods"]:
        spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
        labels = {"app": group_of(pod["name"])}
        client.create("pods", {"metadata": {"name": pod["name"], "namespace": "sched", "labels": labels}, "spec": spec})
    loop.run_until(loop.now_ns + 5 * SECOND_NS)
    return client


def told(events: list[tuple[str, str, str, str]]) -> Counter[tuple[str, ...]]:
    """Type, reason, pod's group and message of each distinct event on a pod, without the names of pods and nodes."""
    return Counter(
        (severity, reason, group_of(name), re.sub(r"(?<=assigned sched/)\S+ to \S+", "POD to NODE", message))
        for severity, reason, name, message in dict.fromkeys(events)
    )


def test_events_say_the_same(recording: Wire) -> None:
    client = replay(recording)

    ours = [
        (event["type"], event["reason"], event["involvedObject"]["name"], event["message"])
        for event in client.list("events")
    ]
    theirs = [
        (event["type"], event["reason"], event["object"].partition("/")[2], event["message"])
        for event in recording["events"]
        if event["source"] == NAME
    ]
    assert told(ours) == told(theirs)


def test_conditions_say_the_same(recording: Wire) -> None:
    client = replay(recording)

    ours = Counter(condition_of(pod["metadata"]["name"], pod["status"]["conditions"]) for pod in client.list("pods"))

    assert ours == Counter(condition_of(pod["name"], pod["conditions"]) for pod in recording["pods"])


def test_tainted_and_cordoned_nodes_get_no_pod_and_spread_is_kept(recording: Wire) -> None:
    client = replay(recording)
    placed: dict[str, list[str]] = {}
    for pod in client.list("pods"):
        if pod["spec"].get("nodeName"):
            placed.setdefault(group_of(pod["metadata"]["name"]), []).append(pod["spec"]["nodeName"])

    recorded: dict[str, list[str]] = {}
    for pod in recording["pods"]:
        if pod["node"]:
            recorded.setdefault(group_of(pod["name"]), []).append(pod["node"])

    assert {group: zones(nodes) for group, nodes in placed.items() if len(nodes) > 1} == {
        group: zones(nodes) for group, nodes in recorded.items() if len(nodes) > 1
    }


def zones(nodes: list[str]) -> Counter[int]:
    return Counter(int(name.rpartition("-")[2]) % 3 for name in nodes)


def condition_of(name: str, conditions: list[Wire]) -> tuple[Any, ...]:
    [found] = [item for item in conditions if item["type"] == "PodScheduled"]
    return (group_of(name), *(found.get(field) for field in ("status", "reason", "message", "observedGeneration")))
