"""What may stand in the schema of a CustomResourceDefinition.

Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go
(ValidateCustomResourceDefinitionOpenAPISchema) and pkg/apiserver/schema/defaulting/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labs.api.crds.structural import (
    LIST_MAP_KEYS,
    LIST_TYPE,
    MAP_TYPE,
    META_FIELDS,
    PRESERVES,
    RULES,
    Schema,
    items_of,
    prune,
)
from labs.api.crds.structural_rules import structural_problems
from labs.api.crds.values import validate_value
from labs.api.objects import clone
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
LIST_TYPES, MAP_TYPES = ("atomic", "set", "map"), ("atomic", "granular")
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
STATUS_ROOT_WORDS = (
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "example",
    PRESERVES,
    RULES,
)
"""What the root may say beside a status subresource."""
ROOT_FIELDS = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations]"
)
UNIQUE = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
NO_DEFAULT = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
NO_NULL = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"


def schema_problems(schema: Schema, path: str, *, has_status: bool) -> list[FieldError]:
    """Everything that is wrong with ``openAPIV3Schema``, which is at ``path``."""
    problems: list[FieldError] = []
    if has_status:
        problems += _root_problems(schema, path)
    if schema.get("nullable"):
        problems.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    found = structural_problems(schema, path)
    problems += found or list(_default_problems(schema, path, is_root=True))
    return [*problems, *_words(schema, path, is_root=True)]


def _root_problems(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("type") not in (None, "", "object"):
        text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        yield invalid(f"{path}.type", schema["type"], text)
    elif any(said and word not in STATUS_ROOT_WORDS for word, said in schema.items()):
        text = f"only {ROOT_FIELDS} fields are allowed at the root of the schema if the status subresource is enabled"
        yield invalid(path, schema, text)


def _default_problems(schema: Schema, path: str, *, is_root: bool = False) -> Iterator[FieldError]:
    default = schema.get("default")
    if default is not None:
        pruned = clone(default)
        if prune({"value": pruned}, {"type": "object", "properties": {"value": schema}}):
            yield invalid(f"{path}.default", default, "must not have unknown fields")
        yield from validate_value(default, schema, f"{path}.default")
    items = items_of(schema)
    if items is not None:
        yield from _default_problems(items, f"{path}.items")
    for key, below in (schema.get("properties") or {}).items():
        if not (is_root and key in META_FIELDS):
            yield from _default_problems(below, f"{path}.properties[{key}]")


def _words(schema: Schema, path: str, *, is_root: bool = False, no_default: str = "") -> Iterator[FieldError]:
    kind = schema.get("type") or ""
    if kind and kind not in TYPES:
        yield not_supported(f"{path}.type", kind, TYPES)
    if schema.get("default") is not None and no_default:
        yield forbidden(f"{path}.default", f"must not be set {no_default}")
    for word in UNSUPPORTED:
        if schema.get(word):
            yield forbidden(f"{path}.{word}", f"{word} is not supported")
    if kind == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("uniqueItems"):
        yield forbidden(f"{path}.uniqueItems", UNIQUE)
    yield from _inner_words(schema, path, is_root=is_root, no_default=no_default)
    yield from _mark_problems(schema, kind, path)
    yield from _rule_problems(schema.get(RULES) or (), f"{path}.{RULES}")


def _inner_words(schema: Schema, path: str, *, is_root: bool, no_default: str) -> Iterator[FieldError]:
    further, named = schema.get("additionalProperties"), schema.get("properties") or {}
    if further is not None and named and further is not True:
        text = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", text)
    if isinstance(further, Mapping):
        yield from _words(further, f"{path}.additionalProperties", no_default=no_default)
    for key, below in named.items():
        told = f"in top-level {key}" if is_root and key in META_FIELDS else no_default
        yield from _words(below, f"{path}.properties[{key}]", no_default=told)
    if schema.get("not") is not None:
        yield from _words(schema["not"], f"{path}.not")
    for word in ("allOf", "oneOf", "anyOf"):
        for index, each in enumerate(schema.get(word) or ()):
            yield from _words(each, f"{path}.{word}[{index}]")
    items = items_of(schema)
    if items is not None:
        yield from _words(items, f"{path}.items", no_default=no_default)


def _mark_problems(schema: Schema, kind: str, path: str) -> Iterator[FieldError]:
    """The marks of Kubernetes: how unknown fields, maps and lists are treated."""
    if schema.get(PRESERVES) is False:
        yield invalid(f"{path}.{PRESERVES}", False, "must be true or undefined")
    for mark, wanted, known in ((MAP_TYPE, "object", MAP_TYPES), (LIST_TYPE, "array", LIST_TYPES)):
        said = schema.get(mark)
        if said is None:
            continue
        if kind != wanted:
            text = f"must be {wanted} if {mark} is specified"
            yield invalid(f"{path}.type", kind, text) if kind else required(f"{path}.type", text)
        elif said == "set":
            yield from _set_problems(items_of(schema) or {}, f"{path}.items")
        if said not in known:
            yield not_supported(f"{path}.{mark}", said, known)
    keys = schema.get(LIST_MAP_KEYS) or []
    if keys and schema.get(LIST_TYPE) != "map":
        text = f"must be map if {LIST_MAP_KEYS} is non-empty"
        said = schema.get(LIST_TYPE)
        yield required(f"{path}.{LIST_TYPE}", text) if said is None else invalid(f"{path}.{LIST_TYPE}", said, text)
    if schema.get(LIST_TYPE) in ("set", "map"):
        yield from _map_problems(schema, keys, path)


def _set_problems(items: Schema, path: str) -> Iterator[FieldError]:
    text = f"must be atomic as item of a list with {LIST_TYPE}=set"
    if items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"):
        yield invalid(f"{path}.{LIST_TYPE}", items[LIST_TYPE], text)
    if items.get("type") == "object" and items.get(MAP_TYPE) != "atomic":
        yield invalid(f"{path}.{MAP_TYPE}", items.get(LIST_TYPE), text)


def _map_problems(schema: Schema, keys: list[str], path: str) -> Iterator[FieldError]:
    items = items_of(schema)
    if schema[LIST_TYPE] == "map":
        if not keys:
            yield required(f"{path}.{LIST_MAP_KEYS}", f"must not be empty if {LIST_TYPE} is map")
        if items is None:
            yield required(f"{path}.items", f"must have a schema if {LIST_TYPE} is map")
        elif items.get("type") != "object":
            text = f"must be object if parent array's {LIST_TYPE} is map"
            yield invalid(f"{path}.items.type", items.get("type") or "", text)
        else:
            yield from _key_problems(items, keys, path)
    if items is not None and items.get("nullable"):
        text = f"cannot be nullable when {LIST_TYPE} is {schema[LIST_TYPE]}"
        yield forbidden(f"{path}.items.nullable", text)


def _key_problems(items: Schema, keys: list[str], path: str) -> Iterator[FieldError]:
    named: Mapping[str, Any] = items.get("properties") or {}
    for index, key in enumerate(keys):
        place = f"{path}.items.properties[{key}]"
        found = named.get(key)
        if found is None:
            yield invalid(f"{path}.{LIST_MAP_KEYS}", keys, "entries must all be names of item properties")
        elif found.get("type") in ("array", "object"):
            text = f"must be a scalar type if parent array's {LIST_TYPE} is map"
            yield invalid(f"{place}.type", items["type"], text)
        if key in keys[:index]:
            yield invalid(f"{path}.{LIST_MAP_KEYS}", keys, "must not contain duplicate entries")
        if found is not None and key not in (items.get("required") or ()) and found.get("default") is None:
            yield required(f"{place}.default", NO_DEFAULT)
        if found is not None and found.get("nullable"):
            yield forbidden(f"{place}.nullable", NO_NULL)


def _rule_problems(rules: Any, path: str) -> Iterator[FieldError]:
    """What can be said of a rule without evaluating it."""
    for index, rule in enumerate(rules):
        here, message = f"{path}[{index}]", rule.get("message") or ""
        text = (rule.get("rule") or "").strip()
        if not text:
            yield required(f"{here}.rule", "rule is not specified")
        elif message and not message.strip():
            yield invalid(f"{here}.message", message, "must be non-empty if specified")
        elif "\n" in message.strip():
            yield invalid(f"{here}.message", message, "must not contain line breaks")
        elif "\n" in text and not message:
            yield required(f"{here}.message", "message must be specified if rule contains line breaks")
        if rule.get("reason") is not None and rule["reason"] not in REASONS:
            yield not_supported(f"{here}.reason", rule["reason"], REASONS)
