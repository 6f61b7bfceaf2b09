from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib.pyplot as plt
import pytest

from kubernetes import client
from labs.course.lag import ScalingRecords, draw_steps, scaling_steps

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def condition(make: Any, type: str, second: float) -> Any:
    return make(type=type, status="True", last_transition_time=at(second))


def pod(name: str, node: str, created: float, bound: float, started: float, ready: float) -> client.V1Pod:
    running = client.V1ContainerState(running=client.V1ContainerStateRunning(started_at=at(started)))
    container = client.V1ContainerStatus(name="c", image="i", image_id="i", ready=True, restart_count=0, state=running)
    conditions = [
        condition(client.V1PodCondition, "PodScheduled", bound),
        condition(client.V1PodCondition, "Ready", ready),
    ]
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, creation_timestamp=at(created)),
        spec=client.V1PodSpec(containers=[client.V1Container(name="c")], node_name=node),
        status=client.V1PodStatus(conditions=conditions, container_statuses=[container]),
    )


def node(name: str, created: float, ready: float) -> client.V1Node:
    return client.V1Node(
        metadata=client.V1ObjectMeta(name=name, creation_timestamp=at(created)),
        status=client.V1NodeStatus(conditions=[condition(client.V1NodeCondition, "Ready", ready)]),
    )


def event(name: str, reason: str, second: float) -> client.CoreV1Event:
    about = client.V1ObjectReference(name=name)
    meta = client.V1ObjectMeta(name=f"{name}.{second}")
    return client.CoreV1Event(metadata=meta, involved_object=about, reason=reason, last_timestamp=at(second))


def records() -> ScalingRecords:
    """Two decisions: the first pod needs a new node, the second finds room on it."""
    early = pod("web-0", "old", -99, -98, -97, -96)
    return ScalingRecords(
        "web",
        [pod("web-1", "new", 30, 61, 65, 66), pod("web-2", "new", 90, 90, 92, 95), early],
        {"old": node("old", -300, -299), "new": node("new", 54, 60)},
        {"new": {"metadata": {"creationTimestamp": at(31).isoformat()}}},
        [
            event("web", "SuccessfulRescale", -50),
            event("web", "SuccessfulRescale", 30),
            event("web", "SuccessfulRescale", 90),
            event("web-1", "Pulled", 64),
            event("web-2", "Pulled", 91),
        ],
    )


def lengths(number: int) -> dict[str, float]:
    steps = scaling_steps(records(), START, {at(25): at(12), at(85): at(80)})
    part = steps[steps["decision"] == number]
    return dict(zip(part["step"], part["length_s"], strict=True))


def test_the_steps_of_a_decision_that_needs_a_node_add_up_to_its_whole_delay() -> None:
    assert lengths(1) == {
        "metrics window ends": 12,
        "HPA decides": 18,
        "Deployment makes pods": 0,
        "Karpenter orders a node": 1,
        "machine boots, registers": 23,
        "network starts, node Ready": 6,
        "scheduler binds the pod": 1,
        "image is pulled": 3,
        "container starts": 1,
        "pod Ready": 1,
    }


def test_a_later_decision_counts_from_the_one_before_and_no_step_is_negative() -> None:
    second = lengths(2)
    assert sum(second.values()) == 95 - 66
    assert second["metrics window ends"] == 80 - 66
    assert second["machine boots, registers"] == 0


def test_without_a_decision_there_are_no_steps() -> None:
    assert scaling_steps(records(), at(100), {}).empty


@pytest.mark.parametrize("decision", [1, 2])
def test_each_decision_has_a_bar_for_each_of_its_steps(decision: int) -> None:
    figure, ax = plt.subplots()
    draw_steps(ax, scaling_steps(records(), START, {at(25): at(12)}))
    assert len(ax.containers[decision - 1]) == 10
    plt.close(figure)
