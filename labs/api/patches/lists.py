"""Lists in a strategic merge patch: finding elements by their merge key, dropping doubles, keeping the order.

An element of a list of maps is known by its merge key, an element of a list of scalars by itself (empty merge key).
Source: apimachinery pkg/util/strategicpatch/patch.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.gojson import is_identical, printed
from labs.api.patches.directives import PATCH, as_map, missing_merge_key
from labs.api.patches.errors import PatchError

Items = list[Any]


def is_list_of_maps(*lists: Items) -> bool:
    """Whether the elements are maps. Raises PatchError when they differ in kind, are lists, or when there are none."""
    kinds = [type(item) for items in lists for item in items]
    if not kinds:
        raise PatchError("no elements in any of the given slices")
    if kinds[0] is list:
        raise PatchError("lists of lists are not supported")
    if any(kind is not kinds[0] for kind in kinds):
        raise PatchError(f"list element types are not identical: {printed(list(lists))}")
    return kinds[0] is dict


def index_of(items: Items, wanted: Any, merge_key: str) -> int:
    """The place of the element with the merge key value (or the scalar) ``wanted``, or -1."""
    for place, item in enumerate(items):
        if merge_key and not isinstance(item, dict):
            raise PatchError(f"value for key {place} is not a map")
        if merge_key and merge_key not in item:
            continue
        if is_identical(item[merge_key] if merge_key else item, wanted):
            return place
    return -1


def key_of(item: Any, merge_key: str) -> Any:
    """What an element is known by. Raises PatchError when it should have a merge key and does not."""
    if not merge_key:
        return item
    if merge_key not in as_map(item):
        raise missing_merge_key(item, merge_key)
    return item[merge_key]


def without_doubles(items: Items) -> Items:
    """``deduplicateScalars``: the last element takes the place of a double, which is upstream's order."""
    kept = list(items)
    first = 0
    while first < len(kept):
        second = first + 1
        while second < len(kept):
            if is_identical(kept[first], kept[second]):
                last = kept.pop()
                if second < len(kept):
                    kept[second] = last
            else:
                second += 1
        first += 1
    return kept


def sorted_by(items: Items, order: Items, merge_key: str) -> Items:
    """``normalizeSliceOrder``: in the order of ``order``; elements that are to be deleted come last.

    Upstream's comparison calls an element that is not in ``order`` less than any other, and any other less than it,
    so that the outcome depends on the sort, which is by insertion.
    """
    if merge_key:
        for item in [*items, *order]:
            key_of(item, merge_key)
    doomed = [item for item in items if merge_key and item.get(PATCH) == "delete"]
    others = [item for item in items if not (merge_key and item.get(PATCH) == "delete")]
    placed: list[tuple[int, Any]] = []
    for item in others:
        place, position = index_of(order, key_of(item, merge_key), merge_key), len(placed)
        while position and (place < 0 or placed[position - 1][0] < 0 or place < placed[position - 1][0]):
            position -= 1
        placed.insert(position, (place, item))
    return [*(item for _, item in placed), *doomed]


def in_order(items: Items, wanted: Items, live: Items, merge_key: str) -> Items:
    """``normalizeElementOrder`` after splitting: elements named in ``wanted`` take that order, the others keep that of
    ``live``, and the two are interleaved as ``live`` has them."""
    named = [item for item in items if index_of(wanted, key_of(item, merge_key), merge_key) >= 0]
    others = [item for item in items if index_of(wanted, key_of(item, merge_key), merge_key) < 0]
    named = sorted_by(named, wanted, merge_key)
    others = sorted_by(others, live, merge_key)
    result: Items = []
    while named and others:
        other_place = index_of(live, key_of(others[0], merge_key), merge_key)
        named_place = index_of(live, key_of(named[0], merge_key), merge_key)
        is_other_first = other_place >= 0 and named_place >= 0 and other_place < named_place
        result.append((others if is_other_first else named).pop(0))
    return result + named + others


def check_order(items: Items, order: Items, merge_key: str) -> None:
    """``validatePatchWithSetOrderList``: the patch's elements stand in ``order``. Raises PatchError."""
    if not items or not order:
        return
    pending = [item for item in items if not merge_key or as_map(item).get(PATCH) != "delete"]
    for entry in order:
        while pending and isinstance(pending[0], dict) and PATCH in pending[0]:
            pending = pending[1:]
        if pending and is_identical(key_of(pending[0], merge_key), key_of(entry, merge_key)):
            pending = pending[1:]
    if pending:
        raise PatchError(
            f"The order in patch list:\n{printed(items)}\n doesn't match $setElementOrder list:\n{printed(order)}\n"
        )
