"""The strategy of each resource."""

from __future__ import annotations

from labs.api.crds.definition_rules import CUSTOM_RESOURCE_DEFINITION
from labs.api.store import Store
from labs.api.strategies import (
    autoscaling,
    batch,
    certificates,
    core,
    cronjob,
    flow_control,
    networking,
    pods,
    policy,
    quota,
    rbac,
    runtime_classes,
    services,
    statefulset,
    storage,
    workloads,
)
from labs.api.strategy import Strategy
from labs.sim.streams import Streams


def all_strategies(store: Store, streams: Streams) -> dict[str, Strategy]:
    """By resource; a resource without a row has no rules of its own."""
    return {
        "namespaces": core.NAMESPACE,
        "nodes": core.NODE,
        "pods": pods.POD,
        "services": services.service_strategy(store, streams),
        "endpoints": core.ENDPOINTS,
        "configmaps": core.CONFIG_MAP,
        "secrets": core.SECRET,
        "limitranges": quota.LIMIT_RANGE,
        "resourcequotas": quota.RESOURCE_QUOTA,
        "events": core.EVENT,
        "deployments.apps": workloads.DEPLOYMENT,
        "daemonsets.apps": workloads.DAEMON_SET,
        "replicasets.apps": workloads.REPLICA_SET,
        "replicationcontrollers": workloads.REPLICATION_CONTROLLER,
        "podtemplates": workloads.POD_TEMPLATE,
        "jobs.batch": batch.JOB,
        "cronjobs.batch": cronjob.CRON_JOB,
        "statefulsets.apps": statefulset.STATEFUL_SET,
        "controllerrevisions.apps": statefulset.CONTROLLER_REVISION,
        "persistentvolumes": storage.PERSISTENT_VOLUME,
        "persistentvolumeclaims": storage.PERSISTENT_VOLUME_CLAIM,
        "storageclasses.storage.k8s.io": storage.STORAGE_CLASS,
        "csidrivers.storage.k8s.io": storage.CSI_DRIVER,
        "ingresses.networking.k8s.io": networking.INGRESS,
        "ingressclasses.networking.k8s.io": networking.INGRESS_CLASS,
        "networkpolicies.networking.k8s.io": networking.NETWORK_POLICY,
        "horizontalpodautoscalers.autoscaling": autoscaling.HORIZONTAL_POD_AUTOSCALER,
        "poddisruptionbudgets.policy": policy.POD_DISRUPTION_BUDGET,
        "endpointslices.discovery.k8s.io": policy.ENDPOINT_SLICE,
        "leases.coordination.k8s.io": policy.LEASE,
        "priorityclasses.scheduling.k8s.io": policy.PRIORITY_CLASS,
        "runtimeclasses.node.k8s.io": runtime_classes.RUNTIME_CLASS,
        "certificatesigningrequests.certificates.k8s.io": certificates.CERTIFICATE_SIGNING_REQUEST,
        "flowschemas.flowcontrol.apiserver.k8s.io": flow_control.FLOW_SCHEMA,
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": flow_control.PRIORITY_LEVEL,
        "roles.rbac.authorization.k8s.io": rbac.ROLE,
        "clusterroles.rbac.authorization.k8s.io": rbac.CLUSTER_ROLE,
        "rolebindings.rbac.authorization.k8s.io": rbac.ROLE_BINDING,
        "clusterrolebindings.rbac.authorization.k8s.io": rbac.CLUSTER_ROLE_BINDING,
        "customresourcedefinitions.apiextensions.k8s.io": CUSTOM_RESOURCE_DEFINITION,
    }
