"""Watches: streams of change that a socket adapter pulls from.

Source: kubernetes/apiserver pkg/endpoints/handlers/watch.go, pkg/storage/cacher/{cacher,cache_watcher}.go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.deletion import CRDS
from labs.api.resources import ResourceType
from labs.api.rest.forms import partial, table, typed
from labs.api.rest.lists import parse_version
from labs.api.rest.message import Request, encode
from labs.api.rest.negotiation import Form
from labs.api.rest.options import ListOptions
from labs.api.rest.selection import Selection
from labs.api.store import Object, Store, WatchEvent, namespace_of
from labs.errors import ApiError
from labs.sim.loop import Loop, Timer
from labs.units import MINUTE_NS, SECOND_NS

DEFAULT_TIMEOUT_NS = 30 * MINUTE_NS
"""Shortest of a real server's default (1800 to 3600 s, random)."""
BOOKMARK_PERIOD_NS = MINUTE_NS
MAX_PENDING_EVENTS = 100_000
"""A watcher that reads nothing for this long is dropped, as a real server drops slow watchers."""
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
UNCACHED_EXPIRED = "The resourceVersion for the provided watch is too old."


@dataclass(frozen=True, slots=True)
class Encoder:
    """How a watch writes its objects."""

    kind: ResourceType
    form: Form
    include: str

    def frame(self, type: str, obj: Object, now_ns: int, *, has_columns: bool) -> bytes:
        """One line of the stream."""
        return encode({"type": type, "object": self._shape(obj, now_ns, has_columns)})

    def _shape(self, obj: Object, now_ns: int, has_columns: bool) -> Object:
        if obj.get("kind") == "Status":
            return obj
        if self.form.is_table:
            shown = table(self.kind, [obj], now_ns, self.form, self.include)
            shown["metadata"] = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return shown if has_columns else {**shown, "columnDefinitions": []}
        return partial(obj, self.form.as_version) if self.form.is_metadata else typed(self.kind, obj)

    def bookmark(self, version: int, annotations: dict[str, str] | None) -> bytes:
        """A BOOKMARK: only kind, apiVersion and the version."""
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = annotations
        obj: Object = {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata}
        if self.form.is_table:
            row = {"cells": [], "object": partial(obj, self.form.as_version)}
            obj = {
                "kind": "Table",
                "apiVersion": f"meta.k8s.io/{self.form.as_version}",
                "metadata": {"resourceVersion": str(version)},
                "columnDefinitions": [],
                "rows": [row],
            }
        elif self.form.is_metadata:
            obj = partial(obj, self.form.as_version)
        return encode({"type": "BOOKMARK", "object": obj})


class WatchStream:
    """One open watch. ``on_ready`` is called when there is something to pull, or the stream has ended."""

    def __init__(self, hub: WatchHub, selection: Selection, namespace: str | None, encoder: Encoder) -> None:
        self._hub = hub
        self._selection = selection
        self._namespace = namespace
        self._encoder = encoder
        self._pending: deque[tuple[str, Object] | bytes] = deque()
        self._timers: list[Timer] = []
        self._has_sent_columns = False
        self.status = 200
        self.headers = {"Content-Type": "application/json"}
        self.on_ready: Callable[[], None] | None = None
        self.is_closed = False

    def pull(self) -> list[bytes]:
        """The frames that have come since the last pull, each one line of JSON."""
        frames = []
        now_ns = self._hub.loop.now_ns
        while self._pending:
            item = self._pending.popleft()
            if isinstance(item, bytes):
                frames.append(item)
                continue
            frames.append(self._encoder.frame(*item, now_ns, has_columns=not self._has_sent_columns))
            self._has_sent_columns = True
        return frames

    def close(self) -> None:
        """End the stream and give back what it holds; what is pending can still be pulled."""
        if self.is_closed:
            return
        self.is_closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._hub.forget(self)
        if self.on_ready is not None:
            self.on_ready()

    @property
    def resource(self) -> str:
        """What is watched."""
        return self._selection.resource

    def notice(self, event: WatchEvent) -> None:
        """Take note of a change, as this selection sees it."""
        if self._namespace is not None and namespace_of(event.object) != self._namespace:
            return
        seen_as = event.type if self._selection.is_everything else self._type_in_selection(event)
        if seen_as:
            obj = event.object
            if seen_as == "DELETED" and event.type == "MODIFIED" and event.previous is not None:
                version = obj["metadata"]["resourceVersion"]
                obj = {**event.previous, "metadata": {**event.previous["metadata"], "resourceVersion": version}}
            self.push((seen_as, obj))

    def _type_in_selection(self, event: WatchEvent) -> str:
        is_in = event.type != "DELETED" and self._selection.matches(event.object)
        was_in = event.previous is not None and self._selection.matches(event.previous)
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in else ""

    def push(self, item: tuple[str, Object] | bytes) -> None:
        """Queue an event, or a whole frame."""
        was_empty = not self._pending
        self._pending.append(item)
        if len(self._pending) > MAX_PENDING_EVENTS:
            self._pending.clear()
            self.close()
        elif was_empty and self.on_ready is not None:
            self.on_ready()

    def schedule(self, timeout_ns: int, *, has_bookmarks: bool) -> None:
        """End the stream in ``timeout_ns``; send bookmarks until then."""
        loop = self._hub.loop
        self._timers = [loop.after(timeout_ns, self._expire, has_bookmarks)]
        if has_bookmarks and timeout_ns > BOOKMARK_PERIOD_NS:
            self._timers.append(loop.after(BOOKMARK_PERIOD_NS, self._bookmark))

    def _bookmark(self) -> None:
        self.push(self._encoder.bookmark(self._hub.store.resource_version, None))
        if not self.is_closed:
            self._timers[1:] = [self._hub.loop.after(BOOKMARK_PERIOD_NS, self._bookmark)]

    def _expire(self, has_bookmarks: bool) -> None:
        if has_bookmarks:
            self.push(self._encoder.bookmark(self._hub.store.resource_version, None))
        self.close()


