"""Strategic merge patch: merging by the rules that the built-in kinds publish.

Source: apimachinery pkg/util/strategicpatch/patch.go (StrategicMergePatch). Where upstream changes its maps in place,
these functions build new ones.
"""

from __future__ import annotations

from typing import Any

from labs.api.gojson import is_identical, printed
from labs.api.patches.directives import (
    DELETE_FROM_LIST,
    ELEMENT_ORDER,
    PATCH,
    RETAIN_KEYS,
    as_list,
    field_of,
    field_rules,
    missing_merge_key,
    strategy_of,
    unknown_directive,
    without_directives,
    without_nulls,
)
from labs.api.patches.errors import PatchError
from labs.api.patches.lists import (
    Items,
    check_order,
    in_order,
    index_of,
    is_list_of_maps,
    key_of,
    without_doubles,
)
from labs.api.schemas import Definition

Object = dict[str, Any]


def apply_strategic_merge_patch(document: Object, patch: Any, definition: Definition) -> Object:
    """``StrategicMergePatch``: ``document``, of the type ``definition``, with ``patch`` merged in.

    Nothing is defaulted, pruned or validated. Raises PatchError.
    """
    if not isinstance(patch, dict | None):
        raise PatchError("invalid JSON document")
    return merge_maps(document, patch or {}, definition, applies=True)


def merge_maps(original: Object, patch: Object, definition: Definition, *, applies: bool) -> Object:
    """``mergeMap``. With ``applies`` the directives are carried out; without, ``original`` is a patch itself and takes
    them over, nulls included."""
    if PATCH in patch:
        return _directed(patch)
    original, patch = dict(original), dict(patch)
    if RETAIN_KEYS in patch:
        original = _retained(original, patch, patch.pop(RETAIN_KEYS), applies=applies)
    for key in [key for key in patch if key.startswith(ELEMENT_ORDER)]:
        _merge_ordered(original, patch, key, definition, applies=applies)
    for key, value in patch.items():
        if not key.startswith(DELETE_FROM_LIST):
            _merge_field(original, key, value, definition, applies=applies)
        elif applies:
            _merge_field(original, field_of(key, DELETE_FROM_LIST), value, definition, applies=True, deletes=True)
        else:
            original[key] = value
    return original


def _directed(patch: Object) -> Object:
    if patch[PATCH] == "replace":
        return {key: value for key, value in patch.items() if key != PATCH}
    if patch[PATCH] == "delete":
        return {}
    raise unknown_directive(patch[PATCH], patch)


def _merge_field(
    original: Object, key: str, value: Any, definition: Definition, *, applies: bool, deletes: bool = False
) -> None:
    """Puts one field of the patch into ``original``, which the caller owns; with ``deletes`` a list's elements are
    taken out instead."""
    if value is None:
        original.pop(key, None)
        if applies:
            return
    before = original.get(key)
    if isinstance(before, dict) and isinstance(value, dict):
        field = field_rules(definition, key)
        is_replaced = strategy_of(field)[1] == "replace"
        original[key] = value if is_replaced else merge_maps(before, value, field.value, applies=applies)
    elif isinstance(before, list) and isinstance(value, list):
        original[key] = _merged_list(before, value, key, definition, applies=applies, deletes=deletes)
    elif not deletes or (key in original and type(before) is type(value)):
        kept, stays = without_directives(without_nulls(value) if applies else value)
        original.pop(key, None)
        if stays:
            original[key] = kept


def _merged_list(
    before: Items, patch: Items, key: str, definition: Definition, *, applies: bool, deletes: bool = False
) -> Items:
    """``mergeSliceHandler``: a list to delete from is one whatever the field's strategy."""
    field = field_rules(definition, key)
    if strategy_of(field)[1] != "merge" and not deletes:
        return patch
    if not before and not patch:
        return before
    merge_key = field.patch_merge_key
    if not is_list_of_maps(before, patch):
        if deletes:
            return [item for item in before if index_of(patch, item, "") < 0]
        return in_order(without_doubles(before + patch), patch, before, merge_key)
    if not merge_key:
        raise PatchError("cannot merge lists without merge key for struct")
    live, additions = _after_directives(before, patch, merge_key)
    merged = list(live)
    for item in additions:
        place = index_of(merged, key_of(item, merge_key), merge_key)
        if place < 0:
            merged.append(item)
        else:
            merged[place] = merge_maps(merged[place], item, field.element, applies=applies)
    return in_order(merged, additions, live, merge_key)


