"""Starting the controllers of kube-controller-manager that look after workloads, each under upstream's name."""

from __future__ import annotations

from labs.api.apiserver import ApiServer
from labs.api.client import Client
from labs.controlplane.clusterrole_aggregation import ClusterRoleAggregation
from labs.controlplane.cronjob import CronJobController
from labs.controlplane.daemonset import DAEMON_SETS, DaemonSetController
from labs.controlplane.deployment.controller import DeploymentController
from labs.controlplane.disruption import DisruptionController
from labs.controlplane.endpoints import EndpointsController
from labs.controlplane.endpointslices import EndpointSliceController
from labs.controlplane.garbage_collector import GarbageCollector
from labs.controlplane.job.controller import JobController
from labs.controlplane.job.ttl import TtlAfterFinishedController
from labs.controlplane.namespace import NamespaceController
from labs.controlplane.podgc import PodGarbageCollector
from labs.controlplane.replicaset import ReplicaSetController, ReplicationControllerController
from labs.controlplane.resource_quota import ResourceQuotaController
from labs.controlplane.runtime import Component
from labs.controlplane.serviceaccount import RootCertificatePublisher, ServiceAccountController
from labs.controlplane.statefulset.controller import StatefulSetController
from labs.controlplane.volumes.binder import PersistentVolumeController
from labs.controlplane.volumes.protection import StorageProtection

MANAGER = "kube-controller-manager"
"""The program that all of them run in, as managedFields names it."""


def start_workload_controllers(api: ApiServer, root_certificate: str = "") -> list[Component]:
    """Start them all and return them; ``root_certificate`` is the PEM text that every namespace is given."""

    def client(component: str) -> Client:
        return Client(api, component, MANAGER)

    components: list[Component] = [
        ServiceAccountController(client("service-account-controller")),
        RootCertificatePublisher(client("root-ca-certificate-publisher"), root_certificate),
        DeploymentController(client("deployment-controller")),
        ReplicaSetController(client("replicaset-controller")),
        ReplicationControllerController(client("replication-controller")),
        JobController(client("job-controller")),
        CronJobController(client("cronjob-controller")),
        TtlAfterFinishedController(client("ttl-after-finished-controller")),
        EndpointsController(client("endpoint-controller")),
        EndpointSliceController(client("endpoint-slice-controller")),
        StatefulSetController(client("statefulset-controller")),
        PersistentVolumeController(client("persistentvolume-controller")),
        StorageProtection(client("storage-protection-controller")),
        DisruptionController(client("controllermanager")),
        NamespaceController(client("namespace-controller")),
        ClusterRoleAggregation(Client(api, "clusterrole-aggregation-controller")),
        ResourceQuotaController(client("resourcequota-controller")),
        PodGarbageCollector(client("pod-garbage-collector")),
        GarbageCollector(client("garbage-collector-controller")),
    ]
    if DAEMON_SETS in api.types:
        components.append(DaemonSetController(client("daemonset-controller")))
    for component in components:
        component.start()
    return components
