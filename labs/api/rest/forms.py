"""Objects in the form that the client asked for: as they are, as a Table, or only their metadata.

Source: kubernetes/apiserver pkg/endpoints/handlers/response.go (asTable, asPartialObjectMetadata).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from labs import errors
from labs.api.resources import BY_RESOURCE, ResourceType
from labs.api.rest.message import JSON, Request, Response, encode
from labs.api.rest.negotiation import Form
from labs.api.store import Object
from labs.api.tables.custom import render_crd_table
from labs.api.tables.render import render_table
from labs.api.views import to_view

INCLUDES = ("", "None", "Metadata", "Object")


def partial(obj: Object, version: str = "v1") -> Object:
    """The object's ``PartialObjectMetadata``."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def bare(obj: Object) -> Object:
    """An item of a list: without kind and apiVersion."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def typed(kind: ResourceType, obj: Object) -> Object:
    """The object with kind and apiVersion first, as Go prints them."""
    return {"kind": kind.kind, "apiVersion": kind.api_version, **bare(to_view(kind, obj))}


def table(kind: ResourceType, objects: Sequence[Object], now_ns: int, form: Form, include: str) -> Object:
    """A Table of the objects. Raises 400 for an unknown ``includeObject``."""
    if include not in INCLUDES:
        text = f"includeObject: Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise errors.bad_request(f"Unable to convert to Table as requested: {text}")
    if kind.custom is None:
        rendered = render_table(BY_RESOURCE.get(kind.resource, kind).group_version_kind, objects, now_ns)
    else:
        rendered = render_crd_table(kind.custom.columns, objects, now_ns)
    rows = []
    for row, obj in zip(rendered["rows"], objects, strict=True):
        shown: dict[str, Any] = {"cells": row["cells"], "object": None}
        if include == "Object":
            shown["object"] = typed(kind, obj)
        elif include != "None":
            shown["object"] = partial(obj, form.as_version)
        rows.append({**row, **shown})
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{form.as_version}",
        "metadata": {},
        "columnDefinitions": rendered["columnDefinitions"],
        "rows": rows,
    }


def shape(kind: ResourceType, obj: Object, form: Form, request: Request, now_ns: int) -> Object:
    """One object in the wanted form."""
    if form.is_table:
        shown = table(kind, [obj], now_ns, form, request.option("includeObject"))
        shown["metadata"] = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return shown
    if form.is_metadata:
        return partial(obj, form.as_version)
    return typed(kind, obj)


def shape_list(
    kind: ResourceType, objects: Sequence[Object], metadata: dict[str, Any], form: Form, request: Request, now_ns: int
) -> Object:
    """A list in the wanted form."""
    if form.is_table:
        shown = table(kind, objects, now_ns, form, request.option("includeObject"))
        shown["metadata"] = metadata
        return shown
    if form.is_metadata:
        items = [partial(obj, form.as_version) for obj in objects]
        version = f"meta.k8s.io/{form.as_version}"
        return {"kind": "PartialObjectMetadataList", "apiVersion": version, "metadata": metadata, "items": items}
    return {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": [bare(to_view(kind, obj)) for obj in objects],
    }


def respond(obj: Object, form: Form, status: int = 200, warnings: Sequence[str] = ()) -> Response:
    """The answer in JSON or YAML."""
    if form.is_yaml:
        body = yaml.safe_dump(obj, sort_keys=True, allow_unicode=True).encode()
        return Response(status, {"Content-Type": "application/yaml"}, body, tuple(warnings))
    return Response(status, {"Content-Type": JSON}, encode(obj), tuple(warnings))
