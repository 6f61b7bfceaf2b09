"""Recorded autoscalers, replayed: the same load, flags and hands on the scale give the same course.

`pytest tests/golden --golden DIR` replays the recordings of another folder (`DIR/hpa/default/*.json`, gzipped or not).
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

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

DATA = Path(__file__).parent / "data"
Wire = dict[str, Any]
DEPLOYMENTS = "deployments.apps"
SAMPLING_NS = to_ns(1.5)
STARTED_BEFORE_NS = 66 * SECOND_NS
"""Age of the first pods when the autoscaler is created, as in the recordings."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Recordings that hold the autoscaler's spec and flags go to `recording`, the others to `sparse_recording`."""
    folder = Path(metafunc.config.getoption("--golden", default=None) or DATA) / "hpa"
    whole, sparse = {}, {}
    for path in sorted([*folder.glob("*/*.json"), *folder.glob("*/*.json.gz")]):
        name = f"{path.parent.name}/{path.name.split('.')[0]}"
        document = read(path)
        (whole if "hpa" in document else sparse)[name] = document
    for argument, found in (("sparse_recording", sparse), ("recording", whole)):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, found.values(), ids=found)


def read(path: Path) -> Wire:
    raw = path.read_bytes()
    document: Wire = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return document


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
        running = [
            pod for pod in self.client.list("pods", "default", selector) if pod["status"]["phase"] == "Running"
        ]
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


def change_times(samples: list[Wire], field: str) -> list[float]:
    return [after["t"] for before, after in pairwise(samples) if before[field] != after[field]]


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


def test_a_recorded_autoscaler_takes_the_same_course(recording: Wire) -> None:
    cluster = replay(recording)
    name = recording["hpa"]["metadata"]["name"]

    replayed = without_unsynced(cluster.samples((sample["t"] for sample in recording["samples"]), name))

    recorded = without_unsynced(recording["samples"])
    for field in ("spec", "desired", "current", "conditions"):
        assert course(sample[field] for sample in replayed) == course(sample[field] for sample in recorded), field
    levels = course(current_level(sample["metrics"]) for sample in replayed)
    assert levels == course((sample["util"], sample["avg"]) for sample in recorded)
    allowed_s = (options_of(recording).sync_period_ns + SAMPLING_NS) / SECOND_NS
    assert change_times(replayed, "spec") == pytest.approx(change_times(recorded, "spec"), rel=0, abs=allowed_s)
    assert event_texts(cluster.events(name)) == event_texts(recording["events_hpa"])
    assert {event["source"]["component"] for event in cluster.events(name)} <= {"horizontal-pod-autoscaler"}


def deployment(name: str, replicas: int) -> Wire:
    container = {"name": "web", "image": "web:v1", "resources": {"requests": {"cpu": "200m"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": selector, "template": template}}


def autoscaler(name: str, metric: Wire) -> Wire:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10, "metrics": [metric]}
    return {"metadata": {"name": name}, "spec": spec}


def test_recorded_custom_and_external_metrics_take_the_same_course(sparse_recording: Wire) -> None:
    """The recording holds neither flags nor objects; its scenario line and its samples tell them."""
    samples = sparse_recording["samples"]
    cluster = scenario(sparse_recording["scenario"], samples)

    replayed = [cluster.status_at(sample["t"], sample["name"]) for sample in samples]

    for name in ("web", "worker"):
        both = zip(samples, replayed, strict=True)
        pairs = [(sample["status"], status) for sample, status in both if sample["name"] == name]
        for field in ("observedGeneration", "currentReplicas", "desiredReplicas", "currentMetrics", "conditions"):
            recorded_course = course(timeless(recorded.get(field)) for recorded, _ in pairs)
            assert course(timeless(status.get(field)) for _, status in pairs) == recorded_course, (name, field)
    events = [*cluster.events("web"), *cluster.events("worker")]
    texts = {(event["reason"], event["message"], event["count"]) for event in events}
    assert texts == {(event["reason"], event["message"], event["count"]) for event in sparse_recording["events_hpa"]}


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
