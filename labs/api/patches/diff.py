"""The strategic merge patch between two objects.

Source: apimachinery pkg/util/strategicpatch/patch.go (diffMaps, diffLists and what they call).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from labs.api.gojson import is_identical, printed
from labs.api.patches.directives import (
    DELETE_FROM_LIST,
    ELEMENT_ORDER,
    PATCH,
    RETAIN_KEYS,
    field_rules,
    strategy_of,
)
from labs.api.patches.errors import PatchError
from labs.api.patches.lists import Items, is_list_of_maps, key_of, sorted_by, without_doubles
from labs.api.schemas import Definition, Field

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which halves of the difference go into the patch."""

    changes: bool = True
    deletions: bool = True
    element_order: bool = True
    retain_keys: bool = False


def create_two_way_merge_patch(original: Object, modified: Object, definition: Definition) -> Object:
    """``CreateTwoWayMergePatch``: the patch that turns ``original`` into ``modified``. Raises PatchError."""
    return diff_maps(original, modified, definition, Wanted())


def diff_maps(original: Object, modified: Object, definition: Definition, wanted: Wanted) -> Object:
    """``diffMaps``: the part of the difference that is ``wanted``."""
    patch: Object = {}
    for key, value in modified.items():
        before = original.get(key)
        if key in original and key == PATCH:
            _diff_directive(patch, before, value)
        elif key in original and isinstance(before, dict) and isinstance(value, dict):
            _diff_map_field(patch, key, before, value, definition, wanted)
        elif key in original and isinstance(before, list) and isinstance(value, list):
            _diff_list_field(patch, key, before, value, definition, wanted)
        elif wanted.changes and (key not in original or not is_identical(before, value)):
            patch[key] = value
    if wanted.deletions:
        patch.update(dict.fromkeys(key for key in original if key not in modified))
    retained = sorted(key for key, value in modified.items() if value is not None)
    has_more = any(value is not None and key not in modified for key, value in original.items())
    if wanted.retain_keys and retained and (patch or has_more):
        patch[RETAIN_KEYS] = retained
    return patch


def _diff_directive(patch: Object, before: Any, value: Any) -> None:
    if not isinstance(before, str) or not isinstance(value, str):
        raise PatchError(f"invalid value for special key: {PATCH}")
    if before != value:
        patch[PATCH] = value


def _field(key: str, before: Any, value: Any, definition: Definition) -> Field | None:
    """The field's rules; an unknown field is an error only if it changed."""
    if not definition.has_field(key) and is_identical(before, value):
        return None
    return field_rules(definition, key)


def _diff_map_field(
    patch: Object, key: str, before: Object, value: Object, definition: Definition, wanted: Wanted
) -> None:
    field = _field(key, before, value, definition)
    if field is None:
        return
    retains_keys, strategy = strategy_of(field)
    if strategy == "replace":
        if wanted.changes:
            patch[key] = value
    elif changes := diff_maps(before, value, field.value, replace(wanted, retain_keys=retains_keys)):
        patch[key] = changes


def _diff_list_field(
    patch: Object, key: str, before: Items, value: Items, definition: Definition, wanted: Wanted
) -> None:
    field = _field(key, before, value, definition)
    if field is None:
        return
    retains_keys, strategy = strategy_of(field)
    if strategy != "merge":
        if wanted.changes and not is_identical(before, value):
            patch[key] = value
        return
    changed, deleted, order = _diff_lists(before, value, field, replace(wanted, retain_keys=retains_keys))
    if changed:
        patch[key] = changed
    if deleted:
        patch[f"{DELETE_FROM_LIST}/{key}"] = deleted
    if order:
        patch[f"{ELEMENT_ORDER}/{key}"] = order


def _diff_lists(before: Items, value: Items, field: Field, wanted: Wanted) -> tuple[Items, Items, Items]:
    """``diffLists``: (elements to merge, scalars to delete, the order to set)."""
    if not before:
        return (value if wanted.changes else []), [], []
    merge_key = field.patch_merge_key
    if is_list_of_maps(before, value):
        changed, deleted = _diff_list_of_maps(before, value, field, wanted)
        items = [*sorted_by(changed, value, merge_key), *deleted]
        is_order_same = is_identical(_keys(before, merge_key), _keys(value, merge_key))
        is_order_set = (wanted.changes and (items or not is_order_same)) or (wanted.deletions and items)
        order = [{merge_key: item[merge_key]} for item in value]
        return items, [], order if wanted.element_order and is_order_set else []
    added, deleted = _diff_scalars(before, value, wanted)
    # Upstream has sorted the old list by now, so that an unsorted one always counts as changed.
    is_order_set = (wanted.deletions and deleted) or (wanted.changes and not is_identical(_by_text(before, ""), value))
    return sorted_by(added, value, merge_key), deleted, value if wanted.element_order and is_order_set else []


def _diff_list_of_maps(before: Items, value: Items, field: Field, wanted: Wanted) -> tuple[Items, Items]:
    """``diffListsOfMaps``: (elements added or changed, directives that delete the others)."""
    merge_key = field.patch_merge_key
    changed: Items = []
    deleted: Items = []
    for old, new in _paired(_by_text(before, merge_key), _by_text(value, merge_key), merge_key):
        if new is None:
            if wanted.deletions:
                deleted.append({PATCH: "delete", merge_key: old[merge_key]})
        elif old is None:
            if wanted.changes:
                changed.append(new)
        elif changes := diff_maps(old, new, field.element, wanted):
            changed.append({**changes, merge_key: new[merge_key]})
    return changed, deleted


def _diff_scalars(before: Items, value: Items, wanted: Wanted) -> tuple[Items, Items]:
    """``diffListsOfScalars``: (scalars added, scalars deleted), each in the order of their texts."""
    added: Items = []
    deleted: Items = []
    old_items, new_items = ([{"": item} for item in _by_text(items, "")] for items in (before, value))
    for old, new in _paired(old_items, new_items, ""):
        if new is None and wanted.deletions:
            deleted.append(old[""])
        elif old is None and wanted.changes:
            added.append(new[""])
    return added, without_doubles(deleted)


def _paired(before: Items, value: Items, key: str) -> list[tuple[Any, Any]]:
    """Both lists, sorted by the text of ``key``, side by side; None stands where one has no such element."""
    pairs: list[tuple[Any, Any]] = []
    old, new = 0, 0
    while old < len(before) or new < len(value):
        old_text = printed(before[old][key]) if old < len(before) else None
        new_text = printed(value[new][key]) if new < len(value) else None
        takes_old = new_text is None or (old_text is not None and old_text <= new_text)
        takes_new = old_text is None or (new_text is not None and new_text <= old_text)
        pairs.append((before[old] if takes_old else None, value[new] if takes_new else None))
        old, new = old + takes_old, new + takes_new
    return pairs


def _by_text(items: Items, merge_key: str) -> Items:
    """Elements with the same text come out in reverse, as upstream's sort leaves them."""
    backwards = list(reversed(items))
    return sorted(backwards, key=lambda item: printed(key_of(item, merge_key)))


def _keys(items: Items, merge_key: str) -> Items:
    return [key_of(item, merge_key) for item in items]
