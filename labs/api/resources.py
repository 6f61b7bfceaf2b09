"""The resource types that this API server serves: one row each.

Source: kubernetes/kubernetes pkg/registry/*/storage, `kubectl api-resources` of a v1.37 control plane;
Karpenter's kinds from kubernetes-sigs/karpenter pkg/apis/crds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.api.schemas import Definition, definition

READ_VERBS = ("get", "list")
WITHOUT_DELETECOLLECTION = ("create", "delete", "get", "list", "patch", "update", "watch")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)
class CustomKind:
    """What one version of a custom resource takes from its definition; a changed definition makes a new one.

    ``definition`` is the schema as server-side apply reads it; ``scale`` the paths of ``subresources.scale``;
    ``columns`` the ``additionalPrinterColumns``; ``fields`` what field selectors may name.
    """

    schema: Mapping[str, Any]
    definition: Definition
    singular: str
    list_kind: str
    columns: tuple[Mapping[str, Any], ...] = ()
    scale: Mapping[str, str] | None = None
    fields: tuple[str, ...] = ()
    warning: str = ""
    is_served: bool = True
    is_terminating: bool = False


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One served resource.

    ``resource`` is the name used in errors, in the store and by controllers: ``pods``,
    ``deployments.apps``. ``has_generation``: spec changes raise metadata.generation.
    ``stored_as``: the resource that this one is a view of (``labs.api.views``). ``warning``: what every request for
    it is told. ``custom`` is set for custom resources alone.
    """

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    has_generation: bool = False
    allows_unconditional_update: bool = True
    allows_create_on_update: bool = False
    stored_as: str = ""
    warning: str = ""
    custom: CustomKind | None = None
    resource: str = field(init=False)
    api_version: str = field(init=False)

    def __post_init__(self) -> None:
        suffix = f".{self.group}" if self.group else ""
        prefix = f"{self.group}/" if self.group else ""
        object.__setattr__(self, "resource", self.stored_as or self.plural + suffix)
        object.__setattr__(self, "api_version", prefix + self.version)

    @property
    def singular(self) -> str:
        """The name in the singular, as discovery tells it."""
        return self.custom.singular if self.custom else self.kind.lower()

    @property
    def list_kind(self) -> str:
        """The kind of a list of these."""
        return self.custom.list_kind if self.custom else f"{self.kind}List"

    @property
    def group_version_kind(self) -> tuple[str, str, str]:
        """Group, version and kind."""
        return self.group, self.version, self.kind


def _core(kind: str, plural: str, *short: str, **more: object) -> ResourceType:
    return ResourceType("", "v1", kind, plural, short_names=short, **more)  # type: ignore[arg-type]


def _apps(kind: str, plural: str, short: str) -> ResourceType:
    return ResourceType(
        "apps",
        "v1",
        kind,
        plural,
        short_names=(short,),
        categories=("all",),
        subresources=("status", "scale"),
        has_generation=True,
    )


def _cluster(group: str, kind: str, plural: str, *short: str, **more: object) -> ResourceType:
    """A kind without namespaces, of a group's version v1."""
    return ResourceType(group, "v1", kind, plural, is_namespaced=False, short_names=short, **more)  # type: ignore[arg-type]


def _review(group: str, kind: str, *, is_namespaced: bool = False) -> ResourceType:
    """A question that is asked by a create and stored nowhere."""
    return ResourceType(group, "v1", kind, f"{kind.lower()}s", is_namespaced=is_namespaced, verbs=("create",))


def _rbac(kind: str, *, is_namespaced: bool = False) -> ResourceType:
    plural = f"{kind.lower()}s"
    return ResourceType(
        "rbac.authorization.k8s.io", "v1", kind, plural, is_namespaced=is_namespaced, allows_create_on_update=True
    )


def _networking(kind: str, plural: str, *short: str, **more: object) -> ResourceType:
    return ResourceType("networking.k8s.io", "v1", kind, plural, short_names=short, has_generation=True, **more)  # type: ignore[arg-type]


