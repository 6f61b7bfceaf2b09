"""Events: counted, combined, dropped."""

from __future__ import annotations

from stand_ins import Cluster


def told(cluster: Cluster) -> list[tuple[str, int]]:
    events = sorted(cluster.client.list("events"), key=lambda event: int(event["metadata"]["resourceVersion"]))
    return [(event["message"], event["count"]) for event in events]


def test_the_same_event_again_is_counted() -> None:
    cluster = Cluster()
    node = cluster.get("nodes", "node-0", "")
    for _ in range(3):
        cluster.client.events.record(node, "Normal", "Rested", "slept")
    assert told(cluster) == [("slept", 3)]


def test_the_tenth_similar_event_is_combined_and_carries_the_latest_text() -> None:
    cluster = Cluster()
    node = cluster.get("nodes", "node-0", "")
    for number in range(12):
        cluster.client.events.record(node, "Normal", "Counted", f"number {number}")
    assert told(cluster)[:9] == [(f"number {number}", 1) for number in range(9)]
    assert told(cluster)[9:] == [("(combined from similar events): number 11", 3)]


def test_similar_events_are_no_longer_combined_after_ten_quiet_minutes() -> None:
    cluster = Cluster()
    node = cluster.get("nodes", "node-0", "")
    for number in range(9):
        cluster.client.events.record(node, "Normal", "Counted", f"number {number}")
    cluster.run(601)
    cluster.client.events.record(node, "Normal", "Counted", "number 9")
    assert told(cluster)[-1] == ("number 9", 1)


def test_an_object_may_be_told_of_25_times_at_once_and_once_more_every_five_minutes() -> None:
    cluster = Cluster()
    node = cluster.get("nodes", "node-0", "")
    for _ in range(40):
        cluster.client.events.record(node, "Normal", "Rested", "slept")
    assert told(cluster) == [("slept", 25)]
    cluster.run(301)
    for _ in range(2):
        cluster.client.events.record(node, "Normal", "Rested", "slept")
    assert told(cluster) == [("slept", 41)]


def test_an_event_that_expired_is_written_anew_with_its_count() -> None:
    cluster = Cluster()
    node = cluster.get("nodes", "node-0", "")
    cluster.client.events.record(node, "Normal", "Rested", "slept")
    first = cluster.client.list("events")[0]
    cluster.client.delete("events", "default", first["metadata"]["name"])
    cluster.client.events.record(node, "Normal", "Rested", "slept")
    assert told(cluster) == [("slept", 2)]
