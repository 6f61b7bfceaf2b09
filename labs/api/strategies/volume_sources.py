"""Validation of the volume sources that a pod and a persistent volume may both name.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validate*VolumeSource).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from labs.api import names
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

Source = dict[str, Any]
Rule = Callable[[Source, str], list[FieldError]]

HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
BYTE_RULE = "must be between 0 and 255, inclusive"
PARTITION_RULE = "must be between 1 and 255, inclusive"
INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9-.]+)(:[^,;*&$|\s]+)$", re.ASCII),
    "eui": re.compile(r"eui.[A-Za-z0-9]{16}$"),
    "naa": re.compile(r"naa.[A-Za-z0-9]{32}$"),
}
HOST_PORTS_RULE = "must be a host:port pair or multiple pairs separated by commas"
MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
ONLY_ONE = "may not specify more than 1 volume type"


def needs(*keys: str) -> Rule:
    """The rule that none of these fields is empty."""

    def rule(source: Source, path: str) -> list[FieldError]:
        return [required(f"{path}.{key}") for key in keys if not source.get(key)]

    return rule


def without_backsteps(place: str, path: str) -> list[FieldError]:
    """``validatePathNoBacksteps``."""
    return [invalid(path, place, "must not contain '..'")] if ".." in place.split("/") else []


def descending(place: str, path: str) -> list[FieldError]:
    """``validateLocalDescendingPath``."""
    absolute = [invalid(path, place, "must be a relative path")] if place.startswith("/") else []
    return absolute + without_backsteps(place, path)


def within_byte(source: Source, key: str, path: str, rule: str = BYTE_RULE) -> list[FieldError]:
    """A number from 0 to 255."""
    number = source.get(key) or 0
    return [] if 0 <= number <= 255 else [invalid(f"{path}.{key}", number, rule)]


def secret_name(source: Source, path: str, *keys: str) -> list[FieldError]:
    """The fields that a reference to a secret must have, where there is one."""
    reference = source.get("secretRef")
    return [] if reference is None else needs(*keys)(reference, f"{path}.secretRef")


def host_path(source: Source, path: str) -> list[FieldError]:
    """``validateHostPathVolumeSource``."""
    place = source.get("path") or ""
    if not place:
        return [required(f"{path}.path")]
    problems = without_backsteps(place, f"{path}.path")
    if (source.get("type") or "") not in HOST_PATH_TYPES:
        problems.append(not_supported(f"{path}.type", source["type"], HOST_PATH_TYPES))
    return problems


def disk(key: str) -> Rule:
    """A disk of a cloud that is named in the field ``key``, and its partition."""

    def rule(source: Source, path: str) -> list[FieldError]:
        return needs(key)(source, path) + within_byte(source, "partition", path, PARTITION_RULE)

    return rule


def git_repository(source: Source, path: str) -> list[FieldError]:
    """``validateGitRepoVolumeSource``."""
    return needs("repository")(source, path) + descending(source.get("directory") or "", f"{path}.directory")


def nfs(source: Source, path: str) -> list[FieldError]:
    """``validateNFSVolumeSource``."""
    place = source.get("path") or ""
    problems = needs("server", "path")(source, path)
    return (
        problems if place.startswith("/") else [*problems, invalid(f"{path}.path", place, "must be an absolute path")]
    )


def _initiator(name: str, path: str, unknown: str) -> list[FieldError]:
    form = INITIATORS.get(name[:3])
    if form is None:
        return [invalid(path, name, unknown)]
    return [] if form.match(name) else [invalid(path, name, "must be valid format")]


def iscsi(source: Source, path: str) -> list[FieldError]:
    """``validateISCSIVolumeSource``."""
    unknown = "must be valid format starting with iqn, eui, or naa"
    problems = needs("targetPortal")(source, path)
    name = source.get("iqn") or ""
    problems += _initiator(name, f"{path}.iqn", unknown) if name else [required(f"{path}.iqn")]
    problems += within_byte(source, "lun", path)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        problems.append(required(f"{path}.secretRef"))
    if source.get("initiatorName") is not None:
        problems += _initiator(source["initiatorName"], f"{path}.initiatorname", unknown)
    return problems


def fibre_channel(source: Source, path: str) -> list[FieldError]:
    """``validateFCVolumeSource``."""
    targets, identifiers = source.get("targetWWNs"), source.get("wwids")
    problems: list[FieldError] = []
    if not targets and not identifiers:
        problems.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if targets and identifiers:
        text = "targetWWNs and wwids can not be specified simultaneously"
        problems.append(invalid(f"{path}.targetWWNs", targets, text))
    if targets and source.get("lun") is None:
        problems.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets:
        problems += within_byte(source, "lun", path)
    return problems


def flocker(source: Source, path: str) -> list[FieldError]:
    """``validateFlockerVolumeSource``."""
    name, identifier = source.get("datasetName") or "", source.get("datasetUUID") or ""
    problems: list[FieldError] = []
    if not name and not identifier:
        problems.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and identifier:
        text = "datasetName and datasetUUID can not be specified simultaneously"
        problems.append(invalid(path, "resource", text))
    return problems + ([invalid(f"{path}.datasetName", name, "must not contain '/'")] if "/" in name else [])


def quobyte(source: Source, path: str) -> list[FieldError]:
    """``validateQuobyteVolumeSource``."""
    registry = source.get("registry") or ""
    problems: list[FieldError] = []
    if not registry:
        problems.append(required(f"{path}.registry", HOST_PORTS_RULE))
    elif len(source.get("tenant") or "") >= 65:
        text = "must be a UUID and may not exceed a length of 64 characters"
        problems.append(required(f"{path}.tenant", text))
    else:
        wrong = [
            pair for pair in registry.split(",") if re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:\[\]]*", pair) is None
        ]
        problems += [invalid(f"{path}.registry", registry, HOST_PORTS_RULE) for _ in wrong]
    return problems + needs("volume")(source, path)


def flex(source: Source, path: str) -> list[FieldError]:
    """``validateFlexVolumeSource``."""
    problems = needs("driver")(source, path)
    for key in source.get("options") or {}:
        owner = "." + key.partition("/")[0].lower()
        if owner.endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            problems.append(invalid(f"{path}.options[{key}]", key, text))
    return problems


def azure_disk(source: Source, path: str) -> list[FieldError]:
    """``validateAzureDisk``."""
    problems = needs("diskName", "diskURI")(source, path)
    for key, allowed in (
        ("cachingMode", ("None", "ReadOnly", "ReadWrite")),
        ("kind", ("Dedicated", "Managed", "Shared")),
    ):
        if source.get(key) is not None and source[key] not in allowed:
            problems.append(not_supported(f"{path}.{key}", source[key], allowed))
    kind, place = source.get("kind"), source.get("diskURI") or ""
    if kind == "Managed" and not place.startswith("/subscriptions/"):
        problems.append(not_supported(f"{path}.diskURI", place, (MANAGED_DISK,)))
    if kind not in (None, "Managed") and not place.startswith("https://"):
        problems.append(not_supported(f"{path}.diskURI", place, (BLOB_DISK,)))
    return problems


def storage_os(*keys: str) -> Rule:
    """``validateStorageOSVolumeSource``; ``keys`` are what its reference to a secret must have."""

    def rule(source: Source, path: str) -> list[FieldError]:
        name, namespace = source.get("volumeName") or "", source.get("volumeNamespace") or ""
        problems = needs("volumeName")(source, path)
        for key, text in (("volumeName", name), ("volumeNamespace", namespace)):
            problems += [invalid(f"{path}.{key}", text, wrong) for wrong in names.dns1123_label(text) if text]
        return problems + secret_name(source, path, *keys)

    return rule


def cinder(*keys: str) -> Rule:
    """``validateCinderVolumeSource``; ``keys`` are what its reference to a secret must have."""
    return lambda source, path: needs("volumeID")(source, path) + secret_name(source, path, *keys)


def driver_name(name: str, path: str) -> list[FieldError]:
    """``ValidateCSIDriverName``."""
    if not name:
        return [required(path)]
    problems = []
    if len(name.encode()) > 63:
        problems.append(FieldError("FieldValueTooLong", path, "Too long: may not be more than 63 bytes"))
    return problems + [invalid(path, name, text) for text in names.dns1123_subdomain(name.lower())]


def choose(
    holder: Source, rows: tuple[tuple[str, str, str, Rule], ...], path: str
) -> tuple[list[str], list[FieldError]]:
    """Check the first source that is given; the others are one too many. Returns the wire keys of all.

    A row holds the wire key, what a refusal of a second one calls it, what refusals of its fields call it, its rule.
    """
    given: list[str] = []
    problems: list[FieldError] = []
    for key, second, first, rule in rows:
        if holder.get(key) is None:
            continue
        problems += [forbidden(f"{path}.{second}", ONLY_ONE)] if given else rule(holder[key], f"{path}.{first}")
        given.append(key)
    return given, problems if given else [required(path, "must specify a volume type")]
