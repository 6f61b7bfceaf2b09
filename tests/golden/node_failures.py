"""Recorded node failures, replayed: a node falls silent, is tainted, loses its pod, and comes back.

Compared: what happens to the node, to its pod and to the replacement, each in order and to the word; times within ten
seconds; and the order of things more than a second apart.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from fleet import BareCluster, node
from golden.comparison import Case, Field, sequence
from golden.stage import read, recordings, stem
from stand_ins import Cluster, deployment

from labs.api.client import Client
from labs.api.deletion import DeleteOptions
from labs.api.store import Object, WatchEvent
from labs.controlplane import node_lifecycle, taint_eviction
from labs.controlplane.deployment.controller import DeploymentController
from labs.controlplane.node_lifecycle import NodeLifecycle, NodeLifecycleOptions
from labs.controlplane.node_zones import EvictionLimits
from labs.controlplane.replicaset import ReplicaSetController
from labs.controlplane.scheduler.scheduler import NAME, Scheduler
from labs.controlplane.taint_eviction import TaintEviction
from labs.units import parse_duration, rfc3339, rfc3339_micro, to_ns

NAMESPACE = "nodefail"
SETTLED_S = 70
TOLERANCE_S = 10
TOGETHER_S = 1
HEALTHY = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}
POD_READY = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
Wire = dict[str, Any]
Step = tuple[float, str, Any]


FOLDER = "nodes"


def cases(root: Path) -> Iterator[Case]:
    """One for each failure."""
    for path in recordings(root / FOLDER):
        yield Case(FOLDER, stem(path), (path,), lambda path=path: compare(read(path)))


def flag(recording: Wire, name: str, default: str) -> int:
    """A flag's value in nanoseconds; `default` where it was left alone."""
    text = str(recording["flags"].get(name, "default"))
    return parse_duration(f"{default}s" if "default" in text else f"{text.removesuffix('s')}s")


def options_of(recording: Wire) -> NodeLifecycleOptions:
    rate = str(recording["flags"].get("node-eviction-rate", "default"))
    limits = EvictionLimits() if "default" in rate else EvictionLimits(node_eviction_rate=float(rate))
    return NodeLifecycleOptions(
        monitor_period_ns=flag(recording, "node-monitor-period", "5"),
        monitor_grace_ns=flag(recording, "node-monitor-grace-period", "50"),
        startup_grace_ns=flag(recording, "node-startup-grace-period", "60"),
        limits=limits,
    )


class Kubelets:
    """Twenty nodes that renew leases and run pods; one of them can be silenced."""

    def __init__(self, cluster: Cluster, lease_period_s: float, start_s: float) -> None:
        self.cluster, self.client = cluster, cluster.client
        self.lease_period_ns, self.start_ns = to_ns(lease_period_s), to_ns(start_s)
        self.silent = ""
        for index in range(20):
            self.client.create("nodes", node(f"node-{index}", f"zone-{'abc'[index % 3]}"))
            self._renew(f"node-{index}")
            self.post_status(f"node-{index}")
        self.client.subscribe("pods", self._on_pod)

    def post_status(self, name: str) -> None:
        current = self.cluster.get("nodes", name, "")
        now = rfc3339(self.cluster.loop.now_ns)
        conditions = [
            {"type": kind, "status": status, "lastHeartbeatTime": now, "reason": reason, "message": message}
            for kind, (status, reason, message) in HEALTHY.items()
        ]
        self.client.set_status("nodes", current, {**current["status"], "conditions": conditions})

    def _renew(self, name: str) -> None:
        if name != self.silent:
            lease = {"metadata": {"name": name, "namespace": "kube-node-lease"}}
            spec = {"holderIdentity": name, "renewTime": rfc3339_micro(self.cluster.loop.now_ns)}
            known = self.client.get("leases.coordination.k8s.io", "kube-node-lease", name)
            write = self.client.create if known is None else self.client.update
            write("leases.coordination.k8s.io", {**(known or lease), "spec": spec})
        self.cluster.loop.after(self.lease_period_ns, self._renew, name)

    def _on_pod(self, event: WatchEvent) -> None:
        bound, metadata = event.object["spec"].get("nodeName"), event.object["metadata"]
        if not bound or bound == self.silent or event.type == "DELETED":
            return
        if "deletionTimestamp" in metadata:
            self.cluster.loop.after(to_ns(1), self._remove, metadata["name"])
        elif not (event.previous or event.object)["spec"].get("nodeName"):
            self.cluster.loop.after(self.start_ns, self._run, metadata["name"])

    def _run(self, name: str) -> None:
        pod = self.cluster.get("pods", name, NAMESPACE)
        conditions = [{"type": kind, "status": "True"} for kind in POD_READY]
        scheduled = [item for item in pod["status"]["conditions"] if item["type"] == "PodScheduled"]
        self.client.set_status("pods", pod, {"phase": "Running", "conditions": conditions + scheduled})

    def _remove(self, name: str) -> None:
        self.client.delete("pods", NAMESPACE, name, DeleteOptions(grace_period_seconds=0))

    def come_back(self) -> None:
        name, self.silent = self.silent, ""
        self.post_status(name)
        for pod in self.client.pods_on_node(name):
            if "deletionTimestamp" in pod["metadata"]:
                self.cluster.loop.after(to_ns(1), self._remove, pod["metadata"]["name"])


