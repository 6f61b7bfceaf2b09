"""All shared state: objects in wire form, one rising resource version, watch events, indexes.

Objects that are stored are never changed in place; whoever wants a change stores a new dict. Subscribers
hear of each write once, in order, ``WATCH_LATENCY_NS`` after it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labs.errors import expired
from labs.sim.loop import Loop
from labs.sim.trace import Trace
from labs.units import MILLISECOND_NS, MINUTE_NS

WATCH_LATENCY_NS = MILLISECOND_NS
"""How long a change takes from the store to a watcher on a healthy control plane."""

COMPACTION_PERIOD_NS = 5 * MINUTE_NS
"""``--etcd-compaction-interval``."""

HISTORY_EVENTS = 10_000
"""Watch events kept for each resource; a watch from before them is told 410 Expired."""

Object = dict[str, Any]
Objects = list[Object]
"""Named so, since the methods called ``list`` hide the built-in in annotations."""

IndexFunction = Callable[[Object], Iterable[str]]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One change. ``object`` is the new state (the last one when deleted), ``previous`` the one before."""

    type: str
    resource: str
    object: Object
    previous: Object | None
    resource_version: int


Subscriber = Callable[[WatchEvent], None]


def namespace_of(obj: Object) -> str:
    """The object's namespace, empty when it has none."""
    namespace: str = obj["metadata"].get("namespace", "")
    return namespace


def name_of(obj: Object) -> str:
    """The object's name."""
    name: str = obj["metadata"]["name"]
    return name


def label_values(obj: Object) -> Iterator[str]:
    """``key=value`` of each label: the index that every resource has."""
    for key, value in (obj["metadata"].get("labels") or {}).items():
        yield f"{key}={value}"


