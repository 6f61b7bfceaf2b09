"""Watches: what comes first, what follows, and how they end."""

from __future__ import annotations

import gc
import json
import weakref

from api.conftest import CONFIG_MAPS, PODS, Server, events

from labs.api.store import HISTORY_EVENTS

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
INITIAL = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


def test_a_watch_without_a_version_begins_with_what_is_there(server: Server) -> None:
    server.config_map("a")
    stream = server.watch(f"{CONFIG_MAPS}?watch=1")
    assert events(stream) == [("ADDED", "a")]
    server.config_map("b")
    server.client.delete("configmaps", "shop", "a")
    assert events(stream) == [("ADDED", "b"), ("DELETED", "a")]


def test_a_watch_from_a_version_brings_what_was_missed(server: Server) -> None:
    version = server.config_map("a")["metadata"]["resourceVersion"]
    server.config_map("b")
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&resourceVersion={version}")
    assert events(stream) == [("ADDED", "b")]


def test_an_object_that_leaves_or_enters_a_selection_is_deleted_or_added(server: Server) -> None:
    server.config_map("a", tier="front")
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&labelSelector=tier%3Dfront")
    media = "application/merge-patch+json"
    for tier in ("back", "front"):
        server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tier": tier}}}, media=media)
    server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", {"data": {"a": "9"}}, media=media)
    assert events(stream) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a"), ("MODIFIED", "a")]


def test_what_leaves_a_selection_is_shown_as_it_was_with_the_new_version(server: Server) -> None:
    server.config_map("a", tier="front")
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&labelSelector=tier%3Dfront")
    stream.pull()
    patch = {"metadata": {"labels": {"tier": None}}}
    after = server.expect(200, "PATCH", f"{CONFIG_MAPS}/a", patch, media="application/merge-patch+json")
    last = json.loads(stream.pull()[0])["object"]
    assert last["metadata"]["labels"] == {"tier": "front"}
    assert last["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


def test_initial_events_end_with_a_marked_bookmark(server: Server) -> None:
    server.config_map("a")
    frames = [json.loads(frame) for frame in server.watch(f"{CONFIG_MAPS}?watch=1&{INITIAL}").pull()]
    assert [frame["type"] for frame in frames] == ["ADDED", "BOOKMARK"]
    marked = frames[1]["object"]
    assert marked["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert (marked["kind"], marked["apiVersion"]) == ("ConfigMap", "v1")


def test_the_end_of_initial_events_is_told_by_a_bookmark_alone(server: Server) -> None:
    server.config_map("a")
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    frames = [json.loads(frame) for frame in server.watch(f"{CONFIG_MAPS}?{query}").pull()]
    assert [frame["type"] for frame in frames] == ["ADDED"]


def test_bookmarks_come_each_minute_and_at_the_end(server: Server) -> None:
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&allowWatchBookmarks=true&timeoutSeconds=150")
    server.run(149)
    assert len(stream.pull()) == 2
    server.run(2)
    assert len(stream.pull()) == 1
    assert stream.is_closed


def test_a_watch_ends_at_its_timeout_in_virtual_time(server: Server) -> None:
    calls: list[bool] = []
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&timeoutSeconds=5")
    stream.on_ready = lambda: calls.append(stream.is_closed)
    server.run(4.9)
    assert not stream.is_closed
    server.config_map("a")
    server.run(0.2)
    assert calls == [False, True]
    server.config_map("late")
    assert events(stream) == [("ADDED", "a")]


def test_a_version_that_is_forgotten_is_an_error_in_the_stream(server: Server) -> None:
    version = server.config_map("a")["metadata"]["resourceVersion"]
    for number in range(HISTORY_EVENTS + 1):
        server.api.store.put("configmaps", {"metadata": {"name": "b", "namespace": "shop"}, "data": {"n": str(number)}})
    stream = server.watch(f"{CONFIG_MAPS}?watch=1&resourceVersion={version}")
    frame = json.loads(stream.pull()[0])
    assert (frame["type"], frame["object"]["code"], stream.is_closed) == ("ERROR", 410, True)


def test_only_the_first_table_of_a_watch_has_columns(server: Server) -> None:
    server.pod("a")
    server.pod("b")
    frames = [json.loads(frame)["object"] for frame in server.watch(f"{PODS}?watch=1", accept=TABLE).pull()]
    assert [frame["kind"] for frame in frames] == ["Table", "Table"]
    assert frames[0]["columnDefinitions"]
    assert not frames[1]["columnDefinitions"]


def test_a_watch_of_one_object_by_its_path_sees_only_that(server: Server) -> None:
    stream = server.watch(f"{CONFIG_MAPS}/a?watch=1")
    server.config_map("a")
    server.config_map("b")
    assert events(stream) == [("ADDED", "a")]


def test_dropped_watches_are_forgotten(server: Server) -> None:
    server.config_map("a")
    kept = []
    for _ in range(10_000):
        stream = server.watch(f"{CONFIG_MAPS}?watch=1&allowWatchBookmarks=true")
        kept.append(weakref.ref(stream))
        stream.close()
        del stream
    assert server.rest.watches.open_count == 0
    server.config_map("b")
    gc.collect()
    assert not any(reference() for reference in kept)
