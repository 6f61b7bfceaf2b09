"""Container Insights: dimension sets, formulas, names, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from cloudwatch_client import START_NS, Cloud

from labs.observability.cloudwatch.container_insights import (
    ContainerInsightsPublisher,
    ContainerUsage,
    PodUsage,
)
from labs.observability.cloudwatch.workload_facts import pod_limits, service_of, status_counts, workload_name
from labs.units import MINUTE_NS

Object = dict[str, Any]
CLUSTER = ("ClusterName", "lab")
NAMESPACE = ("Namespace", "shop")
WORKLOAD = ("PodName", "frontend")
SERVICE = ("Service", "frontend")


def owner(kind: str, name: str) -> Object:
    return {"kind": kind, "name": name, "controller": True}


def pod(name: str, node: str = "n1", *, restarts: int = 0, cpu_limit: str | None = "500m", **status: Any) -> Object:
    limits = {"cpu": cpu_limit, "memory": "256Mi"} if cpu_limit else {"memory": "256Mi"}
    container = {"name": "web", "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": limits}}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": name,
            "labels": {"app": "frontend"},
            "ownerReferences": [owner("ReplicaSet", "frontend-6d4cf56db6")],
        },
        "spec": {"nodeName": node, "containers": [container]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "web", "restartCount": restarts, "state": {"running": {}}}],
            **status,
        },
    }


def node(name: str, ready: str = "True") -> Object:
    return {
        "metadata": {"name": name},
        "spec": {"providerID": f"aws:///us-east-1a/i-{name}"},
        "status": {
            "capacity": {"cpu": "2", "memory": "4Gi", "pods": "29"},
            "allocatable": {"cpu": "1930m", "memory": "3Gi", "pods": "29"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


class Cluster:
    """Objects and their use, as the publisher asks for them."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {
            "nodes": [node("n1"), node("n2", "Unknown")],
            "pods": [pod("frontend-6d4cf56db6-aaaaa"), pod("frontend-6d4cf56db6-bbbbb")],
            "services": [
                {"metadata": {"name": "frontend", "namespace": "shop"}, "spec": {"selector": {"app": "frontend"}}}
            ],
            "deployments": [
                {
                    "metadata": {"name": "frontend", "namespace": "shop"},
                    "spec": {"replicas": 3},
                    "status": {"readyReplicas": 2, "availableReplicas": 2, "unavailableReplicas": 1},
                }
            ],
        }

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Object]:
        return self.objects.get(resource, [])


class Use:
    """Each pod uses 100 or 300 millicores and 64 MiB; node n1 answers."""

    def pod(self, namespace: str, name: str) -> PodUsage | None:
        cpu = 100.0 if name.endswith("a") else 300.0
        return PodUsage({"web": ContainerUsage(cpu, 64 * 2**20)}, rx_bytes_per_s=1000.0)

    def node(self, name: str) -> ContainerUsage | None:
        return ContainerUsage(500.0, 2**30) if name == "n1" else None


def published(cloud: Cloud, cluster: Cluster, minutes: float = 3, *, is_enhanced: bool = True) -> Cloud:
    ContainerInsightsPublisher(cloud.loop, cloud.watch, cluster, Use(), "lab", is_enhanced=is_enhanced).start()
    cloud.wait(minutes)
    return cloud


def value(cloud: Cloud, metric: str, *dimensions: tuple[str, str], statistic: str = "Average") -> float | None:
    """The first minute's value."""
    params: dict[str, Any] = {
        "Namespace": "ContainerInsights",
        "MetricName": metric,
        "Period": 60,
        "Statistics": [statistic],
        "Dimensions": [{"Name": name, "Value": text} for name, text in dimensions],
        "StartTime": START_NS + MINUTE_NS,
        "EndTime": START_NS + 2 * MINUTE_NS,
    }
    points = cloud("GetMetricStatistics", **params)["Datapoints"]
    return points[0][statistic] if points else None


def sets(cloud: Cloud, metric: str) -> set[tuple[str, ...]]:
    """The dimension names of each published set."""
    listed = cloud("ListMetrics", Namespace="ContainerInsights", MetricName=metric)["Metrics"]
    return {tuple(sorted(dimension["Name"] for dimension in member["Dimensions"])) for member in listed}


