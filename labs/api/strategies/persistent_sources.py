"""Validation of the sources of a persistent volume.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidatePersistentVolumeSpec,
validate*PersistentVolumeSource).
"""

from __future__ import annotations

from labs.api import names
from labs.api.strategies import volume_sources as sources
from labs.api.strategies.rules import name_in
from labs.api.strategies.volume_sources import Rule, Source, needs
from labs.api.strategy import FieldError, invalid, required

CSI_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def _glusterfs(source: Source, path: str) -> list[FieldError]:
    problems = needs("endpoints", "path")(source, path)
    namespace = source.get("endpointsNamespace")
    if namespace == "":
        text = "if the endpointnamespace is set, it must be a valid namespace name"
        problems.append(invalid(f"{path}.endpointsNamespace", namespace, text))
    return problems + name_in(source, "endpointsNamespace", names.dns1123_label, path)


def _iscsi(source: Source, path: str) -> list[FieldError]:
    return sources.iscsi(source, path) + sources.secret_name(source, path, "name")


def _azure_file(source: Source, path: str) -> list[FieldError]:
    problems = needs("secretName", "shareName")(source, path)
    return problems + ([required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else [])


def _local(source: Source, path: str) -> list[FieldError]:
    place = source.get("path") or ""
    return sources.without_backsteps(place, f"{path}.path") if place else [required(f"{path}.path")]


def _csi(source: Source, path: str) -> list[FieldError]:
    problems = sources.driver_name(source.get("driver") or "", f"{path}.driver")
    problems += needs("volumeHandle")(source, path)
    for key in CSI_SECRETS:
        reference, here = source.get(key), f"{path}.{key}"
        for field, rule in (("name", names.dns1123_subdomain), ("namespace", names.dns1123_label)):
            if reference is not None:
                problems += name_in(reference, field, rule, here) or needs(field)(reference, here)
    return problems


def _row(key: str, rule: Rule, *, second: str = "", first: str = "") -> tuple[str, str, str, Rule]:
    return key, second or key, first or key, rule


SOURCES = (
    _row("hostPath", sources.host_path),
    _row("gcePersistentDisk", sources.disk("pdName"), first="persistentDisk"),
    _row("awsElasticBlockStore", sources.disk("volumeID")),
    _row("glusterfs", _glusterfs),
    _row("flocker", sources.flocker),
    _row("nfs", sources.nfs),
    _row("rbd", needs("monitors", "image")),
    _row("quobyte", sources.quobyte),
    _row("cephfs", needs("monitors"), second="cephFS"),
    _row("iscsi", _iscsi),
    _row("cinder", sources.cinder("name", "namespace")),
    _row("fc", sources.fibre_channel),
    _row("flexVolume", sources.flex),
    _row("azureFile", _azure_file),
    _row("vsphereVolume", needs("volumePath")),
    _row("photonPersistentDisk", needs("pdID")),
    _row("portworxVolume", needs("volumeID")),
    _row("azureDisk", sources.azure_disk),
    _row("scaleIO", needs("gateway", "system", "volumeName")),
    _row("local", _local),
    _row("storageos", sources.storage_os("name", "namespace")),
    _row("csi", _csi),
)
"""In the order in which upstream looks at them, with the names that its refusals give them."""
