"""The one file that knows every part: a seed and a configuration become a running cluster.

No threads, sockets or wall clock: requests go in through ``rest`` and ``call_aws``, time through ``run_until``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Any

from labs.api.bootstrap import bootstrap, new_api_server
from labs.api.client import Client
from labs.api.crds.karpenter import install_karpenter
from labs.api.manifests import parse_manifests
from labs.api.rest.connects import LogRequest
from labs.api.rest.handler import RestApi
from labs.api.store import Object, Store
from labs.controlplane.hpa.controller import HpaController
from labs.controlplane.hpa.readers import MetricReaders
from labs.controlplane.karpenter.start import start_karpenter
from labs.controlplane.node_lifecycle import NodeLifecycle
from labs.controlplane.scheduler.scheduler import Scheduler
from labs.controlplane.taint_eviction import TaintEviction
from labs.controlplane.volumes.ebs import DRIVER, EbsProvisioner
from labs.controlplane.workloads import MANAGER, start_workload_controllers
from labs.dataplane.cloud import REGION, ZONES
from labs.dataplane.database import DatabaseConfig
from labs.dataplane.dataplane import Dataplane, DataplaneConfig
from labs.dataplane.logs import LogOptions, LogReader, LogTail
from labs.dataplane.machines import NodeGroup
from labs.errors import AwsError, UsageError
from labs.observability.cloudwatch.alb import AlbPublisher
from labs.observability.cloudwatch.container_insights import ContainerInsightsPublisher
from labs.observability.cloudwatch.kubelet_usage import KubeletUsage
from labs.observability.cloudwatch.service import CloudWatch
from labs.observability.cloudwatch.wire import from_wire, to_wire
from labs.observability.kubelet_summaries import KubeletSummaries
from labs.observability.metrics_api import MetricsServer
from labs.observability.request_minutes import RequestMinutes
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace
from labs.units import MINUTE_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")
"""When a world is handed over: a Monday morning. Virtual time needs a beginning, and a round one reads best."""

SETTLING_NS = 5 * MINUTE_NS
"""How long a cluster has lived by then, so that its add-ons run and its metrics have a past."""

ACCOUNT_ID = "111122223333"
"""The account number of AWS' own examples."""