BUILT_IN: tuple[ResourceType, ...] = (
    _core(
        "Namespace",
        "namespaces",
        "ns",
        is_namespaced=False,
        subresources=("status", "finalize"),
        verbs=WITHOUT_DELETECOLLECTION,
    ),
    _core("Binding", "bindings", verbs=("create",)),
    _core(
        "ComponentStatus",
        "componentstatuses",
        "cs",
        is_namespaced=False,
        verbs=READ_VERBS,
        warning="v1 ComponentStatus is deprecated in v1.19+",
    ),
    _core("Node", "nodes", "no", is_namespaced=False, subresources=("status", "proxy")),
    _core(
        "Pod",
        "pods",
        "po",
        categories=("all",),
        subresources=(
            "status",
            "binding",
            "eviction",
            "log",
            "attach",
            "exec",
            "portforward",
            "proxy",
            "ephemeralcontainers",
        ),
        has_generation=True,
    ),
    _core(
        "Service",
        "services",
        "svc",
        categories=("all",),
        subresources=("status", "proxy"),
        allows_create_on_update=True,
    ),
    _core(
        "Endpoints",
        "endpoints",
        "ep",
        allows_create_on_update=True,
        warning="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    ),
    _core("ConfigMap", "configmaps", "cm"),
    _core("Secret", "secrets"),
    _core("LimitRange", "limitranges", "limits", allows_create_on_update=True),
    _core("ResourceQuota", "resourcequotas", "quota", subresources=("status",)),
    _core("PodTemplate", "podtemplates", has_generation=True),
    _core(
        "ReplicationController",
        "replicationcontrollers",
        "rc",
        categories=("all",),
        subresources=("status", "scale"),
        has_generation=True,
    ),
    _core("ServiceAccount", "serviceaccounts", "sa", subresources=("token",)),
    _core("Event", "events", "ev", allows_create_on_update=True),
    _apps("Deployment", "deployments", "deploy"),
    _apps("ReplicaSet", "replicasets", "rs"),
    _apps("StatefulSet", "statefulsets", "sts"),
    ResourceType("apps", "v1", "ControllerRevision", "controllerrevisions"),
    ResourceType(
        "apps",
        "v1",
        "DaemonSet",
        "daemonsets",
        short_names=("ds",),
        categories=("all",),
        subresources=("status",),
        has_generation=True,
    ),
    ResourceType("batch", "v1", "Job", "jobs", categories=("all",), subresources=("status",), has_generation=True),
    ResourceType(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        subresources=("status",),
        has_generation=True,
    ),
    ResourceType(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        short_names=("pdb",),
        subresources=("status",),
        has_generation=True,
        allows_unconditional_update=False,
    ),
    ResourceType(
        "batch",
        "v1",
        "CronJob",
        "cronjobs",
        short_names=("cj",),
        categories=("all",),
        subresources=("status",),
        has_generation=True,
    ),
    _core("PersistentVolume", "persistentvolumes", "pv", is_namespaced=False, subresources=("status",)),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", subresources=("status",)),
    _cluster("storage.k8s.io", "StorageClass", "storageclasses", "sc"),
    _cluster("storage.k8s.io", "CSIDriver", "csidrivers", allows_unconditional_update=False),
    _networking("Ingress", "ingresses", "ing", subresources=("status",)),
    _networking("IngressClass", "ingressclasses", is_namespaced=False),
    _networking("NetworkPolicy", "networkpolicies", "netpol"),
    _cluster("networking.k8s.io", "IPAddress", "ipaddresses", "ip", verbs=READ_VERBS),
    _cluster("networking.k8s.io", "ServiceCIDR", "servicecidrs", verbs=READ_VERBS),
    ResourceType("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", has_generation=True),
    ResourceType(
        "coordination.k8s.io", "v1", "Lease", "leases", allows_unconditional_update=False, allows_create_on_update=True
    ),
    ResourceType(
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        "priorityclasses",
        is_namespaced=False,
        short_names=("pc",),
        has_generation=True,
    ),
    _cluster("node.k8s.io", "RuntimeClass", "runtimeclasses", allows_unconditional_update=False),
    _cluster(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "csr",
        subresources=("status", "approval"),
    ),
    _cluster("apiregistration.k8s.io", "APIService", "apiservices", categories=("api-extensions",), verbs=READ_VERBS),
    _cluster(
        "flowcontrol.apiserver.k8s.io", "FlowSchema", "flowschemas", subresources=("status",), has_generation=True
    ),
    _cluster(
        "flowcontrol.apiserver.k8s.io",
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        subresources=("status",),
        has_generation=True,
    ),
    _review("authentication.k8s.io", "SelfSubjectReview"),
    _review("authentication.k8s.io", "TokenReview"),
    _review("authorization.k8s.io", "LocalSubjectAccessReview", is_namespaced=True),
    _review("authorization.k8s.io", "SelfSubjectAccessReview"),
    _review("authorization.k8s.io", "SelfSubjectRulesReview"),
    _review("authorization.k8s.io", "SubjectAccessReview"),
    _rbac("ClusterRoleBinding"),
    _rbac("ClusterRole"),
    _rbac("RoleBinding", is_namespaced=True),
    _rbac("Role", is_namespaced=True),
    ResourceType(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        is_namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=("status",),
        has_generation=True,
        allows_unconditional_update=False,
    ),
    ResourceType(
        "karpenter.sh",
        "v1",
        "NodePool",
        "nodepools",
        is_namespaced=False,
        categories=("karpenter",),
        subresources=("status",),
        has_generation=True,
    ),
    ResourceType(
        "karpenter.sh",
        "v1",
        "NodeClaim",
        "nodeclaims",
        is_namespaced=False,
        categories=("karpenter",),
        subresources=("status",),
        has_generation=True,
    ),
    ResourceType(
        "karpenter.k8s.aws",
        "v1",
        "EC2NodeClass",
        "ec2nodeclasses",
        is_namespaced=False,
        short_names=("ec2nc", "ec2ncs"),
        categories=("karpenter",),
        subresources=("status",),
        has_generation=True,
    ),
)
DEFINED_GROUPS = ("karpenter.sh", "karpenter.k8s.aws")
"""Groups whose rows above give way to their definitions; other built-in kinds may not be defined anew."""
BY_RESOURCE: dict[str, ResourceType] = {kind.resource: kind for kind in BUILT_IN}
BY_API_VERSION_AND_KIND: dict[tuple[str, str], ResourceType] = {
    (kind.api_version, kind.kind): kind for kind in BUILT_IN
}


def definition_of(kind: ResourceType) -> Definition | None:
    """The type of a kind's objects, or None for one that has none."""
    return kind.custom.definition if kind.custom is not None else definition(*kind.group_version_kind)
