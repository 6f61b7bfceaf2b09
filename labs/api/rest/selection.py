"""Label and field selectors of lists and watches.

Source: kubernetes/kubernetes pkg/apis/*/v1/conversion.go (AddFieldLabelConversionsFor*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs import errors
from labs.api.objects import at
from labs.api.resources import ResourceType
from labs.api.selectors import FieldSelector, LabelSelector, parse_field_selector, parse_label_selector
from labs.api.store import Object, Store

FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "replicasets.apps": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
    "jobs.batch": ("status.successful",),
}
INDEXED_FIELDS = {"pods": ("spec.nodeName",), "events": ("involvedObject.name", "involvedObject.uid")}
"""Fields by which clients look things up: the store keeps an index of each, under the field's name."""
METADATA_FIELDS = ("metadata.name", "metadata.namespace")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_SPECIAL: dict[tuple[str, str], Callable[[Object], str]] = {
    ("nodes", "spec.unschedulable"): lambda obj: _text(bool(at(obj, "spec", "unschedulable"))),
    ("pods", "spec.hostNetwork"): lambda obj: _text(bool(at(obj, "spec", "hostNetwork"))),
    ("pods", "status.podIPs"): lambda obj: ",".join(item.get("ip", "") for item in at(obj, "status", "podIPs") or ()),
    ("events", "source"): lambda obj: at(obj, "source", "component") or _text(obj.get("reportingComponent")),
    ("jobs.batch", "status.successful"): lambda obj: _text(at(obj, "status", "succeeded") or 0),
    ("replicasets.apps", "status.replicas"): lambda obj: _text(at(obj, "status", "replicas") or 0),
    ("replicationcontrollers", "status.replicas"): lambda obj: _text(at(obj, "status", "replicas") or 0),
}


def field_value(resource: str, obj: Object, field: str) -> str:
    """The text that a field selector compares."""
    special = _SPECIAL.get((resource, field))
    return special(obj) if special else _text(at(obj, *field.split(".")))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or watch asks for."""

    resource: str
    labels: LabelSelector
    fields: FieldSelector

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.labels.is_empty and self.fields.is_empty

    def matches(self, obj: Object) -> bool:
        """Whether an object is selected."""
        if not self.labels.matches(obj["metadata"].get("labels")):
            return False
        requirements = self.fields.requirements
        return not requirements or self.fields.matches(
            {item.field: field_value(self.resource, obj, item.field) for item in requirements}
        )

    def candidates(self, store: Store, namespace: str | None) -> list[Object]:
        """A superset of what is selected, by the narrowest index, in order of key."""
        for item in self.fields.requirements:
            if item.operator == "=" and item.field == "metadata.name" and namespace is not None:
                found = store.get(self.resource, namespace, item.value)
                return [found] if found is not None else []
            if item.operator == "=" and item.value and item.field in INDEXED_FIELDS.get(self.resource, ()):
                return store.by_index(self.resource, item.field, item.value, namespace)
        pairs = [
            f"{item.key}={item.values[0]}"
            for item in self.labels.requirements or ()
            if item.operator in ("=", "==", "in") and len(item.values) == 1
        ]
        if pairs:
            rarest = min(pairs, key=lambda pair: store.index_size(self.resource, "label", pair))
            return store.by_index(self.resource, "label", rarest, namespace)
        return store.list(self.resource, namespace)


OWN_FIELD_LABELS = (
    "pods",
    "nodes",
    "namespaces",
    "services",
    "secrets",
    "events",
    "replicationcontrollers",
    "jobs.batch",
    "certificatesigningrequests.certificates.k8s.io",
)
"""Kinds with a conversion function of their own for field selectors; the others have the default one."""

NO_FIELD = '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def parse_selection(kind: ResourceType, label_selector: str, field_selector: str, name: str = "") -> Selection:
    """The selection of a request. Raises 400 for a text that is no selector or names an unknown field."""
    try:
        labels = parse_label_selector(label_selector)
        fields = parse_field_selector(field_selector)
        if name:
            fields = FieldSelector((*parse_field_selector(f"metadata.name={name}").requirements, *fields.requirements))
    except ValueError as error:
        raise errors.bad_request(str(error)) from None
    known = kind.custom.fields if kind.custom is not None else FIELDS.get(kind.resource, ())
    for item in fields.requirements:
        if item.field not in METADATA_FIELDS and item.field not in known:
            is_told_apart = kind.custom is not None or kind.resource in OWN_FIELD_LABELS
            text = f"field label not supported: {item.field}" if is_told_apart else NO_FIELD.format(item.field)
            raise errors.bad_request(text)
    return Selection(kind.resource, labels, fields)