class Tape:
    """Writes down what happens, in the recordings' form."""

    def __init__(self, cluster: Cluster) -> None:
        self.loop = cluster.loop
        self.zero_ns = 0
        self.steps: list[Wire] = []
        cluster.api.store.observe_writes(self._on_write)

    def _on_write(self, event: WatchEvent) -> None:
        obj, name = event.object, event.object["metadata"]["name"]
        step: Wire = {"t": (self.loop.now_ns - self.zero_ns) / 1e9}
        if event.resource == "nodes":
            taints = [[taint["key"], taint["effect"]] for taint in obj["spec"].get("taints") or ()]
            step |= {"object": f"node/{name}", "conditions": conditions_of(obj), "taints": taints}
        elif event.resource == "pods":
            step |= {
                "object": f"pod/{name}",
                "event": event.type,
                "node": obj["spec"].get("nodeName"),
                "phase": obj.get("status", {}).get("phase", "Pending"),
                "deleting": "deletionTimestamp" in obj["metadata"],
                "conditions": conditions_of(obj),
            }
        elif event.resource == "events":
            about = obj["involvedObject"]
            step |= {
                "object": f"event/{about['kind']}/{about['name']}/{obj['reason']}",
                "type": obj["type"],
                "message": obj["message"],
                "source": obj["source"].get("component") or obj["reportingComponent"],
            }
        if "object" in step:
            self.steps.append(step)


def conditions_of(obj: Object) -> Wire:
    found = obj.get("status", {}).get("conditions") or ()
    return {item["type"]: [item["status"], item.get("reason"), item.get("message")] for item in found}


def replay(recording: Wire) -> tuple[list[Wire], str]:
    """Our trace from the node's silence on, and the name of the node."""
    stop, back = [step["t"] for step in recording["trace"] if step["object"] == "control"]
    theirs = dict(enumerate(milestones(recording["trace"], recording["victim"])))
    running = [t for t, role, facts in theirs.values() if role == "REPLACEMENT" and facts[1:] == ("Running", True)]
    bound = [t for t, role, facts in theirs.values() if role == "REPLACEMENT" and facts[1:] == ("Pending", True)]
    healthy = [t for t, role, facts in theirs.values() if role == "node" and facts[0]["Ready"][0] == "True"]
    cluster = BareCluster()
    kubelets = Kubelets(cluster, recording["lease_period_s"], running[0] - bound[0])
    DeploymentController(Client(cluster.api, "deployment-controller")).start()
    ReplicaSetController(Client(cluster.api, "replicaset-controller")).start()
    Scheduler(Client(cluster.api, NAME), cluster.api.streams).start()
    NodeLifecycle(Client(cluster.api, node_lifecycle.NAME), options_of(recording)).start()
    TaintEviction(Client(cluster.api, taint_eviction.NAME)).start()
    web = deployment("web", 6)
    web["metadata"]["namespace"] = NAMESPACE
    web["spec"]["template"]["spec"]["tolerations"] = tolerations(recording)
    cluster.create("deployments.apps", web)
    cluster.run(SETTLED_S)
    victim = cluster.client.list("pods", NAMESPACE)[0]["spec"]["nodeName"]
    tape = Tape(cluster)
    tape.zero_ns, kubelets.silent = cluster.loop.now_ns, victim
    tape.steps += [{"t": 0.08, "object": f"pod/{pod['metadata']['name']}", "event": "ADDED", "node": victim}
                   for pod in cluster.client.pods_on_node(victim)]  # fmt: skip
    tape.steps.append({"t": 0.0, "object": "control"})
    cluster.run(min(t for t in healthy if t > back) - stop)
    kubelets.come_back()
    cluster.run(30)
    return tape.steps, victim


