"""The defaults and rules of a CustomResourceDefinition itself.

Source: apiextensions-apiserver pkg/apis/apiextensions/{v1/defaults,validation/validation}.go,
pkg/registry/customresourcedefinition/strategy.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from labs.api import names
from labs.api.crds.schema_rules import schema_problems
from labs.api.crds.structural import property_of
from labs.api.objects import at
from labs.api.strategy import FieldError, Object, Strategy, duplicate, forbidden, invalid, not_supported, required

COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MAX_SELECTABLE_FIELDS = 8
PARTS = ("subresources", "schema", "additionalPrinterColumns", "selectableFields")
APPROVED = "api-approved.kubernetes.io"
PROTECTED_GROUPS = ("k8s.io", "kubernetes.io")
REVIEW_VERSIONS = ("v1", "v1beta1")
SELECTABLE = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
)
REMOVED_VERSION = (
    "missing from spec.versions; {0} was previously a storage version, and must remain in spec.versions until a "
    "storage migration ensures no data remains persisted in {0} and removes {0} from status.storedVersions"
)


def storage_version(spec: Mapping[str, Any]) -> str:
    """The name of the version that objects are stored in, empty when none is marked."""
    return next((str(item.get("name")) for item in spec.get("versions") or () if item.get("storage")), "")


def default_definition(obj: Object) -> None:
    """Names that follow from the kind, and the conversion."""
    spec = obj.setdefault("spec", {})
    known = spec["names"] = dict(spec.get("names") or {})
    kind = known.get("kind") or ""
    known["singular"] = known.get("singular") or kind.lower()
    if kind:
        known["listKind"] = known.get("listKind") or f"{kind}List"
    spec["conversion"] = spec.get("conversion") or {"strategy": "None"}
    hook = at(spec, "conversion", "webhook", "clientConfig", "service")
    if isinstance(hook, dict):
        hook.setdefault("port", 443)


def _begin(obj: Object) -> None:
    stored = storage_version(obj["spec"])
    names_not_yet = {"plural": "", "kind": ""}
    obj["status"] = {"conditions": None, "acceptedNames": names_not_yet, "storedVersions": [stored] if stored else None}


def _keep_stored_versions(new: Object, old: Object) -> None:
    stored = storage_version(new["spec"])
    status = dict(new.get("status") or {})
    known = list(status.get("storedVersions") or ())
    if stored and stored not in known:
        new["status"] = {**status, "storedVersions": [*known, stored]}


def validate_definition(obj: Object) -> list[FieldError]:
    """Everything that is wrong with a new definition."""
    spec, name = obj["spec"], obj["metadata"].get("name") or ""
    wanted = f"{at(spec, 'names', 'plural') or ''}.{spec.get('group') or ''}"
    problems: list[FieldError] = []
    if name and name != wanted:
        problems.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    problems += _spec_problems(spec)
    problems += _stored_problems(obj)
    return [*problems, *_approval_problems(obj, None)]


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    problems = list(_spec_problems(new["spec"]))
    conditions = (old.get("status") or {}).get("conditions") or ()
    fixed: list[tuple[str, ...]] = [("group",), ("names", "plural")]
    if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
        fixed = [("scope",), ("names", "kind"), *fixed]
    for path in fixed:
        if at(new["spec"], *path) != at(old["spec"], *path):
            problems.append(invalid(f"spec.{'.'.join(path)}", at(new["spec"], *path), "field is immutable"))
    return [*problems, *_stored_problems(new), *_approval_problems(new, old)]


def _spec_problems(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    group = spec.get("group") or ""
    if not group:
        yield required("spec.group")
    elif names.dns1123_subdomain(group):
        yield invalid("spec.group", group, ",".join(names.dns1123_subdomain(group)))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope") or ""
    if scope not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", scope, ("Cluster", "Namespaced")) if scope else required("spec.scope")
    versions = spec.get("versions") or []
    for index, version in enumerate(versions):
        if at(version, "schema", "openAPIV3Schema") is None:
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema")
    if spec.get("preserveUnknownFields"):
        yield invalid(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        )
    whole, parts = _hoisted(versions)
    for index, version in enumerate(parts):
        yield from _label_problems(version, f"spec.versions[{index}]")
        has_status = at(versions[index], "subresources", "status") is not None
        yield from _part_problems(version, f"spec.versions[{index}]", "schema", has_status=has_status)
    found = [version.get("name") for version in versions]
    if len(set(found)) < len(found):
        yield invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid("spec.versions", versions, "must have exactly one version marked as storage version")
    first = (versions[0].get("name") or "") if versions else ""
    if first and names.dns1035_label(first):
        yield invalid("spec.version", first, ",".join(names.dns1035_label(first)))
    yield from _name_problems(spec["names"])
    has_status = any(at(version, "subresources", "status") is not None for version in versions)
    yield from _part_problems(whole, "spec", "validation", has_status=has_status)
    yield from _conversion_problems(spec["conversion"], "spec.conversion")


def _name_problems(found: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in ("plural", "singular", "kind", "listKind"):
        if not found.get(key):
            yield required(f"spec.names.{key}")
    for key in ("plural", "singular"):
        wrong = names.dns1035_label(found.get(key) or "x")
        if wrong:
            yield invalid(f"spec.names.{key}", found[key], ",".join(wrong))
    for key in ("kind", "listKind"):
        wrong = names.dns1035_label((found.get(key) or "x").lower())
        if wrong:
            text = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            yield invalid(f"spec.names.{key}", found[key], text)
    for key in ("shortNames", "categories"):
        for index, name in enumerate(found.get(key) or ()):
            if names.dns1035_label(name):
                yield invalid(f"spec.names.{key}[{index}]", name, ",".join(names.dns1035_label(name)))
    if found.get("kind") and found["kind"] == found.get("listKind"):
        yield invalid("spec.names.listKind", found["listKind"], "kind and listKind may not be the same")


def _hoisted(versions: list[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What all versions have alike, and each version without it: upstream's internal type holds that once.

    Source: pkg/apis/apiextensions/v1/conversion.go.
    """
    alike = {
        key: versions[0].get(key)
        for key in PARTS
        if versions and all(version.get(key) == versions[0].get(key) for version in versions)
    }
    return alike, [{key: value for key, value in version.items() if key not in alike} for version in versions]


