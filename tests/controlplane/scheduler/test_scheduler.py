from fleet import HOSTNAME, ScheduledCluster, anti_affinity, node, pod

from labs.api.deletion import DeleteOptions

GONE = DeleteOptions(grace_period_seconds=0)


def test_pod_is_bound_with_an_event_and_a_condition() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("p"))

    assert cluster.node_of("p") == "n0"
    assert cluster.condition("p")["status"] == "True"
    [event] = [event for event in cluster.client.list("events") if event["reason"] == "Scheduled"]
    assert event["message"] == "Successfully assigned shop/p to n0"
    assert (event["type"], event["action"], event["reportingComponent"]) == ("Normal", "Binding", "default-scheduler")
    assert event["source"] == {}
    assert event["firstTimestamp"] is event["lastTimestamp"] is None
    assert event["eventTime"].endswith("Z")
    assert "count" not in event


def test_refusal_is_written_on_the_pod() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("p", cpu="8"))

    condition = cluster.condition("p")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")


def test_other_schedulers_pods_are_left_alone() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("p", schedulerName="mine"))

    assert cluster.node_of("p") is None
    assert not cluster.event_texts("FailedScheduling")


def test_new_node_takes_the_waiting_pod() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("p", cpu="2"), seconds=20)

    cluster.client.create("nodes", node("n1", cpu="1"))
    cluster.run(20)
    assert len(cluster.event_texts("FailedScheduling")) == 1
    cluster.client.create("nodes", node("n2", cpu="4"))
    cluster.run(1)

    assert cluster.node_of("p") == "n2"


def test_room_that_a_deleted_pod_leaves_is_used() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("first", cpu="1"), pod("second", cpu="1"))

    cluster.client.delete("pods", "shop", "first", GONE)
    cluster.run(1)

    assert cluster.node_of("second") == "n0"


def test_uncordoned_node_takes_the_waiting_pod() -> None:
    cluster = ScheduledCluster(node("n0", unschedulable=True))
    cluster.add(pod("p"))

    cordoned = cluster.get("nodes", "n0", "")
    cluster.client.update("nodes", {**cordoned, "spec": {}})
    cluster.run(1)

    assert cluster.node_of("p") == "n0"


def test_heartbeats_do_not_wake_waiting_pods() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("p", cpu="2"))

    for beat in range(5):
        beating = cluster.get("nodes", "n0", "")
        cluster.client.set_status("nodes", beating, {**beating["status"], "beat": beat})
        cluster.run(10)

    assert len(cluster.event_texts("FailedScheduling")) == 1


def test_forgotten_pod_is_tried_again_after_five_minutes() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("p", cpu="2"))
    before = len(cluster.event_texts("FailedScheduling"))

    cluster.run(332)

    assert len(cluster.event_texts("FailedScheduling")) == before + 1


def test_gates_hold_a_pod_back_until_they_are_removed() -> None:
    cluster = ScheduledCluster(node("n0"))
    cluster.add(pod("p", schedulingGates=[{"name": "wait"}]), seconds=60)
    assert cluster.node_of("p") is None

    cluster.patch("pods", "p", lambda spec: {key: spec[key] for key in spec if key != "schedulingGates"})
    cluster.run(1)

    assert cluster.node_of("p") == "n0"


def test_pod_that_left_frees_its_anti_affinity() -> None:
    cluster = ScheduledCluster(node("n0"))
    cluster.add(pod("a", affinity=anti_affinity("web")), pod("b", affinity=anti_affinity("web")))
    [waiting] = [name for name in ("a", "b") if cluster.node_of(name) is None]

    cluster.client.delete("pods", "shop", {"a": "b", "b": "a"}[waiting], GONE)
    cluster.run(1)

    assert cluster.node_of(waiting) == "n0"


def test_finished_pod_frees_its_room() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("first", cpu="1"), pod("second", cpu="1"))

    cluster.set_pod_status(cluster.get("pods", "first"), phase="Succeeded")
    cluster.run(1)

    assert cluster.node_of("second") == "n0"


def test_pod_deleted_before_its_binding_is_forgotten() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("first", cpu="1"), seconds=0.004)

    cluster.client.delete("pods", "shop", "first", GONE)
    cluster.add(pod("second", cpu="1"))

    assert cluster.node_of("second") == "n0"


def test_pod_with_a_claim_that_does_not_exist_is_refused_before_any_node() -> None:
    cluster = ScheduledCluster(node("n0"))

    cluster.add(pod("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "nope"}}]))

    assert cluster.message("p") == '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found'


def test_repeated_event_on_an_unchanged_pod_becomes_a_series() -> None:
    cluster = ScheduledCluster(node("n0", cpu="1"))
    cluster.add(pod("p", cpu="2"), seconds=2)
    for number in range(3):
        cluster.client.create("nodes", node(f"more-{number}", cpu="2", taints=[{"key": "x", "effect": "NoSchedule"}]))
        cluster.run(20)

    events = [event for event in cluster.client.list("events") if event["reason"] == "FailedScheduling"]
    counts = [event["series"]["count"] if "series" in event else 1 for event in events]

    assert sum(counts) >= 4


def test_bindings_are_held_to_the_clients_rate() -> None:
    cluster = ScheduledCluster(node("n0", cpu="100", memory="100Gi", pods=400))

    cluster.add(*(pod(f"p{index}", cpu="1m", memory="1Mi") for index in range(200)), seconds=1)
    bound = sum(1 for each in cluster.pods() if each["spec"].get("nodeName"))

    assert 140 <= bound <= 151
    cluster.run(2)
    assert all(each["spec"].get("nodeName") for each in cluster.pods())


def test_same_seed_gives_the_same_placement() -> None:
    def placement() -> list[str | None]:
        cluster = ScheduledCluster(*(node(f"n{index}") for index in range(7)))
        cluster.add(*(pod(f"p{index}") for index in range(20)))
        return [cluster.node_of(f"p{index}") for index in range(20)]

    assert placement() == placement()


def test_named_node_wins_over_score() -> None:
    cluster = ScheduledCluster(node("n0", cpu="64"), node("n1", cpu="1"))

    cluster.add(pod("p", nodeSelector={HOSTNAME: "n1"}))

    assert cluster.node_of("p") == "n1"
