"""Validation of a pod's volumes.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource,
validateKeyToPath, validateProjectedVolumeSource, validateLocalNonReservedPath).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.api import names
from labs.api.quantity import parse_quantity
from labs.api.strategies.environment_validation import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from labs.api.strategy import FieldError, duplicate, forbidden, invalid, not_supported, required

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
MODE_RULE = "must be a number between 0 and 0777 (octal), both inclusive"
MAX_MODE = 0o777


def validate_volumes(volumes: Sequence[dict[str, Any]], path: str) -> tuple[set[str], list[FieldError]]:
    """The volumes' names, and what is wrong with them."""
    seen: set[str] = set()
    problems: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        problems += _source(volume, here)
        name = volume.get("name") or ""
        wrong = [invalid(f"{here}.name", name, text) for text in names.dns1123_label(name)] if name else []
        if not name:
            wrong = [required(f"{here}.name")]
        elif name in seen:
            wrong.append(duplicate(f"{here}.name", name))
        problems += wrong
        if not wrong:
            seen.add(name)
    return seen, problems


def _source(volume: dict[str, Any], path: str) -> list[FieldError]:
    known = [key for key in SOURCES if volume.get(key) is not None]
    given = known + [key for key, value in volume.items() if key not in ("name", *SOURCES) and value is not None]
    problems: list[FieldError] = []
    for place, key in enumerate(given):
        if place:
            problems.append(forbidden(f"{path}.{key}", "may not specify more than 1 volume type"))
        elif key in SOURCES:
            problems += SOURCES[key](volume[key], f"{path}.{key}")
    return problems if given else [required(path, "must specify a volume type")]


def _empty_dir(source: dict[str, Any], path: str) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is None or parse_quantity(limit).sign >= 0:
        return []
    return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]


def _host_path(source: dict[str, Any], path: str) -> list[FieldError]:
    place = source.get("path") or ""
    if not place:
        return [required(f"{path}.path")]
    problems = _without_backsteps(place, f"{path}.path")
    if (source.get("type") or "") not in HOST_PATH_TYPES:
        problems.append(not_supported(f"{path}.type", source["type"], HOST_PATH_TYPES))
    return problems


def _without_backsteps(place: str, path: str) -> list[FieldError]:
    return [invalid(path, place, "must not contain '..'")] if ".." in place.split("/") else []


def _config_map(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = [] if source.get("name") else [required(f"{path}.name")]
    return problems + _mode(source, "defaultMode", path) + _items(source, path)


def _secret(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return problems + _mode(source, "defaultMode", path) + _items(source, path)


def _claim(source: dict[str, Any], path: str) -> list[FieldError]:
    name = source.get("claimName") or ""
    if not name:
        return [required(f"{path}.claimName")]
    return [invalid(f"{path}.claimName", name, text) for text in names.dns1123_subdomain(name)]


def _mode(source: dict[str, Any], key: str, path: str) -> list[FieldError]:
    mode = source.get(key)
    return [] if mode is None or 0 <= mode <= MAX_MODE else [invalid(f"{path}.{key}", mode, MODE_RULE)]


def _items(source: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        problems += [] if item.get("key") else [required(f"{here}.key")]
        problems += _file_path(item, here) + _mode(item, "mode", here)
    return problems


def _file_path(item: dict[str, Any], path: str) -> list[FieldError]:
    place = item.get("path") or ""
    if not place:
        return [required(f"{path}.path")]
    if place.startswith("/"):
        return [invalid(f"{path}.path", place, "must be a relative path")]
    problems = _without_backsteps(place, f"{path}.path")
    if place.startswith("..") and not problems:
        problems.append(invalid(f"{path}.path", place, "must not start with '..'"))
    return problems


def _downward(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = _mode(source, "defaultMode", path)
    return problems + [problem for item in source.get("items") or () for problem in _downward_item(item, path)]


def _downward_item(item: dict[str, Any], path: str) -> list[FieldError]:
    problems = _file_path(item, path)
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        problems += validate_field_reference(field, VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            problems.append(
                invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
            )
    elif resource is not None:
        problems += validate_resource_reference(resource, f"{path}.resourceFieldRef", needs_container=True)
    else:
        problems.append(required(path, "must specify one of: fieldRef and resourceFieldRef"))
    return problems + _mode(item, "mode", path)


def _projected(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = _mode(source, "defaultMode", path)
    for index, item in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        given = [key for key, value in item.items() if value is not None]
        for place, key in enumerate(given):
            if place:
                problems.append(forbidden(f"{here}.{key}", "may not specify more than 1 volume type"))
            else:
                problems += _projection(key, item[key], f"{here}.{key}")
    return problems


def _projection(key: str, item: dict[str, Any], path: str) -> list[FieldError]:
    if key in ("secret", "configMap"):
        return ([] if item.get("name") else [required(f"{path}.name")]) + _items(item, path)
    if key == "downwardAPI":
        return [problem for entry in item.get("items") or () for problem in _downward_item(entry, path)]
    if key == "serviceAccountToken":
        return _token(item, path)
    return []


def _token(item: dict[str, Any], path: str) -> list[FieldError]:
    seconds = item.get("expirationSeconds", 3600)
    problems: list[FieldError] = []
    if seconds < 600:
        problems.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        )
    elif seconds > 2**32:
        problems.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    return problems + ([] if item.get("path") else [required(f"{path}.path")])


SOURCES = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
}
"""In the order in which upstream looks at them: the second one that is given is one too many."""
