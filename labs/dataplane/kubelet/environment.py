"""The variables of a container.

Source: kubernetes pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables, getServiceEnvVarMap), pkg/kubelet/envvars.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from labs.api.client import Client
from labs.api.quantity import milli, value
from labs.api.store import Object
from labs.dataplane.process import expand_references
from labs.dataplane.shell.machine import SEARCH_PATH

_LONG = {"configmaps": "ConfigMap", "secrets": "Secret"}
_SHORT = {"configmaps": "configmap", "secrets": "secret"}


class ConfigFault(Exception):
    """What a container refers to is not there; the text is the waiting message of CreateContainerConfigError."""


def container_environment(
    client: Client, pod: Object, container: Object, pod_ip: str, host_ip: str, node_allocatable: Mapping[str, str]
) -> dict[str, str]:
    """Every variable by name, in the order in which a process sees them. Raises ConfigFault."""
    namespace = pod["metadata"]["namespace"]
    found = {"PATH": ":".join(SEARCH_PATH), "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"]}
    own: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for kind, field in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if source.get(field):
                data = _data(client, kind, namespace, source[field]) or {}
                own |= {prefix + key: data[key].decode(errors="replace") for key in sorted(data)}
    services = dict(_service_variables(client, namespace, pod["spec"].get("enableServiceLinks", True)))
    for entry in container.get("env") or ():
        if "valueFrom" not in entry:
            own[entry["name"]] = expand_references(entry.get("value") or "", {**services, **own})
            continue
        text = _from(client, pod, container, entry["valueFrom"], (pod_ip, host_ip), node_allocatable)
        if text is not None:
            own[entry["name"]] = text
    return {**found, **own, **{name: text for name, text in services.items() if name not in own}}


def _from(
    client: Client,
    pod: Object,
    container: Object,
    source: Mapping[str, Any],
    addresses: tuple[str, str],
    allocatable: Mapping[str, str],
) -> str | None:
    namespace = pod["metadata"]["namespace"]
    for kind, field in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
        if field in source:
            ref = source[field]
            data = _data(client, kind, namespace, ref)
            if data is not None and ref["key"] in data:
                return data[ref["key"]].decode(errors="replace")
            if ref.get("optional"):
                return None
            raise ConfigFault(f"couldn't find key {ref['key']} in {_LONG[kind]} {namespace}/{ref['name']}")
    if "fieldRef" in source:
        return field_text(pod, source["fieldRef"]["fieldPath"], *addresses)
    if "resourceFieldRef" in source:
        return resource_text(pod, container, source["resourceFieldRef"], allocatable)
    return ""


def _data(client: Client, kind: str, namespace: str, ref: Mapping[str, Any]) -> dict[str, bytes] | None:
    """The content of a ConfigMap or Secret; None for an optional one that is not there."""
    data = content_of(client, kind, namespace, ref.get("name") or "")
    if data is None and not ref.get("optional"):
        raise ConfigFault(f'{_SHORT[kind]} "{ref.get("name")}" not found')
    return data


def content_of(client: Client, kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
    """Keys and bytes of a ConfigMap (``configmaps``) or Secret (``secrets``), or None when there is none."""
    found = client.get(kind, namespace, name)
    if found is None:
        return None
    data = found.get("data") or {}
    if kind == "secrets":
        return {key: base64.b64decode(text) for key, text in data.items()}
    binary = {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}
    return {**{key: text.encode() for key, text in data.items()}, **binary}


def field_text(pod: Object, path: str, pod_ip: str, host_ip: str) -> str:
    """A field of the pod as the downward API gives it."""
    metadata, spec = pod["metadata"], pod["spec"]
    key = path.partition("['")[2].removesuffix("']")
    if key:
        return str((metadata.get(path.partition("[")[0].removeprefix("metadata.")) or {}).get(key, ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{name}="{entries[name]}"' for name in sorted(entries))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
    }
    return str(known.get(path, ""))


def resource_text(pod: Object, container: Object, ref: Mapping[str, Any], allocatable: Mapping[str, str]) -> str:
    """A container's request or limit in units of the divisor, rounded up; the node's allocatable for no limit."""
    name = ref.get("containerName")
    everyone = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
    chosen = next((each for each in everyone if each["name"] == name), container)
    kind, _, resource = ref["resource"].partition(".")
    given = (chosen.get("resources") or {}).get(kind) or {}
    text = given.get(resource) or (allocatable.get(resource, "0") if kind == "limits" else "0")
    divisor = ref.get("divisor") or "1"
    unit = milli(divisor) or 1000
    amount = milli(text) if resource == "cpu" else value(text) * 1000
    return str(-(-amount // unit))


def _service_variables(client: Client, namespace: str, has_links: bool) -> Iterator[tuple[str, str]]:
    for service in [*client.list("services", "default"), *(client.list("services", namespace) if has_links else [])]:
        metadata = service["metadata"]
        is_master = (metadata["namespace"], metadata["name"]) == ("default", "kubernetes")
        if not is_master and (metadata["namespace"] != namespace or not has_links):
            continue
        address = service["spec"].get("clusterIP")
        ports = service["spec"].get("ports") or []
        if not ports or address in (None, "", "None"):
            continue
        name = metadata["name"].upper().replace("-", "_")
        yield f"{name}_SERVICE_HOST", address
        yield f"{name}_SERVICE_PORT", str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                yield f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}", str(port["port"])
        for number, port in enumerate(ports):
            protocol = port.get("protocol") or "TCP"
            url = f"{protocol.lower()}://{address}:{port['port']}"
            if not number:
                yield f"{name}_PORT", url
            prefix = f"{name}_PORT_{port['port']}_{protocol}"
            yield prefix, url
            yield f"{prefix}_PROTO", protocol.lower()
            yield f"{prefix}_PORT", str(port["port"])
            yield f"{prefix}_ADDR", address
