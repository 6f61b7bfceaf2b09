"""/openapi/v3: what kubectl needs to validate, apply and explain, made from the published definitions.

Source: kubernetes/kube-openapi pkg/handler3; kubectl's use of it: kubernetes/kubectl pkg/cmd/{apply,explain}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from labs.api.resources import ResourceType
from labs.api.rest.message import Response, answer, encode
from labs.api.rest.routes import GroupVersion
from labs.api.schemas import OBJECT_META, definitions

PREFIX = "#/$defs/"
PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
WRITE_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]

Served = Mapping[GroupVersion, Mapping[str, ResourceType]]


def path_of(version: GroupVersion) -> str:
    """``api/v1`` or ``apis/<group>/<version>``."""
    return f"api/{version[1]}" if not version[0] else f"apis/{version[0]}/{version[1]}"


def respond(parts: list[str], served: Served) -> Response | None:
    """The index, or the document of a group version; None for any other path."""
    if not parts:
        paths = {}
        for version, types in served.items():
            paths[path_of(version)] = {"serverRelativeURL": f"/openapi/v3/{path_of(version)}?hash={_seal(types)}"}
        return answer({"paths": paths})
    for version, types in served.items():
        if parts == path_of(version).split("/"):
            return Response(200, {"Content-Type": "application/json"}, _document(version, tuple(types.values())))
    return None


def _seal(types: Mapping[str, ResourceType]) -> str:
    """A text that changes when the document does: with its kinds, and with the schemas of custom ones."""
    schemas = [json.dumps(kind.custom.schema, sort_keys=True) for kind in types.values() if kind.custom is not None]
    return sha256("\n".join([*sorted(types), *schemas]).encode()).hexdigest()[:32].upper()


def respond_v2(accept: str, served: Served) -> Response:
    """/openapi/v2: every type in JSON.

    In protobuf none: kubectl asks it for what v3 lacks, and then says that there is no such kind. The form is
    gnostic's OpenAPIv2.Document (1: swagger, 2: info {1: title, 2: version}, 8: paths).
    """
    if "proto-openapi.spec.v2" not in accept:
        kinds = tuple((version, tuple(types.values())) for version, types in served.items())
        return Response(200, {"Content-Type": "application/json"}, _document_v2(kinds))
    return Response(200, {"Content-Type": V2_PROTOBUF}, b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.37.2\x42\x00")


@lru_cache(maxsize=1)
def _document_v2(served: tuple[tuple[GroupVersion, tuple[ResourceType, ...]], ...]) -> bytes:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for version, kinds in served:
        for kind in kinds:
            name = _put_schema(kind, schemas)
            reference = {"$ref": f"#/definitions/{name}"} if name else {"type": "object"}
            for path, methods in _paths(version, kind, name).items():
                paths[path] = {method: _as_v2(rules, reference) for method, rules in methods.items()}
    text = json.dumps(schemas).replace("#/components/schemas/", "#/definitions/")
    return encode(
        {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "v1.37.2"},
            "paths": paths,
            "definitions": json.loads(text),
        }
    )


def _as_v2(rules: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [{"name": item["name"], "in": "query", "type": "string"} for item in rules.get("parameters", ())]
    if "requestBody" in rules:
        body = {"type": "object"} if rules["x-kubernetes-action"] == "patch" else reference
        parameters.append({"name": "body", "in": "body", "required": True, "schema": body})
    return {
        "x-kubernetes-action": rules["x-kubernetes-action"],
        "x-kubernetes-group-version-kind": rules["x-kubernetes-group-version-kind"],
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "schema": reference}},
    }


@lru_cache(maxsize=256)
def _document(version: GroupVersion, types: tuple[ResourceType, ...]) -> bytes:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind in types:
        name = _put_schema(kind, schemas)
        paths |= _paths(version, kind, name)
    return encode(
        {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "v1.37.2"},
            "paths": paths,
            "components": {"schemas": schemas},
        }
    )


@cache
def _names() -> dict[tuple[str, str, str], str]:
    return {
        (each["group"], each["version"], each["kind"]): name
        for name, schema in definitions().items()
        for each in schema.get("x-kubernetes-group-version-kind", ())
        if name.endswith(f".{each['kind']}")
    }


def _put_schema(kind: ResourceType, schemas: dict[str, Any]) -> str | None:
    """Add a kind's type, and all that it refers to; its name, or None for a kind that has no type."""
    if kind.custom is None:
        name = _names().get(kind.group_version_kind)
        if name is not None:
            _collect(name, schemas)
        return name
    name = ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
    _collect(OBJECT_META, schemas)
    identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    schemas[name] = _published({**kind.custom.definition.schema, "x-kubernetes-group-version-kind": [identity]})
    return name


