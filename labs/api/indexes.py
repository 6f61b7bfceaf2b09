"""The indexes beside that of labels: what clients and controllers ask for most, without a look at every object."""

from __future__ import annotations

from functools import partial

from labs.api.store import Object, Store


def add_indexes(store: Store) -> None:
    """Index pods by their node, and events by what they are about."""
    store.add_index("pods", "spec.nodeName", _node_of)
    for key in ("name", "uid"):
        store.add_index("events", f"involvedObject.{key}", partial(_of_involved, key))


def _node_of(pod: Object) -> list[str]:
    node = pod["spec"].get("nodeName")
    return [node] if node else []


def _of_involved(key: str, event: Object) -> list[str]:
    return [(event.get("involvedObject") or {}).get(key) or ""]