C = ("ClusterName",)
CN = ("ClusterName", "Namespace")
PNC = ("ClusterName", "Namespace", "PodName")
SNC = ("ClusterName", "Namespace", "Service")
FPNC = ("ClusterName", "FullPodName", "Namespace", "PodName")
NODE = ("ClusterName", "InstanceId", "NodeName")

STANDARD = {
    "pod_cpu_utilization": {PNC, C, SNC, CN},
    "pod_memory_utilization_over_pod_limit": {PNC, C, SNC, CN},
    "pod_network_rx_bytes": {PNC, C, SNC, CN},
    "pod_cpu_reserved_capacity": {PNC, C},
    "pod_number_of_container_restarts": {PNC},
    "pod_status_ready": set(),
    "container_cpu_utilization": set(),
    "node_cpu_utilization": {NODE, C},
    "node_cpu_limit": {C},
    "node_status_condition_ready": set(),
    "cluster_node_count": {C},
    "cluster_number_of_running_pods": set(),
    "namespace_number_of_running_pods": {CN, C},
    "service_number_of_running_pods": {SNC, C},
    "replicas_desired": set(),
}
ENHANCED = STANDARD | {
    "pod_cpu_utilization": {PNC, C, SNC, CN, FPNC},
    "pod_memory_utilization_over_pod_limit": {PNC, C, SNC, CN, FPNC},
    "pod_network_rx_bytes": {PNC, C, SNC, CN, FPNC},
    "pod_cpu_reserved_capacity": {PNC, C, FPNC, SNC},
    "pod_number_of_container_restarts": {PNC, C, FPNC, SNC},
    "pod_status_ready": {PNC, C, FPNC, SNC},
    "pod_cpu_usage_total": {PNC, C, FPNC, SNC},
    "pod_memory_limit": {PNC, C, FPNC, SNC},
    "pod_number_of_running_containers": {PNC, C, FPNC, SNC},
    "container_cpu_utilization": {
        C,
        ("ClusterName", "ContainerName", *FPNC[1:]),
        ("ClusterName", "ContainerName", *PNC[1:]),
    },
    "node_cpu_limit": {NODE, C},
    "node_status_condition_ready": {NODE, C},
    "node_status_allocatable_pods": {NODE, C},
    "cluster_number_of_running_pods": {C},
    "replicas_desired": {PNC, C},
    "status_replicas_unavailable": {PNC, C},
}


@pytest.mark.parametrize(("is_enhanced", "table"), [(False, STANDARD), (True, ENHANCED)])
def test_every_metric_has_exactly_its_dimension_sets(
    cloud: Cloud, is_enhanced: bool, table: dict[str, set[tuple[str, ...]]]
) -> None:
    published(cloud, Cluster(), is_enhanced=is_enhanced)
    assert {metric: sets(cloud, metric) for metric in table} == table


def test_utilization_is_of_the_node_and_over_limit_of_the_pod(cloud: Cloud) -> None:
    published(cloud, Cluster())
    assert value(cloud, "pod_cpu_utilization", WORKLOAD, NAMESPACE, CLUSTER) == pytest.approx((5 + 15) / 2)
    assert value(cloud, "pod_cpu_utilization", WORKLOAD, NAMESPACE, CLUSTER, statistic="SampleCount") == 2
    assert value(cloud, "pod_cpu_utilization_over_pod_limit", CLUSTER, statistic="Maximum") == pytest.approx(60)
    assert value(cloud, "pod_memory_utilization_over_pod_limit", SERVICE, NAMESPACE, CLUSTER) == pytest.approx(25)
    assert value(cloud, "pod_cpu_reserved_capacity", WORKLOAD, NAMESPACE, CLUSTER) == pytest.approx(12.5)
    full = ("FullPodName", "frontend-6d4cf56db6-bbbbb")
    assert value(cloud, "pod_cpu_usage_total", full, WORKLOAD, NAMESPACE, CLUSTER) == 300


def test_nodes_and_cluster(cloud: Cloud) -> None:
    published(cloud, Cluster())
    one = (("NodeName", "n1"), ("InstanceId", "i-n1"), CLUSTER)
    assert value(cloud, "node_cpu_utilization", *one) == pytest.approx(25)
    assert value(cloud, "node_cpu_reserved_capacity", *one) == pytest.approx(25)
    assert value(cloud, "node_number_of_running_pods", *one) == 2
    assert value(cloud, "node_cpu_utilization", ("NodeName", "n2"), ("InstanceId", "i-n2"), CLUSTER) is None
    assert value(cloud, "cluster_node_count", CLUSTER) == 2
    assert value(cloud, "cluster_failed_node_count", CLUSTER) == 1
    assert value(cloud, "node_status_condition_unknown", CLUSTER, statistic="Sum") == 1


