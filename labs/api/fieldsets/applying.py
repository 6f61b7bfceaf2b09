"""Server-side apply: merge, ownership, conflicts.

Source: sigs.k8s.io/structured-merge-diff merge/update.go (Apply) and typed/merge.go; texts:
apimachinery pkg/util/managedfields/internal/conflict.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.api.fieldsets.checking import element_text
from labs.api.fieldsets.compare import Comparison, field_of, field_set, is_atomic, items_by_path
from labs.api.fieldsets.manager import Entry, comparable, decode_entries, set_entries
from labs.api.fieldsets.sets import Trie, difference, has_member, intersection, members
from labs.api.objects import clone
from labs.api.resources import ResourceType, definition_of
from labs.api.schemas import Definition, Field
from labs.api.store import Object
from labs.errors import ApiError

UNTYPED = Definition("", {})


@dataclass(frozen=True, slots=True)
class Applied:
    """The object with the configuration in it, and its entries."""

    object: Object
    entries: list[Entry]


def apply_configuration(
    kind: ResourceType, live: Object, config: Object, manager: str, subresource: str, *, force: bool, time: str
) -> Applied:
    """``live`` with ``config``. Raises 409 with every conflict unless ``force``."""
    schema = definition_of(kind)
    root = schema or UNTYPED
    entries = decode_entries(live["metadata"].get("managedFields") or ())
    wanted = comparable(config, subresource, kind)
    applied = field_set({key: value for key, value in wanted.items() if key != "metadata" or value}, schema)
    merged = _merge_struct(live, _identified(wanted, live), root)
    mine = [item for item in entries if item.is_of(manager, "Apply", kind.api_version, subresource)]
    others = [item for item in entries if item not in mine]
    before = mine[0].fields if mine else {}
    _drop(merged, difference(before, applied), [applied, *(item.fields for item in others)], root)
    changes = Comparison(comparable(live, subresource, kind), comparable(merged, subresource, kind), schema)
    claimed = intersection(changes.added, applied)
    conflicts = [(item, intersection(item.fields, claimed)) for item in others]
    conflicts = [(item, shared) for item, shared in conflicts if shared]
    if conflicts and not force:
        raise conflict_error(conflicts)
    others = [_without(item, claimed, changes.removed) for item in others]
    is_same = before == applied and not changes.added and not changes.removed
    own = Entry(manager, "Apply", kind.api_version, subresource, applied, mine[0].time if mine and is_same else time)
    set_entries(merged, [*others, own])
    return Applied(merged, [*others, own])


def _identified(config: Object, live: Object) -> Object:
    identity = {key: live["metadata"][key] for key in ("name", "namespace") if key in live["metadata"]}
    return {**config, "metadata": {**config["metadata"], **identity}}


def _without(entry: Entry, claimed: Trie, removed: Trie) -> Entry:
    fields = difference(difference(entry.fields, claimed), removed)
    return Entry(entry.manager, entry.operation, entry.api_version, entry.subresource, fields, entry.time)


def _merge_struct(live: dict[str, Any], config: dict[str, Any], owner: Definition) -> dict[str, Any]:
    result = clone(live)
    for key, value in config.items():
        result[key] = _merge_value(live.get(key), value, field_of(owner, key))
    return dict(result)


def _merge_value(live: Any, value: Any, field: Field | None) -> Any:
    value_type = field.value if field is not None else UNTYPED
    if isinstance(value, dict) and isinstance(live, dict) and not is_atomic(field, value_type):
        return _merge_struct(live, value, value_type)
    if isinstance(value, list) and field is not None and field.list_type != "atomic":
        return _merge_items(live if isinstance(live, list) else [], value, field)
    return clone(value)


def _merge_items(live: list[Any], config: list[Any], field: Field) -> list[Any]:
    """Items of both, those of the configuration in its order (typed/merge.go visitListItems)."""
    before, wanted = items_by_path(live, field), items_by_path(config, field)
    merged = {}
    for path, item in wanted.items():
        old = before.get(path)
        is_struct = isinstance(item, dict) and isinstance(old, dict) and not is_atomic(None, field.element)
        merged[path] = _merge_struct(old, item, field.element) if is_struct and old is not None else clone(item)
    order = [path for path in before if path not in wanted]
    result: list[Any] = []
    pending = iter(wanted)
    for path in before:
        if path in order:
            result.append(clone(before[path]))
        else:
            result.append(merged[next(pending)])
    result.extend(merged[path] for path in pending)
    return result


def _drop(obj: dict[str, Any], gone: Trie, kept: list[Trie], root: Definition) -> None:
    """Remove what the manager applied before, applies no more, and nobody else owns."""
    for path in sorted(members(gone), key=len):
        if not any(has_member(trie, path) for trie in kept):
            _remove(obj, path, root)


def _remove(value: dict[str, Any], path: tuple[str, ...], owner: Definition) -> None:
    """Remove the value at a path, if it is there; an emptied container stays."""
    key = path[0][2:]
    if key not in value:
        return
    if len(path) == 1:
        del value[key]
        return
    field = field_of(owner, key)
    below = value[key]
    if not path[1].startswith("f:") and isinstance(below, list) and field is not None:
        items = items_by_path(below, field)
        item = items.get(path[1])
        if len(path) == 2:
            value[key] = [each for name, each in items.items() if name != path[1]]
        elif isinstance(item, dict):
            _remove(item, path[2:], field.element)
    elif isinstance(below, dict):
        _remove(below, path[1:], field.value if field is not None else UNTYPED)


def shown_path(path: tuple[str, ...]) -> str:
    """A path as Go prints it: ``.spec.containers[name="web"].image``."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        else:
            text += element_text(element)
    return text


def _who(entry: Entry) -> str:
    text = f'"{entry.manager}"'
    if entry.subresource:
        text += f' with subresource "{entry.subresource}"'
    if entry.operation == "Update":
        text += f" using {entry.api_version}"
    return text


def _rank(path: tuple[str, ...]) -> list[tuple[bool, str]]:
    """A set is walked level by level: what is a member at once comes before what lies below others."""
    last = len(path) - 1
    return [(index < last, element) for index, element in enumerate(path)]


def conflict_error(conflicts: list[tuple[Entry, Trie]]) -> ApiError:
    """409 with a cause for each field (``NewConflictError``)."""
    found = [
        (f"conflict with {_who(entry)}", shown_path(path))
        for entry, trie in sorted(conflicts, key=lambda item: item[0].manager)
        for path in sorted(members(trie), key=_rank)
    ]
    causes = [{"reason": "FieldManagerConflict", "message": message, "field": path} for message, path in found]
    plural = "conflict" if len(found) == 1 else "conflicts"
    message = f"Apply failed with {len(found)} {plural}: "
    if len(found) == 1:
        message += f"{found[0][0]}: {found[0][1]}"
    else:
        grouped: dict[str, list[str]] = {}
        for who, path in found:
            grouped.setdefault(who.replace("conflict with", "conflicts with", 1), []).append(path)
        message += "\n".join("\n- ".join([f"{who}:", *paths]) for who, paths in grouped.items())
    return ApiError(409, "Conflict", message, {"causes": causes})
