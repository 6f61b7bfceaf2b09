"""The default admission plug-ins, in the server's order.

Source: kubernetes/kubernetes plugin/pkg/admission/{serviceaccount,defaulttolerationseconds,priority,nodetaint},
kubernetes/apiserver pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs import errors
from labs.api.admission.certificates import Certificates
from labs.api.admission.limit_ranger import LimitRanger
from labs.api.admission.runtime_class import RuntimeClasses
from labs.api.admission.storage import DefaultClasses, protect_storage
from labs.api.apiserver import Admission, Attributes
from labs.api.objects import at
from labs.api.rbac.escalation import EscalationCheck
from labs.api.store import Object, Store
from labs.errors import ApiError
from labs.sim.loop import Loop
from labs.sim.streams import Streams

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
TOKEN_SECONDS = 3607
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
DEFAULT_ACCOUNT_PATIENCE_S = 2
"""Upstream looks for an account named default ten times, 100 to 200 ms apart (plugin/pkg/admission/serviceaccount)."""

TOLERATED_S = 300
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"

Rule = Callable[[Attributes], None]


def default_admission(store: Store, streams: Streams, loop: Loop) -> list[Admission]:
    """The plug-ins over this store."""
    return [
        NamespaceLifecycle(store).admit,
        LimitRanger(store).default,
        ServiceAccounts(store, streams).admit,
        taint_new_node,
        Priorities(store).admit,
        tolerate_default_taints,
        RuntimeClasses(store).admit,
        DefaultClasses(store).admit,
        protect_storage,
        Certificates(store, loop).admit,
        EscalationCheck(store).admit,
    ]


class NamespaceLifecycle:
    """Refuses new objects in namespaces that do not exist or are being deleted."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Raises 403 and 404."""
        if attributes.operation != "CREATE" or not attributes.type.is_namespaced:
            return
        metadata = attributes.object["metadata"]
        name = metadata.get("namespace", "")
        namespace = self._store.get("namespaces", "", name)
        if namespace is None:
            raise errors.not_found("namespaces", name)
        if "deletionTimestamp" not in namespace["metadata"]:
            return
        why = f"unable to create new content in namespace {name} because it is being terminated"
        error = errors.forbidden(attributes.type.resource, metadata.get("name", ""), why)
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {name} is being terminated",
            "field": "metadata.namespace",
        }
        raise ApiError(error.code, error.reason, error.message, {**(error.details or {}), "causes": [cause]})


def _is_new_pod(attributes: Attributes) -> bool:
    return attributes.operation == "CREATE" and attributes.type.resource == "pods"


class ServiceAccounts:
    """Gives each pod a service account and the volume with its token."""

    def __init__(self, store: Store, streams: Streams) -> None:
        self._store = store
        self._streams = streams

    def admit(self, attributes: Attributes) -> None:
        """Raises 403 when the account does not exist."""
        if not _is_new_pod(attributes):
            return
        pod = attributes.object
        spec, metadata = pod["spec"], pod["metadata"]
        if MIRROR_ANNOTATION in (metadata.get("annotations") or {}):
            return
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        namespace = metadata.get("namespace", "")
        account = self._store.get("serviceaccounts", namespace, name)
        if account is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            refused = errors.forbidden("pods", metadata.get("name", ""), why)
            refused.patience_s = DEFAULT_ACCOUNT_PATIENCE_S if name == "default" else 0
            raise refused
        if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        wants = spec.get("automountServiceAccountToken")
        if wants is None:
            wants = account.get("automountServiceAccountToken")
        if wants is not False:
            self._mount_token(spec)

    def _mount_token(self, spec: dict[str, Any]) -> None:
        bare = [
            container
            for key in ("initContainers", "containers")
            for container in spec.get(key) or ()
            if all(mount.get("mountPath") != ACCOUNT_PATH for mount in container.get("volumeMounts") or ())
        ]
        if not bare:
            return
        volumes = list(spec.get("volumes") or ())
        known = next((item["name"] for item in volumes if (item.get("name") or "").startswith(VOLUME_PREFIX)), None)
        draw = self._streams.python("names/kube-api-access")
        name = known or VOLUME_PREFIX + "".join(draw.choice(SUFFIX_ALPHABET) for _ in range(5))
        for container in bare:
            mount = {"name": name, "readOnly": True, "mountPath": ACCOUNT_PATH}
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
        if known is None:
            spec["volumes"] = [*volumes, token_volume(name)]


