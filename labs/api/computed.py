"""Read-only kinds that follow from what else there is: nothing of them is stored.

Source: kubernetes/kubernetes pkg/registry/core/componentstatus, pkg/controlplane/apiserver/options/priorities.go and
pkg/controlplane/apiserver/aggregator.go (APIServices), pkg/registry/core/service/ipallocator (IPAddresses),
pkg/controlplane/controller/defaultservicecidr.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

from labs.api.apiserver import ApiServer
from labs.api.resources import BY_RESOURCE
from labs.api.store import Object
from labs.api.strategies.services import SERVICE_RANGE
from labs.api.views import VIEW_TYPES
from labs.units import rfc3339

COMPONENTS = ("controller-manager", "etcd-0", "scheduler")
PRIORITIES = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
"""``groupPriorityMinimum`` of the server's own groups."""
VERSION_PRIORITIES = {"": 1, "autoscaling/v2": 30, "discovery.k8s.io/v1": 12, "flowcontrol.apiserver.k8s.io/v1": 21}
OWN_VERSION = 15
CUSTOM_PRIORITIES = (1000, 100)
ADDED_PRIORITIES = (100, 100)
"""Of groups that another server answers for: those of metrics-server's manifest."""
AGGREGATOR = "apiregistration.k8s.io"
METRICS = "metrics.k8s.io"
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"


class Computed:
    """Serves what ``make`` yields, in order of name."""

    def __init__(self, make: Callable[[], Iterator[Object]]) -> None:
        self._make = make

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return next((obj for obj in self._make() if obj["metadata"]["name"] == name), None)

    def list(self, namespace: str | None) -> list[Object]:
        """All of them."""
        return sorted(self._make(), key=lambda obj: str(obj["metadata"]["name"]))


def serve_computed(api: ApiServer) -> None:
    """Serve every kind of this module."""
    started = rfc3339(api.loop.now_ns)
    for resource, make in (
        ("componentstatuses", _components),
        (f"apiservices.{AGGREGATOR}", lambda: api_services(api, started)),
        ("ipaddresses.networking.k8s.io", lambda: addresses(api)),
        ("servicecidrs.networking.k8s.io", lambda: _ranges(started)),
    ):
        api.register_virtual(BY_RESOURCE[resource], Computed(make))


def _object(api_version: str, kind: str, name: str, created: str, **more: Any) -> Object:
    metadata = {"name": name, "uid": _uid(kind, name, created), "creationTimestamp": created}
    labels = more.pop("labels", None)
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {**metadata, **({"labels": labels} if labels else {})},
        **more,
    }


def _uid(*parts: str) -> str:
    return str(UUID(bytes=sha256("/".join(parts).encode()).digest()[:16], version=4))


def _components() -> Iterator[Object]:
    """A control plane that answers is healthy: here it is one process."""
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    for name in COMPONENTS:
        metadata = {"name": name, "creationTimestamp": None}
        yield {"apiVersion": "v1", "kind": "ComponentStatus", "metadata": metadata, "conditions": [condition]}


def api_services(api: ApiServer, started: str) -> Iterator[Object]:
    """One for each group and version that is served, but for the aggregator's own."""
    seen: set[tuple[str, str]] = set()
    for kind in (*api.all_types(), *VIEW_TYPES):
        version = kind.group, kind.version
        is_served = kind.custom is None or kind.custom.is_served
        if version not in seen and is_served and kind.group != AGGREGATOR:
            seen.add(version)
            yield api_service(kind.group, kind.version, started)


def api_service(group: str, version: str, created: str) -> Object:
    """The APIService of a group and version."""
    is_own, is_added = group in PRIORITIES, group == METRICS
    of_group, of_version = ADDED_PRIORITIES if is_added else CUSTOM_PRIORITIES
    if is_own:
        name = f"{group}/{version}" if group else ""
        of_group, of_version = PRIORITIES[group], VERSION_PRIORITIES.get(name, OWN_VERSION)
    spec: dict[str, Any] = {"service": {"namespace": "kube-system", "name": "metrics-server", "port": 443}}
    spec = {**spec, "insecureSkipTLSVerify": True} if is_added else {}
    spec |= {"group": group} if group else {}
    spec |= {"version": version, "groupPriorityMinimum": of_group, "versionPriority": of_version}
    reason, message = (
        ("Passed", "all checks passed")
        if is_added
        else (
            "Local",
            "Local APIServices are always available",
        )
    )
    condition = {"type": "Available", "status": "True", "lastTransitionTime": created}
    status = {"conditions": [{**condition, "reason": reason, "message": message}]}
    labels = {"k8s-app": "metrics-server"} if is_added else {AUTOMANAGED: "onstart" if is_own else "true"}
    name = f"{version}.{group}"
    return _object(f"{AGGREGATOR}/v1", "APIService", name, created, labels=labels, spec=spec, status=status)


def addresses(api: ApiServer) -> Iterator[Object]:
    """An IPAddress for each address that a Service has been given."""
    for service in api.store.list("services"):
        metadata = service["metadata"]
        for address in service["spec"].get("clusterIPs") or ():
            if address == "None":
                continue
            labels = {
                "ipaddress.kubernetes.io/ip-family": "IPv6" if ":" in address else "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            }
            parent = {"resource": "services", "namespace": metadata["namespace"], "name": metadata["name"]}
            created = metadata["creationTimestamp"]
            spec = {"parentRef": parent}
            yield _object("networking.k8s.io/v1", "IPAddress", address, created, labels=labels, spec=spec)


def _ranges(started: str) -> Iterator[Object]:
    """The range that the server was started with."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": started, "reason": "", "message": ""}
    condition |= {"message": "Kubernetes Service CIDR is ready"}
    spec, status = {"cidrs": [str(SERVICE_RANGE)]}, {"conditions": [condition]}
    yield _object("networking.k8s.io/v1", "ServiceCIDR", "kubernetes", started, spec=spec, status=status)