def tolerations(recording: Wire) -> list[Wire]:
    return [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": flag(recording, f"default-{key}-toleration-seconds", "300") // 10**9,
        }
        for key in ("not-ready", "unreachable")
    ]


def milestones(trace: list[Wire], victim: str) -> Iterator[Step]:
    """(time, what, facts) from the node's silence on: of the node, its pod, the pod's replacement; repeats left out."""
    silence = next(index for index, step in enumerate(trace) if step["object"] == "control")
    before = {step["object"]: step.get("node") for step in trace[:silence] if step["object"].startswith("pod/")}
    lost = [name.removeprefix("pod/") for name, where in before.items() if where == victim]
    new = [
        step["object"].removeprefix("pod/")
        for step in trace[silence:]
        if step["object"].startswith("pod/") and step["event"] == "ADDED"
    ]
    roles = {victim: "NODE", **dict.fromkeys(lost, "LOST"), **dict.fromkeys(new, "REPLACEMENT")}
    latest: dict[str, Any] = {}
    for step in trace[silence + 1 :]:
        for role, facts in described(step, roles):
            if latest.get(role) != facts:
                latest[role] = facts
                yield step["t"], role, facts


def described(step: Wire, roles: dict[str, str]) -> Iterator[tuple[str, Any]]:
    kind, _, rest = step["object"].partition("/")
    if kind == "node" and rest in roles:
        yield "node", ({key: list(value) for key, value in step["conditions"].items()}, step["taints"])
    elif kind == "pod" and roles.get(rest) == "LOST":
        yield "LOST", (step["event"] == "DELETED", step["deleting"], step["conditions"])
    elif kind == "pod" and roles.get(rest) == "REPLACEMENT":
        yield "REPLACEMENT", (step["event"] == "ADDED", step["phase"], bool(step["node"]))
    elif kind == "event":
        about, name, reason = rest.split("/")
        message = step["message"].rpartition(" to ")[0] if reason == "Scheduled" else step["message"]
        for known, role in roles.items():
            message = message.replace(known, role)
        if name in roles or reason == "SuccessfulCreate":
            yield f"{about} {reason}", (roles.get(name), step["type"], message, step["source"])


def compare(recording: Wire) -> Iterator[Field]:
    """Each role's steps; their times within ten seconds; and their order where more than a second lies between."""
    theirs = list(milestones(recording["trace"], recording["victim"]))
    ours = list(milestones(*replay(recording)))
    paired: list[tuple[Step, Step]] = []
    for role in dict.fromkeys(role for _, role, _ in theirs + ours):
        their_steps = [step for step in theirs if step[1] == role]
        our_steps = [step for step in ours if step[1] == role]
        yield from sequence([step[2] for step in our_steps], [step[2] for step in their_steps], role)
        if len(our_steps) == len(their_steps):
            paired += zip(their_steps, our_steps, strict=True)
    for their_step, our_step in paired:
        is_near = abs(our_step[0] - their_step[0]) <= TOLERANCE_S
        yield Field(f"time of {their_step[1]}", their_step[0] if is_near else our_step[0], their_step[0])
    # When the pod goes in the end is the stand-in kubelet's choice, not the control plane's.
    ordered = sorted((pair for pair in paired if not is_removal(pair[0])), key=lambda pair: pair[0][0])
    for (their_first, our_first), (their_second, our_second) in combinations(ordered, 2):
        if their_second[0] - their_first[0] > TOGETHER_S:
            yield Field(f"{their_first[1]} before {their_second[1]}", our_first[0] <= our_second[0], True)


def is_removal(step: Step) -> bool:
    return step[1] == "LOST" and bool(step[2][0])
