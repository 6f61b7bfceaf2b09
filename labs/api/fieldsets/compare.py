"""What a write added, changed and removed, as sets of field paths.

Source: sigs.k8s.io/structured-merge-diff typed/{compare,tofieldset}.go. The old side of a create is the Go
type's zero value: structs that are no pointers are there already and are not counted as added.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from labs.api.fieldsets.sets import MEMBER, Trie
from labs.api.schemas import Definition, Field
from labs.api.zero_values import zero_fields

KEY_DEFAULTS = {"protocol": "TCP"}
"""Defaults of the fields that tell a list's items apart (``default`` in the published OpenAPI v3)."""

_ABSENT: Any = object()
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""``json.dumps`` would build an encoder for each call."""
UNTYPED = Definition("", {})


def is_atomic(field: Field | None, value_type: Definition) -> bool:
    """Whether a map or struct is owned as one, by its type or by its place."""
    return value_type.is_atomic or (field is not None and field.is_atomic)


def key_of(element: dict[str, Any], keys: tuple[str, ...], owner: Definition = UNTYPED) -> str:
    """The path element of a list's item of this type."""
    filled = {**KEY_DEFAULTS, **owner.defaults, **element}
    found = {key: filled[key] for key in sorted(keys) if filled.get(key) is not None}
    return f"k:{_compact(found)}"


def field_of(owner: Definition, key: str) -> Field | None:
    """The field's rules; None where the type knows nothing of it."""
    return owner.find(key) if owner.schema else None


def items_by_path(items: list[Any] | None, field: Field) -> dict[str, Any]:
    """The items of a set or a map-like list by path element."""
    if field.list_type == "map":
        keys, owner = field.list_map_keys, field.element
        return {key_of(item, keys, owner): item for item in items or ()}
    return {f"v:{json.dumps(item, ensure_ascii=False)}": item for item in items or ()}


class Comparison:
    """``added`` (with what changed) and ``removed`` of one write."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any], kind: Definition | None) -> None:
        self.added: Trie = {}
        self.removed: Trie = {}
        root = kind or UNTYPED
        self._struct(old, new, root, self.added, self.removed, is_root=True)

    def _struct(
        self, old: Any, new: Any, owner: Definition, added: Trie, removed: Trie, *, is_root: bool = False
    ) -> None:
        zero = _zero_fields(owner.full_name, bool(owner.schema), is_root)
        was, now = old or {}, new or {}
        for key in {**was, **now}:
            before, after = was.get(key, _ABSENT), now.get(key, _ABSENT)
            if before is after:
                continue
            if before is _ABSENT and old is not None:
                before = zero.get(key, _ABSENT)
            if after is _ABSENT and new is not None:
                after = zero.get(key, _ABSENT)
            if before is not _ABSENT and after is not _ABSENT and before == after:
                continue
            above: Trie = {}
            below: Trie = {}
            self._value(before, after, field_of(owner, key), above, below)
            _attach(f"f:{key}", above, below, added, removed)

    def _value(self, old: Any, new: Any, field: Field | None, added: Trie, removed: Trie) -> None:
        if old is _ABSENT:
            added[MEMBER] = {}
        elif new is _ABSENT:
            removed[MEMBER] = {}
        value_type = field.value if field is not None else UNTYPED
        shown = old if new in (_ABSENT, None) else new
        if isinstance(shown, dict) and (old or new not in (_ABSENT, None)):
            if is_atomic(field, value_type) or not (_map(old) or _map(new)):
                self._leaf(old, new, added)
            else:
                self._struct(_side(old), _side(new), value_type, added, removed)
        elif isinstance(shown, list) and field is not None and field.list_type != "atomic":
            self._items(old, new, field, added, removed)
        else:
            self._leaf(old, new, added)

    def _leaf(self, old: Any, new: Any, added: Trie) -> None:
        if old is not _ABSENT and new is not _ABSENT and old != new:
            added[MEMBER] = {}

    def _items(self, old: Any, new: Any, field: Field, added: Trie, removed: Trie) -> None:
        before, after = items_by_path(_list(old), field), items_by_path(_list(new), field)
        element_type = field.element
        for path in {**before, **after}:
            was, now = before.get(path, _ABSENT), after.get(path, _ABSENT)
            if was is not _ABSENT and now is not _ABSENT and was == now:
                continue
            above: Trie = {}
            below: Trie = {}
            if was is _ABSENT:
                above[MEMBER] = {}
            elif now is _ABSENT:
                below[MEMBER] = {}
            if is_atomic(None, element_type) or not isinstance(now if now is not _ABSENT else was, dict):
                self._leaf(was, now, above)
            else:
                self._struct(_side(was), _side(now), element_type, above, below)
            _attach(path, above, below, added, removed)


def _attach(element: str, above: Trie, below: Trie, added: Trie, removed: Trie) -> None:
    """Hang what was found under a path element; a set keeps no empty nodes."""
    if above:
        added[element] = above
    if below:
        removed[element] = below


@cache
def _zero_fields(full_name: str, is_typed: bool, is_root: bool) -> dict[str, Any]:
    if is_root and not full_name:
        return {key: {} for key in (("metadata",) if is_typed else ("metadata", "spec", "status"))}
    return dict(zero_fields(full_name))


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _side(value: Any) -> dict[str, Any] | None:
    """A side of a comparison: None where the whole is absent, so that zero values do not apply."""
    return None if value is _ABSENT else _map(value)


def _prune(trie: Trie) -> None:
    for element in list(trie):
        if element != MEMBER:
            _prune(trie[element])
            if not trie[element]:
                del trie[element]


def field_set(value: dict[str, Any], kind: Definition | None) -> Trie:
    """``ToFieldSet``: the paths that an applied object names; metadata of which all was stripped is none."""
    trie: Trie = {}
    given = {key: item for key, item in value.items() if key != "metadata" or item}
    _add_struct(given, kind or UNTYPED, trie)
    _prune(trie)
    return trie


def _add_struct(value: dict[str, Any], owner: Definition, trie: Trie) -> None:
    for key, item in value.items():
        below = trie.setdefault(f"f:{key}", {})
        _add_value(item, field_of(owner, key), below)
        if owner.is_map and owner.schema:
            below[MEMBER] = {}


def _add_value(value: Any, field: Field | None, trie: Trie) -> None:
    value_type = field.value if field is not None else UNTYPED
    if isinstance(value, dict) and value and not is_atomic(field, value_type):
        _add_struct(value, value_type, trie)
    elif isinstance(value, list) and field is not None and field.list_type != "atomic":
        for path, item in items_by_path(value, field).items():
            below = trie.setdefault(path, {})
            below[MEMBER] = {}
            if isinstance(item, dict) and not is_atomic(None, field.element):
                _add_struct(item, field.element, below)
    else:
        trie[MEMBER] = {}
