"""Serves custom resources: follows the definitions in the store, and cleans up when one goes.

Upstream's controllers work beside the server and take a moment; here they work within the write, so that a client
that goes on at once finds its kind served. Source: apiextensions-apiserver pkg/controller/{status,establish,finalizer}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.api.apiserver import ApiServer
from labs.api.crds.definition_rules import storage_version
from labs.api.crds.kinds import Rules, condition_of, is_true, resource_types, strategy_of
from labs.api.crds.names import accept_names, accepted_names
from labs.api.deletion import CRD_FINALIZER, CRDS
from labs.api.resources import BY_RESOURCE, DEFINED_GROUPS, ResourceType
from labs.api.store import Object
from labs.units import rfc3339

MANAGER = "kube-apiserver"


class CustomResources:
    """Keeps the served types in step with the stored definitions."""

    def __init__(self, api: ApiServer, rules_for: Callable[[ResourceType], Rules | None]) -> None:
        """``rules_for``: what stands in for the CEL of a kind's definition."""
        self._api = api
        self._rules_for = rules_for
        self._definition_of: dict[str, str] = {}
        api.followers[CRDS] = self.definition_changed

    def definition_changed(self, obj: Object) -> None:
        """A definition was created, changed or removed."""
        name = obj["metadata"]["name"]
        current = self._api.store.get(CRDS, "", name)
        if current is None:
            self._withdraw(name)
            self._rename_others(obj)
        elif "deletionTimestamp" in current["metadata"]:
            self._clean_up(current)
        else:
            self._establish(current)

    def instance_changed(self, obj: Object) -> None:
        """An object of a custom kind was written: one less may be the last that a definition waits for."""
        group = obj["apiVersion"].partition("/")[0]
        for definition in self._api.store.list(CRDS):
            if definition["spec"]["group"] == group and "deletionTimestamp" in definition["metadata"]:
                self._clean_up(definition)

    def _others(self, definition: Object) -> list[Object]:
        return [
            other
            for other in self._api.store.list(CRDS)
            if other["spec"]["group"] == definition["spec"]["group"]
            and other["metadata"]["name"] != definition["metadata"]["name"]
        ]

    def _establish(self, definition: Object) -> None:
        """Give out names, then establish, then serve; each write of the status comes back here."""
        spec, status = definition["spec"], _status(definition)
        stored = status.get("storedVersions") or [storage_version(spec)]
        naming = accept_names(spec["names"], accepted_names(definition), self._others(definition))
        changed = self._with_condition(
            {**status, "acceptedNames": naming.accepted, "storedVersions": stored},
            "NamesAccepted",
            not naming.reason,
            naming.reason or "NoConflicts",
            naming.message or "no conflicts found",
        )
        if not is_true(definition, "Established"):
            told = ("Installing", "the initial names have been accepted")
            if naming.reason:
                told = ("NotAccepted", "not all names are accepted")
            changed = self._with_condition(changed, "Established", False, *told)
        if changed != status:
            self._write_status(definition, changed)
            self._rename_others(definition)
            return
        if not naming.reason and not is_true(definition, "Established"):
            told = ("InitialNamesAccepted", "the initial names have been accepted")
            self._write_status(definition, self._with_condition(status, "Established", True, *told))
            return
        if is_true(definition, "Established"):
            self._serve(definition)

    def _rename_others(self, definition: Object) -> None:
        """Names that have become free may be what another definition waits for."""
        for other in self._others(definition):
            condition = condition_of(other, "NamesAccepted")
            if condition is not None and condition["status"] != "True" and "deletionTimestamp" not in other["metadata"]:
                self._establish(other)

    def _with_condition(
        self, status: dict[str, Any], type_name: str, is_set: bool, reason: str, message: str
    ) -> dict[str, Any]:
        """``SetCRDCondition``: in its place, with a new time when its status changes."""
        conditions = [dict(item) for item in status.get("conditions") or ()]
        text = "True" if is_set else "False"
        found = next((item for item in conditions if item["type"] == type_name), None)
        if found is None:
            found = {"type": type_name}
            conditions.append(found)
        if found.get("status") != text:
            found["lastTransitionTime"] = rfc3339(self._api.loop.now_ns)
        found |= {"status": text, "reason": reason, "message": message}
        return {**status, "conditions": conditions}

    def _write_status(self, definition: Object, status: dict[str, Any]) -> None:
        metadata = {**definition["metadata"], "resourceVersion": ""}
        changed = {**definition, "metadata": metadata, "status": status}
        self._api.update(CRDS, changed, subresource="status", user="system:apiserver", manager=MANAGER)

    def _serve(self, definition: Object) -> None:
        types = resource_types(definition)
        resource = types[0].resource
        if resource in BY_RESOURCE and types[0].group not in DEFINED_GROUPS:
            return
        self._definition_of[definition["metadata"]["name"]] = resource
        self._api.serve(types, [strategy_of(kind, self._rules_for(kind)) for kind in types], self.instance_changed)

    def _withdraw(self, name: str) -> None:
        resource = self._definition_of.pop(name, "")
        if resource:
            self._api.withdraw(resource)

    def _clean_up(self, definition: Object) -> None:
        """Delete all objects, and let the definition go when none is left."""
        resource = self._definition_of.get(definition["metadata"]["name"], "")
        if CRD_FINALIZER not in (definition["metadata"].get("finalizers") or ()):
            return
        if not is_true(definition, "Terminating"):
            told = ("InstanceDeletionInProgress", "CustomResource deletion is in progress")
            self._write_status(definition, self._with_condition(_status(definition), "Terminating", True, *told))
            return
        if resource and not self._api.types[resource].custom.is_terminating:  # type: ignore[union-attr]
            self._serve(definition)
            for obj in self._api.store.list(resource):
                metadata = obj["metadata"]
                self._api.delete(resource, metadata.get("namespace", ""), metadata["name"])
        if resource and self._api.store.count(resource):
            return
        current = self._api.store.get(CRDS, "", definition["metadata"]["name"])
        if current is not None and CRD_FINALIZER in (current["metadata"].get("finalizers") or ()):
            self._release(current)

    def _release(self, definition: Object) -> None:
        left = [name for name in definition["metadata"]["finalizers"] if name != CRD_FINALIZER]
        told = ("InstanceDeletionCompleted", "removed all instances")
        if not is_true(definition, "Established"):
            told = ("NeverEstablished", "resource was never established")
        status = self._with_condition(_status(definition), "Terminating", False, *told)
        metadata = {**definition["metadata"], "finalizers": left, "resourceVersion": ""}
        self._api.update(CRDS, {**definition, "metadata": metadata}, user="system:apiserver", manager=MANAGER)
        if left:
            self._write_status(definition, status)


def _status(definition: Object) -> dict[str, Any]:
    return definition.get("status") or {}