def owner_values(obj: Object) -> Iterator[str]:
    """The uid of each owner: the index that garbage collection uses."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        yield reference["uid"]


class _Table:
    """The objects of one resource, by namespace and name, each kept in order of its key."""

    __slots__ = ("events", "expired_version", "indexes", "keys", "keys_of_namespace", "objects", "subscribers")

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.keys: list[tuple[str, str]] = []
        self.keys_of_namespace: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.indexes: dict[str, tuple[IndexFunction, dict[str, dict[tuple[str, str], None]]]] = {
            "label": (label_values, {}),
            "owner": (owner_values, {}),
        }
        self.events: deque[WatchEvent] = deque()
        self.expired_version = 0
        self.subscribers: list[Subscriber] = []

    def _index(self, key: tuple[str, str], old: Object | None, new: Object | None) -> None:
        for function, buckets in self.indexes.values():
            before = list(function(old)) if old is not None else []
            after = list(function(new)) if new is not None else []
            if before == after:
                continue
            for value in before:
                bucket = buckets.get(value)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del buckets[value]
            for value in after:
                buckets.setdefault(value, {})[key] = None

    def put(self, key: tuple[str, str], obj: Object) -> Object | None:
        old = self.objects.get(key)
        if old is None:
            insort(self.keys, key)
            insort(self.keys_of_namespace[key[0]], key)
        self.objects[key] = obj
        self._index(key, old, obj)
        return old

    def remove(self, key: tuple[str, str]) -> Object:
        old = self.objects.pop(key)
        for keys in (self.keys, self.keys_of_namespace[key[0]]):
            del keys[bisect_left(keys, key)]
        self._index(key, old, None)
        return old


class Store:
    """Objects by resource, namespace and name."""

    def __init__(self, loop: Loop, trace: Trace) -> None:
        self._loop = loop
        self._trace = trace
        self._tables: dict[str, _Table] = defaultdict(_Table)
        self._write_observers: list[Subscriber] = []
        self.resource_version = 1
        self.compacted_version = 0
        self._marks: deque[tuple[int, int]] = deque()

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._tables[resource].objects.get((namespace, name))

    def list(self, resource: str, namespace: str | None = None) -> Objects:
        """All objects of a resource (of one namespace), in order of namespace and name."""
        table = self._tables[resource]
        keys = table.keys if namespace is None else table.keys_of_namespace.get(namespace, [])
        objects = table.objects
        return [objects[key] for key in keys]

    def count(self, resource: str) -> int:
        """How many objects of a resource there are."""
        return len(self._tables[resource].objects)

    def add_index(self, resource: str, index: str, function: IndexFunction) -> None:
        """Keep an index under a name; does nothing when it is there already."""
        table = self._tables[resource]
        if index in table.indexes:
            return
        buckets: dict[str, dict[tuple[str, str], None]] = {}
        for key, obj in table.objects.items():
            for value in function(obj):
                buckets.setdefault(value, {})[key] = None
        table.indexes[index] = (function, buckets)

    def by_index(self, resource: str, index: str, value: str, namespace: str | None = None) -> Objects:
        """The objects that an index has under ``value``, in order of namespace and name."""
        table = self._tables[resource]
        bucket = table.indexes[index][1].get(value)
        if not bucket:
            return []
        objects = table.objects
        return [objects[key] for key in sorted(bucket) if namespace is None or key[0] == namespace]

    def index_size(self, resource: str, index: str, value: str) -> int:
        """How many objects an index has under ``value``."""
        return len(self._tables[resource].indexes[index][1].get(value, ()))

    def put(self, resource: str, obj: Object) -> Object:
        """Store ``obj`` under its namespace and name with the next resource version; returns what is stored.

        ``obj`` and its metadata must be the caller's own: they are stored as they are.
        """
        metadata = obj["metadata"]
        self.resource_version += 1
        metadata["resourceVersion"] = str(self.resource_version)
        key = (metadata.get("namespace", ""), metadata["name"])
        old = self._tables[resource].put(key, obj)
        self._publish(WatchEvent("MODIFIED" if old else "ADDED", resource, obj, old, self.resource_version))
        return obj

    def remove(self, resource: str, namespace: str, name: str) -> Object:
        """Remove the object; returns its last state, which carries the version of the removal."""
        old = self._tables[resource].remove((namespace, name))
        self.resource_version += 1
        last = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.resource_version)}}
        self._publish(WatchEvent("DELETED", resource, last, old, self.resource_version))
        return last

    def compact(self) -> None:
        """Forget what the state was before now: lists at older versions are told 410 Expired."""
        self.compacted_version = self.resource_version

    def _compact_old(self) -> None:
        """Compaction as the server does it: every five minutes, up to the version of five minutes before."""
        now_ns = self._loop.now_ns
        if self._marks and now_ns - self._marks[-1][0] < COMPACTION_PERIOD_NS:
            return
        while self._marks and now_ns - self._marks[0][0] >= COMPACTION_PERIOD_NS:
            self.compacted_version = max(self.compacted_version, self._marks.popleft()[1])
        self._marks.append((now_ns, self.resource_version - 1))

    def _publish(self, event: WatchEvent) -> None:
        self._compact_old()
        table = self._tables[event.resource]
        table.events.append(event)
        if len(table.events) > HISTORY_EVENTS:
            table.expired_version = table.events.popleft().resource_version
        metadata = event.object["metadata"]
        now_ns = self._loop.now_ns
        self._trace.record(now_ns, event.type, event.resource, metadata.get("namespace"), metadata["name"])
        self._loop.post(now_ns + WATCH_LATENCY_NS, self._deliver, event)
        for observer in self._write_observers:
            observer(event)

    def _deliver(self, event: WatchEvent) -> None:
        for subscriber in self._tables[event.resource].subscribers:
            subscriber(event)

    def subscribe(self, resource: str, subscriber: Subscriber) -> None:
        """Call ``subscriber`` for each later change of a resource, in order of subscription."""
        self._tables[resource].subscribers.append(subscriber)

    def observe_writes(self, observer: Subscriber) -> None:
        """Call ``observer`` at each write of any resource, within the write: for checkers and HTTP watches."""
        self._write_observers.append(observer)

    def events_since(self, resource: str, resource_version: int) -> Sequence[WatchEvent]:
        """The events after a version, oldest first. Raises 410 Expired when some are no longer kept."""
        table = self._tables[resource]
        if resource_version < table.expired_version:
            raise expired(f"too old resource version: {resource_version} ({table.expired_version})")
        return [event for event in table.events if event.resource_version > resource_version]