_TOKEN_SOURCES = (
    {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {
        "downwardAPI": {
            "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
        }
    },
)
"""One for all pods, as their default tolerations are: what is stored is never changed in place."""


def token_volume(name: str) -> dict[str, Any]:
    """The projected volume with token, CA and namespace."""
    return {"name": name, "projected": {"sources": list(_TOKEN_SOURCES), "defaultMode": 420}}


def taint_new_node(attributes: Attributes) -> None:
    """NodeTaint: a new node takes no pods until it is Ready."""
    if attributes.operation != "CREATE" or attributes.type.resource != "nodes":
        return
    spec = attributes.object.setdefault("spec", {})
    taints = spec.get("taints") or []
    if all((item.get("key"), item.get("effect")) != (NOT_READY, "NoSchedule") for item in taints):
        spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]


class Priorities:
    """Turns a priority class name into a number; guards the one global default."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Raises 403 for an unknown class or a second global default."""
        if attributes.type.resource == "priorityclasses.scheduling.k8s.io" and attributes.operation == "CREATE":
            self._check_default(attributes.object)
        if attributes.type.resource == "pods" and attributes.operation == "UPDATE" and not attributes.subresource:
            _keep_priority(attributes)
        if not _is_new_pod(attributes):
            return
        pod = attributes.object
        spec, name = pod["spec"], pod["metadata"].get("name", "")
        chosen = self._chosen(spec, name)
        if chosen is None:
            value, policy = 0, "PreemptLowerPriority"
        else:
            spec["priorityClassName"] = chosen["metadata"]["name"]
            value, policy = chosen["value"], chosen.get("preemptionPolicy", "PreemptLowerPriority")
        if spec.get("priority") not in (None, value):
            why = (
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", name, why)
        spec["priority"] = value
        if spec.get("preemptionPolicy") not in (None, policy):
            why = (
                f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", name, why)
        spec["preemptionPolicy"] = policy

    def _chosen(self, spec: dict[str, Any], pod_name: str) -> Object | None:
        wanted = spec.get("priorityClassName")
        if wanted:
            found = self._store.get("priorityclasses.scheduling.k8s.io", "", wanted)
            if found is None:
                raise errors.forbidden("pods", pod_name, f"no PriorityClass with name {wanted} was found")
            return found
        defaults = [item for item in self._store.list("priorityclasses.scheduling.k8s.io") if item.get("globalDefault")]
        return min(defaults, key=lambda item: int(item["value"])) if defaults else None

    def _check_default(self, new: Object) -> None:
        if not new.get("globalDefault"):
            return
        for other in self._store.list("priorityclasses.scheduling.k8s.io"):
            if other.get("globalDefault"):
                taken = other["metadata"]["name"]
                why = f"PriorityClass {taken} is already marked as default. Only one default can exist"
                raise errors.forbidden("priorityclasses.scheduling.k8s.io", at(new, "metadata", "name") or "", why)


_DEFAULT_TOLERATIONS: tuple[dict[str, Any], ...] = tuple(
    {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATED_S}
    for key in (NOT_READY, UNREACHABLE)
)


def _keep_priority(attributes: Attributes) -> None:
    """An update that says no priority keeps what admission has computed."""
    assert attributes.old is not None
    spec, before = attributes.object["spec"], attributes.old["spec"]
    for key in ("priority", "preemptionPolicy"):
        if spec.get(key) is None and before.get(key) is not None:
            spec[key] = before[key]


def tolerate_default_taints(attributes: Attributes) -> None:
    """DefaultTolerationSeconds: five minutes on a node that is not ready or unreachable."""
    is_changed_pod = attributes.type.resource == "pods" and attributes.operation == "UPDATE"
    if not _is_new_pod(attributes) and not (is_changed_pod and not attributes.subresource):
        return
    spec = attributes.object["spec"]
    tolerations = list(spec.get("tolerations") or ())
    added = [
        default for default in _DEFAULT_TOLERATIONS if not any(_tolerates(item, default["key"]) for item in tolerations)
    ]
    if added:
        spec["tolerations"] = tolerations + added


def _tolerates(toleration: dict[str, Any], key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")
