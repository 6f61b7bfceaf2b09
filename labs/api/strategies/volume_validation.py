"""Validation of a pod's volumes.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labs.api import names
from labs.api.quantity import parse_quantity
from labs.api.strategies import volume_sources as sources
from labs.api.strategies.claim_validation import validate_claim_template
from labs.api.strategies.projected_volumes import downward_file, items, mode, projected
from labs.api.strategies.rules import one_of
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, required

MAX_ISCSI_CHARACTERS = 64


def validate_volumes(
    volumes: Sequence[dict[str, Any]], path: str, pod_name: str = ""
) -> tuple[dict[str, dict[str, Any]], list[FieldError]]:
    """The sound volumes by name, and what is wrong with the others; ``pod_name`` is empty for a template."""
    claims = {f"{pod_name}-{item.get('name')}" for item in volumes if pod_name and item.get("ephemeral") is not None}
    sound: dict[str, dict[str, Any]] = {}
    problems: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name") or ""
        wrong = _source(volume, name, pod_name, here)
        wrong += [invalid(f"{here}.name", name, text) for text in names.dns1123_label(name) if name]
        if not name:
            wrong.append(required(f"{here}.name"))
        if name in sound:
            wrong.append(duplicate(f"{here}.name", name))
        if not wrong:
            sound[name] = volume
        problems += wrong
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in claims:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            problems.append(invalid(f"{here}.persistentVolumeClaim.claimName", claim, text))
    return sound, problems


def _source(volume: Mapping[str, Any], name: str, pod_name: str, path: str) -> list[FieldError]:
    given, problems = sources.choose(dict(volume), SOURCES, path)
    iscsi = volume.get("iscsi") or {}
    if iscsi.get("initiatorName") is not None and len(f"{name}:{iscsi.get('targetPortal')}") > MAX_ISCSI_CHARACTERS:
        text = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName "
            "is specified."
        )
        problems.append(invalid(f"{path}.name", name, text))
    if given[:1] == ["ephemeral"] and pod_name and name:
        claim = f"{pod_name}-{name}"
        wrong = names.dns1123_subdomain(claim)
        problems += [invalid(f"{path}.name", name, f'PVC name "{claim}": {text}') for text in wrong]
    return problems


def _empty_dir(source: dict[str, Any], path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is None or parse_quantity(limit).sign >= 0:
        return []
    return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]


def _config_map(source: dict[str, Any], path: str) -> list[FieldError]:
    return sources.needs("name")(source, path) + mode(source, "defaultMode", path) + items(source, path)


def _secret(source: dict[str, Any], path: str) -> list[FieldError]:
    return sources.needs("secretName")(source, path) + mode(source, "defaultMode", path) + items(source, path)


def _downward(source: dict[str, Any], path: str) -> list[FieldError]:
    """Upstream names no index of the file that is wrong."""
    problems = mode(source, "defaultMode", path)
    return problems + [problem for item in source.get("items") or () for problem in downward_file(item, path)]


def _csi(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = sources.driver_name(source.get("driver") or "", f"{path}.driver")
    reference = source.get("nodePublishSecretRef")
    if reference is None:
        return problems
    name = reference.get("name") or ""
    if not name:
        return [*problems, required(f"{path}.nodePublishSecretRef.name")]
    return problems + [invalid(f"{path}.name", name, text) for text in names.dns1123_subdomain(name)]


def _ephemeral(source: dict[str, Any], path: str) -> list[FieldError]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    return validate_claim_template(template, f"{path}.volumeClaimTemplate")


def _image(source: dict[str, Any], path: str) -> list[FieldError]:
    policies = ("Always", "IfNotPresent", "Never")
    return sources.needs("reference")(source, path) + one_of(source, "pullPolicy", policies, path)


def _row(key: str, rule: sources.Rule, *, second: str = "", first: str = "") -> tuple[str, str, str, sources.Rule]:
    return key, second or key, first or key, rule


SOURCES = (
    _row("emptyDir", _empty_dir),
    _row("hostPath", sources.host_path),
    _row("gitRepo", sources.git_repository),
    _row("gcePersistentDisk", sources.disk("pdName"), first="persistentDisk"),
    _row("awsElasticBlockStore", sources.disk("volumeID")),
    _row("secret", _secret),
    _row("nfs", sources.nfs),
    _row("iscsi", sources.iscsi),
    _row("glusterfs", sources.needs("endpoints", "path")),
    _row("flocker", sources.flocker),
    _row("persistentVolumeClaim", sources.needs("claimName")),
    _row("rbd", sources.needs("monitors", "image")),
    _row("cinder", sources.cinder("name")),
    _row("cephfs", sources.needs("monitors"), second="cephFS"),
    _row("quobyte", sources.quobyte),
    _row("downwardAPI", _downward, second="downwarAPI"),
    _row("fc", sources.fibre_channel),
    _row("flexVolume", sources.flex),
    _row("configMap", _config_map),
    _row("azureFile", sources.needs("secretName", "shareName")),
    _row("vsphereVolume", sources.needs("volumePath")),
    _row("photonPersistentDisk", sources.needs("pdID")),
    _row("portworxVolume", sources.needs("volumeID")),
    _row("azureDisk", sources.azure_disk),
    _row("storageos", sources.storage_os("name")),
    _row("projected", projected),
    _row("scaleIO", sources.needs("gateway", "system", "volumeName")),
    _row("csi", _csi),
    _row("ephemeral", _ephemeral),
    _row("image", _image),
)
"""In the order in which upstream looks at them, with the names that its refusals give them."""
