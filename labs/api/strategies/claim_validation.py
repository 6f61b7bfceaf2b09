"""Validation of the spec of a claim for a volume, and of the templates of such claims.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (ValidatePersistentVolumeClaimSpec,
validateDataSource, ValidateTemplateObjectMeta).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.metadata import validate_annotations
from labs.api.objects import at
from labs.api.quantity import parse_quantity
from labs.api.strategies.rules import label_map, label_selector, name_in, one_of
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
REFERENCE = ("apiGroup", "kind", "name")
VOLUME_MODES = ("Block", "Filesystem")


def access_modes(spec: dict[str, Any], path: str, detail: str) -> list[FieldError]:
    """The access modes of a claim or volume."""
    here = f"{path}.accessModes"
    modes = spec.get("accessModes") or []
    problems = [] if modes else [required(here, detail)]
    problems += [not_supported(here, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    others = [mode for mode in modes if mode in ACCESS_MODES and mode != "ReadWriteOncePod"]
    if "ReadWriteOncePod" in modes and others:
        problems.append(forbidden(here, "may not use ReadWriteOncePod with other access modes"))
    return problems


def positive(amount: str, path: str) -> list[FieldError]:
    """``ValidatePositiveQuantityValue``."""
    return [] if parse_quantity(amount).sign > 0 else [invalid(path, amount, "must be greater than zero")]


def validate_claim_spec(spec: dict[str, Any], path: str) -> list[FieldError]:
    """What is wrong with the spec of a claim at ``path``."""
    problems = [] if spec.get("accessModes") else access_modes(spec, path, "at least 1 access mode is required")
    problems += label_selector(spec.get("selector"), f"{path}.selector")
    problems += access_modes(spec, path, "") if spec.get("accessModes") else []
    asked, here = at(spec, "resources", "requests", "storage"), f"{path}.resources[storage]"
    problems += [required(here)] if asked is None else positive(asked, here)
    problems += name_in(spec, "storageClassName", names.dns1123_subdomain, path)
    problems += one_of(spec, "volumeMode", VOLUME_MODES, path)
    problems += _data_sources(spec, path)
    return problems + name_in(spec, "volumeAttributesClassName", names.dns1123_subdomain, path)


def _data_sources(spec: dict[str, Any], path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    for key, item in (("dataSource", source), ("dataSourceRef", reference)):
        if item is not None:
            problems += _data_source(item, f"{path}.{key}")
    if reference is not None and reference.get("namespace"):
        if source is not None:
            text = "may not be specified when dataSourceRef.namespace is specified"
            problems.append(invalid(path, f"{path}.dataSource", text))
    elif source and reference and any(source.get(key) != reference.get(key) for key in REFERENCE):
        problems.append(invalid(path, f"{path}.dataSource", "must match dataSourceRef"))
    return problems


def _data_source(source: dict[str, Any], path: str) -> list[FieldError]:
    problems = [required(f"{path}.{key}") for key in ("name", "kind") if not source.get(key)]
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        problems.append(invalid(path, kind, text))
    problems += [invalid(f"{path}.apiGroup", group, text) for text in names.dns1123_subdomain(group) if group]
    return problems + name_in(source, "namespace", names.dns1123_label, path)


def validate_claim_template(template: dict[str, Any], path: str) -> list[FieldError]:
    """``ValidatePersistentVolumeClaimTemplate``: of its metadata labels and annotations may be set."""
    metadata = template.get("metadata") or {}
    problems = validate_annotations(metadata.get("annotations"), f"{path}.metadata.annotations")
    problems += label_map(metadata.get("labels"), f"{path}.metadata.labels")
    for key, value in metadata.items():
        if value and key not in ("annotations", "labels"):
            problems.append(forbidden(f"{path}.metadata.{key}", "cannot be set"))
    return problems + validate_claim_spec(template.get("spec") or {}, f"{path}.spec")


def basic_amount(amount: str, path: str) -> list[FieldError]:
    """``validateBasicResource``."""
    value = parse_quantity(amount).value()
    return [invalid(path, value, "must be a valid resource quantity")] if value < 0 else []
