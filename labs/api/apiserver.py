"""Create, update and delete with the rules that hold for every kind.

Source: kubernetes/apiserver pkg/registry/generic/registry/store.go, pkg/registry/rest and
pkg/endpoints/handlers (default, field management, mutating admission, strategy, validation, in this order).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from labs import errors
from labs.api import deletion, eviction, subresources
from labs.api.deletion import DeleteOptions
from labs.api.fieldsets.applying import apply_configuration
from labs.api.generations import is_new_generation
from labs.api.indexes import add_indexes
from labs.api.metadata import validate_metadata, validate_metadata_update
from labs.api.objects import clone
from labs.api.resources import ResourceType, definition_of
from labs.api.served import Served, VirtualResource
from labs.api.store import Object, Store
from labs.api.strategy import FieldError, Strategy, raise_invalid
from labs.api.users import Requester
from labs.api.zero_values import settle
from labs.errors import ApiError
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import rfc3339

__all__ = [
    "Admission",
    "ApiServer",
    "Attributes",
    "DeleteOptions",
    "FieldManagement",
    "VirtualResource",
    "raise_invalid",
]

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
GENERATE_NAME_BASE_LENGTH = 58
GENERATE_NAME_ATTEMPTS = 8
SERVER_SET = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "selfLink",
)

NEVER_SET = ("deletionTimestamp", "deletionGracePeriodSeconds")
"""What an update may not begin to say; what is there already, it cannot change."""

Admission = Callable[["Attributes"], None]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an admission plug-in sees; it may change ``object`` (a private copy) or raise ApiError."""

    operation: str
    type: ResourceType
    subresource: str
    object: Object
    old: Object | None
    user: Requester
    warnings: list[str]
    """What the client is told beside the answer; plug-ins add to it."""
    is_dry_run: bool = False


class FieldManagement(Protocol):
    """Keeps ``metadata.managedFields``; see ``labs.api.fieldsets``."""

    def record(self, kind: ResourceType, new: Object, old: Object | None, manager: str, subresource: str) -> None:
        """Set ``new``'s managedFields after a create (``old`` is None) or an update by ``manager``."""
        ...


