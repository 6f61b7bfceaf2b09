"""Volumes, claims and storage.k8s.io/v1.

Source: kubernetes/kubernetes pkg/apis/core/{v1/defaults.go,validation/validation.go},
pkg/apis/storage/{v1/defaults.go,validation/validation.go}, pkg/registry/{core,storage}/*/strategy.go.
"""

from __future__ import annotations

import posixpath
from typing import Any

from labs.api import names
from labs.api.go_forms import go_diff
from labs.api.objects import at, clone
from labs.api.quantity import parse_quantity
from labs.api.strategies.claim_validation import (
    VOLUME_MODES,
    access_modes,
    basic_amount,
    positive,
    validate_claim_spec,
)
from labs.api.strategies.persistent_sources import SOURCES
from labs.api.strategies.placement_validation import validate_node_selector
from labs.api.strategies.pod_defaults import canonical_amounts, default_sources
from labs.api.strategies.rules import immutable, name_in, one_of
from labs.api.strategies.volume_sources import choose
from labs.api.strategies.warnings import warn_of_driver
from labs.api.strategies.workloads import set_missing
from labs.api.strategy import FieldError, Object, Strategy, forbidden, invalid, not_supported, required

CLAIM_IS_FIXED = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
_NO_SOURCE = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)


def default_claim(obj: Object) -> None:
    """``SetDefaults_PersistentVolumeClaim``: also for the templates of a StatefulSet."""
    spec = obj.setdefault("spec", {})
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    if spec.get("resources") is None:
        spec["resources"] = {}
    canonical_amounts(spec["resources"], "requests", "limits")
    status = obj["status"] = obj.get("status") or {}
    status["phase"] = status.get("phase") or "Pending"


