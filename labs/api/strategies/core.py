"""The core group without pods and services: namespaces, nodes, config maps, secrets, events, endpoints.

Source: kubernetes/kubernetes pkg/apis/core/{v1/defaults.go,validation/validation.go},
pkg/registry/core/*/strategy.go.
"""

from __future__ import annotations

import base64
from typing import Any

from labs.api import gojson, names
from labs.api.strategies.pod_defaults import canonical_amounts
from labs.api.strategies.rules import one_of
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, required, too_long
from labs.api.zero_values import zero_fields

MAX_DATA_BYTES = 1024 * 1024
NAME_LABEL = "kubernetes.io/metadata.name"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
REGISTRY_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
FROZEN = "field is immutable when `immutable` is set"
NODE_INFO = tuple(zero_fields("io.k8s.api.core.v1.NodeSystemInfo"))
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _default_namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    if metadata.get("name"):
        metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: metadata["name"]}


def _prepare_namespace(obj: Object) -> None:
    finalizers = (obj.get("spec") or {}).get("finalizers") or []
    kept = finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]
    obj["spec"] = {"finalizers": kept}
    obj["status"] = {"phase": "Active"}
    _default_namespace(obj)


def _prepare_namespace_update(new: Object, old: Object) -> None:
    new["spec"] = {**(new.get("spec") or {}), "finalizers": (old.get("spec") or {}).get("finalizers", [])}


def _default_node(obj: Object) -> None:
    obj.setdefault("spec", {})
    status = obj.get("status") or {}
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    canonical_amounts(status, "capacity", "allocatable")


def _prepare_node(obj: Object) -> None:
    """What a node's status holds before its kubelet writes it: Go's zero values."""
    status = obj["status"] = obj.get("status") or {}
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status.setdefault("nodeInfo", dict.fromkeys(NODE_INFO, ""))


def _validate_node(obj: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(obj["spec"].get("taints") or ()):
        path = f"spec.taints[{index}]"
        key, effect = taint.get("key") or "", taint.get("effect") or ""
        problems += [invalid(f"{path}.key", key, text) for text in names.qualified_name(key)]
        if taint.get("value"):
            problems += [invalid(f"{path}.value", taint["value"], text) for text in names.label_value(taint["value"])]
        problems += one_of(taint, "effect", TAINT_EFFECTS, path) if effect else [required(f"{path}.effect")]
        if (key, effect) in seen:
            shown = {name: taint[name] for name in ("key", "value", "effect") if taint.get(name)}
            text = "taints must be unique by key and effect pair"
            problems.append(FieldError("FieldValueDuplicate", path, f"Duplicate value: {shown}: {text}"))
        seen.add((key, effect))
    return problems


def _validate_node_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old["spec"].get("providerID"), new["spec"].get("providerID")
    if before and after != before:
        text = "node updates may only change labels, taints, or capacity"
        return [forbidden("spec.providerID", text)]
    return []


def _data_size(*maps: dict[str, Any] | None) -> int:
    return sum(len(key) + len(str(value)) for data in maps for key, value in (data or {}).items())


def _validate_config_map(obj: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for key in data:
        problems += [invalid(f"data[{key}]", key, text) for text in names.config_map_key(key)]
        if key in binary:
            problems.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in binary:
        problems += [invalid(f"binaryData[{key}]", key, text) for text in names.config_map_key(key)]
    if _data_size(data, binary) > MAX_DATA_BYTES:
        problems.append(too_long("", MAX_DATA_BYTES))
    return problems


def _frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    problems: list[FieldError] = []
    if not new.get("immutable"):
        problems.append(forbidden("immutable", FROZEN))
    return problems + [forbidden(key, FROZEN) for key in fields if new.get(key) != old.get(key)]


def _validate_config_map_update(new: Object, old: Object) -> list[FieldError]:
    return _frozen(new, old, ("data", "binaryData"))


def _default_secret(obj: Object) -> None:
    obj["type"] = obj.get("type") or "Opaque"
    texts = obj.pop("stringData", None)
    if texts:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _validate_secret(obj: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    data = obj.get("data") or {}
    for key in data:
        problems += [invalid(f"data[{key}]", key, text) for text in names.config_map_key(key)]
    if _data_size(data) > MAX_DATA_BYTES:
        problems.append(too_long("data", MAX_DATA_BYTES))
    return problems + _for_secret_type(obj["type"], data, obj["metadata"].get("annotations") or {})


def _for_secret_type(kind: str, data: dict[str, Any], annotations: dict[str, str]) -> list[FieldError]:
    if kind == "kubernetes.io/service-account-token":
        return [] if annotations.get(ACCOUNT_NAME) else [required(f"metadata.annotations[{ACCOUNT_NAME}]")]
    if kind in REGISTRY_KEYS:
        return _registry_problems(data, REGISTRY_KEYS[kind])
    if kind == "kubernetes.io/basic-auth":
        keys = ("username", "password")
        return [] if any(key in data for key in keys) else [required(f"data[{key}]") for key in keys]
    if kind == "kubernetes.io/ssh-auth":
        return [] if data.get("ssh-privatekey") else [required("data[ssh-privatekey]")]
    if kind == "kubernetes.io/tls":
        return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data]
    return []


def _registry_problems(data: dict[str, Any], key: str) -> list[FieldError]:
    if key not in data:
        return [required(f"data[{key}]")]
    try:
        gojson.decode(base64.b64decode(data[key] or "").decode("utf-8", "replace"))
    except ValueError as error:
        return [invalid(f"data[{key}]", "<secret contents redacted>", str(error))]
    return []


def _validate_secret_update(new: Object, old: Object) -> list[FieldError]:
    problems: list[FieldError] = []
    if new.get("type") != old.get("type"):
        problems.append(invalid("type", new.get("type"), "field is immutable"))
    return problems + _frozen(new, old, ("data",))


def _default_endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            set_missing(port, protocol="TCP")


def _default_event(obj: Object) -> None:
    """Fields that an event always shows: Go's zero values where nothing is said."""
    obj.setdefault("source", {})
    for key in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(key, None)
    for key in ("reportingComponent", "reportingInstance"):
        obj.setdefault(key, "")


def _validate_event(obj: Object) -> list[FieldError]:
    involved = (obj.get("involvedObject") or {}).get("namespace") or "default"
    namespace = obj["metadata"].get("namespace", "")
    if involved != namespace:
        shown = (obj.get("involvedObject") or {}).get("namespace") or ""
        return [invalid("involvedObject.namespace", shown, "does not match event.namespace")]
    return []


NAMESPACE = Strategy(
    default=_default_namespace, prepare_for_create=_prepare_namespace, prepare_for_update=_prepare_namespace_update
)
NODE = Strategy(
    default=_default_node,
    prepare_for_create=_prepare_node,
    validate=_validate_node,
    validate_update=_validate_node_update,
)
CONFIG_MAP = Strategy(validate=_validate_config_map, validate_update=_validate_config_map_update, compares_first=True)
SECRET = Strategy(
    default=_default_secret,
    validate=_validate_secret,
    validate_update=_validate_secret_update,
    compares_first=True,
)
ENDPOINTS = Strategy(default=_default_endpoints)
EVENT = Strategy(default=_default_event, validate=_validate_event)
