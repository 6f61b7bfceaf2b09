"""From a CustomResourceDefinition to the resource types that it has served, and their rules.

Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go and
pkg/registry/customresource/{strategy,validator}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labs.api.crds.definition_rules import storage_version
from labs.api.crds.structural import EMBEDDED, Schema, drop_nulls, fill_defaults, items_of, prune, repeated_items
from labs.api.crds.values import NO_FIELD, validate_value
from labs.api.objects import at, clone
from labs.api.resources import CustomKind, ResourceType
from labs.api.schemas import custom_definition
from labs.api.store import Object
from labs.api.strategy import FieldError, Strategy, invalid, required

INT32_MAX = 2**31 - 1
BLOCKING = (
    "FieldValueNotSupported",
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
"""Problems that leave the rules of a definition unchecked."""
UNCHECKED = FieldError(
    "FieldValueInvalid",
    NO_FIELD,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def condition_of(obj: Object, type_name: str) -> dict[str, Any] | None:
    """One of the conditions of a definition."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item["type"] == type_name), None)


def is_true(obj: Object, type_name: str) -> bool:
    """Whether a condition of a definition is true."""
    return (condition_of(obj, type_name) or {}).get("status") == "True"


def resource_types(definition: Object) -> list[ResourceType]:
    """The types of a definition's versions, that in which objects are stored first."""
    spec, accepted = definition["spec"], definition["status"]["acceptedNames"]
    stored = storage_version(spec)
    versions = sorted(spec["versions"], key=lambda version: str(version["name"]) != stored)
    return [
        ResourceType(
            spec["group"],
            version["name"],
            accepted["kind"],
            accepted["plural"],
            is_namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(accepted.get("shortNames") or ()),
            categories=tuple(accepted.get("categories") or ()),
            subresources=tuple(key for key in ("status", "scale") if at(version, "subresources", key) is not None),
            has_generation=True,
            allows_unconditional_update=False,
            custom=_custom_kind(definition, version),
        )
        for version in versions
    ]


def _custom_kind(definition: Object, version: Mapping[str, Any]) -> CustomKind:
    spec, accepted = definition["spec"], definition["status"]["acceptedNames"]
    schema = at(version, "schema", "openAPIV3Schema") or {}
    unsaid = f"{spec['group']}/{version['name']} {accepted['kind']} is deprecated"
    return CustomKind(
        schema,
        custom_definition(schema),
        accepted.get("singular") or "",
        accepted.get("listKind") or "",
        tuple(version.get("additionalPrinterColumns") or ()),
        at(version, "subresources", "scale"),
        tuple(item["jsonPath"].removeprefix(".") for item in version.get("selectableFields") or ()),
        (version.get("deprecationWarning") or unsaid) if version.get("deprecated") else "",
        bool(version.get("served")),
        is_true(definition, "Terminating"),
    )


def as_read(kind: ResourceType, obj: Object) -> Object:
    """A stored custom resource as this version shows it: pruned and with the defaults of today's schema."""
    assert kind.custom is not None
    shown: Object = clone(obj)
    prune(shown, kind.custom.schema)
    _default(kind.custom.schema, shown)
    return shown


def _default(schema: Schema, obj: Object) -> None:
    drop_nulls(obj, schema)
    fill_defaults(obj, schema)


Rules = Callable[[Object, Object | None], Iterable[FieldError]]
"""What stands in for the CEL of a definition: what is wrong with an object, and with it after the old one."""


def strategy_of(kind: ResourceType, rules: Rules | None = None) -> Strategy:
    """The rules of one version of a custom resource, and those that stand in for its CEL."""
    assert kind.custom is not None
    custom, has_status = kind.custom, "status" in kind.subresources
    schema = custom.schema
    status_schema = (schema.get("properties") or {}).get("status") or {}

    def prepare(obj: Object) -> None:
        if has_status:
            obj.pop("status", None)

    def with_rules(problems: list[FieldError], new: Object, old: Object | None) -> list[FieldError]:
        if rules is None:
            return problems
        if any(problem.reason in BLOCKING for problem in problems):
            return [*problems, UNCHECKED]
        return [*problems, *rules(new, old)]

    def validate(obj: Object) -> list[FieldError]:
        problems = [
            *validate_value(obj, schema),
            *_scale_problems(custom.scale, obj),
            *_embedded_problems(obj, schema, "", is_root=True),
            *repeated_items(obj, schema),
        ]
        return with_rules(problems, obj, None)

    def validate_update(new: Object, old: Object) -> list[FieldError]:
        problems = [
            *validate_value(new, schema, old=old),
            *_scale_problems(custom.scale, new),
            *_embedded_problems(new, schema, "", is_root=True),
            *(repeated_items(new, schema) if not repeated_items(old, schema) else ()),
        ]
        return with_rules(problems, new, old)

    def validate_status(new: Object, old: Object) -> list[FieldError]:
        problems = (
            [] if "status" not in new else validate_value(new["status"], status_schema, "status", old.get("status"))
        )
        return [*problems, *_scale_problems(custom.scale, new, keys=("statusReplicasPath",))]

    return Strategy(
        default=lambda obj: _default(schema, obj),
        prepare_for_create=prepare,
        validate=validate,
        validate_update=validate_update,
        validate_status=validate_status,
        is_ratcheting=True,
    )


def _scale_problems(
    scale: Mapping[str, str] | None, obj: Object, keys: tuple[str, ...] = ("specReplicasPath", "statusReplicasPath")
) -> list[FieldError]:
    problems = []
    for key in keys if scale else ():
        path = (scale or {})[key]
        value = at(obj, *path.removeprefix(".").split("."))
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if value < 0:
            problems.append(invalid(path, value, "should be a non-negative integer"))
        elif value > INT32_MAX:
            problems.append(invalid(path, value, f"should be less than or equal to {INT32_MAX}"))
    return problems


def _embedded_problems(value: Any, schema: Schema | None, path: str, *, is_root: bool = False) -> list[FieldError]:
    """An object within an object needs a kind and an apiVersion (schema/objectmeta/validation.go)."""
    problems: list[FieldError] = []
    if schema is None:
        return problems
    if isinstance(value, list):
        for index, item in enumerate(value):
            problems += _embedded_problems(item, items_of(schema), f"{path}[{index}]")
    if not isinstance(value, dict):
        return problems
    if schema.get(EMBEDDED) and not is_root:
        problems += [
            required(f"{path}.{key}", "must not be empty") for key in ("apiVersion", "kind") if not value.get(key)
        ]
    for key, below in (schema.get("properties") or {}).items():
        if key in value:
            problems += _embedded_problems(value[key], below, f"{path}.{key}" if path else key)
    further = schema.get("additionalProperties")
    if isinstance(further, Mapping):
        for key in sorted(value):
            problems += _embedded_problems(value[key], further, f"{path}[{key}]")
    return problems
