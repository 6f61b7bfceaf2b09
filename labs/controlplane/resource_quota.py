"""The resource quota controller: what each quota's namespace uses.

Source: kubernetes/kubernetes pkg/controller/resourcequota/{resource_quota_controller,resource_quota_monitor}.go.
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.quota.pods import is_charged
from labs.api.quota.usage import counted_resource, total_usage
from labs.api.store import Object, WatchEvent
from labs.controlplane.runtime import Controller
from labs.units import MINUTE_NS

QUOTAS = "resourcequotas"
RESYNC_NS = 5 * MINUTE_NS


class ResourceQuotaController(Controller):
    """Writes the status of every ResourceQuota."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._watched: list[str] = []

    def start(self) -> None:
        """Watch quotas; what they count is watched from the first quota on that counts it."""
        self.watch(QUOTAS, self._on_quota)

    def _on_quota(self, event: WatchEvent) -> None:
        before = event.previous
        if event.type == "DELETED" or (before is not None and before["spec"] == event.object["spec"]):
            return
        for resource in _counted(event.object):
            if resource not in self._watched:
                self._watched.append(resource)
                self.client.subscribe(resource, self._on_counted)
        self.enqueue_object(event)

    def _on_counted(self, event: WatchEvent) -> None:
        """Recount when something may have been given back; what is added is charged by admission."""
        namespace = event.object["metadata"].get("namespace")
        if namespace is None or not self._gives_back(event):
            return
        for quota in self.client.list(QUOTAS, namespace):
            if event.resource in _counted(quota):
                self.enqueue(namespace, quota["metadata"]["name"])

    def _gives_back(self, event: WatchEvent) -> bool:
        if event.type == "DELETED":
            return True
        if event.type == "ADDED" or event.previous is None:
            return False
        if event.resource == "pods":
            now_ns = self.client.now_ns
            return is_charged(event.previous, now_ns) and not is_charged(event.object, now_ns)
        return event.resource in ("services", "persistentvolumeclaims")

    def reconcile(self, namespace: str, name: str) -> None:
        """Write one quota's status."""
        quota = self.client.get(QUOTAS, namespace, name)
        if quota is None:
            return
        hard, before = quota["spec"].get("hard") or {}, quota.get("status") or {}
        objects = {resource: self.client.list(resource, namespace) for resource in _counted(quota)}
        used = total_usage(quota["spec"], objects, self.client.now_ns)
        status = {"hard": hard, "used": used}
        if status != before:
            self.client.update_status(QUOTAS, {**quota, "status": status})
        # A pod that is stuck in its deletion stops counting without an event.
        self.enqueue(namespace, name, RESYNC_NS)


def _counted(quota: Object) -> list[str]:
    found = (counted_resource(name) for name in quota["spec"].get("hard") or ())
    return list(dict.fromkeys(resource for resource in found if resource))
