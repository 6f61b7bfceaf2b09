"""`rollout/`: a Deployment's rollout, replayed against the recording of a real control plane.

What is compared: the sizes that each ReplicaSet was given in turn, the sequence of each condition, and the bounds on
pods. Steps depend on which pods become Ready together, which a recording on a busy machine leaves open; where that
shows (a step of more than one pod that followed a pod's readiness), only bounds and ends are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

from golden.comparison import Case, Field, sequence
from golden.stage import read, recordings, stem
from stand_ins import Cluster, TinyKubelet

from labs.api.client import Client
from labs.api.store import WatchEvent
from labs.controlplane.deployment.controller import DeploymentController
from labs.controlplane.replicaset import ReplicaSetController

FOLDER = "rollout"
SETTLE_S = 60


def cases(root: Path) -> Iterator[Case]:
    """One for each rollout."""
    for path in recordings(root / FOLDER):
        yield Case(FOLDER, stem(path), (path,), lambda path=path: compare(read(path)))


class Journal:
    """What one run or recording tells about each ReplicaSet and the Deployment, repeats left out."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sizes: dict[str, list[int]] = {}
        self.conditions: dict[str, list[tuple[str, ...]]] = {}
        self.most_pods = 0
        self.status: dict[str, Any] = {}
        self.events: list[tuple[str, str, str]] = []

    def add_replica_set(self, name: str, size: int) -> None:
        if name not in self.names:
            self.names.append(name)
        _append(self.sizes.setdefault(name, []), size)

    def add_deployment(self, status: dict[str, Any], conditions: dict[str, tuple[str, ...]]) -> None:
        self.status = status
        self.most_pods = max(self.most_pods, status.get("replicas", 0))
        for kind, facts in conditions.items():
            _append(self.conditions.setdefault(kind, []), facts)

    def told(self) -> list[tuple[str, str, str]]:
        """The Deployment's own events, sets named by their order; combined ones without the number they stand for."""
        found = [event for event in self.events if event[1] == "ScalingReplicaSet"]
        for order, name in enumerate(self.names):
            found = [(kind, reason, text.replace(name, f"set-{order}")) for kind, reason, text in found]
        return sorted(found)

    def normalised(self) -> dict[str, list[tuple[str, ...]]]:
        """The conditions, with sets named by their order."""
        found = self.conditions
        for order, name in enumerate(self.names):
            found = {
                kind: [tuple(text.replace(name, f"set-{order}") for text in facts) for facts in rows]
                for kind, rows in found.items()
            }
        return found


def _append(rows: list[Any], row: Any) -> None:
    if not rows or rows[-1] != row:
        rows.append(row)


def recorded(recording: dict[str, Any]) -> Journal:
    journal = Journal()
    for row in recording["trace"]:
        if row.get("event") == "DELETED" or "kind" not in row:
            continue
        if row["kind"] == "ReplicaSet":
            journal.add_replica_set(row["name"], row["spec.replicas"])
        else:
            journal.add_deployment(row["status"], {kind: tuple(facts) for kind, facts in row["conditions"].items()})
    journal.events = [(item["type"], item["reason"], item["message"]) for item in recording["events"]]
    return journal


def replayed(recording: dict[str, Any]) -> Journal:
    cluster, journal = Cluster(), Journal()
    DeploymentController(Client(cluster.api, "deployment-controller")).start()
    ReplicaSetController(Client(cluster.api, "replicaset-controller")).start()
    TinyKubelet(cluster, start_s=recording["pod_start_delay_s"], stop_s=0.5)

    def note_deployment(event: WatchEvent) -> None:
        status = event.object.get("status") or {}
        conditions = {
            item["type"]: (item["status"], item["reason"], item["message"]) for item in status.get("conditions") or ()
        }
        journal.add_deployment(status, conditions)

    def note_replica_set(event: WatchEvent) -> None:
        journal.add_replica_set(event.object["metadata"]["name"], event.object["spec"]["replicas"])

    cluster.client.subscribe("deployments.apps", note_deployment)
    cluster.client.subscribe("replicasets.apps", note_replica_set)
    deployment = recording["deployment"]
    cluster.create("deployments.apps", {**deployment, "metadata": dict(deployment["metadata"])})
    cluster.run(SETTLE_S)
    for row in recording["trace"]:
        if "action" in row:
            act(cluster, recording["deployment"]["metadata"]["name"], row["action"])
            cluster.run(SETTLE_S)
    events = cluster.client.list("events")
    journal.events = [(item["type"], item["reason"], item["message"]) for item in events]
    return journal


def act(cluster: Cluster, name: str, action: str) -> None:
    words = action.split()
    if words[:2] == ["set", "image"]:
        cluster.patch("deployments.apps", name, lambda spec: with_image(spec, words[-1]))
    else:
        assert words[0] == "scale", f"a recording has an action that is not known here: {action}"
        cluster.patch("deployments.apps", name, lambda spec: {**spec, "replicas": int(words[-1].split("=")[-1])})


def with_image(spec: dict[str, Any], image: str) -> dict[str, Any]:
    containers = [{**container, "image": image} for container in spec["template"]["spec"]["containers"]]
    return {**spec, "template": {**spec["template"], "spec": {**spec["template"]["spec"], "containers": containers}}}


def depends_on_readiness(journal: Journal) -> bool:
    """Whether pods that became Ready at almost the same moment made a step larger or smaller."""
    new = journal.sizes[journal.names[-1]]
    return any(abs(after - before) > 1 for before, after in pairwise(new)) and len(new) > 4


def compare(recording: dict[str, Any]) -> Iterator[Field]:
    """Conditions, bounds, the last status, the sizes of each set, the events."""
    want, have = recorded(recording), replayed(recording)
    ours, theirs = have.normalised(), want.normalised()
    for kind in dict.fromkeys([*theirs, *ours]):
        yield from sequence(ours.get(kind, []), theirs.get(kind, []), f"conditions.{kind}")
    yield Field("most pods within bounds", have.most_pods <= want.most_pods, True)
    for key in dict.fromkeys([*want.status, *have.status]):
        if key != "conditions":
            yield Field(f"status.{key}", have.status.get(key), want.status.get(key))
    for order, (before, after) in enumerate(zip_longest(want.names, have.names)):
        mine, other = have.sizes.get(after, []), want.sizes.get(before, [])
        if depends_on_readiness(want):
            mine, other = [*mine[:2], mine[-1]], [*other[:2], other[-1]]
        yield from sequence(mine, other, f"set-{order}")
    if not depends_on_readiness(want):
        yield from sequence(have.told(), want.told(), "events")
