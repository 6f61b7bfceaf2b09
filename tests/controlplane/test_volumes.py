"""Claims, volumes, the zonal EBS provisioner, and pods that wait for them."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster

from labs.api.client import Client
from labs.api.store import Object
from labs.controlplane.scheduler.scheduler import Scheduler
from labs.controlplane.volumes.ebs import EbsProvisioner, whole_gibibytes
from labs.controlplane.workloads import start_workload_controllers
from labs.sim.streams import Streams

CLASSES = "storageclasses.storage.k8s.io"
ROOM = {"cpu": "4", "memory": "8Gi", "pods": "20"}


def storage_class(name: str = "gp3", mode: str = "WaitForFirstConsumer", **more: Any) -> Object:
    return {"metadata": {"name": name}, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode, **more}


def claim(name: str = "data", class_name: str | None = "gp3") -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500Mi"}}}
    return {"metadata": {"name": name}, "spec": spec | ({} if class_name is None else {"storageClassName": class_name})}


def pod(name: str, *claims: str, **spec: Any) -> Object:
    volumes = [{"name": item, "persistentVolumeClaim": {"claimName": item}} for item in claims]
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": volumes, **spec},
    }


def volume(name: str, zone: str | None = None, size: str = "5Gi", class_name: str = "") -> Object:
    spec: dict[str, Any] = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/data"},
        "storageClassName": class_name,
    }
    if zone:
        term = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}
    return {"metadata": {"name": name}, "spec": spec}


@pytest.fixture
def disks(cluster: Cluster) -> Cluster:
    """Nodes with room, a scheduler, and the volume controllers."""
    for node in cluster.client.list("nodes"):
        cluster.client.set_status("nodes", node, {"allocatable": ROOM, "capacity": ROOM})
    start_workload_controllers(cluster.api)
    EbsProvisioner(Client(cluster.api, "ebs.csi.aws.com", "csi-provisioner")).start()
    Scheduler(Client(cluster.api, "default-scheduler"), Streams(7)).start()
    return cluster


def cluster_wide(cluster: Cluster, resource: str, obj: Object) -> Object:
    return cluster.client.create(resource, obj)


def phase(cluster: Cluster, name: str = "data") -> str:
    return str(cluster.get("persistentvolumeclaims", name)["status"]["phase"])


def test_a_claim_waits_for_its_first_consumer_and_gets_a_volume_in_its_zone(disks: Cluster) -> None:
    cluster_wide(disks, CLASSES, storage_class())
    disks.create("persistentvolumeclaims", claim())
    disks.run(2)
    assert phase(disks) == "Pending"
    assert disks.event_texts("WaitForFirstConsumer") == ["waiting for first consumer to be created before binding"]

    disks.create("pods", pod("db", "data", nodeSelector={"topology.kubernetes.io/zone": "zone-b"}))
    disks.run(2)
    assert "nodeName" not in disks.get("pods", "db")["spec"]
    disks.run(8)

    assert phase(disks) == "Bound"
    assert disks.get("pods", "db")["spec"]["nodeName"] in ("node-1", "node-3")
    made = disks.client.list("persistentvolumes")[0]
    assert made["spec"]["capacity"] == {"storage": "2Gi"}
    term = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert term["values"] == ["zone-b"]
    assert made["status"]["phase"] == "Bound"


def test_a_bound_claim_ties_its_pod_to_the_zone(disks: Cluster) -> None:
    cluster_wide(disks, "persistentvolumes", volume("disk", "zone-a"))
    disks.create("persistentvolumeclaims", claim(class_name=""))
    disks.run(1)
    assert phase(disks) == "Bound"
    disks.create("pods", pod("db", "data", nodeSelector={"topology.kubernetes.io/zone": "zone-b"}))
    disks.run(2)
    text = disks.event_texts("FailedScheduling")[0]
    assert "2 node(s) didn't match PersistentVolume's node affinity" in text
    disks.create("pods", pod("other", "data"))
    disks.run(2)
    assert disks.get("pods", "other")["spec"]["nodeName"] in ("node-0", "node-2")


def test_a_claim_without_class_or_volume_keeps_its_pod_waiting(disks: Cluster) -> None:
    disks.create("persistentvolumeclaims", claim(class_name=None))
    disks.create("pods", pod("db", "data"))
    disks.run(20)
    assert disks.event_texts("FailedScheduling")[0] == (
        "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    )
    events = [event for event in disks.client.list("events") if event["reason"] == "FailedBinding"]
    assert events[0]["message"] == "no persistent volumes available for this claim and no storage class is set"
    assert events[0]["count"] == 2
    cluster_wide(disks, "persistentvolumes", volume("disk"))
    disks.run(20)
    assert disks.get("pods", "db")["spec"]["nodeName"]


def test_the_smallest_volume_that_is_large_enough_is_taken(disks: Cluster) -> None:
    for name, size in (("tiny", "1Gi"), ("large", "50Gi"), ("right", "2Gi")):
        cluster_wide(disks, "persistentvolumes", volume(name, size=size))
    disks.create("persistentvolumeclaims", claim(class_name=""))
    disks.run(1)
    assert disks.get("persistentvolumeclaims", "data")["spec"]["volumeName"] == "right"
    phases = {item["metadata"]["name"]: item["status"]["phase"] for item in disks.client.list("persistentvolumes")}
    assert phases == {"tiny": "Available", "large": "Available", "right": "Bound"}


def test_an_immediate_claim_is_provisioned_without_a_pod(disks: Cluster) -> None:
    cluster_wide(disks, CLASSES, storage_class(mode="Immediate"))
    disks.create("persistentvolumeclaims", claim())
    disks.run(6)
    assert phase(disks) == "Bound"
    assert len(disks.event_texts("ProvisioningSucceeded")) == 1
    assert len(disks.event_texts("ExternalProvisioning")) == 1


def test_a_claim_in_use_stays_and_its_volume_goes_with_it(disks: Cluster) -> None:
    cluster_wide(disks, CLASSES, storage_class())
    disks.create("persistentvolumeclaims", claim())
    disks.create("pods", pod("db", "data"))
    disks.run(8)
    disks.client.delete("persistentvolumeclaims", "shop", "data")
    disks.run(2)
    assert disks.names("persistentvolumeclaims") == ["data"]
    disks.api.store.remove("pods", "shop", "db")
    disks.run(10)
    assert disks.names("persistentvolumeclaims") == []
    assert disks.client.list("persistentvolumes") == []


def test_a_volume_that_is_to_be_kept_is_released(disks: Cluster) -> None:
    cluster_wide(disks, CLASSES, storage_class(mode="Immediate", reclaimPolicy="Retain"))
    disks.create("persistentvolumeclaims", claim())
    disks.run(6)
    disks.client.delete("persistentvolumeclaims", "shop", "data")
    disks.run(10)
    assert [item["status"]["phase"] for item in disks.client.list("persistentvolumes")] == ["Released"]


def test_a_claim_that_names_no_class_takes_the_default_one(disks: Cluster) -> None:
    marked = storage_class()
    marked["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    cluster_wide(disks, CLASSES, marked)
    made = disks.create("persistentvolumeclaims", claim(class_name=None))
    assert made["spec"]["storageClassName"] == "gp3"
    assert disks.create("persistentvolumeclaims", claim("plain", ""))["spec"]["storageClassName"] == ""


def test_ebs_volumes_come_in_whole_gibibytes() -> None:
    assert [whole_gibibytes(size) for size in ("1", "1Gi", "1025Mi", "10G")] == ["1Gi", "1Gi", "2Gi", "10Gi"]
