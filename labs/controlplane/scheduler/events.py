"""Events in the form of events.k8s.io/v1, which of all components only the scheduler writes.

Source: client-go tools/events/{event_recorder,event_broadcaster}.go: a repeat within six minutes makes a series, whose
count is written at the second time and then when the series ends or each half hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.events import reference_to
from labs.api.store import Object
from labs.controlplane.scheduler.failure import cut
from labs.errors import ApiError
from labs.units import MINUTE_NS, rfc3339_micro

FINISH_NS = 6 * MINUTE_NS
REFRESH_NS = 30 * MINUTE_NS


@dataclass(slots=True)
class _Series:
    namespace: str
    name: str
    count: int
    last_ns: int
    written_ns: int


class SeriesRecorder:
    """Writes the events of one component."""

    def __init__(self, client: Client, component: str) -> None:
        self._client = client
        self._component = component
        self._series: dict[tuple[str, ...], _Series] = {}
        self._is_ticking = False

    def record(
        self, obj: Object, type: str, reason: str, action: str, note: str, related: Object | None = None
    ) -> None:
        """Say that ``action`` was taken on ``obj``; the same object, reason and action again continue a series."""
        regarding = reference_to(obj)
        now_ns = self._client.now_ns
        key = (regarding["uid"], regarding["resourceVersion"], type, reason, action)
        series = self._series.get(key)
        if series is None:
            try:
                name = self._create(obj, type, reason, action, note, related)
            except ApiError:
                return  # a refused event is dropped, for example in a namespace that is being deleted
            self._series[key] = _Series(regarding.get("namespace", "default"), name, 1, now_ns, now_ns)
            self._tick_later()
            return
        series.count += 1
        series.last_ns = now_ns
        if series.count == 2:
            self._write(series)

    def _create(self, obj: Object, type: str, reason: str, action: str, note: str, related: Object | None) -> str:
        regarding = reference_to(obj)
        now_ns = self._client.now_ns
        # The version tells two events of one moment apart, which upstream's clock does.
        name = f"{regarding['name']}.{now_ns + self._client.api.store.resource_version:x}"
        event: dict[str, Any] = {
            "metadata": {"name": name, "namespace": regarding.get("namespace", "default")},
            "involvedObject": regarding,
            "reason": reason,
            "message": cut(note),
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": type,
            "eventTime": rfc3339_micro(now_ns),
            "action": action,
            "reportingComponent": self._component,
            "reportingInstance": f"{self._component}-0",
        }
        if related is not None:
            event["related"] = reference_to(related)
        self._client.create("events", event)
        return name

    def _write(self, series: _Series) -> None:
        event = self._client.get("events", series.namespace, series.name)
        series.written_ns = self._client.now_ns
        if event is not None:
            state = {"count": series.count, "lastObservedTime": rfc3339_micro(series.last_ns)}
            self._client.update("events", {**event, "series": state})

    def _tick_later(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._client.loop.after(FINISH_NS, self._tick)

    def _tick(self) -> None:
        now_ns = self._client.now_ns
        self._is_ticking = False
        for key, series in list(self._series.items()):
            is_over = now_ns - series.last_ns >= FINISH_NS
            if series.count > 1 and (is_over or now_ns - series.written_ns >= REFRESH_NS):
                self._write(series)
            if is_over:
                del self._series[key]
        if self._series:
            self._tick_later()
