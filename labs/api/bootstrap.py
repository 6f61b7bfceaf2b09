"""A whole API server, and the objects that the server makes by itself.

Source: kubernetes/kubernetes pkg/controlplane (system namespaces, kubernetes service),
pkg/registry/scheduling/rest (system priority classes).
"""

from __future__ import annotations

from labs.api.admission.limit_ranger import LimitRanger
from labs.api.admission.plugins import default_admission
from labs.api.admission.resource_quota import ResourceQuotas
from labs.api.apiserver import ApiServer
from labs.api.computed import serve_computed
from labs.api.crds import karpenter
from labs.api.crds.registry import CustomResources
from labs.api.event_expiry import EventExpiry
from labs.api.fieldsets.manager import FieldManager
from labs.api.flow_control import MANAGER as FLOW_MANAGER
from labs.api.flow_control import FlowControl, default_objects
from labs.api.podsecurity.admission import PodSecurity
from labs.api.rbac.bootstrap import default_policy
from labs.api.store import Object, Store
from labs.api.strategies.registry import all_strategies
from labs.api.strategies.services import SERVICE_RANGE
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import rfc3339

MANAGER = "kube-apiserver"
TOKEN_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"
"""The config map that says since when tokens of secrets are watched (pkg/controlplane/controller)."""
SERVER_ADDRESSES = ("10.0.63.4", "10.0.127.4")
"""The network interfaces that EKS puts into two of the cluster's subnets, out of the nodes' way."""
SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
PRIORITY_CLASSES = (
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
)


def new_api_server(loop: Loop, streams: Streams, store: Store) -> ApiServer:
    """An API server with the rules of every kind, admission, field management and event expiry; no objects yet."""
    api = ApiServer(
        loop,
        streams,
        store,
        strategies=all_strategies(store, streams),
        admission=default_admission(store, streams, loop),
        fields=FieldManager(loop),
    )
    api.validating_admission = [LimitRanger(store).validate, PodSecurity(store).admit, ResourceQuotas(api).admit]
    EventExpiry(loop, store)
    FlowControl(api)
    serve_computed(api)
    CustomResources(api, karpenter.rules_for)
    return api


def bootstrap(api: ApiServer) -> None:
    """Make what a new server makes: system namespaces, priority classes, roles, the service ``kubernetes``."""
    for name in SYSTEM_NAMESPACES:
        _create(api, "namespaces", {"metadata": {"name": name}})
    for name, value, description in PRIORITY_CLASSES:
        body = {"metadata": {"name": name}, "value": value, "description": description}
        _create(api, "priorityclasses.scheduling.k8s.io", body)
    since = rfc3339(api.loop.now_ns).partition("T")[0]
    tracking = {"metadata": {"name": TOKEN_TRACKING, "namespace": "kube-system"}, "data": {"since": since}}
    _create(api, "configmaps", tracking)
    for resource, obj in default_policy():
        _create(api, resource, obj)
    for resource, obj in default_objects():
        _create(api, resource, obj, FLOW_MANAGER)
    _publish_the_server(api)


def _publish_the_server(api: ApiServer) -> None:
    """The service ``kubernetes`` and its endpoints, which the server writes itself (pkg/controlplane/reconcilers)."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}
    spec = {
        "clusterIP": str(SERVICE_RANGE[1]),
        "ipFamilyPolicy": "SingleStack",
        "ports": [port],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    metadata = {"name": "kubernetes", "namespace": "default", "labels": labels}
    _create(api, "services", {"metadata": metadata, "spec": spec})
    port = {"name": "https", "port": 443, "protocol": "TCP"}
    metadata = {**metadata, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}
    subset = {"addresses": [{"ip": address} for address in SERVER_ADDRESSES], "ports": [port]}
    _create(api, "endpoints", {"metadata": metadata, "subsets": [subset]})
    metadata = {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}}
    endpoints = [{"addresses": [address], "conditions": {"ready": True}} for address in SERVER_ADDRESSES]
    body = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": [port]}
    _create(api, "endpointslices.discovery.k8s.io", body)


def _create(api: ApiServer, resource: str, obj: Object, manager: str = MANAGER) -> None:
    metadata = obj["metadata"]
    if api.store.get(resource, metadata.get("namespace", ""), metadata["name"]) is None:
        api.create(resource, obj, user="system:apiserver", manager=manager)
