"""POST, PUT, PATCH and DELETE on objects and their status.

Source: kubernetes/apiserver pkg/endpoints/handlers/{create,update,patch,delete}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labs import errors
from labs.api.apiserver import ApiServer
from labs.api.deletion import CRDS
from labs.api.fieldsets.checking import typed_problems
from labs.api.objects import clone
from labs.api.resources import ResourceType, definition_of
from labs.api.rest import bodies, patching
from labs.api.rest.message import Request
from labs.api.rest.options import WriteOptions, delete_options, list_options, write_options
from labs.api.rest.routes import Route
from labs.api.rest.selection import parse_selection
from labs.api.rest.strict import check_fields, check_patched
from labs.api.store import Object
from labs.api.strategy import invalid, raise_invalid
from labs.api.views import to_stored, to_view, written_kind
from labs.errors import ApiError

RETURNS_OBJECT_ON_DELETE = (
    "pods",
    "services",
    "namespaces",
    "serviceaccounts",
    "persistentvolumes",
    "persistentvolumeclaims",
    "resourcequotas",
    CRDS,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A write's answer: the object or Status, the HTTP code, warnings, whether it is an object of the kind."""

    object: Object
    code: int = 200
    warnings: tuple[str, ...] = ()
    is_status: bool = False


def create(api: ApiServer, request: Request, route: Route) -> Written:
    """POST to a collection."""
    options = write_options(request, "CreateOptions")
    obj = bodies.decode(request, route.type)
    warnings = check_fields(route.type, obj, options.field_validation)
    _fit_namespace(obj, route)
    with _told(warnings) as warned:
        stored = api.create(
            route.type.resource,
            to_stored(route.type, obj),
            kind=written_kind(route.type),
            user=request.user,
            manager=options.manager,
            is_dry_run=options.is_dry_run,
            warnings=warned,
        )
    return Written(stored, 201, tuple(warned))


@contextmanager
def _told(warnings: Iterable[str]) -> Iterator[list[str]]:
    """What a write warns of, which a client is told also when the write is refused."""
    warned = list(warnings)
    try:
        yield warned
    except ApiError as error:
        error.warnings = tuple(warned)
        raise


def _fit_namespace(obj: Object, route: Route) -> None:
    """``EnsureObjectNamespaceMatchesRequestNamespace``. Raises 400."""
    metadata = obj["metadata"]
    if not route.type.is_namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace") not in (None, "", route.namespace):
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = route.namespace


def update(api: ApiServer, request: Request, route: Route) -> Written:
    """PUT of an object or of its status."""
    options = write_options(request, "UpdateOptions")
    obj = bodies.decode(request, route.type)
    warnings = check_fields(route.type, obj, options.field_validation)
    _check_name(obj, route)
    _fit_namespace(obj, route)
    is_new = api.store.get(route.type.resource, route.namespace, route.name) is None
    if not is_new and not route.type.allows_unconditional_update and not obj["metadata"].get("resourceVersion"):
        obj["metadata"]["resourceVersion"] = "0"
    stored, warned = _replace(api, request, route, obj, options, warnings)
    return Written(stored, 201 if is_new else 200, warned)


def _replace(
    api: ApiServer, request: Request, route: Route, obj: Object, options: WriteOptions, warnings: Iterable[str]
) -> tuple[Object, tuple[str, ...]]:
    """Write ``obj``, in the route's version, over what is stored; what is stored then, and the warnings."""
    with _told(warnings) as warned:
        stored = api.update(
            route.type.resource,
            to_stored(route.type, obj),
            kind=written_kind(route.type),
            subresource=route.subresource,
            user=request.user,
            manager=options.manager,
            is_dry_run=options.is_dry_run,
            warnings=warned,
        )
    return stored, tuple(warned)


def patch(api: ApiServer, request: Request, route: Route) -> Written:
    """PATCH of an object or of its status, in any of the patch types."""
    options = write_options(request, "PatchOptions")
    bodies.check_size(request.body)
    media = patching.patch_media_type(request)
    if media == patching.APPLY:
        return _apply(api, request, route)
    old = to_view(route.type, api.require(route.type.resource, route.namespace, route.name))
    result = patching.patched(route.type, old, media, request.body)
    new, is_strategic = result.object, media == patching.STRATEGIC
    warnings = check_patched(
        route.type, new, options.field_validation, result.shown, result.doubles, is_strategic=is_strategic
    )
    _check_identity(new, old, route)
    stored, warned = _replace(api, request, route, new, options, warnings)
    return Written(stored, 200, warned)


