"""Recorded autoscalers, replayed: the same load, flags and hands on the scale give the same course."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

from golden.comparison import Case, Field, sequence
from golden.stage import read, recordings, stem

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.api.metrics import MetricValue, PodSample
from labs.api.store import Store, WatchEvent
from labs.controlplane.hpa.controller import HPAS, HpaController
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.hpa.spec import HpaOptions
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import SECOND_NS, parse_duration, parse_rfc3339, rfc3339, to_ns

Wire = dict[str, Any]
DEPLOYMENTS = "deployments.apps"
SAMPLING_NS = to_ns(1.5)
STARTED_BEFORE_NS = 66 * SECOND_NS
"""Age of the first pods when the autoscaler is created, as in the recordings."""


FOLDER = "hpa"


def cases(root: Path) -> Iterator[Case]:
    """One for each recording: most hold the autoscaler's spec and flags, some only a scenario line."""
    for folder in sorted(path for path in (root / FOLDER).glob("*") if path.is_dir()):
        for path in recordings(folder):
            yield Case(FOLDER, f"{folder.name}/{stem(path)}", (path,), lambda path=path: compare(read(path)))


def compare(recording: Wire) -> Iterator[Field]:
    """The course of counts, conditions and metrics, the times of changes, the events."""
    return compare_whole(recording) if "hpa" in recording else compare_sparse(recording)


@dataclass
class Load:
    """What the metrics say now; see `load_semantics` in a recording."""

    kind: str = "total"
    milli: int = 0
    missing: int = 0
    unready_after: int | None = None


class Cluster:
    """A store, an autoscaler controller, and a stand-in for all that turns replicas into running pods."""

    def __init__(self, start_ns: int, options: HpaOptions, start_delay_ns: int, window_ns: int) -> None:
        self.loop = Loop(start_ns - STARTED_BEFORE_NS)
        self.start_ns = start_ns
        self.api = ApiServer(self.loop, Streams(1), Store(self.loop, Trace()))
        self.client = Client(self.api, "horizontal-pod-autoscaler")
        self.start_delay_ns, self.window_ns = start_delay_ns, window_ns
        self.load = Load()
        self.external_milli = 0
        self.controller = HpaController(self.client, MetricReaders(self, self, self), options)
        self.controller.start()
        self.client.subscribe(DEPLOYMENTS, self._follow)
        self._pods_made = 0

    def at(self, t: float, callback: Callable[[], None]) -> None:
        self.loop.at(self.start_ns + to_ns(t), callback)

    def _follow(self, event: WatchEvent) -> None:
        """Add pods, or remove the youngest, until there are as many as the Deployment wants."""
        deployment = event.object
        pods = self.pods_of(deployment)
        wanted = deployment["spec"]["replicas"]
        for _ in range(len(pods), wanted):
            self._pods_made += 1
            name = f"{deployment['metadata']['name']}-{self._pods_made:04d}"
            template = deployment["spec"]["template"]
            metadata = {"namespace": "default", "name": name, "labels": template["metadata"]["labels"]}
            status = {"phase": "Pending", "startTime": rfc3339(self.loop.now_ns)}
            self.api.create("pods", {"metadata": metadata, "spec": template["spec"], "status": status})
            self.loop.after(self.start_delay_ns, self._run, name)
        for pod in pods[wanted:]:
            self.api.store.remove("pods", "default", pod["metadata"]["name"])
        self.client.set_status(DEPLOYMENTS, deployment, {"replicas": wanted})

    def _run(self, name: str) -> None:
        pod = self.client.get("pods", "default", name)
        if pod is None:
            return
        running = [item for item in self.client.list("pods", "default") if item["status"]["phase"] == "Running"]
        is_ready = self.load.unready_after is None or len(running) < self.load.unready_after
        now = rfc3339(self.loop.now_ns)
        ready = {"type": "Ready", "status": "True" if is_ready else "False", "lastTransitionTime": now}
        if not is_ready:
            ready["lastTransitionTime"] = pod["status"]["startTime"]
        self.client.set_status("pods", pod, {**pod["status"], "phase": "Running", "conditions": [ready]})

    def pods_of(self, deployment: Wire) -> list[Wire]:
        labels = deployment["spec"]["selector"]["matchLabels"].items()
        pods = self.client.list("pods", "default")
        return [pod for pod in pods if labels <= pod["metadata"]["labels"].items()]

    def _use_by_pod(self, selector: Any) -> Iterator[tuple[str, int]]:
        running = [pod for pod in self.client.list("pods", "default", selector) if pod["status"]["phase"] == "Running"]
        ready = [pod for pod in running if pod["status"]["conditions"][0]["status"] == "True"]
        use = self.load.milli if self.load.kind == "perpod" else int(self.load.milli / max(len(ready), 1))
        for pod in running[self.load.missing :]:
            yield pod["metadata"]["name"], use

    def pod_samples(self, resource: str, namespace: str, selector: Any) -> list[PodSample]:
        now_ns = self.loop.now_ns // SECOND_NS * SECOND_NS
        return [PodSample(name, {"web": use}, now_ns, self.window_ns) for name, use in self._use_by_pod(selector)]

    def pod_values(self, metric: str, namespace: str, selector: Any, metric_selector: Any) -> list[MetricValue]:
        return [MetricValue(name, use, self.loop.now_ns) for name, use in self._use_by_pod(selector)]

    def object_value(self, metric: str, namespace: str, kind: str, name: str, metric_selector: Any) -> MetricValue:
        return MetricValue(name, self.external_milli, self.loop.now_ns)

    def values(self, metric: str, namespace: str, metric_selector: Any) -> list[int]:
        return [self.external_milli]

    def create(self, deployment: Wire, hpa: Wire) -> None:
        """The Deployment at once, the autoscaler when the recording starts."""

        def namespaced(obj: Wire) -> Wire:
            return {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}

        self.api.create(DEPLOYMENTS, namespaced(deployment))
        unsynced = {"desiredReplicas": 0, "currentMetrics": None}
        self.at(0, lambda: self.api.create(HPAS, {**namespaced(hpa), "status": unsynced}) and None)

    def scale(self, name: str, replicas: int) -> None:
        scale = self.client.scale(DEPLOYMENTS, "default", name)
        self.client.set_scale(DEPLOYMENTS, {**scale, "spec": {"replicas": replicas}})

    def sample(self, t: float, name: str) -> Wire:
        """The state of one autoscaler and its target, in the form of a recording's samples."""
        status = self.client.require(HPAS, "default", name)["status"]
        return {
            "t": t,
            "spec": self.client.require(DEPLOYMENTS, "default", name)["spec"]["replicas"],
            "desired": status["desiredReplicas"],
            "current": status.get("currentReplicas"),
            "metrics": status["currentMetrics"],
            "conditions": {
                condition["type"]: [condition["status"], condition["reason"], condition["message"]]
                for condition in status.get("conditions", [])
            },
        }

    def samples(self, seconds: Iterable[float], name: str) -> list[Wire]:
        taken = []
        for t in seconds:
            self.loop.run_until(self.start_ns + to_ns(t))
            taken.append(self.sample(t, name))
        return taken

    def status_at(self, t: float, name: str) -> Wire:
        self.loop.run_until(self.start_ns + to_ns(t))
        status: Wire = self.client.require(HPAS, "default", name)["status"]
        return status

    def events(self, name: str) -> list[Wire]:
        events = self.client.list("events", "default")
        return [event for event in events if event["involvedObject"]["name"] == name]