def test_workloads_and_services(cloud: Cloud) -> None:
    published(cloud, Cluster())
    assert value(cloud, "replicas_desired", WORKLOAD, NAMESPACE, CLUSTER) == 3
    assert value(cloud, "status_replicas_unavailable", WORKLOAD, NAMESPACE, CLUSTER) == 1
    assert value(cloud, "service_number_of_running_pods", SERVICE, NAMESPACE, CLUSTER) == 2
    assert value(cloud, "namespace_number_of_running_pods", NAMESPACE, CLUSTER) == 2


def test_a_sample_is_readable_a_minute_later(cloud: Cloud) -> None:
    published(cloud, Cluster(), 1.9)
    assert value(cloud, "cluster_node_count", CLUSTER) is None
    cloud.wait(0.1)
    assert value(cloud, "cluster_node_count", CLUSTER) == 2


def test_restarts_are_the_increase_since_the_last_sample(cloud: Cloud) -> None:
    cluster = Cluster()
    published(cloud, cluster, 1.5)
    cluster.objects["pods"] = [pod("frontend-6d4cf56db6-aaaaa", restarts=2), pod("frontend-6d4cf56db6-bbbbb")]
    cloud.wait(4)
    params: dict[str, Any] = {
        "Namespace": "ContainerInsights",
        "MetricName": "pod_number_of_container_restarts",
        "Period": 60,
        "Dimensions": [{"Name": "ClusterName", "Value": "lab"}],
        "Statistics": ["Sum"],
        "StartTime": START_NS,
        "EndTime": START_NS + 4 * MINUTE_NS,
    }
    assert [point["Sum"] for point in cloud("GetMetricStatistics", **params)["Datapoints"]] == [0.0, 2.0, 0.0]


def test_a_pod_without_a_node_is_not_seen(cloud: Cloud) -> None:
    cluster = Cluster()
    cluster.objects["pods"] = [pod("frontend-6d4cf56db6-aaaaa", "", phase="Pending")]
    published(cloud, cluster)
    assert sets(cloud, "pod_status_pending") == set()
    assert value(cloud, "cluster_number_of_running_pods", CLUSTER) == 0


def test_a_limit_is_known_only_when_every_container_has_one() -> None:
    assert pod_limits(pod("x")).cpu_millicores == 500
    both = pod("x")
    both["spec"]["containers"].append({"name": "sidecar"})
    assert pod_limits(both).cpu_millicores is None
    assert pod_limits(pod("x", cpu_limit=None)).memory_bytes == 256 * 2**20


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([owner("ReplicaSet", "frontend-6d4cf56db6")], "frontend"),
        ([owner("ReplicaSet", "by-hand")], "by-hand"),
        ([owner("DaemonSet", "agent")], "agent"),
        ([owner("Job", "report")], "report"),
        ([owner("Job", "report-29123456")], "report"),
        ([owner("StatefulSet", "db")], "own-0"),
        ([], "own-0"),
    ],
)
def test_pod_name_is_the_owners_name(owners: list[Object], expected: str) -> None:
    assert workload_name({"metadata": {"name": "own-0", "ownerReferences": owners}}) == expected


def test_reasons_are_there_only_while_they_hold() -> None:
    waiting = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}},
    }
    counts = status_counts(pod("x", containerStatuses=[waiting]))
    assert counts["pod_container_status_waiting"] == 1
    assert counts["pod_container_status_waiting_reason_crash_loop_back_off"] == 1
    assert counts["pod_container_status_terminated_reason_oom_killed"] == 1
    assert "pod_container_status_terminated_reason_oom_killed" not in status_counts(pod("x"))


def test_the_first_selecting_service_by_name_is_the_pods_service() -> None:
    def service(name: str, namespace: str = "shop", **selector: str) -> Object:
        return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": selector or None}}

    services = [service("b", app="frontend"), service("a", app="frontend"), service("0", "other", app="frontend")]
    assert service_of(pod("x"), [*services, service("00")]) == "a"
    assert service_of(pod("x"), [service("b", app="backend")]) is None
