"""Nodes, namespaces, events, configuration and access.

Source: kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.durations import human_duration
from labs.api.quantity import parse_quantity
from labs.api.tables.printer import (
    AGE,
    NAME,
    NONE,
    Column,
    Object,
    Printer,
    View,
    integers,
    is_true,
    listed,
    name_of,
    spec_of,
    status_of,
    texts,
    wide,
)
from labs.units import SECOND_NS

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def _node(node: Object, view: View) -> list[Any]:
    info = status_of(node).get("nodeInfo") or {}
    kernel, architecture = info.get("kernelVersion"), info.get("architecture")
    if kernel and architecture:
        kernel = f"{kernel} ({architecture})"
    return [
        name_of(node),
        _node_status(node),
        listed(_roles(node)),
        view.object_age(node),
        info.get("kubeletVersion", ""),
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        *(text or "<unknown>" for text in (info.get("osImage"), kernel, info.get("containerRuntimeVersion"))),
    ]


def _node_status(node: Object) -> str:
    ready = [each for each in status_of(node).get("conditions") or [] if each.get("type") == "Ready"]
    status = "Unknown"
    if ready:
        status = "Ready" if ready[-1].get("status") == "True" else "NotReady"
    return status + (",SchedulingDisabled" if spec_of(node).get("unschedulable") else "")


def _roles(node: Object) -> list[str]:
    labels: dict[str, str] = node["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    return sorted((roles | {labels.get(_ROLE_LABEL, "")}) - {""})


def _address(node: Object, kind: str) -> str:
    addresses = status_of(node).get("addresses") or []
    return next((str(each["address"]) for each in addresses if each.get("type") == kind), NONE)


def _event(event: Object, view: View) -> list[Any]:
    series, source = event.get("series"), event.get("source") or {}
    first = view.age(event.get("firstTimestamp") or event.get("eventTime"))
    last = view.age(event["lastTimestamp"]) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series is not None:
        last, count = view.age(series.get("lastObservedTime")), series.get("count", 0)
    about = event.get("involvedObject") or {}
    kind, name = about.get("kind", "").lower(), about.get("name")
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return [
        last,
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        f"{component}, {instance}" if instance else component,
        event.get("message", "").strip(),
        first,
        count,
        name_of(event),
    ]


def _namespace(namespace: Object, view: View) -> list[Any]:
    return [name_of(namespace), status_of(namespace).get("phase", ""), view.object_age(namespace)]


def _config_map(config_map: Object, view: View) -> list[Any]:
    count = len(config_map.get("data") or {}) + len(config_map.get("binaryData") or {})
    return [name_of(config_map), count, view.object_age(config_map)]


def _secret(secret: Object, view: View) -> list[Any]:
    return [name_of(secret), secret.get("type", ""), len(secret.get("data") or {}), view.object_age(secret)]


def _service_account(account: Object, view: View) -> list[Any]:
    return [name_of(account), view.object_age(account)]


def _lease(lease: Object, view: View) -> list[Any]:
    return [name_of(lease), spec_of(lease).get("holderIdentity") or "", view.object_age(lease)]


def _priority_class(priority_class: Object, view: View) -> list[Any]:
    return [
        name_of(priority_class),
        priority_class.get("value", 0),
        priority_class.get("globalDefault", False),
        view.object_age(priority_class),
        priority_class.get("preemptionPolicy", ""),
    ]


def _runtime_class(runtime_class: Object, view: View) -> list[Any]:
    return [name_of(runtime_class), runtime_class.get("handler", ""), view.object_age(runtime_class)]


def _resource_quota(quota: Object, view: View) -> list[Any]:
    status = status_of(quota)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    lines = {
        name: f"{name}: {parse_quantity(used.get(name, '0'))}/{parse_quantity(hard[name])}" for name in sorted(hard)
    }
    requests = [line for name, line in lines.items() if not name.startswith("limits.")]
    limits = [line for name, line in lines.items() if name.startswith("limits.")]
    return [name_of(quota), ", ".join(requests), ", ".join(limits), view.object_age(quota)]


def _binding(binding: Object, view: View) -> list[Any]:
    role, subjects = binding.get("roleRef") or {}, binding.get("subjects") or []

    def named(kind: str) -> str:
        return ", ".join(each["name"] for each in subjects if each.get("kind") == kind)

    accounts = [f"{each.get('namespace', '')}/{each['name']}" for each in subjects if each["kind"] == "ServiceAccount"]
    role_text = f"{role.get('kind', '')}/{role.get('name', '')}"
    age = view.object_age(binding)
    return [name_of(binding), role_text, age, named("User"), named("Group"), ", ".join(accounts)]


def _webhooks(configuration: Object, view: View) -> list[Any]:
    return [name_of(configuration), len(configuration.get("webhooks") or []), view.object_age(configuration)]


def _component_status(component: Object, view: View) -> list[Any]:
    healthy = next((each for each in component.get("conditions") or [] if each.get("type") == "Healthy"), None)
    if healthy is None:
        return [name_of(component), "Unknown", "", ""]
    status = "Healthy" if healthy.get("status") == "True" else "Unhealthy"
    return [name_of(component), status, healthy.get("message", ""), healthy.get("error", "")]


def _signing_request(request: Object, view: View) -> list[Any]:
    spec, status = spec_of(request), status_of(request)
    found = {each.get("type") for each in status.get("conditions") or []}
    state = "Denied" if "Denied" in found else "Approved" if "Approved" in found else "Pending"
    state += ",Failed" if "Failed" in found else ""
    state += ",Issued" if status.get("certificate") else ""
    seconds = spec.get("expirationSeconds")
    return [
        name_of(request),
        view.object_age(request),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human_duration(seconds * SECOND_NS),
        state,
    ]


def _flow_schema(schema: Object, view: View) -> list[Any]:
    spec = spec_of(schema)
    dangling = [item for item in status_of(schema).get("conditions") or [] if item.get("type") == "Dangling"]
    return [
        name_of(schema),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence", 0),
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        view.object_age(schema),
        dangling[-1].get("status", "") if dangling else "?",
    ]


def _priority_level(level: Object, view: View) -> list[Any]:
    spec = spec_of(level)
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    shares = (
        limited.get("nominalConcurrencyShares")
        if limited
        else (spec.get("exempt") or {}).get("nominalConcurrencyShares")
    )
    queues = [queuing.get(key) for key in ("queues", "handSize", "queueLengthLimit")]
    return [
        name_of(level),
        spec.get("type", ""),
        *(NONE if number is None else number for number in (shares, *queues)),
        view.object_age(level),
    ]


def _api_service(service: Object, view: View) -> list[Any]:
    """kube-aggregator pkg/registry/apiservice/etcd (ConvertToTable)."""
    found = spec_of(service).get("service")
    conditions = [item for item in status_of(service).get("conditions") or [] if item.get("type") == "Available"]
    state = "Unknown"
    if conditions:
        state = conditions[-1]["status"]
        state = state if state == "True" else f"{state} ({conditions[-1].get('reason', '')})"
    where = f"{found['namespace']}/{found['name']}" if found else "Local"
    return [name_of(service), where, state, view.object_age(service)]


def _custom_definition(object: Object, view: View) -> list[Any]:
    """Source: apiextensions-apiserver pkg/registry/customresourcedefinition/tableconvertor."""
    spec = spec_of(object)
    known = spec.get("names") or {}
    served = [item for item in spec.get("versions") or () if item.get("served")]
    versions = sorted(f"{item['name']}(storage)" if item.get("storage") else item["name"] for item in served)
    return [
        name_of(object),
        spec.get("scope") or "",
        ",".join(versions),
        object["metadata"].get("creationTimestamp"),
        spec.get("group") or "",
        known.get("kind") or "",
        ",".join(known.get("shortNames") or ()),
        is_true(object, "Established"),
    ]


_BINDING = Printer((NAME, *texts("Role"), AGE, *wide("Users", "Groups", "ServiceAccounts")), _binding)
_WEBHOOKS = Printer((NAME, *integers("Webhooks"), AGE), _webhooks)

PRINTERS = {
    ("", "Node"): Printer(
        (
            NAME,
            *texts("Status", "Roles"),
            AGE,
            *texts("Version"),
            *wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
        ),
        _node,
    ),
    ("", "Event"): Printer(
        (
            *texts("Last Seen", "Type", "Reason", "Object"),
            *wide("Subobject", "Source"),
            *texts("Message"),
            *wide("First Seen", "Count"),
            Column("Name", format="name", priority=1, field="name"),
        ),
        _event,
    ),
    ("", "Namespace"): Printer((NAME, *texts("Status"), AGE), _namespace),
    ("", "ConfigMap"): Printer((NAME, *texts("Data"), AGE), _config_map),
    ("", "Secret"): Printer((NAME, *texts("Type", "Data"), AGE), _secret),
    ("", "ServiceAccount"): Printer((NAME, AGE), _service_account),
    ("", "ResourceQuota"): Printer((NAME, *texts("Request", "Limit"), AGE), _resource_quota),
    ("", "ComponentStatus"): Printer((NAME, *texts("Status", "Message", "Error")), _component_status),
    ("certificates.k8s.io", "CertificateSigningRequest"): Printer(
        (NAME, AGE, *texts("SignerName", "Requestor", "RequestedDuration", "Condition")), _signing_request
    ),
    ("coordination.k8s.io", "Lease"): Printer((NAME, *texts("Holder"), AGE), _lease),
    ("scheduling.k8s.io", "PriorityClass"): Printer(
        (NAME, *integers("Value"), Column("Global-Default", "boolean"), AGE, *texts("PreemptionPolicy")),
        _priority_class,
        default_cells=(0, 1, 2, 3),
    ),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): Printer(
        (
            NAME,
            *texts("PriorityLevel"),
            *texts("MatchingPrecedence", "DistinguisherMethod"),
            AGE,
            *texts("MissingPL"),
        ),
        _flow_schema,
    ),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Printer(
        (
            NAME,
            *texts("Type"),
            *texts("NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit"),
            AGE,
        ),
        _priority_level,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Printer(
        (
            NAME,
            *texts("Scope", "Versions"),
            Column("Created At", "date", field="creationTimestamp"),
            *wide("Group", "Kind", "ShortNames"),
            Column("Established", "boolean", priority=1),
        ),
        _custom_definition,
    ),
    ("apiregistration.k8s.io", "APIService"): Printer((NAME, *texts("Service", "Available"), AGE), _api_service),
    ("node.k8s.io", "RuntimeClass"): Printer((NAME, *texts("Handler"), AGE), _runtime_class),
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _WEBHOOKS,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _WEBHOOKS,
}
