"""Defaults of pods and pod templates.

Source: kubernetes/kubernetes pkg/apis/core/v1/defaults.go, pkg/api/v1/resource (request defaulting).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from labs.api.quantity import parse_quantity
from labs.api.strategy import Object

DEFAULT_MODE = 0o644
DISABLED = ("schedulingGroup", "evictionResponders")
"""Fields behind gates that are off by default: a server drops them."""
VOLUME_DEFAULTS: dict[str, dict[str, Any]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
"""``default`` in the published definitions of the volume sources."""
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


@lru_cache(maxsize=4096)
def canonical(quantity: str | int | float) -> str:
    """A quantity as the server writes it. What is no quantity stays as it is; decoding refuses it."""
    try:
        return str(parse_quantity(quantity))
    except ValueError:
        return str(quantity)


def canonical_amounts(holder: dict[str, Any], *keys: str) -> None:
    """Write the quantities of resource lists such as ``limits`` canonically."""
    for key in keys:
        amounts = holder.get(key)
        if amounts:
            holder[key] = {name: canonical(amount) for name, amount in amounts.items()}


def pull_policy(image: str) -> str:
    """Always for the tag ``latest`` (also when there is no tag), else IfNotPresent."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


def default_pod(pod: Object) -> None:
    """``SetObjectDefaults_Pod``."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for key in ("initContainers", "containers"):
        for container in spec.get(key) or ():
            _requests_from_limits(container["resources"])
            if spec.get("hostNetwork"):
                _host_ports(container)


def _host_ports(container: dict[str, Any]) -> None:
    """On the host's network a port is the host's; of pods only, not of their templates."""
    for port in container.get("ports") or ():
        port["hostPort"] = port.get("hostPort") or port.get("containerPort")


def _requests_from_limits(resources: dict[str, Any]) -> None:
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**limits, **(resources.get("requests") or {})}


def default_pod_spec(spec: dict[str, Any]) -> None:
    """``SetDefaults_PodSpec`` and what lies below it."""
    for key, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ):
        if spec.get(key) is None or spec[key] == "":
            spec[key] = value
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for key in CONTAINER_LISTS:
        for container in spec.get(key) or ():
            _default_container(container)
    for volume in spec.get("volumes") or ():
        default_volume(volume)
    for key in DISABLED:
        spec.pop(key, None)
    if isinstance(spec.get("overhead"), dict):
        canonical_amounts(spec, "overhead")


def _default_container(container: dict[str, Any]) -> None:
    if container.get("resources") is None:
        container["resources"] = {}
    canonical_amounts(container["resources"], "limits", "requests")
    if not container.get("terminationMessagePath"):
        container["terminationMessagePath"] = "/dev/termination-log"
    if not container.get("terminationMessagePolicy"):
        container["terminationMessagePolicy"] = "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source is not None:
            _default_field_reference(source)
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(key) is not None:
            _default_probe(container[key])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict) and handler.get("httpGet") is not None:
            _default_http_get(handler["httpGet"])


def _default_field_reference(holder: dict[str, Any]) -> None:
    field = holder.get("fieldRef")
    if field is not None and not field.get("apiVersion"):
        field["apiVersion"] = "v1"
    resource = holder.get("resourceFieldRef")
    if resource is not None:
        resource["divisor"] = canonical(resource.get("divisor") or "0")


def _default_http_get(action: dict[str, Any]) -> None:
    action["path"] = action.get("path") or "/"
    action["scheme"] = action.get("scheme") or "HTTP"


def _default_probe(probe: dict[str, Any]) -> None:
    for key, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(key):
            probe[key] = value
    if probe.get("httpGet") is not None:
        _default_http_get(probe["httpGet"])
    if probe.get("grpc") is not None:
        probe["grpc"].setdefault("service", "")


def default_volume(volume: dict[str, Any]) -> None:
    """``SetDefaults_Volume`` and the volume sources' own defaults."""
    if not any(value is not None for key, value in volume.items() if key != "name"):
        volume["emptyDir"] = {}
    for key in ("secret", "configMap", "downwardAPI", "projected"):
        source = volume.get(key)
        if source is not None and source.get("defaultMode") is None:
            source["defaultMode"] = DEFAULT_MODE
    default_sources(volume)
    if volume.get("emptyDir") and volume["emptyDir"].get("sizeLimit") is not None:
        volume["emptyDir"]["sizeLimit"] = canonical(volume["emptyDir"]["sizeLimit"])
    image = volume.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = pull_policy(image.get("reference") or "")
    claim = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec")
    if claim is not None:
        claim["volumeMode"] = claim.get("volumeMode") or "Filesystem"
        canonical_amounts(claim.setdefault("resources", {}), "requests", "limits")
    _default_items(volume.get("downwardAPI"))
    for source in (volume.get("projected") or {}).get("sources") or ():
        _default_items(source.get("downwardAPI"))
        token = source.get("serviceAccountToken")
        if token is not None and token.get("expirationSeconds") is None:
            token["expirationSeconds"] = 3600


def default_sources(holder: dict[str, Any]) -> None:
    """Defaults of the sources that a pod's volume and a persistent volume may both name."""
    if holder.get("hostPath") is not None:
        holder["hostPath"].setdefault("type", "")
    for key, values in VOLUME_DEFAULTS.items():
        source = holder.get(key)
        if source is not None:
            source |= {name: value for name, value in values.items() if source.get(name) is None}


def _default_items(downward: dict[str, Any] | None) -> None:
    for item in (downward or {}).get("items") or ():
        _default_field_reference(item)


def default_template(owner_spec: dict[str, Any]) -> None:
    """Defaults of ``template`` in a workload's spec."""
    template = owner_spec.setdefault("template", {})
    if template.get("metadata") is None:
        template["metadata"] = {}
    if template.get("spec") is None:
        template["spec"] = {}
    default_pod_spec(template["spec"])
