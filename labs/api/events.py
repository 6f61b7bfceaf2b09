"""Recording events as client-go's recorder does: the same event again only raises its count.

Source: kubernetes/client-go tools/record/{event,events_cache}.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        self._names: dict[tuple[str, ...], tuple[str, str]] = {}

    def record(
        self, obj: Object, type: str, reason: str, message: str, *, field_path: str = "", host: str = ""
    ) -> None:
        """Say that something happened to ``obj``; ``type`` is Normal or Warning."""
        reference = reference_to(obj, field_path)
        key = (reference["uid"], field_path, type, reason, message, host)
        namespace, name = self._names.get(key, ("", ""))
        known = self._api.store.get("events", namespace, name) if name else None
        now = rfc3339(self._api.loop.now_ns)
        if known is not None:
            counted = {**known, "count": known["count"] + 1, "lastTimestamp": now}
            self._api.update("events", counted, user=self._component, manager=self._manager)
            return
        namespace = reference.get("namespace", "default")
        source = {"component": self._component}
        if host:
            source["host"] = host
        name = f"{reference['name']}.{self._unique_hex()}"
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": reference,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": host,
        }
        try:
            self._api.create("events", event, user=self._component, manager=self._manager)
        except ApiError:
            return  # the recorder drops what the server refuses: events are no reason for a component to stop
        self._names[key] = (namespace, name)

    def _unique_hex(self) -> str:
        # Upstream uses the unix nanosecond; virtual time stands still within a callback, so the version
        # number, which every write raises, keeps two names of one moment apart.
        return f"{self._api.loop.now_ns + self._api.store.resource_version:x}"