class WatchHub:
    """All open watches; hears of every write at once and passes it to those of its resource."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self.loop = loop
        self.store = store
        self._streams: dict[str, dict[WatchStream, None]] = {}
        store.observe_writes(self._notice)

    def _notice(self, event: WatchEvent) -> None:
        for stream in list(self._streams.get(event.resource, ())):
            stream.notice(event)
        if event.type == "DELETED" and event.resource == CRDS:
            self._end(event.object["metadata"]["name"])

    def forget(self, stream: WatchStream) -> None:
        """Stop passing changes to a stream."""
        streams = self._streams.get(stream.resource)
        if streams is not None:
            streams.pop(stream, None)
            if not streams:
                del self._streams[stream.resource]

    def _end(self, resource: str) -> None:
        """Close the watches of a resource that is no longer served."""
        for stream in list(self._streams.get(resource, ())):
            stream.close()

    @property
    def open_count(self) -> int:
        """How many watches are open."""
        return sum(map(len, self._streams.values()))

    def open(
        self,
        kind: ResourceType,
        selection: Selection,
        namespace: str | None,
        options: ListOptions,
        form: Form,
        request: Request,
    ) -> WatchStream:
        """Open a watch. Raises 500 for a version that is no number."""
        version = parse_version(options.resource_version) if options.resource_version else 0
        stream = WatchStream(self, selection, namespace, Encoder(kind, form, request.option("includeObject")))
        timeout_ns = DEFAULT_TIMEOUT_NS if options.timeout_s is None else max(options.timeout_s, 0) * SECOND_NS
        if not self._start(stream, selection, namespace, options, version):
            return stream
        self._streams.setdefault(kind.resource, {})[stream] = None
        stream.schedule(timeout_ns or DEFAULT_TIMEOUT_NS, has_bookmarks=options.bookmarks)
        return stream

    def _start(
        self, stream: WatchStream, selection: Selection, namespace: str | None, options: ListOptions, version: int
    ) -> bool:
        """Queue what comes before live changes; False when the stream ends with an error."""
        sends_state = version == 0 if options.sends_initial_events is None else options.sends_initial_events
        if sends_state:
            for obj in selection.candidates(self.store, namespace):
                if selection.matches(obj):
                    stream.push(("ADDED", obj))
            if options.sends_initial_events and options.bookmarks:
                stream.push(stream._encoder.bookmark(self.store.resource_version, INITIAL_EVENTS_END))
            return True
        if version == 0 or version >= self.store.resource_version:
            return True
        try:
            missed: Sequence[WatchEvent] = self.store.events_since(selection.resource, version)
        except ApiError as error:
            stream.push(encode({"type": "ERROR", "object": self._expired(selection.resource, error).status()}))
            stream.close()
            return False
        for event in missed:
            stream.notice(event)
        return True

    def _expired(self, resource: str, error: ApiError) -> ApiError:
        return ApiError(410, "Expired", UNCACHED_EXPIRED) if resource == "events" else error
