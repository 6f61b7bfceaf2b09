"""What the API answers in a second with 10,000 pods in the store, and what a list by selector costs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from bench.report import Figure, hand_over
from labs.api.rest.message import Request, Response
from labs.api.rest.watches import WatchStream
from labs.server.serve import collect_rarely
from labs.world import World, WorldConfig

PODS = 10_000
GROUPS = 100
"""Pods of one label value: PODS / GROUPS, as on one node."""
CALLS = 1_000
WATCHES = 10
RUNS = 3
PATH = "/api/v1/namespaces/default/pods"
MERGE = {"content-type": "application/merge-patch+json"}


def filled() -> World:
    """A cluster without nodes and with pods that wait, in groups by label."""
    world = World(7, WorldConfig(node_groups=(), databases=(), platform=()))
    collect_rarely()
    for number in range(PODS):
        metadata = {"name": f"pod-{number}", "namespace": "default", "labels": {"group": f"g{number % GROUPS}"}}
        spec = {"nodeName": f"node-{number % GROUPS}", "containers": [{"name": "web", "image": "busybox:1.37"}]}
        world.api.create("pods", {"metadata": metadata, "spec": spec}, user="admin", manager="bench")
    return world


def ask(world: World, method: str, target: str, body: bytes = b"") -> Response:
    """One answer, which must be a good one."""
    answer = world.rest.handle(Request.to(method, target, body, MERGE))
    assert isinstance(answer, Response)
    assert answer.status == 200, answer.body
    return answer


def seconds(work: Callable[[], None]) -> float:
    """The median time of a few runs."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def read(world: World) -> None:
    """Every tenth pod by its name."""
    for number in range(CALLS):
        ask(world, "GET", f"{PATH}/pod-{number * (PODS // CALLS)}")


def write(world: World) -> None:
    """A label of every tenth pod."""
    for number in range(CALLS):
        body = json.dumps({"metadata": {"labels": {"turn": str(world.store.resource_version)}}}).encode()
        ask(world, "PATCH", f"{PATH}/pod-{number * (PODS // CALLS)}", body)


def watched(world: World) -> None:
    """The same writes, each told to every open watch."""
    target = f"{PATH}?watch=1&resourceVersion={world.store.resource_version}"
    streams = [
        stream
        for _ in range(WATCHES)
        if isinstance(stream := world.rest.handle(Request.to("GET", target)), WatchStream)
    ]
    write(world)
    told = sum(len(stream.pull()) for stream in streams)
    assert told == WATCHES * CALLS, told
    for stream in streams:
        stream.close()


def listing(world: World, query: str, expected: int) -> Callable[[], None]:
    """A list, which must have ``expected`` items."""

    def work() -> None:
        assert len(ask(world, "GET", f"{PATH}?{query}").json()["items"]) == expected

    return work


def measure() -> list[Figure]:
    """Rates, and milliseconds of lists."""
    world = filled()
    reads, writes = seconds(lambda: read(world)), seconds(lambda: write(world))
    told = seconds(lambda: watched(world))
    one, node = "labelSelector=group%3Dg7", "fieldSelector=spec.nodeName%3Dnode-7"
    label_s, field_s, all_s = (
        seconds(listing(world, query, count)) for query, count in ((one, 100), (node, 100), ("", PODS))
    )
    return [
        Figure("reads with 10,000 pods", CALLS / reads, "1/s", RUNS),
        Figure("writes with 10,000 pods", CALLS / writes, "1/s", RUNS),
        Figure(
            "watch events with 10,000 pods and 10 watches, the writes included", WATCHES * CALLS / told, "1/s", RUNS
        ),
        Figure("list 100 of 10,000 pods by label", label_s * 1e3, "ms", RUNS, "indexed"),
        Figure("list 100 of 10,000 pods by node", field_s * 1e3, "ms", RUNS, "indexed"),
        Figure("list all 10,000 pods", all_s * 1e3, "ms", RUNS),
    ]


if __name__ == "__main__":
    hand_over(measure())