@dataclass(slots=True)
class ApiServer(Served):
    """The write rules in front of the store. ``strategies`` and ``admission`` hold what kinds add."""

    loop: Loop
    streams: Streams
    store: Store
    admission: list[Admission] = field(default_factory=list)
    validating_admission: list[Admission] = field(default_factory=list)
    """Plug-ins that see an object which has passed validation, and only read it."""
    fields: FieldManagement | None = None

    def __post_init__(self) -> None:
        add_indexes(self.store)

    def _put(self, resource: str, obj: Object) -> Object:
        stored = self.store.put(resource, obj)
        self.follow(resource, stored)
        return stored

    def create(
        self,
        resource: str,
        obj: Object,
        *,
        kind: ResourceType | None = None,
        user: Requester = "",
        manager: str = "",
        is_dry_run: bool = False,
        keeps_fields: bool = False,
        warnings: list[str] | None = None,
    ) -> Object:
        """Store a new object and return it; ``kind`` is the version that it is written in, unless it is the stored one.

        Raises 409 AlreadyExists, 422 Invalid, 403 of admission, 405 while the kind's definition is being deleted.
        """
        stored_kind = self.type_of(resource)
        kind = kind or stored_kind
        if kind.custom is not None and kind.custom.is_terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise ApiError(405, "MethodNotAllowed", why, {"group": kind.group, "kind": kind.plural})
        new = clone(obj)
        strategy = self.rules(kind)
        metadata = new.setdefault("metadata", {})
        new["apiVersion"], new["kind"] = stored_kind.api_version, kind.kind
        for server_set in SERVER_SET:
            metadata.pop(server_set, None)
        strategy.default(new)
        if not keeps_fields:
            self._record_fields(kind, new, None, manager, "")
        attributes = Attributes("CREATE", kind, "", new, None, user, _or_new(warnings), is_dry_run)
        _admit(self.admission, attributes)
        self._begin_metadata(kind, metadata)
        strategy.prepare_for_create(new)
        name = metadata.get("name", "")
        raise_invalid(kind, name, validate_metadata(kind, metadata) + strategy.validate(new))
        attributes.warnings.extend(strategy.warn(new))
        _admit(self.validating_admission, attributes)
        if self.store.get(resource, metadata.get("namespace", ""), name) is not None:
            raise errors.already_exists(resource, name)
        return new if is_dry_run else self._put(resource, new)

    def _record_fields(
        self, kind: ResourceType, new: Object, old: Object | None, manager: str, subresource: str
    ) -> None:
        if self.fields is not None:
            self.fields.record(kind, new, old, manager, subresource)

    def _begin_metadata(self, kind: ResourceType, metadata: dict[str, Any]) -> None:
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._generate_name(kind, metadata)
        metadata["uid"] = self.streams.uuid(f"uid/{kind.resource}")
        metadata["creationTimestamp"] = rfc3339(self.loop.now_ns)
        if kind.has_generation:
            metadata["generation"] = 1

    def _generate_name(self, kind: ResourceType, metadata: dict[str, Any]) -> str:
        base = metadata["generateName"][:GENERATE_NAME_BASE_LENGTH]
        stream = self.streams.python(f"names/{kind.resource}")
        name = ""
        for _ in range(GENERATE_NAME_ATTEMPTS):
            name = base + "".join(stream.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
            if self.store.get(kind.resource, metadata.get("namespace", ""), name) is None:
                break
        return name

    def require(self, resource: str, namespace: str, name: str) -> Object:
        """The stored object. Raises 404 NotFound."""
        obj = self.store.get(resource, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        return obj

    def update(
        self,
        resource: str,
        obj: Object,
        *,
        kind: ResourceType | None = None,
        subresource: str = "",
        user: Requester = "",
        manager: str = "",
        is_dry_run: bool = False,
        keeps_fields: bool = False,
        warnings: list[str] | None = None,
    ) -> Object:
        """Replace an object (or only its status) and return what is stored.

        A write that changes nothing keeps the version. An object that is being deleted and loses its last
        finalizer is removed. ``keeps_fields``: managedFields are in ``obj`` already. Raises 404, 409, 422.
        """
        kind = kind or self.type_of(resource)
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        old = self.store.get(resource, namespace, name)
        if old is None and kind.allows_create_on_update and not subresource:
            return self.create(
                resource, obj, kind=kind, user=user, manager=manager, is_dry_run=is_dry_run, warnings=warnings
            )
        if old is None:
            raise errors.not_found(resource, name)
        strategy = self.rules(kind)
        new = self._merge_for_update(kind, _own_copy(obj, subresource), old, subresource)
        if not subresource or subresource in strategy.parts:
            strategy.default(new)
        if not keeps_fields:
            self._record_fields(kind, new, old, manager, subresource)
        attributes = Attributes("UPDATE", kind, subresource, new, old, user, _or_new(warnings), is_dry_run)
        _admit(self.admission, attributes)
        if not subresource:
            strategy.prepare_for_update(new, old)
        if kind.has_generation and subresource != "status" and is_new_generation(kind, new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        self._validate_update(kind, strategy, new, old, subresource)
        attributes.warnings.extend(() if subresource else strategy.warn(new))
        _admit(self.validating_admission, attributes)
        if new == old or is_dry_run:
            return new
        if deletion.is_finished(resource, new):
            last = self.store.remove(resource, namespace, name)
            self.follow(resource, last)
            return last
        return self._put(resource, new)

    def apply(
        self,
        resource: str,
        config: Object,
        *,
        kind: ResourceType | None = None,
        subresource: str = "",
        user: Requester = "",
        manager: str = "",
        force: bool = False,
        is_dry_run: bool = False,
        warnings: list[str] | None = None,
    ) -> tuple[Object, bool]:
        """Server-side apply: the stored object and whether it is new. Raises 404, 409, 422."""
        kind = kind or self.type_of(resource)
        metadata = config["metadata"]
        live = self.store.get(resource, metadata.get("namespace", ""), metadata["name"])
        if metadata.get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        if live is None and (subresource or metadata.get("uid")):
            raise errors.not_found(resource, metadata["name"])
        time = rfc3339(self.loop.now_ns)
        base = live or {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": dict(metadata)}
        if live is None:
            base["metadata"] = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
        applied = apply_configuration(kind, base, config, manager, subresource, force=force, time=time)
        new = applied.object
        definition = definition_of(kind)
        if definition is not None and kind.custom is None:
            settle(new, definition)
        new["metadata"]["resourceVersion"] = metadata.get("resourceVersion") or ""
        if live is None:
            made = self.create(
                resource, new, kind=kind, user=user, is_dry_run=is_dry_run, keeps_fields=True, warnings=warnings
            )
            return made, True
        if subresource:
            new["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        changed = self.update(
            resource,
            new,
            kind=kind,
            subresource=subresource,
            user=user,
            is_dry_run=is_dry_run,
            keeps_fields=True,
            warnings=warnings,
        )
        return changed, False

    def _validate_update(
        self, kind: ResourceType, strategy: Strategy, new: Object, old: Object, subresource: str
    ) -> None:
        problems = validate_metadata_update(kind, new["metadata"], old["metadata"])
        if not subresource:
            changed = strategy.validate_update(new, old)
            is_checked = not strategy.is_ratcheting and (new.get("spec") != old.get("spec") or "spec" not in new)
            whole = strategy.validate(new) if is_checked else []
            problems += changed + whole if strategy.compares_first else whole + changed
        elif subresource in strategy.parts:
            problems += strategy.parts[subresource].validate(new, old)
        elif subresource == "status":
            problems += strategy.validate_status(new, old)
        raise_invalid(kind, old["metadata"]["name"], problems)

    def _merge_for_update(self, kind: ResourceType, new: Object, old: Object, subresource: str) -> Object:
        before, after = old["metadata"], new["metadata"]
        asked = after.get("resourceVersion")
        if asked in (None, "", "0"):
            if not kind.allows_unconditional_update and not subresource and asked is not None and asked != "":
                raise_invalid(kind, before["name"], [MISSING_VERSION], as_resource=True)
        elif asked != before["resourceVersion"]:
            raise errors.stale(kind.resource, before["name"])
        if after.get("uid") not in (None, "", before["uid"]):
            why = f"Precondition failed: UID in precondition: {after['uid']}, UID in object meta: {before['uid']}"
            raise errors.conflict(kind.resource, before["name"], why)
        for server_set in SERVER_SET:
            if server_set in before or server_set not in NEVER_SET:
                after.pop(server_set, None)
            if server_set in before:
                after[server_set] = before[server_set]
        part = self.rules(kind).parts.get(subresource)
        if part is not None:
            return part.merge(new, {**old, "metadata": dict(before)})
        if subresource == "status":
            return _with_status(new, old, is_conditional=bool(asked))
        if subresource == "scale":
            kept = {**old, "metadata": dict(before)}
            return subresources.with_replicas(kind, kept, subresources.replicas_of(kind, new) or 0)
        if subresource == "finalize":
            return {**old, "metadata": dict(before), "spec": new.get("spec", {})}
        if "status" in kind.subresources:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        new["apiVersion"], new["kind"] = self.type_of(kind.resource).api_version, kind.kind
        return new

    def delete(self, resource: str, namespace: str, name: str, options: DeleteOptions = DeleteOptions()) -> Object:
        """Delete, or begin to; see ``deletion.delete``."""
        last = deletion.delete(self, resource, namespace, name, options)
        if not options.is_dry_run:
            self.follow(resource, last)
        return last

    def bind(self, namespace: str, pod: str, node: str) -> Object:
        """Bind a pod to a node; see ``subresources.bind``."""
        return subresources.bind(self, namespace, pod, node)

    def evict(self, namespace: str, pod: str, options: DeleteOptions = DeleteOptions()) -> None:
        """Evict a pod as its disruption budget allows; see ``eviction.evict``."""
        eviction.evict(self, namespace, pod, options)

    def get_scale(self, resource: str, namespace: str, name: str, *, kind: ResourceType | None = None) -> Object:
        """A workload's Scale; see ``subresources.get_scale``."""
        return subresources.get_scale(self, kind or self.type_of(resource), namespace, name)

    def put_scale(
        self,
        resource: str,
        scale: Object,
        *,
        kind: ResourceType | None = None,
        user: Requester = "",
        manager: str = "",
    ) -> Object:
        """Write a workload's Scale; see ``subresources.put_scale``."""
        return subresources.put_scale(self, kind or self.type_of(resource), scale, user, manager or str(user))


MISSING_VERSION = FieldError(
    "FieldValueInvalid", "metadata.resourceVersion", "Invalid value: 0: must be specified for an update"
)


def _or_new(warnings: list[str] | None) -> list[str]:
    return [] if warnings is None else warnings


def _own_copy(obj: Object, subresource: str) -> Object:
    """A copy of what a write may change or store. Nobody changes managedFields in place, and they are long."""
    metadata = dict(obj["metadata"])
    if subresource == "status":  # only the status, and annotations as they are, are taken from the caller
        return {**obj, "metadata": metadata, "status": clone(obj.get("status") or {})}
    kept = metadata.pop("managedFields", None)
    copied: Object = clone({**obj, "metadata": metadata})
    if kept is not None:
        copied["metadata"]["managedFields"] = kept
    return copied


def _admit(plugins: list[Admission], attributes: Attributes) -> None:
    for plugin in plugins:
        plugin(attributes)


def _with_status(new: Object, old: Object, *, is_conditional: bool) -> Object:
    """``old`` with the status of ``new``, and its annotations when the write names the version it saw."""
    metadata = dict(old["metadata"])
    if is_conditional:
        for key in ("annotations", "managedFields"):
            metadata.pop(key, None)
            if new["metadata"].get(key) is not None:
                metadata[key] = new["metadata"][key]
    return {**old, "metadata": metadata, "status": new.get("status", {})}