def _label_problems(version: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    name = version.get("name") or ""
    if names.dns1035_label(name):
        yield invalid(f"{path}.name", name, ",".join(names.dns1035_label(name)))
    warning = version.get("deprecationWarning")
    if warning is not None and not version.get("deprecated"):
        yield invalid(f"{path}.deprecationWarning", warning, "can only be set for deprecated versions")
    elif warning is not None and not 0 < len(warning) <= 256:
        text = "must be <= 256 characters long" if warning else "must not be an empty string"
        yield invalid(f"{path}.deprecationWarning", warning, text)


def _part_problems(holder: Mapping[str, Any], path: str, schema_key: str, *, has_status: bool) -> Iterator[FieldError]:
    """The schema, subresources, columns and fields of a version, or of all of them."""
    schema = at(holder, "schema", "openAPIV3Schema")
    if schema is not None:
        yield from schema_problems(schema, f"{path}.{schema_key}.openAPIV3Schema", has_status=has_status)
    scale = at(holder, "subresources", "scale")
    if scale is not None:
        yield from _scale_problems(scale, f"{path}.subresources.scale")
    for index, column in enumerate(holder.get("additionalPrinterColumns") or ()):
        yield from _column_problems(column, f"{path}.additionalPrinterColumns[{index}]")
    if holder.get("selectableFields"):
        yield from _selectable_problems(holder["selectableFields"], schema or {}, f"{path}.selectableFields")


def _scale_problems(scale: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for key, roots in (("specReplicasPath", (".spec.",)), ("statusReplicasPath", (".status.",))):
        said = scale.get(key) or ""
        if not said:
            yield required(f"{path}.{key}")
        elif not said.startswith("."):
            yield invalid(f"{path}.{key}", said, "must be a simple json path starting with .")
        elif not said.startswith(roots):
            yield invalid(f"{path}.{key}", said, f"should be a json path under {roots[0][:-1]}")
    said = scale.get("labelSelectorPath") or ""
    if said and not said.startswith("."):
        yield invalid(f"{path}.labelSelectorPath", said, "must be a simple json path starting with .")
    elif said and not said.startswith((".spec.", ".status.")):
        yield invalid(f"{path}.labelSelectorPath", said, "should be a json path under either .spec or .status")


def _column_problems(column: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield required(f"{path}.name")
    known = f"must be one of {','.join(COLUMN_TYPES)}"
    if not column.get("type"):
        yield required(f"{path}.type", known)
    elif column["type"] not in COLUMN_TYPES:
        yield invalid(f"{path}.type", column["type"], known)
    if column.get("format") and column["format"] not in COLUMN_FORMATS:
        yield invalid(f"{path}.format", column["format"], f"must be one of {','.join(COLUMN_FORMATS)}")
    said = column.get("jsonPath") or ""
    if not said:
        yield required(f"{path}.JSONPath")
    elif not said.startswith("."):
        yield invalid(f"{path}.JSONPath", said, "must be a simple json path starting with .")


def _selectable_problems(fields: list[Mapping[str, Any]], schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, field in enumerate(fields):
        here, said = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not said:
            yield required(here)
            continue
        found: Mapping[str, Any] | None = schema
        for key in said.removeprefix(".").split("."):
            found = property_of(found, key)
        if found is None or not said.startswith("."):
            yield invalid(here, said, "is an invalid path: does not refer to a valid field")
            continue
        if said.startswith(".metadata"):
            yield invalid(here, said, "must not point to fields in metadata")
        if found.get("type") not in ("string", "boolean", "integer"):
            yield invalid(here, said, SELECTABLE)
        if said in seen:
            yield duplicate(here, said)
        seen.add(said)
    if len(seen) > MAX_SELECTABLE_FIELDS:
        text = f"Too many: {len(seen)}: must have at most {MAX_SELECTABLE_FIELDS} items"
        yield FieldError("FieldValueTooMany", path, text)


def _conversion_problems(conversion: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    strategy, hook = conversion.get("strategy") or "", conversion.get("webhook")
    if strategy not in ("None", "Webhook"):
        known = ("None", "Webhook")
        yield not_supported(f"{path}.strategy", strategy, known) if strategy else required(f"{path}.strategy")
    if strategy != "Webhook":
        if hook:
            yield forbidden(f"{path}.webhookClientConfig", "should not be set when strategy is not set to Webhook")
        return
    client = (hook or {}).get("clientConfig")
    if client is None:
        yield required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
    elif bool(client.get("url")) == bool(client.get("service")):
        yield required(f"{path}.webhookClientConfig", "exactly one of url or service is required")
    reviews = (hook or {}).get("conversionReviewVersions") or []
    if not reviews:
        yield required(f"{path}.conversionReviewVersions")
    elif not set(reviews) & set(REVIEW_VERSIONS):
        text = f"must include at least one of {', '.join(REVIEW_VERSIONS)}"
        yield invalid(f"{path}.conversionReviewVersions", reviews, text)


def _stored_problems(obj: Object) -> Iterator[FieldError]:
    path, stored = "status.storedVersions", (obj.get("status") or {}).get("storedVersions") or []
    if not stored:
        yield invalid(path, None, "must have at least one stored version")
        return
    known = [version.get("name") for version in obj["spec"].get("versions") or ()]
    current = storage_version(obj["spec"])
    if current and current not in stored:
        yield invalid(path, stored, f"must have the storage version {current}")
    for index, name in enumerate(stored):
        if name not in known:
            yield invalid(f"{path}[{index}]", name, REMOVED_VERSION.format(name))


def _approval(obj: Object) -> tuple[str, str]:
    said = (obj["metadata"].get("annotations") or {}).get(APPROVED, "")
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not said:
        return "missing", f'protected groups must have approval annotation "{APPROVED}", {see}'
    parts = urlsplit(said)
    if said.startswith("unapproved") or (parts.scheme and parts.netloc):
        return "approved", ""
    how = 'with either a URL or a reason starting with "unapproved"'
    return "invalid", f'protected groups must have approval annotation "{APPROVED}" {how}, {see}'


def _approval_problems(new: Object, old: Object | None) -> list[FieldError]:
    """Groups of the Kubernetes community need an approval."""
    group = new["spec"].get("group") or ""
    if not any(group == name or group.endswith(f".{name}") for name in PROTECTED_GROUPS):
        return []
    state, reason = _approval(new)
    if state == "approved" or (old is not None and _approval(old)[0] == state):
        return []
    field = f"metadata.annotations[{APPROVED}]"
    if state == "missing":
        return [required(field, reason)]
    return [invalid(field, new["metadata"]["annotations"][APPROVED], reason)]


CUSTOM_RESOURCE_DEFINITION = Strategy(
    default=default_definition,
    prepare_for_create=_begin,
    prepare_for_update=_keep_stored_versions,
    validate=validate_definition,
    validate_update=_validate_update,
    is_ratcheting=True,
)
