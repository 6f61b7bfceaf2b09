"""Lists by selector look at the objects of an index, not at all of them."""

from __future__ import annotations

import pytest

from labs.api.bootstrap import new_api_server
from labs.api.resources import BY_RESOURCE
from labs.api.rest.selection import parse_selection
from labs.api.store import Store
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.sim.trace import Trace


@pytest.fixture
def store() -> Store:
    loop = Loop(0)
    store = Store(loop, Trace())
    new_api_server(loop, Streams(1), store)
    for number in range(200):
        labels = {"group": str(number % 20)}
        metadata = {"name": f"pod-{number}", "namespace": "default", "uid": f"uid-{number}", "labels": labels}
        store.put("pods", {"metadata": metadata, "spec": {"nodeName": f"node-{number % 10}"}})
        about = {"name": f"pod-{number % 50}", "uid": f"uid-{number % 50}"}
        metadata = {"name": f"event-{number}", "namespace": "default"}
        store.put("events", {"metadata": metadata, "involvedObject": about})
    return store


@pytest.mark.parametrize(
    ("resource", "labels", "fields", "count"),
    [
        ("pods", "group=7", "", 10),
        ("pods", "group in (7)", "", 10),
        ("pods", "", "spec.nodeName=node-3", 20),
        ("pods", "group=7", "metadata.name=pod-7", 1),
        ("events", "", "involvedObject.name=pod-9,involvedObject.kind=Pod", 4),
        ("events", "", "involvedObject.uid=uid-9", 4),
        ("pods", "group=none", "", 0),
        ("pods", "", "spec.nodeName=", 200),
    ],
)
def test_only_what_the_index_has_is_looked_at(
    store: Store, resource: str, labels: str, fields: str, count: int
) -> None:
    selection = parse_selection(BY_RESOURCE[resource], labels, fields)
    candidates = selection.candidates(store, "default")
    assert len(candidates) == count
    selected = [obj for obj in store.list(resource) if selection.matches(obj)]
    assert [obj for obj in candidates if selection.matches(obj)] == selected
