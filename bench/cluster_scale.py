"""What a large cluster costs: nodes and pods created, scheduled, ready and listed, in seconds of processor time and MB.

``python -m bench.cluster_scale`` measures sizes from 100 to 10,000 pods on a tenth as many nodes, each in a process
of its own, and how the cost grows with the size: 1.0 on the log-log slope is a cost in proportion to the pods.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from labs.api.rest.message import Request
from labs.api.store import Object
from labs.dataplane.cloud import ZONES
from labs.dataplane.machines import NodeGroup
from labs.server.serve import collect_rarely
from labs.units import MINUTE_NS, SECOND_NS
from labs.world import World, WorldConfig

PODS = (100, 300, 1_000, 3_000, 10_000)
PODS_PER_NODE = 10
PAGE = 500
"""``kubectl get`` asks for this many at a time."""
LIMIT_NS = 30 * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Cost:
    """One size: processor seconds of each part, virtual time until all were ready, and the process' memory."""

    pods: int
    nodes: int
    start_s: float
    ready_s: float
    list_s: float
    virtual_s: float
    memory_mb: float

    @property
    def total_s(self) -> float:
        """All three parts."""
        return self.start_s + self.ready_s + self.list_s


def measure(pods: int) -> Cost:
    """Build a cluster for ``pods`` pods and run them all."""
    marks = [time.process_time()]
    nodes = max(1, pods // PODS_PER_NODE)
    groups = [NodeGroup("general", "m6i.large", nodes, ZONES)]
    world = World(7, WorldConfig(node_groups=groups, databases=(), platform=()))
    collect_rarely()
    marks.append(time.process_time())
    began_ns = world.now_ns
    world.apply(deployment(pods))
    while ready(world) < pods:
        assert world.now_ns - began_ns < LIMIT_NS, f"{ready(world)} of {pods} pods are ready"
        world.run_until(world.now_ns + SECOND_NS)
    marks.append(time.process_time())
    assert list_all(world) == pods
    marks.append(time.process_time())
    start_s, ready_s, list_s = (after - before for before, after in pairwise(marks))
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(pods, nodes, start_s, ready_s, list_s, (world.now_ns - began_ns) / SECOND_NS, memory_mb)


def deployment(pods: int) -> Object:
    """A Deployment of pods that start and idle."""
    container = {"name": "web", "image": "busybox:1.37", "command": ["sleep", "infinity"]}
    container["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": pods,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


def ready(world: World) -> int:
    """How many pods the Deployment says are ready."""
    found = world.store.get("deployments.apps", "default", "web")
    count: int = ((found or {}).get("status") or {}).get("readyReplicas", 0)
    return count


def list_all(world: World) -> int:
    """List the pods page by page, as kubectl does; returns how many there are."""
    count, token = 0, ""
    while True:
        target = f"/api/v1/namespaces/default/pods?limit={PAGE}&labelSelector=app%3Dweb&continue={token}"
        page = json.loads(world.rest.handle(Request.to("GET", target)).body)
        count += len(page["items"])
        token = page["metadata"].get("continue", "")
        if not token:
            return count


def slope(costs: list[Cost]) -> float:
    """The exponent of the growth of the total cost with the number of pods."""
    sizes, totals = np.log([cost.pods for cost in costs]), np.log([cost.total_s for cost in costs])
    return float(np.polyfit(sizes, totals, 1)[0])


def in_a_process(pods: int) -> Cost:
    """``measure`` in a process of its own, so that memory is this size's alone."""
    command = [sys.executable, "-m", "bench.cluster_scale", str(pods)]
    return Cost(**json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def main() -> None:
    """One size as JSON when it is given, else all sizes as a table."""
    if len(sys.argv) > 1:
        print(json.dumps(asdict(measure(int(sys.argv[1])))))
        return
    costs = [in_a_process(pods) for pods in PODS]
    print(f"{'pods':>8} {'nodes':>6} {'start':>8} {'ready':>8} {'list':>8} {'total':>8} {'memory':>9}")
    for cost in costs:
        parts = f"{cost.start_s:6.2f} s {cost.ready_s:6.2f} s {cost.list_s:6.2f} s {cost.total_s:6.2f} s"
        print(f"{cost.pods:8,} {cost.nodes:6,} {parts} {cost.memory_mb:6.0f} MB")
    print(f"log-log slope of the total: {slope(costs):.2f}")


if __name__ == "__main__":
    main()