CLUSTER_NAME = "chaos-crunch"


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """What there is before anybody deploys anything."""

    node_groups: Sequence[NodeGroup] = (NodeGroup("general", "m6i.large", 2, ZONES[:2]),)
    databases: Sequence[DatabaseConfig] = (DatabaseConfig("shop-db"),)
    platform: Sequence[str] = ("classes.yaml", "daemons.yaml", "addons.yaml", "karpenter.yaml")
    """Manifests of ``labs/platform`` that are applied at the start."""
    settling_ns: int = SETTLING_NS
    dataplane: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of DataplaneConfig."""


class World:
    """A cluster, its account, its clock. ``rest`` answers Kubernetes requests, ``call_aws`` AWS actions."""

    region = REGION

    def __init__(self, seed: int, config: WorldConfig = WorldConfig()) -> None:
        self.loop = Loop(START_NS - config.settling_ns)
        self.streams = Streams(seed)
        self.trace = Trace()
        self.store = Store(self.loop, self.trace)
        self.api = new_api_server(self.loop, self.streams, self.store)
        self.rest = RestApi(self.api)
        self.cloudwatch = CloudWatch(self.loop, ACCOUNT_ID, REGION)
        self.dataplane = Dataplane(
            Client(self.api, "kubelet"),
            self.streams,
            DataplaneConfig(node_groups=config.node_groups, databases=config.databases, **dict(config.dataplane)),
            partial(self.cloudwatch.call, "PutMetricData"),
        )
        self.rest.log_reader = _Logs(self.dataplane.logs)
        self.rest.attendant = self.dataplane.attendant
        self.rest.forwarder = self.dataplane.forwarder
        self._start_control_plane()
        self._start_observability()
        self.dataplane.start()
        for name in config.platform:
            text = files("labs").joinpath("platform", name).read_text("utf-8")
            for obj in parse_manifests(text, name):
                self.apply(obj)
        self.run_until(START_NS)

    def _start_control_plane(self) -> None:
        bootstrap(self.api)
        install_karpenter(self.api)
        start_workload_controllers(self.api)
        Scheduler(Client(self.api, "default-scheduler", "kube-scheduler"), self.streams).start()
        NodeLifecycle(Client(self.api, "node-controller", MANAGER)).start()
        TaintEviction(Client(self.api, "taint-eviction-controller", MANAGER)).start()
        EbsProvisioner(Client(self.api, DRIVER, "csi-provisioner")).start()
        start_karpenter(self.api, self.dataplane.cloud)

    def _start_observability(self) -> None:
        summaries = KubeletSummaries(self.dataplane.stats)
        metrics_server = MetricsServer(Client(self.api, "metrics-server"), summaries)
        metrics_server.start()
        readers = MetricReaders(resource=metrics_server)
        HpaController(Client(self.api, "horizontal-pod-autoscaler", MANAGER), readers).start()
        minutes = RequestMinutes(self.dataplane.ledger, self.dataplane.network.balancers, ZONES)
        AlbPublisher(self.loop, self.cloudwatch, minutes).start()
        usage = KubeletUsage(self.loop, summaries, self.dataplane.stats.nodes)
        ContainerInsightsPublisher(self.loop, self.cloudwatch, self.store, usage, CLUSTER_NAME).start()

    @property
    def now_ns(self) -> int:
        """The time now."""
        return self.loop.now_ns

    def run_until(self, time_ns: int, stop: Callable[[], bool] | None = None) -> bool:
        """Let time pass; see ``Loop.run_until``."""
        return self.loop.run_until(time_ns, stop)

    def call_aws(self, service: str, action: str, params: dict[str, Any]) -> Mapping[str, Any]:
        """Answer an AWS action; ``params`` and the result have botocore's shapes. Raises AwsError."""
        if service != "cloudwatch":
            raise AwsError("InvalidAction", f"This lab does not serve {service}; it serves cloudwatch.")
        return to_wire(self.cloudwatch.call(action, from_wire(params)))

    def apply(self, obj: Object) -> Object:
        """Create an object, or update it when there is one. Raises ApiError, and UsageError for an unknown kind."""
        kind = next(
            (
                item
                for item in self.api.all_types()
                if (item.api_version, item.kind) == (obj.get("apiVersion"), obj.get("kind"))
            ),
            None,
        )
        if kind is None:
            raise UsageError(
                f"The kind {obj.get('kind')} of {obj.get('apiVersion')} is not served; "
                "'kubectl api-resources' lists what is."
            )
        metadata = dict(obj["metadata"])
        if kind.is_namespaced:
            metadata.setdefault("namespace", "default")
        obj = {**obj, "metadata": metadata}
        namespace = metadata.get("namespace", "") if kind.is_namespaced else ""
        known = self.store.get(kind.resource, namespace, metadata["name"])
        if known is None:
            return self.api.create(kind.resource, obj, kind=kind, user="admin", manager=CLUSTER_NAME)
        return self.api.update(kind.resource, obj, kind=kind, user="admin", manager=CLUSTER_NAME)

    def digest(self) -> str:
        """One text over everything that happened: every write and every request."""
        self.trace.record(self.now_ns, "requests", self.dataplane.ledger.digest())
        return self.trace.digest()


class _Logs:
    """The kubelets' logs as the REST layer asks for them."""

    def __init__(self, logs: LogReader) -> None:
        self._logs = logs

    def open(self, request: LogRequest) -> LogTail | None:
        """The log. Raises ApiError."""
        options = LogOptions(
            request.is_previous,
            request.tail_lines,
            request.since_ns or 0,
            request.has_timestamps,
            request.limit_bytes,
        )
        return self._logs.open(request.namespace, request.pod, request.container, options, request.follows)