def _published(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as the server publishes it; our data say of each kind what its apiVersion and kind must be."""
    raw = json.dumps(schema).replace(PREFIX, "#/components/schemas/")
    published: dict[str, Any] = _converted(json.loads(raw))
    if "x-kubernetes-group-version-kind" in published:
        for key in ("apiVersion", "kind"):
            published.get("properties", {}).get(key, {}).pop("enum", None)
    return published


def _collect(name: str, schemas: dict[str, Any]) -> None:
    """Put a definition, and all that it refers to, in the form of OpenAPI v3."""
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in schemas:
            continue
        schemas[each] = _published(definitions()[each])
        waiting += sorted(_references(schemas[each]))


def _references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return {name for item in schema for name in _references(item)}
    if not isinstance(schema, dict):
        return set()
    found = {name for item in schema.values() for name in _references(item)}
    if isinstance(schema.get("$ref"), str):
        found.add(schema["$ref"].rpartition("/")[2])
    return found


def _converted(schema: Any) -> Any:
    """JSON Schema as OpenAPI v3 writes it: one type, no null, references wrapped so that they keep their text."""
    if isinstance(schema, list):
        return [_converted(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _converted(value) for key, value in schema.items() if key != "$schema"}
    types = result.get("type")
    if isinstance(types, list):
        kept = [name for name in types if name != "null"]
        result["type"] = kept[0]
    if "$ref" in result and len(result) > 1:
        reference = result.pop("$ref")
        result["allOf"] = [{"$ref": reference}]
    return result


def _paths(version: GroupVersion, kind: ResourceType, name: str | None) -> dict[str, Any]:
    scope = "namespaces/{namespace}/" if kind.is_namespaced else ""
    base = f"/{path_of(version)}/{scope}{kind.plural}"
    identity = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    schema = {"$ref": f"#/components/schemas/{name}"} if name else {"type": "object"}
    common = {
        "x-kubernetes-group-version-kind": identity,
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
    }
    body = {"content": {"*/*": {"schema": schema}}}
    has_strategic = name is not None and kind.custom is None
    patches = [media for media in PATCH_TYPES if has_strategic or "strategic" not in media]
    patch_body = {"content": {media: {"schema": {"type": "object"}} for media in patches}}
    collection: dict[str, Any] = {"get": {**common, "x-kubernetes-action": "list"}}
    single: dict[str, Any] = {"get": {**common, "x-kubernetes-action": "get"}}
    if "create" in kind.verbs:
        collection["post"] = {
            **common,
            "x-kubernetes-action": "post",
            "parameters": WRITE_PARAMETERS,
            "requestBody": body,
        }
        single["put"] = {**common, "x-kubernetes-action": "put", "parameters": WRITE_PARAMETERS, "requestBody": body}
        single["patch"] = {
            **common,
            "x-kubernetes-action": "patch",
            "parameters": WRITE_PARAMETERS,
            "requestBody": patch_body,
        }
        single["delete"] = {**common, "x-kubernetes-action": "delete"}
    return {base: collection, f"{base}/{{name}}": single}
