"""Validation of where a container sees its volumes: mounts and block devices.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateVolumeMounts,
validateMountPropagation, validateMountRecursiveReadOnly, ValidateVolumeDevices).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.api.strategies.volume_sources import descending
from labs.api.strategy import FieldError, forbidden, invalid, not_found, not_supported, required

Volumes = Mapping[str, Mapping[str, Any]]
"""A pod's sound volumes by name."""

PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def validate_mounts(container: dict[str, Any], volumes: Volumes, path: str) -> list[FieldError]:
    """``volumeMounts`` and ``volumeDevices`` of a container at ``path``."""
    mounts = [dict(item) for item in container.get("volumeMounts") or ()]
    devices = [dict(item) for item in container.get("volumeDevices") or ()]
    is_privileged = bool((container.get("securityContext") or {}).get("privileged"))
    problems = _mounts(mounts, devices, volumes, f"{path}.volumeMounts", is_privileged=is_privileged)
    return problems + _devices(devices, mounts, volumes, f"{path}.volumeDevices")


def _mounts(
    mounts: list[dict[str, Any]], devices: list[dict[str, Any]], volumes: Volumes, path: str, *, is_privileged: bool
) -> list[FieldError]:
    """Upstream names no index where a mount's sub-path or propagation is wrong."""
    of_devices = {item.get("name") or "": item.get("devicePath") or "" for item in devices}
    problems: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, target = mount.get("name") or "", mount.get("mountPath") or ""
        problems += [] if name else [required(f"{here}.name")]
        problems += [] if name in volumes else [not_found(f"{here}.name", name)]
        problems += [] if target else [required(f"{here}.mountPath")]
        if target in seen:
            problems.append(invalid(f"{here}.mountPath", target, "must be unique"))
        seen.add(target)
        if name in of_devices:
            problems.append(invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        if target in of_devices.values():
            text = "must not already exist as a path in volumeDevices"
            problems.append(invalid(f"{here}.mountPath", target, text))
        problems += _sub_paths(mount, here, path)
        problems += _propagation(mount.get("mountPropagation"), f"{path}.mountPropagation", is_privileged=is_privileged)
        problems += _recursive(mount, f"{path}.recursiveReadOnly")
    return problems


def _sub_paths(mount: dict[str, Any], here: str, path: str) -> list[FieldError]:
    plain, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    problems = descending(plain, f"{path}.subPath")
    if plain and expression:
        text = "subPathExpr and subPath are mutually exclusive"
        problems.append(invalid(f"{here}.subPathExpr", expression, text))
    return problems + descending(expression, f"{path}.subPathExpr")


def _propagation(value: str | None, path: str, *, is_privileged: bool) -> list[FieldError]:
    if value is None:
        return []
    if value == "Bidirectional" and not is_privileged:
        text = "Bidirectional mount propagation is available only to privileged containers"
        return [forbidden(path, text)]
    return [] if value in PROPAGATIONS else [not_supported(path, value, PROPAGATIONS)]


def _recursive(mount: dict[str, Any], path: str) -> list[FieldError]:
    value = mount.get("recursiveReadOnly")
    if value in (None, "Disabled"):
        return []
    if value not in RECURSIVE:
        return [not_supported(path, value, RECURSIVE)]
    problems: list[FieldError] = []
    if not mount.get("readOnly"):
        problems.append(forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation") not in (None, "None"):
        text = "may only be specified when mountPropagation is None or not specified"
        problems.append(forbidden(path, text))
    return problems


def _devices(
    devices: list[dict[str, Any]], mounts: list[dict[str, Any]], volumes: Volumes, path: str
) -> list[FieldError]:
    of_mounts = {item.get("name") or "": item.get("mountPath") or "" for item in mounts}
    problems: list[FieldError] = []
    names: set[str] = set()
    places: set[str] = set()
    for index, device in enumerate(devices):
        here = f"{path}[{index}]"
        name, place = device.get("name") or "", device.get("devicePath") or ""
        problems += [] if name else [required(f"{here}.name")]
        if name in names:
            problems.append(invalid(f"{here}.name", name, "must be unique"))
        problems += _block_volume(name, volumes, f"{here}.name")
        problems += [] if place else [required(f"{here}.devicePath")]
        if place in places:
            problems.append(invalid(f"{here}.devicePath", place, "must be unique"))
        if ".." in place.split("/"):
            problems.append(invalid(f"{here}.devicePath", place, "can not contain backsteps ('..')"))
        else:
            places.add(place)
        if name in of_mounts:
            problems.append(invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if place in of_mounts.values():
            text = "must not already exist as a path in volumeMounts"
            problems.append(invalid(f"{here}.devicePath", place, text))
        names |= {name} if name else set()
    return problems


def _block_volume(name: str, volumes: Volumes, path: str) -> list[FieldError]:
    if name not in volumes:
        return [not_found(path, name)]
    if any(volumes[name].get(key) is not None for key in ("persistentVolumeClaim", "ephemeral")):
        return []
    text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
    return [invalid(path, name, text)]