def default_data_source(spec: dict[str, Any]) -> None:
    """``NormalizeDataSources``: what one of the two references says, the other says too."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = {key: reference[key] for key in ("apiGroup", "kind", "name") if key in reference}


def _prepare_claim(obj: Object) -> None:
    default_data_source(obj["spec"])
    obj["status"] = {"phase": "Pending"}


def _validate_claim(obj: Object) -> list[FieldError]:
    return validate_claim_spec(obj["spec"], "spec")


def _validate_claim_update(new: Object, old: Object) -> list[FieldError]:
    """``ValidatePersistentVolumeClaimUpdate``: a bound claim may grow; what else may change changes once."""
    before, after = clone(old["spec"]), clone(new["spec"])
    if not before.get("volumeName") and after.get("volumeName"):
        before["volumeName"] = after["volumeName"]
    if before.get("storageClassName") is None and after.get("storageClassName") is not None:
        del after["storageClassName"]
    if at(new, "status", "phase") == "Bound":
        _keep_what_grows(after, before)
    problems: list[FieldError] = []
    if before != after:
        told = go_diff("core.PersistentVolumeClaimSpec", before, after)
        problems.append(forbidden("spec", f"{CLAIM_IS_FIXED}\n{told}"))
    held, wanted = (parse_quantity(at(obj, "spec", "resources", "requests", "storage") or "0") for obj in (old, new))
    if wanted < held and wanted <= parse_quantity(at(old, "status", "capacity", "storage") or "0"):
        problems.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
    return problems + immutable(new["spec"], old["spec"], "volumeMode", "")


def _keep_what_grows(after: dict[str, Any], before: dict[str, Any]) -> None:
    held = at(before, "resources", "requests", "storage")
    if after["resources"].get("requests") is not None and held is not None:
        after["resources"]["requests"]["storage"] = held
    after.pop("volumeAttributesClassName", None)
    if "volumeAttributesClassName" in before:
        after["volumeAttributesClassName"] = before["volumeAttributesClassName"]


def _default_volume(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    canonical_amounts(spec, "capacity")
    default_sources(spec)
    status = obj["status"] = obj.get("status") or {}
    status["phase"] = status.get("phase") or "Pending"


def _prepare_volume(obj: Object) -> None:
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": obj["metadata"]["creationTimestamp"]}


def _sources(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in _NO_SOURCE}


def _validate_volume(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    problems = access_modes(spec, "spec", "")
    capacity = spec.get("capacity") or {}
    if not capacity:
        problems.append(required("spec.capacity"))
    if capacity.keys() != {"storage"}:
        problems.append(not_supported("spec.capacity", capacity or None, ("storage",)))
    for key, amount in sorted(capacity.items()):
        here = f"spec.capacity[{key}]"
        problems += basic_amount(amount, here) + positive(amount, here)
    problems += one_of(spec, "persistentVolumeReclaimPolicy", ("Delete", "Recycle", "Retain"), "spec")
    affinity = spec.get("nodeAffinity")
    problems += [] if affinity is None else _node_affinity(affinity, "spec.nodeAffinity")
    problems += _source(obj)
    place = (spec.get("hostPath") or {}).get("path")
    if place and posixpath.normpath(place) == "/" and spec["persistentVolumeReclaimPolicy"] == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        problems.append(forbidden("spec.persistentVolumeReclaimPolicy", text))
    problems += name_in(spec, "storageClassName", names.dns1123_subdomain, "spec")
    problems += one_of(spec, "volumeMode", VOLUME_MODES, "spec")
    return problems + _attributes_class(spec)


def _source(obj: Object) -> list[FieldError]:
    spec = obj["spec"]
    given, problems = choose(spec, SOURCES, "spec")
    if given[:1] == ["local"] and not ((spec.get("nodeAffinity") or {}).get("required")):
        problems.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    return problems


def _node_affinity(affinity: dict[str, Any], path: str) -> list[FieldError]:
    if affinity.get("required") is None:
        return [required(f"{path}.required", "must specify required node constraints")]
    return validate_node_selector(affinity["required"], f"{path}.required")


def _attributes_class(spec: dict[str, Any]) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    problems = name_in(spec, "volumeAttributesClassName", names.dns1123_subdomain, "spec")
    if not name:
        problems.append(required("spec.volumeAttributesClassName", "an empty string is disallowed"))
    if spec.get("csi") is None:
        problems.append(required("spec.csi", "has to be specified when using volumeAttributesClassName"))
    return problems


def _validate_volume_update(new: Object, old: Object) -> list[FieldError]:
    before, after = clone(old["spec"]), clone(new["spec"])
    if (before.get("csi") or {}).get("controllerExpandSecretRef") is None:
        (after.get("csi") or {}).pop("controllerExpandSecretRef", None)
    problems: list[FieldError] = []
    if _sources(after) != _sources(before):
        told = go_diff("core.PersistentVolumeSource", before, after)
        path = "spec.persistentvolumesource"
        problems.append(forbidden(path, f"{path} is immutable after creation\n{told}"))
    problems += immutable(after, before, "volumeMode", "")
    if before.get("nodeAffinity") is not None:
        problems += immutable(after, before, "nodeAffinity", "")
    if before.get("volumeAttributesClassName") is not None and after.get("volumeAttributesClassName") is None:
        path = "spec.volumeAttributesClassName"
        problems.append(forbidden(path, "update from non-nil value to nil is forbidden"))
    return problems


def _default_class(obj: Object) -> None:
    for key, value in (("reclaimPolicy", "Delete"), ("volumeBindingMode", "Immediate")):
        obj[key] = obj.get(key) or value


def _validate_class(obj: Object) -> list[FieldError]:
    provisioner = obj.get("provisioner") or ""
    problems = [] if provisioner else [required("provisioner")]
    if provisioner:
        problems += [invalid("provisioner", provisioner, text) for text in names.qualified_name(provisioner.lower())]
    for key, allowed in (
        ("reclaimPolicy", ("Delete", "Retain")),
        ("volumeBindingMode", ("Immediate", "WaitForFirstConsumer")),
    ):
        if obj[key] not in allowed:
            problems.append(not_supported(key, obj[key], allowed))
    return problems


def _validate_class_update(new: Object, old: Object) -> list[FieldError]:
    problems = [
        forbidden(key, f"updates to {key} are forbidden.")
        for key in ("parameters", "provisioner", "reclaimPolicy")
        if new.get(key) != old.get(key)
    ]
    changed = immutable(new, old, "volumeBindingMode", "")
    return problems + [FieldError(item.reason, "volumeBindingMode", item.message) for item in changed]


def _default_driver(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    set_missing(spec, attachRequired=True, podInfoOnMount=False, storageCapacity=False, requiresRepublish=False)
    set_missing(spec, fsGroupPolicy="ReadWriteOnceWithFSType", seLinuxMount=False, preventPodSchedulingIfMissing=False)
    set_missing(spec, volumeLifecycleModes=["Persistent"])


PERSISTENT_VOLUME_CLAIM = Strategy(
    default=default_claim,
    prepare_for_create=_prepare_claim,
    prepare_for_update=lambda new, old: default_data_source(new["spec"]),
    validate=_validate_claim,
    validate_update=_validate_claim_update,
)
PERSISTENT_VOLUME = Strategy(
    default=_default_volume,
    prepare_for_create=_prepare_volume,
    validate=_validate_volume,
    validate_update=_validate_volume_update,
)
STORAGE_CLASS = Strategy(default=_default_class, validate=_validate_class, validate_update=_validate_class_update)
CSI_DRIVER = Strategy(default=_default_driver, warn=warn_of_driver)
