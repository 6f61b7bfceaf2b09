"""Volumes, claims and storage classes.

Source: kubernetes pkg/printers/internalversion/printers.go and pkg/apis/core/v1/helper.
"""

from __future__ import annotations

from typing import Any

from labs.api.quantity import parse_quantity
from labs.api.tables.printer import (
    AGE,
    NAME,
    UNSET,
    Column,
    Object,
    Printer,
    View,
    booleans,
    given,
    integers,
    listed,
    name_of,
    spec_of,
    status_of,
    texts,
    wide,
)

_ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _claim(claim: Object, view: View) -> list[Any]:
    spec, status = spec_of(claim), status_of(claim)
    volume = spec.get("volumeName", "")
    return [
        name_of(claim),
        _phase(claim),
        volume,
        _storage(status.get("capacity")) if volume else "",
        _access_modes(status.get("accessModes")) if volume else "",
        _class(claim),
        given(spec.get("volumeAttributesClassName"), UNSET),
        view.object_age(claim),
        given(spec.get("volumeMode"), UNSET),
    ]


def _volume(volume: Object, view: View) -> list[Any]:
    spec = spec_of(volume)
    claim = spec.get("claimRef")
    return [
        name_of(volume),
        _storage(spec.get("capacity")),
        _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(volume),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(volume),
        given(spec.get("volumeAttributesClassName"), UNSET),
        status_of(volume).get("reason", ""),
        view.object_age(volume),
        given(spec.get("volumeMode"), UNSET),
    ]


def _phase(object: Object) -> str:
    return "Terminating" if object["metadata"].get("deletionTimestamp") else status_of(object).get("phase", "")


def _storage(capacity: Object | None) -> str:
    return str(parse_quantity((capacity or {}).get("storage", "0")))


def _access_modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in (modes or ()))


def _class(object: Object) -> str:
    annotations = object["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS_ANNOTATION, spec_of(object).get("storageClassName") or ""))


def _storage_class(storage_class: Object, view: View) -> list[Any]:
    annotations = storage_class["metadata"].get("annotations") or {}
    is_default = any(annotations.get(key) == "true" for key in _DEFAULT_ANNOTATIONS)
    return [
        name_of(storage_class) + (" (default)" if is_default else ""),
        storage_class.get("provisioner", ""),
        storage_class.get("reclaimPolicy") or "Delete",
        storage_class.get("volumeBindingMode") or "Immediate",
        bool(storage_class.get("allowVolumeExpansion")),
        view.object_age(storage_class),
    ]


def _csi_node(node: Object, view: View) -> list[Any]:
    return [name_of(node), len(spec_of(node).get("drivers") or []), view.object_age(node)]


def _csi_driver(driver: Object, view: View) -> list[Any]:
    spec = spec_of(driver)
    requests = spec.get("tokenRequests")
    return [
        name_of(driver),
        spec.get("attachRequired") is not False,
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        UNSET if requests is None else ",".join(each.get("audience", "") for each in requests),
        bool(spec.get("requiresRepublish")),
        listed(spec.get("volumeLifecycleModes") or []),
        view.object_age(driver),
    ]


def _csi_storage_capacity(capacity: Object, view: View) -> list[Any]:
    amount = capacity.get("capacity")
    text = UNSET if amount is None else str(parse_quantity(amount))
    return [name_of(capacity), capacity.get("storageClassName", ""), text]


def _volume_attachment(attachment: Object, view: View) -> list[Any]:
    spec = spec_of(attachment)
    return [
        name_of(attachment),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool(status_of(attachment).get("attached")),
        view.object_age(attachment),
    ]


def _volume_attributes_class(attributes: Object, view: View) -> list[Any]:
    return [name_of(attributes), attributes.get("driverName", ""), view.object_age(attributes)]


_MODE = wide("VolumeMode")

PRINTERS = {
    ("", "PersistentVolumeClaim"): Printer(
        (
            NAME,
            *texts("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass"),
            AGE,
            *_MODE,
        ),
        _claim,
        default_cells=tuple(range(9)),
    ),
    ("", "PersistentVolume"): Printer(
        (
            NAME,
            *texts("Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim"),
            *texts("StorageClass", "VolumeAttributesClass", "Reason"),
            AGE,
            *_MODE,
        ),
        _volume,
        default_cells=tuple(range(11)),
    ),
    ("storage.k8s.io", "StorageClass"): Printer(
        (
            NAME,
            *texts("Provisioner", "ReclaimPolicy", "VolumeBindingMode"),
            Column("AllowVolumeExpansion"),
            AGE,
        ),
        _storage_class,
    ),
    ("storage.k8s.io", "CSINode"): Printer((NAME, *integers("Drivers"), AGE), _csi_node),
    ("storage.k8s.io", "CSIDriver"): Printer(
        (
            NAME,
            *booleans("AttachRequired", "PodInfoOnMount", "StorageCapacity"),
            *texts("TokenRequests"),
            *booleans("RequiresRepublish"),
            *texts("Modes"),
            AGE,
        ),
        _csi_driver,
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): Printer(
        (NAME, *texts("StorageClassName", "Capacity")), _csi_storage_capacity
    ),
    ("storage.k8s.io", "VolumeAttachment"): Printer(
        (NAME, Column("Attacher", format="name"), *texts("PV", "Node"), *booleans("Attached"), AGE), _volume_attachment
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): Printer((NAME, *texts("DriverName"), AGE), _volume_attributes_class),
}