def options_of(recording: Wire) -> HpaOptions:
    """The flags of a recording; their texts read `15s` or `15s (default)`."""
    prefix = "horizontal-pod-autoscaler-"
    flags = {
        name.removeprefix(prefix): text.split()[0]
        for name, text in recording["controller_flags"].items()
        if name.startswith(prefix)
    }
    return HpaOptions(
        sync_period_ns=parse_duration(flags["sync-period"]),
        tolerance=float(flags["tolerance"]),
        downscale_stabilization_ns=parse_duration(flags["downscale-stabilization"]),
        cpu_initialization_period_ns=parse_duration(flags["cpu-initialization-period"]),
        initial_readiness_delay_ns=parse_duration(flags["initial-readiness-delay"]),
    )


def replay(recording: Wire) -> Cluster:
    pods = recording["pods"]
    cluster = Cluster(
        parse_rfc3339(recording["t0_utc"]),
        options_of(recording),
        to_ns(pods["start_delay_s"]),
        parse_duration(pods["metric_window"]),
    )
    cluster.create(recording["deployment"], recording["hpa"])
    for step in recording["load_series"]:
        fields = {field: value for field, value in step.items() if field != "t"}
        cluster.at(step["t"], lambda load=Load(**fields): setattr(cluster, "load", load))
    name = recording["deployment"]["metadata"]["name"]
    for step in recording["manual_scale"]:
        cluster.at(step["t"], lambda replicas=step["replicas"]: cluster.scale(name, replicas))
    return cluster


def course(values: Iterable[Any]) -> list[Any]:
    """The values without repetitions of the one before."""
    changes: list[Any] = []
    for value in values:
        if not changes or changes[-1] != value:
            changes.append(value)
    return changes


def change_times(samples: list[Wire]) -> list[float]:
    return [after["t"] for before, after in pairwise(samples) if before["spec"] != after["spec"]]


def current_level(metrics: list[Wire] | None) -> tuple[int | None, str | None]:
    """Utilization and average value of the one resource metric."""
    current = (metrics or [{}])[0].get("resource", {}).get("current", {})
    return current.get("averageUtilization"), current.get("averageValue")


def without_unsynced(samples: list[Wire]) -> list[Wire]:
    return [sample for sample in samples if sample["conditions"]]


def event_texts(events: list[Wire]) -> list[tuple[str, str, str, int]]:
    fields = [(event["type"], event["reason"], event["message"], event["count"]) for event in events]
    order = sorted(range(len(events)), key=lambda i: (events[i]["firstTimestamp"], fields[i]))
    return [fields[i] for i in order]


