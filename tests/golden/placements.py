"""Recorded refusals: pods that fit nowhere are told so in the same words."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from golden.comparison import Case, Field, fields, sequence
from golden.stage import read, recordings, stem

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.store import Object, Store
from labs.api.strategies.registry import all_strategies
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, parse_rfc3339

FOLDER = "scheduling"
Wire = dict[str, Any]
FLEET = re.compile(r"(\d+) nodes, (\S+)/(\S+) each, zones a/b/c by i%3; (.*)")


def cases(root: Path) -> Iterator[Case]:
    """One for each fleet."""
    for path in recordings(root / FOLDER):
        yield Case(FOLDER, stem(path), (path,), lambda path=path: compare(read(path)))


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


def compare(recording: Wire) -> Iterator[Field]:
    """Events, conditions, and over which zones each group of pods is spread."""
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
    yield from sequence(sorted(told(ours).elements()), sorted(told(theirs).elements()), "events")
    pods = client.list("pods")
    mine = [condition_of(pod["metadata"]["name"], pod["status"]["conditions"]) for pod in pods]
    recorded = [condition_of(pod["name"], pod["conditions"]) for pod in recording["pods"]]
    yield from sequence(sorted(mine, key=str), sorted(recorded, key=str), "conditions")
    placed = spread_of((pod["metadata"]["name"], pod["spec"].get("nodeName")) for pod in pods)
    yield from fields(placed, spread_of((pod["name"], pod["node"]) for pod in recording["pods"]), "zones")


def spread_of(places: Iterable[tuple[str, str | None]]) -> dict[str, dict[str, int]]:
    """How many pods of each group of more than one are in each zone."""
    found: dict[str, list[str]] = {}
    for name, node in places:
        if node:
            found.setdefault(group_of(name), []).append(node)
    return {
        group: {str(zone): count for zone, count in sorted(zones(nodes).items())}
        for group, nodes in sorted(found.items())
        if len(nodes) > 1
    }


def zones(nodes: list[str]) -> Counter[int]:
    return Counter(int(name.rpartition("-")[2]) % 3 for name in nodes)


def condition_of(name: str, conditions: list[Wire]) -> tuple[Any, ...]:
    [found] = [item for item in conditions if item["type"] == "PodScheduled"]
    return (group_of(name), *(found.get(field) for field in ("status", "reason", "message", "observedGeneration")))