def _check_name(obj: Object, route: Route) -> None:
    """``checkName``. Raises 400."""
    name = obj["metadata"].get("name")
    if not name:
        text = f"the name of the object ({route.name} based on URL) was undeterminable: name must be provided"
        raise errors.bad_request(text)
    if name != route.name:
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({route.name})")


def _check_identity(new: Object, old: Object | None, route: Route) -> None:
    """What a patch may not change. Raises 400 and 422."""
    _check_name(new, route)
    _fit_namespace(new, route)
    uid = new["metadata"].get("uid")
    if old is not None and uid and uid != old["metadata"]["uid"]:
        raise_invalid(route.type, route.name, [invalid("metadata.uid", uid, "field is immutable")])


def _apply(api: ApiServer, request: Request, route: Route) -> Written:
    options = write_options(request, "PatchOptions")
    applied = bodies.parse_yaml(request.body, route.type.kind)
    if not isinstance(applied, dict):
        raise errors.bad_request(f"error decoding YAML: expected an object of kind {route.type.kind}")
    _check_configuration(route.type, applied)
    bodies.check_type(applied, route.type.api_version, route.type.kind)
    warnings = check_fields(route.type, applied, options.field_validation, is_applied=True)
    applied["metadata"].setdefault("name", route.name)
    _fit_namespace(applied, route)
    _check_identity(applied, None, route)
    with _told(warnings) as warned:
        stored, is_new = api.apply(
            route.type.resource,
            to_stored(route.type, applied),
            kind=written_kind(route.type),
            subresource=route.subresource,
            user=request.user,
            manager=options.manager,
            force=options.force,
            is_dry_run=options.is_dry_run,
            warnings=warned,
        )
    return Written(stored, 201 if is_new else 200, tuple(warned))


def _check_configuration(kind: ResourceType, applied: Object) -> None:
    """Raise as ``structuredMergeManager.Apply`` does: 400 for another version, 500 for what does not fit the type."""
    said = applied.get("apiVersion") or ""
    if said != kind.api_version:
        raise errors.bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {said}, expected: {kind.api_version}"
        )
    definition = definition_of(kind)
    metadata = applied.get("metadata")
    problems = typed_problems(applied, definition) if definition is not None else ""
    if problems:
        found = metadata if isinstance(metadata, dict) else {}
        group, _, version = kind.api_version.rpartition("/")
        subject = f"{found.get('namespace') or ''}/{found.get('name') or ''}; {group}/{version}, Kind={kind.kind}"
        raise ApiError(500, "", f"failed to create typed patch object ({subject}): {problems}")


def delete(api: ApiServer, request: Request, route: Route) -> Written:
    """DELETE of one object."""
    options = delete_options(request)
    resource = route.type.resource
    before = api.require(resource, route.namespace, route.name)
    last = api.delete(resource, route.namespace, route.name, options)
    has_gone = api.store.get(resource, route.namespace, route.name) is None or options.is_dry_run
    if resource in RETURNS_OBJECT_ON_DELETE or not has_gone:
        return Written(last)
    return Written(_deleted(route, before), is_status=True)


def _deleted(route: Route, obj: Object) -> Object:
    details: dict[str, Any] = {"name": route.name}
    if route.type.group:
        details["group"] = route.type.group
    details |= {"kind": route.type.plural, "uid": obj["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def delete_collection(api: ApiServer, request: Request, route: Route) -> tuple[list[Object], str]:
    """DELETE of all selected objects; returns them as they were and the version of the list."""
    options = delete_options(request)
    asked = list_options(request, is_watch=False)
    selection = parse_selection(route.type, asked.label_selector, asked.field_selector)
    found = [obj for obj in selection.candidates(api.store, route.scope) if selection.matches(obj)]
    version = str(api.store.resource_version)
    for obj in found:
        metadata = obj["metadata"]
        try:
            api.delete(route.type.resource, metadata.get("namespace", ""), metadata["name"], options)
        except ApiError as error:
            if error.code != 404:
                raise
    return clone(found), version
