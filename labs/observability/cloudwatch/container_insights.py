"""Container Insights for EKS, namespace ``ContainerInsights``: standard and enhanced observability.

Each minute the agent's sample of pods, nodes, services and workloads is put into every dimension set that the
agent publishes; CloudWatch itself never rolls up. Percentages follow the agent: ``pod_cpu_utilization`` is usage
over the *node's* capacity, ``..._over_pod_limit`` usage over the sum of limits. Pods without a node are not seen.
Source: amazon-cloudwatch-agent translator/.../awsemf/kubernetes.go (sets), podstore.go (formulas).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labs.observability.cloudwatch import workload_facts as facts
from labs.observability.cloudwatch.alb import BEFORE_ALARMS, MetricSink
from labs.observability.cloudwatch.store import Dimensions
from labs.observability.cloudwatch.workload_facts import Object
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, SECOND_NS

NAMESPACE = "ContainerInsights"

READABLE_AFTER_NS = 60 * SECOND_NS
"""From a sample to its first read, by way of a log event in embedded metric format. Unpublished; ours."""


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What one container, or a node, uses."""

    cpu_millicores: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod uses, by container, and its traffic; None where it is not known."""

    containers: Mapping[str, ContainerUsage]
    rx_bytes_per_s: float | None = None
    tx_bytes_per_s: float | None = None


class Usage(Protocol):
    """Use of the last minute."""

    def pod(self, namespace: str, name: str) -> PodUsage | None:
        """Of a pod, None when it does not run."""
        ...

    def node(self, name: str) -> ContainerUsage | None:
        """Of a node, None when it does not answer."""
        ...


class Objects(Protocol):
    """Where API objects are read (``labs.api.store.Store``)."""

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Object]:
        """All objects of a resource, in order of their names."""
        ...


class ContainerInsightsPublisher:
    """Samples at each whole minute after ``start``."""

    def __init__(
        self,
        loop: Loop,
        sink: MetricSink,
        objects: Objects,
        usage: Usage,
        cluster_name: str,
        *,
        is_enhanced: bool = True,
    ) -> None:
        self._loop = loop
        self._sink = sink
        self._objects = objects
        self._usage = usage
        self._cluster_name = cluster_name
        self._is_enhanced = is_enhanced
        self._restarts: dict[str, int] = {}

    def start(self) -> None:
        """Begins at the next whole minute."""
        next_ns = self._loop.now_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self._loop.at(next_ns, self._sample, priority=BEFORE_ALARMS)

    def _sample(self) -> None:
        cluster = ("ClusterName", self._cluster_name)
        sample = _Sample(cluster, self._is_enhanced)
        nodes = self._objects.list("nodes")
        pods = [pod for pod in self._objects.list("pods") if pod["spec"].get("nodeName")]
        services = self._objects.list("services")
        capacities = {node["metadata"]["name"]: facts.node_capacity(node) for node in nodes}
        served: dict[tuple[str, str], int] = {}
        for pod in pods:
            service = facts.service_of(pod, services)
            self._sample_pod(sample, pod, service, capacities.get(pod["spec"]["nodeName"]))
            if service is not None and facts.has_condition(pod, "Ready"):
                key = (pod["metadata"]["namespace"], service)
                served[key] = served.get(key, 0) + 1
        on_node: dict[str, list[Object]] = {}
        for pod in pods:
            on_node.setdefault(pod["spec"]["nodeName"], []).append(pod)
        for node in nodes:
            self._sample_node(sample, node, on_node.get(node["metadata"]["name"], []))
        _sample_cluster(sample, nodes, pods, served)
        if self._is_enhanced:
            for resource in ("deployments", "statefulsets"):
                for workload in self._objects.list(resource):
                    _sample_workload(sample, workload)
            for daemon_set in self._objects.list("daemonsets"):
                _sample_daemon_set(sample, daemon_set)
        uids = [pod["metadata"].get("uid", "") for pod in pods]
        self._restarts = dict(zip(uids, map(facts.restarts, pods), strict=True))
        sample.publish(self._sink, self._loop.now_ns)
        self._loop.at(self._loop.now_ns + MINUTE_NS, self._sample, priority=BEFORE_ALARMS)

    def _sample_pod(self, sample: _Sample, pod: Object, service: str | None, capacity: tuple[int, int] | None) -> None:
        metadata = pod["metadata"]
        sets = _PodSets.of(sample.cluster, pod, service)
        before = self._restarts.get(metadata.get("uid", ""), 0)
        increase = max(facts.restarts(pod) - before, 0)
        restart_sets = sets.without_namespace if self._is_enhanced else sets.workload
        sample.add(restart_sets, "pod_number_of_container_restarts", increase, "Count")
        if self._is_enhanced:
            for metric, count in facts.status_counts(pod).items():
                sample.add(sets.without_namespace, metric, count, "Count")
        if capacity is None or not all(capacity):
            return
        _sample_reservations(sample, sets, pod, capacity)
        usage = self._usage.pod(metadata["namespace"], metadata["name"])
        if usage is not None and facts.phase(pod) == "Running":
            _sample_pod_usage(sample, sets, pod, usage, capacity)
            if self._is_enhanced:
                _sample_containers(sample, sets, pod, usage, capacity)

    def _sample_node(self, sample: _Sample, node: Object, pods: Sequence[Object]) -> None:
        name = node["metadata"]["name"]
        one: Dimensions = (("NodeName", name), ("InstanceId", facts.instance_id(node)), sample.cluster)
        both, whole = [one, (sample.cluster,)], [(sample.cluster,)]
        live = [pod for pod in pods if facts.phase(pod) == "Running"]
        sample.add(both, "node_number_of_running_pods", len(live), "Count")
        running = sum(facts.status_counts(pod)["pod_container_status_running"] for pod in live)
        sample.add(both, "node_number_of_running_containers", running, "Count")
        _sample_node_sizes(sample, both, node, pods, self._usage.node(name))
        amounts = both if sample.is_enhanced else whole
        capacity, usage = facts.node_capacity(node), self._usage.node(name)
        sample.add(amounts, "node_cpu_limit", capacity[0], "None")
        sample.add(amounts, "node_memory_limit", capacity[1], "Bytes")
        if usage is not None:
            sample.add(amounts, "node_cpu_usage_total", usage.cpu_millicores, "None")
            sample.add(amounts, "node_memory_working_set", usage.memory_bytes, "Bytes")
        if sample.is_enhanced:
            _sample_node_status(sample, both, node)


@dataclass(slots=True)
class _Sample:
    """Values of one collection by metric, unit and dimension set: one alone, or all of them."""

    cluster: tuple[str, str]
    is_enhanced: bool
    values: dict[tuple[str, str], dict[Dimensions, float | list[float]]] = field(default_factory=dict)

    def add(self, sets: Sequence[Dimensions], metric: str, value: float, unit: str) -> None:
        of_metric = self.values.setdefault((metric, unit), {})
        for dimensions in sets:
            known = of_metric.get(dimensions)
            if known is None:
                of_metric[dimensions] = value
            elif isinstance(known, list):
                known.append(value)
            else:
                of_metric[dimensions] = [known, value]

    def publish(self, sink: MetricSink, now_ns: int) -> None:
        """Hand everything over, and let go of it on the way: of a large cluster it is a lot."""
        readable_ns = now_ns + READABLE_AFTER_NS
        for metric, unit in list(self.values):
            for dimensions, values in self.values.pop((metric, unit)).items():
                sink.put(NAMESPACE, metric, dimensions, now_ns, values, unit=unit, available_at_ns=readable_ns)


@dataclass(frozen=True, slots=True)
class _PodSets:
    """The dimension sets of one pod: {P,N,C} {C} {S,N,C} {N,C} {F,P,N,C}; no {S,N,C} without a service."""

    workload: list[Dimensions]
    cluster: list[Dimensions]
    service: list[Dimensions]
    namespace: list[Dimensions]
    full: list[Dimensions]

    @classmethod
    def of(cls, cluster: tuple[str, str], pod: Object, service: str | None) -> _PodSets:
        namespace = ("Namespace", pod["metadata"]["namespace"])
        workload = ("PodName", facts.workload_name(pod))
        return cls(
            workload=[(workload, namespace, cluster)],
            cluster=[(cluster,)],
            service=[] if service is None else [(("Service", service), namespace, cluster)],
            namespace=[(namespace, cluster)],
            full=[(("FullPodName", pod["metadata"]["name"]), workload, namespace, cluster)],
        )

    @property
    def without_namespace(self) -> list[Dimensions]:
        return [*self.workload, *self.cluster, *self.full, *self.service]

    def for_usage(self, is_enhanced: bool) -> list[Dimensions]:
        standard = [*self.workload, *self.cluster, *self.service, *self.namespace]
        return [*standard, *self.full] if is_enhanced else standard


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole


def _sample_reservations(sample: _Sample, sets: _PodSets, pod: Object, capacity: tuple[int, int]) -> None:
    requests, limits = facts.pod_requests(pod), facts.pod_limits(pod)
    reserved = sets.without_namespace if sample.is_enhanced else [*sets.workload, *sets.cluster]
    sample.add(reserved, "pod_cpu_reserved_capacity", _percent(requests[0], capacity[0]), "Percent")
    sample.add(reserved, "pod_memory_reserved_capacity", _percent(requests[1], capacity[1]), "Percent")
    if not sample.is_enhanced:
        return
    sample.add(sets.without_namespace, "pod_cpu_request", requests[0], "None")
    sample.add(sets.without_namespace, "pod_memory_request", requests[1], "Bytes")
    if limits.cpu_millicores is not None:
        sample.add(sets.without_namespace, "pod_cpu_limit", limits.cpu_millicores, "None")
    if limits.memory_bytes is not None:
        sample.add(sets.without_namespace, "pod_memory_limit", limits.memory_bytes, "Bytes")


def _sample_pod_usage(sample: _Sample, sets: _PodSets, pod: Object, usage: PodUsage, capacity: tuple[int, int]) -> None:
    cpu = sum(container.cpu_millicores for container in usage.containers.values())
    memory = sum(container.memory_bytes for container in usage.containers.values())
    used, limits = sets.for_usage(sample.is_enhanced), facts.pod_limits(pod)
    sample.add(used, "pod_cpu_utilization", _percent(cpu, capacity[0]), "Percent")
    sample.add(used, "pod_memory_utilization", _percent(memory, capacity[1]), "Percent")
    if limits.cpu_millicores:
        sample.add(used, "pod_cpu_utilization_over_pod_limit", _percent(cpu, limits.cpu_millicores), "Percent")
    if limits.memory_bytes:
        share = _percent(memory, limits.memory_bytes)
        sample.add(used, "pod_memory_utilization_over_pod_limit", share, "Percent")
    if usage.rx_bytes_per_s is not None:
        sample.add(used, "pod_network_rx_bytes", usage.rx_bytes_per_s, "Bytes/Second")
    if usage.tx_bytes_per_s is not None:
        sample.add(used, "pod_network_tx_bytes", usage.tx_bytes_per_s, "Bytes/Second")
    if sample.is_enhanced:
        sample.add(sets.without_namespace, "pod_cpu_usage_total", cpu, "None")
        sample.add(sets.without_namespace, "pod_memory_working_set", memory, "Bytes")


def _sample_containers(
    sample: _Sample, sets: _PodSets, pod: Object, usage: PodUsage, capacity: tuple[int, int]
) -> None:
    for container in pod["spec"]["containers"]:
        used = usage.containers.get(container["name"])
        if used is None:
            continue
        name = ("ContainerName", container["name"])
        targets = [*sets.cluster, (name, *sets.full[0]), (name, *sets.workload[0])]
        limits = facts.container_sizes(container, "limits")
        parts = (
            ("cpu", used.cpu_millicores, capacity[0], limits.cpu_millicores),
            ("memory", used.memory_bytes, capacity[1], limits.memory_bytes),
        )
        for kind, amount, machine, limit in parts:
            metric = f"container_{kind}_utilization"
            sample.add(targets, metric, _percent(amount, machine), "Percent")
            if limit:
                sample.add(targets, f"{metric}_over_container_limit", _percent(amount, limit), "Percent")


def _sample_node_sizes(
    sample: _Sample,
    sets: Sequence[Dimensions],
    node: Object,
    pods: Sequence[Object],
    usage: ContainerUsage | None,
) -> None:
    cpu, memory = facts.node_capacity(node)
    if not cpu or not memory:
        return
    requests = [facts.pod_requests(pod) for pod in pods if facts.phase(pod) not in ("Succeeded", "Failed")]
    reserved_cpu, reserved_memory = sum(one[0] for one in requests), sum(one[1] for one in requests)
    sample.add(sets, "node_cpu_reserved_capacity", _percent(reserved_cpu, cpu), "Percent")
    sample.add(sets, "node_memory_reserved_capacity", _percent(reserved_memory, memory), "Percent")
    if usage is not None:
        sample.add(sets, "node_cpu_utilization", _percent(usage.cpu_millicores, cpu), "Percent")
        sample.add(sets, "node_memory_utilization", _percent(usage.memory_bytes, memory), "Percent")


def _sample_node_status(sample: _Sample, sets: Sequence[Dimensions], node: Object) -> None:
    for condition, word in _NODE_CONDITIONS.items():
        sample.add(sets, f"node_status_condition_{word}", int(facts.has_condition(node, condition)), "Count")
    is_unknown = any(facts.has_condition(node, condition, "Unknown") for condition in _NODE_CONDITIONS)
    sample.add(sets, "node_status_condition_unknown", int(is_unknown), "Count")
    status = node.get("status") or {}
    for kind in ("capacity", "allocatable"):
        pods = (status.get(kind) or {}).get("pods")
        if pods is not None:
            sample.add(sets, f"node_status_{kind}_pods", int(pods), "Count")


_NODE_CONDITIONS = {
    "Ready": "ready",
    "DiskPressure": "disk_pressure",
    "MemoryPressure": "memory_pressure",
    "PIDPressure": "pid_pressure",
    "NetworkUnavailable": "network_unavailable",
}


def _sample_cluster(
    sample: _Sample,
    nodes: Sequence[Object],
    pods: Sequence[Object],
    served: Mapping[tuple[str, str], int],
) -> None:
    whole: list[Dimensions] = [(sample.cluster,)]
    failed = sum(not facts.has_condition(node, "Ready") for node in nodes)
    sample.add(whole, "cluster_node_count", len(nodes), "Count")
    sample.add(whole, "cluster_failed_node_count", failed, "Count")
    running: dict[str, int] = {}
    for pod in pods:
        if facts.phase(pod) == "Running":
            namespace = pod["metadata"]["namespace"]
            running[namespace] = running.get(namespace, 0) + 1
    if sample.is_enhanced:
        sample.add(whole, "cluster_number_of_running_pods", sum(running.values()), "Count")
    for namespace, count in sorted(running.items()):
        sets: list[Dimensions] = [(("Namespace", namespace), sample.cluster), *whole]
        sample.add(sets, "namespace_number_of_running_pods", count, "Count")
    for (namespace, service), count in sorted(served.items()):
        sets = [(("Service", service), ("Namespace", namespace), sample.cluster), *whole]
        sample.add(sets, "service_number_of_running_pods", count, "Count")


def _workload_sets(sample: _Sample, workload: Object) -> list[Dimensions]:
    metadata = workload["metadata"]
    one = (("PodName", metadata["name"]), ("Namespace", metadata["namespace"]), sample.cluster)
    return [one, (sample.cluster,)]


def _sample_workload(sample: _Sample, workload: Object) -> None:
    sets, status = _workload_sets(sample, workload), workload.get("status") or {}
    desired = workload["spec"].get("replicas", 1)
    available = status.get("availableReplicas", 0)
    sample.add(sets, "replicas_desired", desired, "Count")
    sample.add(sets, "replicas_ready", status.get("readyReplicas", 0), "Count")
    sample.add(sets, "status_replicas_available", available, "Count")
    unavailable = status.get("unavailableReplicas", max(desired - available, 0))
    sample.add(sets, "status_replicas_unavailable", unavailable, "Count")


def _sample_daemon_set(sample: _Sample, daemon_set: Object) -> None:
    sets, status = _workload_sets(sample, daemon_set), daemon_set.get("status") or {}
    for word in ("Available", "Unavailable"):
        count = status.get(f"number{word}", 0)
        sample.add(sets, f"daemonset_status_number_{word.lower()}", count, "Count")
