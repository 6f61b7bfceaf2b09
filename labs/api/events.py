"""Recording events as client-go's recorder does: repeats are counted, many similar ones combined, spam dropped.

Source: kubernetes/client-go tools/record/event.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labs.api.event_correlation import COMBINED, EventCorrelator, Sighting
from labs.api.store import Object
from labs.errors import ApiError
from labs.units import rfc3339

if TYPE_CHECKING:
    from labs.api.apiserver import ApiServer


def reference_to(obj: Object, field_path: str = "") -> dict[str, Any]:
    """An ``ObjectReference`` to ``obj``."""
    metadata = obj["metadata"]
    reference = {"kind": obj["kind"]}
    if metadata.get("namespace"):
        reference["namespace"] = metadata["namespace"]
    reference |= {"name": metadata["name"], "uid": metadata["uid"], "apiVersion": obj["apiVersion"]}
    reference["resourceVersion"] = metadata.get("resourceVersion", "")
    if field_path:
        reference["fieldPath"] = field_path
    return reference


class EventRecorder:
    """Writes ``v1`` events of one component; ``manager`` owns their fields."""

    def __init__(self, api: ApiServer, component: str, manager: str = "") -> None:
        self._api = api
        self._component = component
        self._manager = manager or component
        self._correlator = EventCorrelator()

    def record(
        self, obj: Object, type: str, reason: str, message: str, *, field_path: str = "", host: str = ""
    ) -> None:
        """Say that something happened to ``obj``; ``type`` is Normal or Warning."""
        reference = reference_to(obj, field_path)
        now_ns = self._api.loop.now_ns
        source = (reference["uid"], reference["kind"], host)
        key, message = self._correlator.combine((*source, type, reason), (field_path,), message, now_ns)
        known = self._correlator.sightings.get(key)
        if known is None:
            namespace = reference.get("namespace", "default")
            known = Sighting(namespace, f"{reference['name']}.{self._unique_hex()}", 0, rfc3339(now_ns))
            self._correlator.sightings.put(key, known)
        known.count += 1
        if self._correlator.is_spam(source, now_ns):
            return
        is_combined = message.startswith(COMBINED)
        self._write(known, reference, {"reason": reason, "message": message, "type": type}, host, is_combined)

    def _write(
        self, known: Sighting, reference: dict[str, Any], told: dict[str, str], host: str, is_combined: bool
    ) -> None:
        now = rfc3339(self._api.loop.now_ns)
        stored = self._api.store.get("events", known.namespace, known.name)
        if stored is not None:
            counted = {**stored, "count": known.count, "lastTimestamp": now, "message": told["message"]}
            self._api.update("events", counted, user=self._component, manager=self._manager)
            return
        event = {
            "metadata": {"name": known.name, "namespace": known.namespace},
            "involvedObject": reference,
            **told,
            "source": {"component": self._component} | ({"host": host} if host else {}),
            "firstTimestamp": known.first_timestamp,
            "lastTimestamp": now,
            "count": known.count,
            "eventTime": None,
            # EventAggregate makes its event anew, without these two.
            "reportingComponent": "" if is_combined else self._component,
            "reportingInstance": "" if is_combined else host,
        }
        try:
            self._api.create("events", event, user=self._component, manager=self._manager)
        except ApiError:
            return  # the recorder drops what the server refuses: events are no reason for a component to stop

    def _unique_hex(self) -> str:
        # Upstream uses the unix nanosecond; virtual time stands still within a callback, so the version
        # number, which every write raises, keeps two names of one moment apart.
        return f"{self._api.loop.now_ns + self._api.store.resource_version:x}"
