from __future__ import annotations

import pytest
from cluster_rig import Cluster

from labs.api.cloud import ON_DEMAND, SPOT, CloudProvider, FleetRequest, Override, Taint
from labs.dataplane.cloud import ZONES
from labs.errors import AwsError


def test_cloud_is_a_cloud_provider(cluster: Cluster) -> None:
    provider: CloudProvider = cluster.cloud
    assert "m5.large" in [each.name for each in provider.instance_types()]


def test_fleet_takes_the_cheapest_override_that_can_be_had(cluster: Cluster) -> None:
    cheap, dear = Override("t3.medium", ZONES[1]), Override("m5.large", ZONES[0])
    first = cluster.cloud.launch(FleetRequest([dear, cheap])).instance
    assert first is not None
    assert (first.instance_type, first.zone, first.state) == ("t3.medium", ZONES[1], "pending")
    assert first.provider_id == f"aws:///{ZONES[1]}/{first.id}"
    cluster.cloud.set_capacity(cheap, False)
    result = cluster.cloud.launch(FleetRequest([dear, cheap]))
    assert result.instance is not None
    assert result.instance.instance_type == "m5.large"
    assert [error.code for error in result.errors] == ["InsufficientInstanceCapacity"]


def test_no_capacity_anywhere_is_a_value(cluster: Cluster) -> None:
    override = Override("m5.large", ZONES[0])
    cluster.cloud.set_capacity(override, False)
    result = cluster.cloud.launch(FleetRequest([override]))
    assert result.instance is None
    assert "do not have sufficient m5.large capacity" in result.errors[0].message
    offerings = next(each for each in cluster.cloud.instance_types() if each.name == "m5.large").offerings
    assert [o.is_available for o in offerings if (o.zone, o.capacity_type) == (ZONES[0], ON_DEMAND)] == [False]
    assert all(o.is_available for o in offerings if o.zone != ZONES[0])


def test_spot_is_cheaper(cluster: Cluster) -> None:
    assert cluster.cloud.price("m5.large", SPOT) < cluster.cloud.price("m5.large")


def test_launch_takes_about_half_a_minute_and_brings_labels_and_taints(cluster: Cluster) -> None:
    override = Override("m5.large", ZONES[2])
    request = FleetRequest([override], {"team": "shop"}, [Taint("karpenter.sh/unregistered", "NoExecute")])
    instance = cluster.cloud.launch(request).instance
    assert instance is not None
    registered = ready = 0.0
    for _ in range(1200):
        cluster.run(0.1)
        node = cluster.client.get("nodes", "", instance.node_name)
        if node is not None and not registered:
            registered = cluster.seconds
            assert node["metadata"]["labels"]["team"] == "shop"
            assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == ZONES[2]
            taints = [(taint["key"], taint["effect"]) for taint in node["spec"]["taints"]]
            assert taints == [
                ("karpenter.sh/unregistered", "NoExecute"),
                ("node.kubernetes.io/not-ready", "NoSchedule"),
            ]
        if node is not None and node["status"]["conditions"][-1]["status"] == "True":
            ready = cluster.seconds
            break
    assert 17 < registered < 32
    assert 22 < ready < 45


def test_lease_is_renewed_every_ten_seconds(cluster: Cluster) -> None:
    name = cluster.node()
    cluster.run(65)
    lease = cluster.client.require("leases.coordination.k8s.io", "kube-node-lease", name)
    assert lease["spec"]["renewTime"] == "2026-03-02T09:01:00.000000Z"
    assert lease["spec"]["leaseDurationSeconds"] == 40
    assert lease["metadata"]["ownerReferences"][0]["kind"] == "Node"


def test_unchanged_node_status_is_sent_about_every_five_minutes(cluster: Cluster) -> None:
    name = cluster.node()
    cluster.run(1)
    beats = set()
    for _ in range(60):
        cluster.run(30)
        beats.add(cluster.client.require("nodes", "", name)["status"]["conditions"][-1]["lastHeartbeatTime"])
    assert 5 <= len(beats) <= 9


def test_stopped_instance_falls_silent_and_comes_back_with_its_pods(cluster: Cluster) -> None:
    name = cluster.node()
    cluster.run(1)
    cluster.pod("web", name)
    cluster.run(15)
    instance = cluster.cloud.instances()[0]
    cluster.cloud.stop(instance.id, is_forced=True)
    renewed = cluster.client.require("leases.coordination.k8s.io", "kube-node-lease", name)["spec"]["renewTime"]
    cluster.run(90)
    lease = cluster.client.require("leases.coordination.k8s.io", "kube-node-lease", name)
    assert lease["spec"]["renewTime"] == renewed
    assert cluster.phase("web") == "Running", "nobody has told the API otherwise"
    cluster.cloud.start(instance.id)
    cluster.run(60)
    assert cluster.container("web")["restartCount"] == 1
    assert cluster.is_ready("web")


def test_zone_without_power_is_silent_while_ec2_says_running(cluster: Cluster) -> None:
    dark, lit = cluster.node(zone=ZONES[0]), cluster.node(zone=ZONES[1])
    cluster.run(15)
    cluster.cloud.fail_zone(ZONES[0])
    cluster.run(30)
    renewed = {
        name: cluster.client.require("leases.coordination.k8s.io", "kube-node-lease", name)["spec"]["renewTime"]
        for name in (dark, lit)
    }
    assert renewed[dark] < renewed[lit]
    assert {instance.state for instance in cluster.cloud.instances()} == {"running"}
    cluster.cloud.restore_zone(ZONES[0])
    cluster.run(60)
    lease = cluster.client.require("leases.coordination.k8s.io", "kube-node-lease", dark)
    assert lease["spec"]["renewTime"] > renewed[lit]


def test_node_of_a_terminated_instance_goes_once_it_is_not_ready(cluster: Cluster) -> None:
    name = cluster.node()
    cluster.run(5)
    cluster.cloud.fail_zone(ZONES[0])  # no power, so that nobody says that the node shuts down
    cluster.cloud.terminate(cluster.cloud.instances()[0].id)
    cluster.run(120)
    node = cluster.client.require("nodes", "", name)
    conditions = [{**item, "status": "Unknown"} for item in node["status"]["conditions"]]
    cluster.client.set_status("nodes", node, {**node["status"], "conditions": conditions})
    cluster.run(10)
    assert cluster.client.get("nodes", "", name) is None
    assert cluster.cloud.instances() == []


def test_unknown_instance_is_refused_as_ec2_does(cluster: Cluster) -> None:
    with pytest.raises(AwsError) as refusal:
        cluster.cloud.terminate("i-0")
    assert refusal.value.code == "InvalidInstanceID.NotFound"


def test_cut_off_kubelet_catches_up(cluster: Cluster) -> None:
    name = cluster.node()
    cluster.run(1)
    for pod in ("stays", "goes", "ends"):
        command = ["sh", "-c", "sleep 20; exit 0"] if pod == "ends" else None
        image = {"image": "busybox:1", "command": command} if command else {}
        cluster.pod(pod, name, restartPolicy="Never", container=image)
    cluster.run(12)
    kubelet = cluster.kubelets.get(name)
    assert kubelet is not None
    kubelet.disconnect()
    cluster.delete("goes")
    cluster.run(60)
    assert cluster.phase("ends") == "Running"
    assert cluster.client.get("pods", "default", "goes") is not None
    kubelet.connect()
    cluster.run(3)
    assert cluster.phase("ends") == "Succeeded"
    assert cluster.phase("stays") == "Running"
    assert cluster.client.get("pods", "default", "goes") is None