def _after_directives(before: Items, patch: Items, merge_key: str) -> tuple[Items, Items]:
    """``mergeSliceWithSpecialElements``: (the live elements that stay, the patch's plain elements)."""
    plain, is_replaced = [], False
    for item in patch:
        directive = item.get(PATCH)
        if PATCH not in item:
            plain.append(item)
        elif directive == "replace":
            is_replaced = True
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        elif directive != "delete":
            raise unknown_directive(directive, item)
        elif merge_key not in item:
            raise missing_merge_key(item, merge_key)
        else:
            before = [each for each in before if not is_identical(each.get(merge_key), item[merge_key])]
    return (plain, []) if is_replaced else (before, plain)


def _retained(original: Object, patch: Object, retained: Any, *, applies: bool) -> Object:
    """``applyRetainKeysDirective``: ``original`` without the keys that the directive does not name."""
    if not applies:
        if RETAIN_KEYS in original and not is_identical(original[RETAIN_KEYS], retained):
            raise PatchError(
                f"{printed(original[RETAIN_KEYS])} and {printed(retained)} are not deep equal: "
                "this may happen when calculating the 3-way diff patch"
            )
        return {**original, RETAIN_KEYS: retained}
    if not isinstance(retained, list):
        raise PatchError("invalid patch format of retainKeys")
    for key, value in patch.items():
        is_directive = key.startswith((DELETE_FROM_LIST, ELEMENT_ORDER))
        if value is not None and not is_directive and key not in retained:
            raise PatchError("invalid patch format of retainKeys")
    return {key: value for key, value in original.items() if key in retained}


def _merge_ordered(original: Object, patch: Object, directive: str, definition: Definition, *, applies: bool) -> None:
    """``mergePatchIntoOriginal`` for one ``$setElementOrder``: merges its list into ``original`` in the order it asks
    for, and takes both from ``patch``. The caller owns both maps."""
    order = patch.pop(directive)
    if not applies:
        if directive in original and not is_identical(original[directive], order):
            raise PatchError("invalid patch format of setElementOrder list")
        original[directive] = order
    order = as_list(order)
    key = field_of(directive, ELEMENT_ORDER)
    before = as_list(original[key]) if key in original else None
    items = as_list(patch[key]) if key in patch else None
    merge_key = field_rules(definition, key).patch_merge_key
    check_order(items or [], order, merge_key)
    if before is None and items is None:
        return
    if items is None:
        merged = before or []
    elif before is None:
        merged = without_directives(items)[0]
    else:
        merged = _merged_list(before, items, key, definition, applies=applies)
    is_list_of_maps(before or [], items or [])
    live = _live_after(before or [], items or [], merge_key) if merge_key else before or []
    original[key] = in_order(merged, order, live, merge_key)
    patch.pop(key, None)


def _live_after(live: Items, items: Items, merge_key: str) -> Items:
    """The live list as upstream orders by it: elements were deleted from it and added to it in place, so that added
    ones stand where deleted ones made room."""
    kept, plain = _after_directives(live, items, merge_key)
    doomed = [item[merge_key] for item in items if item.get(PATCH) == "delete"]
    slots, used = list(live), len(live)
    for value in doomed:
        while (place := index_of(slots[:used], value, merge_key)) >= 0:
            slots[place : used - 1] = slots[place + 1 : used]
            used -= 1
    added = [item for item in plain if index_of(kept, key_of(item, merge_key), merge_key) < 0]
    return [*slots[:used], *added, *slots[used + len(added) :]][: len(slots)]
