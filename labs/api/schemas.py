"""The published definitions of the built-in kinds: fields, list types, and how lists and maps are patched.

The data (``labs/api/data``) are Kubernetes 1.37's OpenAPI definitions. They are read on first use.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

_REFERENCE = "#/$defs/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True)
class Definition:
    """One type: the schema of an object, of a list's element or of a map's value.

    ``name`` is the name of the Go type, empty for a type without one, ``full_name`` that of its definition.
    Every write walks these types, so each keeps the fields that it was asked for.
    """

    name: str
    schema: Mapping[str, Any] = field(repr=False)
    full_name: str = field(default="", repr=False)
    _fields: dict[str, Field] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has_field(self, key: str) -> bool:
        """Whether the type knows the field ``key``; a map knows every key."""
        return key in self.schema.get("properties", {}) or self.is_map

    @cached_property
    def is_map(self) -> bool:
        """Whether the type is a map, or free in form, rather than a struct."""
        return "properties" not in self.schema

    @cached_property
    def is_atomic(self) -> bool:
        """Whether a value is owned as one; what is kept raw (``data`` of a ControllerRevision) always is."""
        return self.name.endswith("RawExtension") or self.schema.get("x-kubernetes-map-type") == "atomic"

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the fields that have one in the schema."""
        fields = self.schema.get("properties") or {}
        return {key: rule["default"] for key, rule in fields.items() if "default" in rule}

    def find(self, key: str) -> Field | None:
        """The field ``key``, or None where the type has none."""
        if self.is_map:
            return self._value
        found = self._fields.get(key)
        if found is None and key in self.schema["properties"]:
            found = self._fields[key] = Field(self.schema["properties"][key])
        return found

    @cached_property
    def _value(self) -> Field:
        values = self.schema.get("additionalProperties")
        return Field(values if isinstance(values, Mapping) else {})

    def field(self, key: str) -> Field:
        """The field ``key``. Raises ValueError with upstream's text where the type has none."""
        found = self.find(key)
        if found is None:
            raise ValueError(f'unable to find api field in struct {self.name} for the json field "{key}"')
        return found


@dataclass(frozen=True)
class Field:
    """One field of a type, with its patch and merge rules."""

    schema: Mapping[str, Any] = field(repr=False)

    @property
    def patch_strategies(self) -> tuple[str, ...]:
        """``patchStrategy`` of the Go tag: any of merge, replace, retainKeys."""
        strategies: str = self.schema.get("x-kubernetes-patch-strategy", "")
        return tuple(strategies.split(",")) if strategies else ()

    @property
    def patch_merge_key(self) -> str:
        """The field that tells the elements of a merged list apart, or empty."""
        return str(self.schema.get("x-kubernetes-patch-merge-key", ""))

    @cached_property
    def is_atomic(self) -> bool:
        """Whether this place makes a map or struct one that is owned as a whole."""
        return bool(self.schema.get("x-kubernetes-map-type") == "atomic")

    @cached_property
    def list_type(self) -> str:
        """``atomic``, ``set`` or ``map`` (server-side apply); a list without a mark is atomic."""
        return str(self.schema.get("x-kubernetes-list-type", "atomic"))

    @cached_property
    def list_map_keys(self) -> tuple[str, ...]:
        """The fields that tell the elements of a list of type ``map`` apart."""
        return tuple(self.schema.get("x-kubernetes-list-map-keys", ()))

    @cached_property
    def value(self) -> Definition:
        """The type of the field's value."""
        return _resolved(self.schema)

    @cached_property
    def element(self) -> Definition:
        """The type of the elements of a list."""
        return _resolved(_resolved(self.schema).schema.get("items", {}))


@cache
def definitions() -> Mapping[str, Mapping[str, Any]]:
    """Every definition by its full name, for example ``io.k8s.api.apps.v1.Deployment``."""
    packed = files("labs.api.data").joinpath("definitions.json.gz").read_bytes()
    loaded: dict[str, Mapping[str, Any]] = json.loads(gzip.decompress(packed))
    return loaded


def definition(group: str, version: str, kind: str) -> Definition | None:
    """The type of a built-in kind, or None for a kind that has none; the core group is ``""``."""
    name = _names().get((group, version, kind))
    return None if name is None else _named(name)


@cache
def _names() -> Mapping[tuple[str, str, str], str]:
    return {
        (each["group"], each["version"], each["kind"]): name
        for name, schema in definitions().items()
        for each in schema.get("x-kubernetes-group-version-kind", ())
        if name.endswith(f".{each['kind']}")
    }


@cache
def _named(name: str) -> Definition:
    return Definition(name.rpartition(".")[2], definitions()[name], name)


def _resolved(schema: Mapping[str, Any]) -> Definition:
    reference = schema.get("$ref")
    return Definition("", schema) if reference is None else _named(reference.removeprefix(_REFERENCE))


def custom_definition(schema: Mapping[str, Any]) -> Definition:
    """The type of a custom resource: its schema, with the fields that every object has."""
    any_object = definitions()["io.k8s.api.core.v1.ConfigMap"]["properties"]
    common = {key: any_object[key] for key in ("apiVersion", "kind", "metadata")}
    return Definition("", {**schema, "properties": {**(schema.get("properties") or {}), **common}})