def compare_whole(recording: Wire) -> Iterator[Field]:
    """Sample by sample, each repetition once; a time is equal within one sync period."""
    cluster = replay(recording)
    name = recording["hpa"]["metadata"]["name"]
    replayed = without_unsynced(cluster.samples((sample["t"] for sample in recording["samples"]), name))
    recorded = without_unsynced(recording["samples"])
    for field in ("spec", "desired", "current"):
        yield from sequence(*(course(sample[field] for sample in samples) for samples in (replayed, recorded)), field)
    for kind in sorted({kind for sample in recorded + replayed for kind in sample["conditions"]}):
        ours, theirs = (
            course(sample["conditions"].get(kind) for sample in samples) for samples in (replayed, recorded)
        )
        yield from sequence(ours, theirs, f"conditions.{kind}")
    levels = course(current_level(sample["metrics"]) for sample in replayed)
    yield from sequence(levels, course((sample["util"], sample["avg"]) for sample in recorded), "metrics")
    allowed_s = (options_of(recording).sync_period_ns + SAMPLING_NS) / SECOND_NS
    for index, (ours_s, theirs_s) in enumerate(zip_longest(change_times(replayed), change_times(recorded))):
        is_near = None not in (ours_s, theirs_s) and abs(ours_s - theirs_s) <= allowed_s
        yield Field(f"change times[{index}]", theirs_s if is_near else ours_s, theirs_s)
    events = cluster.events(name)
    yield from sequence(event_texts(events), event_texts(recording["events_hpa"]), "events")
    for event in events:
        yield Field("events.source", event["source"], {"component": "horizontal-pod-autoscaler"})


def deployment(name: str, replicas: int) -> Wire:
    container = {"name": "web", "image": "web:v1", "resources": {"requests": {"cpu": "200m"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": selector, "template": template}}


def autoscaler(name: str, metric: Wire) -> Wire:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10, "metrics": [metric]}
    return {"metadata": {"name": name}, "spec": spec}


def compare_sparse(recording: Wire) -> Iterator[Field]:
    """The recording holds neither flags nor objects; its scenario line and its samples tell them."""
    samples = recording["samples"]
    cluster = scenario(recording["scenario"], samples)
    replayed = [cluster.status_at(sample["t"], sample["name"]) for sample in samples]
    for name in dict.fromkeys(sample["name"] for sample in samples):
        both = zip(samples, replayed, strict=True)
        pairs = [(sample["status"], status) for sample, status in both if sample["name"] == name]
        for field in ("observedGeneration", "currentReplicas", "desiredReplicas", "currentMetrics", "conditions"):
            ours, theirs = (course(timeless(pair[side].get(field)) for pair in pairs) for side in (1, 0))
            yield from sequence(ours, theirs, f"{name}.{field}")
    told = [[{key: event[key] for key in ("reason", "message", "count")} for event in events] for events in (
        [*cluster.events("web"), *cluster.events("worker")], recording["events_hpa"])]  # fmt: skip
    ours, theirs = (sorted({json.dumps(event) for event in events}) for events in told)
    yield from sequence(ours, theirs, "events")


SCENARIO = re.compile(
    r"custom \(Pods AverageValue (\d+)\) and external \(AverageValue (\d+)\) metrics; "
    r"at t>(\d+): pods total (\d+)->(\d+), queue (\d+)->(\d+)"
)


def scenario(line: str, samples: list[Wire]) -> Cluster:
    """The cluster of a scenario line; its sync period is a second."""
    match = SCENARIO.fullmatch(line)
    assert match is not None, line
    per_pod, per_worker, t, *loads = (int(number) for number in match.groups())
    cluster = Cluster(parse_rfc3339("2026-11-24T00:24:34Z"), HpaOptions(sync_period_ns=SECOND_NS), 0, SECOND_NS)
    requests = {"metric": {"name": "http_requests_per_second"}, "target": average_value(per_pod)}
    queue = {"metric": {"name": "queue_length"}, "target": average_value(per_worker)}
    synced = [sample for sample in reversed(samples) if "currentReplicas" in sample["status"]]
    first = {sample["name"]: sample["status"]["currentReplicas"] for sample in synced}
    cluster.create(deployment("web", first["web"]), autoscaler("web", {"type": "Pods", "pods": requests}))
    cluster.create(deployment("worker", first["worker"]), autoscaler("worker", {"type": "External", "external": queue}))
    total, later_total, length, later_length = (1000 * load for load in loads)

    def set_load(total_milli: int, queue_milli: int) -> None:
        cluster.load, cluster.external_milli = Load(milli=total_milli), queue_milli

    set_load(total, length)
    cluster.at(t, lambda: set_load(later_total, later_length))
    return cluster


def average_value(amount: int) -> Wire:
    return {"type": "AverageValue", "averageValue": str(amount)}


def timeless(value: Any) -> Any:
    """Conditions without their times; anything else as it is."""
    if isinstance(value, list):
        return [{key: item[key] for key in item if key != "lastTransitionTime"} for item in value]
    return value
