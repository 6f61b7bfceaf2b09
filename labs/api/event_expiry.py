"""Events go one hour after their last write (``--event-ttl``).

Source: kubernetes/kubernetes pkg/registry/core/event/storage; etcd leases.
"""

from __future__ import annotations

from collections import deque

from labs.api.store import Store, WatchEvent
from labs.sim.loop import Loop
from labs.units import HOUR_NS, MINUTE_NS

EVENT_TTL_NS = HOUR_NS


class EventExpiry:
    """Removes old events, once a minute while there are any."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store
        self._due: deque[tuple[int, str, str, int]] = deque()
        store.observe_writes(self._notice)

    def _notice(self, event: WatchEvent) -> None:
        if event.resource != "events" or event.type == "DELETED":
            return
        metadata = event.object["metadata"]
        if not self._due:
            self._loop.after(EVENT_TTL_NS, self._sweep)
        due_ns = self._loop.now_ns + EVENT_TTL_NS
        self._due.append((due_ns, metadata["namespace"], metadata["name"], event.resource_version))

    def _sweep(self) -> None:
        while self._due and self._due[0][0] <= self._loop.now_ns:
            _, namespace, name, version = self._due.popleft()
            obj = self._store.get("events", namespace, name)
            if obj is not None and obj["metadata"]["resourceVersion"] == str(version):
                self._store.remove("events", namespace, name)
        if self._due:
            self._loop.after(max(self._due[0][0] - self._loop.now_ns, MINUTE_NS), self._sweep)
