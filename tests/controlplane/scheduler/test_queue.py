from fleet import pod

from labs.controlplane.scheduler.podinfo import PodInfo, parse_pod
from labs.controlplane.scheduler.queue import MAX_UNSCHEDULABLE_NS, SchedulingQueue, backoff_ns
from labs.units import SECOND_NS

FIT = frozenset({"NodeResourcesFit"})


def info(name: str, **spec: object) -> PodInfo:
    given = pod(name, **spec)  # type: ignore[arg-type]
    given["metadata"]["uid"] = name
    return parse_pod(given)


def popped(queue: SchedulingQueue) -> list[str]:
    names = []
    while (queued := queue.pop()) is not None:
        names.append(queued.pod.name)
    return names


def test_priority_comes_first_and_then_age() -> None:
    queue = SchedulingQueue()
    for when, (name, priority) in enumerate([("old", 0), ("young", 0), ("vip", 10)]):
        queue.add(info(name, priority=priority), when)

    assert popped(queue) == ["vip", "old", "young"]


def test_backoff_doubles_up_to_ten_seconds() -> None:
    assert [backoff_ns(failed) // SECOND_NS for failed in range(7)] == [0, 1, 2, 4, 8, 10, 10]


def test_refused_pod_waits_until_something_helps() -> None:
    queue = SchedulingQueue()
    queue.add(info("p"), 0)
    queued = queue.pop()
    assert queued is not None
    queue.put_back(queued, FIT, 0)

    queue.move(lambda other: False, SECOND_NS)
    assert popped(queue) == []
    queue.move(lambda other: True, 2 * SECOND_NS)
    assert popped(queue) == ["p"]


def test_resting_pod_yields_to_active_ones_but_is_taken_early_when_there_are_none() -> None:
    queue = SchedulingQueue()
    queue.add(info("tired", priority=5), 0)
    queued = queue.pop()
    assert queued is not None
    queue.put_back(queued, FIT, SECOND_NS)
    queue.move(lambda other: True, SECOND_NS)
    queue.add(info("fresh"), SECOND_NS)

    assert popped(queue) == ["fresh", "tired"]


def test_rested_pod_is_active_again_with_its_priority() -> None:
    queue = SchedulingQueue()
    queue.add(info("rested", priority=5), 0)
    queued = queue.pop()
    assert queued is not None
    queue.put_back(queued, FIT, SECOND_NS)
    queue.move(lambda other: True, SECOND_NS)
    queue.add(info("fresh"), SECOND_NS)

    queue.flush_rested(2 * SECOND_NS)

    assert popped(queue) == ["rested", "fresh"]


def test_pod_that_waited_for_five_minutes_is_tried_again() -> None:
    queue = SchedulingQueue()
    queue.add(info("p"), 0)
    queued = queue.pop()
    assert queued is not None
    queue.put_back(queued, FIT, 0)

    queue.flush_unschedulable(MAX_UNSCHEDULABLE_NS)
    assert popped(queue) == []
    queue.flush_unschedulable(MAX_UNSCHEDULABLE_NS + 1)
    assert popped(queue) == ["p"]


def test_removed_pod_never_comes() -> None:
    queue = SchedulingQueue()
    queue.add(info("p"), 0)
    queue.remove("p")

    assert popped(queue) == []
    assert len(queue) == 0


def test_gated_pod_comes_when_its_gates_are_gone() -> None:
    queue = SchedulingQueue()
    queue.add(info("p", schedulingGates=[{"name": "wait"}]), 0)
    assert popped(queue) == []

    queue.update(info("p"), may_help=False, now_ns=1)

    assert popped(queue) == ["p"]
