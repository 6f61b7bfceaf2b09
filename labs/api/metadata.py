"""Validation of ObjectMeta.

Source: apimachinery pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation; which name rule a kind
has: kubernetes/kubernetes pkg/apis/*/validation.
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.resources import ResourceType
from labs.api.strategy import FieldError, forbidden, invalid, required

MAX_ANNOTATIONS_BYTES = 256 * 1024
CHECKED_AGAIN = ("labels", "annotations", "ownerReferences", "finalizers", "generateName")
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def path_segment(text: str) -> list[str]:
    """``IsPathSegmentName``."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{mark}'" for mark in ("/", "%") if mark in text]


NAME_RULES: dict[str, names.Rule] = {
    "namespaces": names.dns1123_label,
    "services": names.dns1123_label,
    "statefulsets.apps": names.dns1123_label,
    "certificatesigningrequests.certificates.k8s.io": lambda text: [],
    "roles.rbac.authorization.k8s.io": path_segment,
    "rolebindings.rbac.authorization.k8s.io": path_segment,
    "clusterroles.rbac.authorization.k8s.io": path_segment,
    "clusterrolebindings.rbac.authorization.k8s.io": path_segment,
}


def validate_metadata(kind: ResourceType, metadata: dict[str, Any]) -> list[FieldError]:
    """What ``ValidateObjectMeta`` finds wrong, in its order."""
    problems: list[FieldError] = []
    rule = NAME_RULES.get(kind.resource, names.dns1123_subdomain)
    generate_name = metadata.get("generateName")
    if generate_name:
        problems += [
            invalid("metadata.generateName", generate_name, text) for text in names.as_prefix(rule, generate_name)
        ]
    name = metadata.get("name")
    if not name:
        problems.append(required("metadata.name", "name or generateName is required"))
    else:
        problems += [invalid("metadata.name", name, text) for text in rule(name)]
    return problems + _common_problems(metadata)


def _common_problems(metadata: dict[str, Any]) -> list[FieldError]:
    problems = validate_labels(metadata.get("labels"), "metadata.labels")
    problems += validate_annotations(metadata.get("annotations"), "metadata.annotations")
    problems += _owner_problems(metadata.get("ownerReferences") or [])
    finalizers = metadata.get("finalizers") or []
    for finalizer in finalizers:
        problems += [invalid("metadata.finalizers", finalizer, text) for text in names.qualified_name(finalizer)]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(invalid("metadata.finalizers", finalizers, text))
    for index, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            problems.append(invalid(f"metadata.finalizers[{index}]", finalizer, text))
    return problems


def validate_metadata_update(kind: ResourceType, new: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """What ``ValidateObjectMetaUpdate`` finds wrong."""
    problems: list[FieldError] = []
    if new is not old and any(new.get(key) != old.get(key) for key in CHECKED_AGAIN):
        generate_name = new.get("generateName") or ""
        problems += [invalid("metadata.generateName", generate_name, text) for text in path_segment(generate_name)]
        problems += _common_problems(new)
    problems += [
        invalid(f"metadata.{key}", new[key], "field is immutable")
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds")
        if new.get(key) is not None and key not in old
    ]
    if "deletionTimestamp" in old:
        before = old.get("finalizers") or []
        added = [name for name in new.get("finalizers") or [] if name not in before]
        if added:
            found = " ".join(f'"{name}"' for name in added)
            text = "no new finalizers can be added if the object is being deleted, found new finalizers []string{"
            problems.append(forbidden("metadata.finalizers", f"{text}{found.replace(' ', ', ')}}}"))
    return problems


def validate_labels(labels: dict[str, str] | None, field: str) -> list[FieldError]:
    """``ValidateLabels``: keys are qualified names, values label values."""
    problems: list[FieldError] = []
    for key, value in (labels or {}).items():
        problems += [invalid(field, key, text) for text in names.qualified_name(key)]
        problems += [invalid(field, value, text) for text in names.label_value(value)]
    return problems


def validate_annotations(annotations: dict[str, str] | None, field: str) -> list[FieldError]:
    """``ValidateAnnotations``: keys are qualified names without regard to case; at most 256 KiB in all."""
    problems: list[FieldError] = []
    total_bytes = 0
    for key, value in (annotations or {}).items():
        problems += [invalid(field, key, text) for text in names.qualified_name(key.lower())]
        total_bytes += len(key.encode()) + len(value.encode())
    if total_bytes > MAX_ANNOTATIONS_BYTES:
        message = f"Too long: may not be more than {MAX_ANNOTATIONS_BYTES} bytes"
        problems.append(FieldError("FieldValueTooLong", field, message))
    return problems


def _owner_problems(references: list[dict[str, Any]]) -> list[FieldError]:
    problems: list[FieldError] = []
    controllers = [item for item in references if item.get("controller")]
    for index, reference in enumerate(references):
        path = f"metadata.ownerReferences[{index}]"
        version = reference.get("apiVersion") or ""
        if version and (version.count("/") > 1 or version.endswith("/")):
            problems.append(invalid(f"{path}.apiVersion", version, "must be <group>/<version> or <version>"))
        problems += [
            required(f"{path}.{key}", "must not be empty")
            for key in ("apiVersion", "kind", "name", "uid")
            if not reference.get(key)
        ]
        if version == "v1" and reference.get("kind") == "Event":
            problems.append(invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner"))
    if len(controllers) > 1:
        text = 'Only one reference can have Controller set to true. Found "true" in references for {} and {}'
        first, second = (f"{item.get('kind')}/{item.get('name')}" for item in controllers[:2])
        problems.append(invalid("metadata.ownerReferences", references, text.format(first, second)))
    return problems
