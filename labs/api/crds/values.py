"""Whether a value fits its schema, in the words of the real server.

Source: kube-openapi pkg/validation/validate and pkg/validation/errors; apiextensions-apiserver
pkg/apiserver/validation/{validation,ratcheting}.go. Rules in CEL are not evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labs.api.crds import formats
from labs.api.crds.go_regexp import compiled
from labs.api.crds.structural import INT_OR_STRING, Schema, item_key, items_of
from labs.api.gojson import is_identical, printed
from labs.api.strategy import FieldError, invalid, not_supported, required, too_long

ABSENT: Any = object()
"""The old value where there is none to compare with."""

NO_FIELD = "<nil>"
"""The field of a problem that upstream tells without one."""

INT32_RANGE = range(-(2**31), 2**31)
INT64_RANGE = range(-(2**63), 2**63)


@dataclass(slots=True)
class Findings:
    """Problems, and how many checks were made: the alternative with most checks is the one to complain of."""

    problems: list[FieldError] = field(default_factory=list)
    checks: int = 0

    def merge(self, other: Findings) -> None:
        """Take in what another has found."""
        self.problems += other.problems
        self.checks += other.checks


def validate_value(value: Any, schema: Schema, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """What is wrong with a value. What was so before (``old``) is let pass."""
    return _checked(value, schema, path, old).problems


def _checked(value: Any, schema: Schema, path: str, old: Any) -> Findings:
    found = Findings()
    if old is not ABSENT and is_identical(value, old):
        return found
    found.checks = 1
    found.problems += _type_problems(value, schema, path)
    if value is None:
        return found
    found.merge(_alternatives(value, schema, path))
    check = _BY_TYPE.get(type(value))
    if check is not None:
        found.merge(check(value, schema, path, old))
    choices = schema.get("enum")
    if choices and not any(_is_choice(value, choice) for choice in choices):
        shown = [choice if isinstance(choice, str) else json.dumps(choice, separators=(",", ":")) for choice in choices]
        found.problems.append(not_supported(path, value, shown))
    return found


def _is_choice(value: Any, choice: Any) -> bool:
    return is_identical(value, choice) or (
        isinstance(value, (int, float)) and not isinstance(value, bool) and type(choice) is not bool and value == choice
    )


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get(INT_OR_STRING):
        return "integer", "string"
    return (schema["type"],) if schema.get("type") else ()


_TYPE_NAMES: tuple[tuple[type, str, str], ...] = (
    (bool, "boolean", ""),
    (str, "string", ""),
    (int, "integer", "int64"),
    (float, "number", "float64"),
    (list, "array", ""),
    (dict, "object", ""),
)


def _type_problems(value: Any, schema: Schema, path: str) -> list[FieldError]:
    types = _types(schema)
    if value is None:
        return [] if not types or schema.get("nullable") else [_wrong_type(path, types, "null")]
    name, own_format = next((name, form) for kind, name, form in _TYPE_NAMES if isinstance(value, kind))
    format_name = _checked_format(schema)
    is_whole = isinstance(value, float) and value.is_integer() and "integer" in types
    fits = name in types or is_whole or (name == "integer" and "number" in types)
    if format_name and name not in ("string", "array") and not fits and format_name != own_format:
        return [_wrong_type(path, (format_name,), own_format)]
    if format_name and name in ("string", "array") and not {"number", "integer"} & set(types):
        return []
    return [] if not types or fits else [_wrong_type(path, types, name)]


def _wrong_type(path: str, types: tuple[str, ...], found: str) -> FieldError:
    wanted = f"{path} in body must be of type {','.join(types)}"
    detail = f'{wanted}: "{found}"' if found else wanted
    return FieldError("FieldValueTypeInvalid", path, f'Invalid value: "{found}": {detail}')


def _checked_format(schema: Schema) -> str:
    name = str(schema.get("format") or "")
    return name if name and formats.is_checked(name, str(schema.get("type") or "")) else ""


def _untold(message: str) -> FieldError:
    return invalid(NO_FIELD, "", message)


def _alternatives(value: Any, schema: Schema, path: str) -> Findings:
    """``anyOf``, ``oneOf``, ``allOf`` and ``not``."""
    found = Findings()
    _any_of(value, schema.get("anyOf") or (), path, found)
    _one_of(value, schema.get("oneOf") or (), path, found)
    results = [_checked(value, each, path, ABSENT) for each in schema.get("allOf") or ()]
    for result in results:
        found.merge(result)
    failed = sum(bool(result.problems) for result in results)
    if failed:
        more = ". None validated" if failed == len(results) else ""
        found.problems.append(_untold(f'"{path}" must validate all the schemas (allOf){more}'))
    if schema.get("not") is not None and not _checked(value, schema["not"], path, ABSENT).problems:
        found.problems.append(_untold(f'"{path}" must not validate the schema (not)'))
    return found


def _any_of(value: Any, schemas: Any, path: str, found: Findings) -> None:
    results = [_checked(value, each, path, ABSENT) for each in schemas]
    if results and all(result.problems for result in results):
        found.problems.append(_untold(f'"{path}" must validate at least one schema (anyOf)'))
        found.merge(max(results, key=lambda result: result.checks))


def _one_of(value: Any, schemas: Any, path: str, found: Findings) -> None:
    results = [_checked(value, each, path, ABSENT) for each in schemas]
    valid = sum(not result.problems for result in results)
    if not results or valid == 1:
        return
    how = f"Found {valid} valid alternatives" if valid else "Found none valid"
    found.problems.append(_untold(f'"{path}" must validate one and only one schema (oneOf). {how}'))
    if not valid:
        found.merge(max(results, key=lambda result: result.checks))


def _string(value: str, schema: Schema, path: str, old: Any) -> Findings:
    found = Findings(checks=1)
    most, least, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if most is not None and len(value) > most:
        found.problems.append(too_long(path, most))
    elif least is not None and len(value) < least:
        found.problems.append(invalid(path, value, f"{path} in body should be at least {least} chars long"))
    elif pattern and not _matches(pattern, value):
        found.problems.append(invalid(path, value, f"{path} in body should match '{pattern}'"))
    format_name = _checked_format(schema)
    if format_name and not formats.fits(format_name, value):
        shown = json.dumps(value, ensure_ascii=False)
        message = f"Invalid value: {shown}: {path} in body must be of type {format_name}: {shown}"
        found.problems.append(FieldError("FieldValueTypeInvalid", path, message))
    return found


def _matches(pattern: str, text: str) -> bool:
    """A pattern that Python cannot read lets everything pass."""
    try:
        return compiled(pattern).search(text) is not None
    except re.error:
        return True


def _number(value: float, schema: Schema, path: str, old: Any) -> Findings:
    found = Findings(checks=1)
    problems = found.problems
    if schema.get("type") == "integer":
        name = schema.get("format") if schema.get("format") in ("int32", "int64") else ""
        if int(value) not in (INT32_RANGE if name == "int32" else INT64_RANGE):
            how = f"with format {name}" if name else "(default format)"
            problems.append(_untold(f"Checked value must be of type integer {how} in {path}"))
    factor, least, most = schema.get("multipleOf"), schema.get("minimum"), schema.get("maximum")
    if factor and value % factor:
        problems.append(invalid(path, value, f"{path} in body should be a multiple of {printed(factor)}"))
    for limit, excludes, is_beyond, words in (
        (least, schema.get("exclusiveMinimum"), least is not None and value < least, "greater than"),
        (most, schema.get("exclusiveMaximum"), most is not None and value > most, "less than"),
    ):
        if limit is None or not (is_beyond or (excludes and value == limit)):
            continue
        how = words if excludes else f"{words} or equal to"
        problems.append(invalid(path, value, f"{path} in body should be {how} {printed(limit)}"))
    return found


def _array(value: list[Any], schema: Schema, path: str, old: Any) -> Findings:
    found = Findings(checks=1)
    items = items_of(schema)
    before = {key: item for item in (old if isinstance(old, list) else ()) if (key := item_key(item, schema))}
    for index, item in enumerate(value) if items is not None else ():
        key = item_key(item, schema)
        found.merge(_checked(item, items or {}, f"{path}[{index}]", before.get(key, ABSENT) if key else ABSENT))
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and len(value) < least:
        found.problems.append(invalid(path, len(value), f"{path} in body should have at least {least} items"))
    if most is not None and len(value) > most:
        found.problems.append(_too_many(path, len(value), most))
    if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        found.problems.append(invalid(path, "", f"{path} in body shouldn't contain duplicates"))
    return found


def _too_many(path: str, count: int, most: int) -> FieldError:
    items = "item" if most == 1 else "items"
    return FieldError("FieldValueTooMany", path, f"Too many: {count}: must have at most {most} {items}")


def _object(value: dict[str, Any], schema: Schema, path: str, old: Any) -> Findings:
    found = Findings(checks=1)
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if least is not None and len(value) < least:
        found.problems.append(invalid(path, len(value), f"{path} in body should have at least {least} properties"))
    if most is not None and len(value) > most:
        found.problems.append(_too_many(path, len(value), most))
    named: Mapping[str, Schema] = schema.get("properties") or {}
    further = schema.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for key in sorted(value):
        below = named.get(key, further)
        if isinstance(below, Mapping):
            found.merge(_checked(value[key], below, f"{path}.{key}" if path else key, before.get(key, ABSENT)))
        elif further is False and key not in named:
            found.problems.append(invalid(path, "", f"{path}.{key} in body is a forbidden property"))
    for key in schema.get("required") or ():
        if key not in value:
            found.problems.append(required(f"{path}.{key}" if path else key))
    return found


_BY_TYPE: dict[type, Callable[[Any, Schema, str, Any], Findings]] = {
    str: _string,
    int: _number,
    float: _number,
    list: _array,
    dict: _object,
}
