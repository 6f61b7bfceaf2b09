"""Validation of projected volumes, and of what they share with the volumes of one source.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateProjectionSources,
validateKeyToPath, validateDownwardAPIVolumeFile, ValidateLocalNonReservedPath).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.strategies.certificates import signer_name
from labs.api.strategies.environment_validation import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from labs.api.strategies.rules import label_selector
from labs.api.strategies.volume_sources import descending, needs
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

MODE_RULE = "must be a number between 0 and 0777 (octal), both inclusive"
MAX_MODE = 0o777
MIN_TOKEN_SECONDS = 600
MAX_TOKEN_SECONDS = 2**32
DAY_SECONDS = 86_400
KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")
TWICE = "conflicting duplicate paths"


def mode(source: dict[str, Any], key: str, path: str) -> list[FieldError]:
    """The mode of a file."""
    value = source.get(key)
    return [] if value is None or 0 <= value <= MAX_MODE else [invalid(f"{path}.{key}", value, MODE_RULE)]


def items(source: dict[str, Any], path: str) -> list[FieldError]:
    """Which keys of a config map or secret go into which files."""
    return [
        problem
        for index, item in enumerate(source.get("items") or ())
        for problem in _key_to_path(item, f"{path}.items[{index}]")
    ]


def _key_to_path(item: dict[str, Any], path: str) -> list[FieldError]:
    problems = needs("key", "path")(item, path) + _local_path(item.get("path") or "", f"{path}.path")
    return problems + mode(item, "mode", path)


def _local_path(place: str, path: str) -> list[FieldError]:
    """``ValidateLocalNonReservedPath``."""
    problems = descending(place, path)
    if place.startswith("..") and not place.startswith("../"):
        problems.append(invalid(path, place, "must not start with '..'"))
    return problems


def downward_file(item: dict[str, Any], path: str) -> list[FieldError]:
    """``validateDownwardAPIVolumeFile``."""
    problems = needs("path")(item, path) + _local_path(item.get("path") or "", f"{path}.path")
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        problems += validate_field_reference(field, VOLUME_FIELDS, f"{path}.fieldRef")
        if resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            problems.append(invalid(path, "resource", text))
    elif resource is not None:
        problems += validate_resource_reference(resource, f"{path}.resourceFieldRef", needs_container=True)
    else:
        problems.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return problems + mode(item, "mode", path)


def projected(source: dict[str, Any], path: str) -> list[FieldError]:
    """``validateProjectedVolumeSource``."""
    problems = mode(source, "defaultMode", path)
    taken: set[str] = set()
    for index, item in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        for key in ("secret", "configMap"):
            if item.get(key) is not None:
                problems += _keys(item[key], taken, f"{here}.{key}", path)
        for file in (item.get("downwardAPI") or {}).get("items") or ():
            problems += downward_file(file, f"{here}.downwardAPI")
            problems += _once(file.get("path") or "", taken, path, file.get("path"))
        if item.get("serviceAccountToken") is not None:
            problems += _token(item["serviceAccountToken"], f"{here}.serviceAccountToken", path)
        if item.get("clusterTrustBundle") is not None:
            problems += _trust_bundle(item["clusterTrustBundle"], taken, f"{here}.clusterTrustBundle", path)
        if item.get("podCertificate") is not None:
            problems += _certificate(item["podCertificate"], taken, f"{here}.podCertificate", path)
        if len([key for key, value in item.items() if value is not None]) > 1:
            problems.append(forbidden(here, "may not specify more than 1 volume type per source"))
    return problems


def _once(place: str, taken: set[str], path: str, shown: Any) -> list[FieldError]:
    if place in taken:
        return [invalid(path, shown, TWICE)]
    if place:
        taken.add(place)
    return []


def _keys(source: dict[str, Any], taken: set[str], path: str, volume: str) -> list[FieldError]:
    problems = needs("name")(source, path)
    for index, item in enumerate(source.get("items") or ()):
        problems += _key_to_path(item, f"{path}.items[{index}]")
        problems += _once(item.get("path") or "", taken, volume, source.get("name") or "")
    return problems


def _token(item: dict[str, Any], path: str, volume: str) -> list[FieldError]:
    """Upstream names the path as if it were the volume's own."""
    seconds, place = item.get("expirationSeconds", 3600), item.get("path") or ""
    problems: list[FieldError] = []
    if seconds < MIN_TOKEN_SECONDS:
        text = "may not specify a duration less than 10 minutes"
        problems.append(invalid(f"{path}.expirationSeconds", seconds, text))
    if seconds > MAX_TOKEN_SECONDS:
        text = "may not specify a duration larger than 2^32 seconds"
        problems.append(invalid(f"{path}.expirationSeconds", seconds, text))
    return problems + (_local_path(place, f"{volume}.path") if place else [required(f"{volume}.path")])


def _trust_bundle(item: dict[str, Any], taken: set[str], path: str, volume: str) -> list[FieldError]:
    name, signer, place = item.get("name"), item.get("signerName"), item.get("path") or ""
    problems: list[FieldError] = []
    if name is not None and signer is not None:
        problems.append(invalid(path, item, "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            problems.append(required(f"{path}.name", "must be a valid object name"))
        wrong = names.dns1123_subdomain(name)
        problems += [invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {text}") for text in wrong]
        if item.get("labelSelector") is not None:
            text = "labelSelector must be unset if name is specified"
            problems.append(invalid(f"{path}.labelSelector", item["labelSelector"], text))
    elif signer is not None:
        if not signer:
            problems.append(required(f"{path}.signerName", "must be a valid signer name"))
        problems += signer_name(signer, f"{path}.signerName")
        problems += label_selector(item.get("labelSelector"), f"{path}.labelSelector")
    else:
        problems.append(required(path, "either name or signerName must be specified"))
    problems += [] if place else [required(f"{path}.path")]
    return problems + _local_path(place, f"{path}.path") + _once(place, taken, volume, place)


def _certificate(item: dict[str, Any], taken: set[str], path: str, volume: str) -> list[FieldError]:
    signer, seconds = item.get("signerName") or "", item.get("maxExpirationSeconds")
    problems = signer_name(signer, f"{path}.signerName")
    if item.get("keyType") not in KEY_TYPES:
        problems.append(not_supported(f"{path}.keyType", item.get("keyType") or "", KEY_TYPES))
    longest = DAY_SECONDS if signer.startswith("kubernetes.io/") else 91 * DAY_SECONDS
    for is_wrong, bound in (
        (seconds is not None and seconds < 3600, ">= 3600"),
        ((seconds or 0) > longest, f"<= {longest}"),
    ):
        if is_wrong:
            text = f"if provided, maxExpirationSeconds must be {bound}"
            problems.append(invalid(f"{path}.maxExpirationSeconds", seconds, text))
    given = [key for key in CERTIFICATE_PATHS if item.get(key)]
    for key in given:
        problems += _local_path(item[key], f"{path}.{key}") + _once(item[key], taken, volume, item[key])
    if not given:
        text = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        problems.append(required(path, text))
    return problems
