"""Sets of field paths as tries, and their FieldsV1 form.

A node is a dict from path element (``f:name``, ``k:{...}``, ``v:...``) to node; the key ``.`` marks that the
node's own path is a member. Source: sigs.k8s.io/structured-merge-diff fieldpath/{set,serialize}.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Trie = dict[str, Any]
MEMBER = "."


def insert(trie: Trie, path: tuple[str, ...]) -> None:
    """Make ``path`` a member."""
    for element in path:
        trie = trie.setdefault(element, {})
    trie[MEMBER] = {}


def members(trie: Trie, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member path."""
    for element, below in trie.items():
        if element == MEMBER:
            yield prefix
        else:
            yield from members(below, (*prefix, element))


def union(first: Trie, second: Trie) -> Trie:
    """Members of either."""
    result = dict(first)
    for element, below in second.items():
        result[element] = union(result[element], below) if element in result else below
    return result


def difference(first: Trie, second: Trie) -> Trie:
    """Members of the first that are not in the second."""
    result: Trie = {}
    for element, below in first.items():
        other = second.get(element)
        if other is None:
            result[element] = below
        elif element != MEMBER:
            rest = difference(below, other)
            if rest:
                result[element] = rest
    return result


def intersection(first: Trie, second: Trie) -> Trie:
    """Members of both."""
    result: Trie = {}
    for element, below in first.items():
        other = second.get(element)
        if other is None:
            continue
        both = {} if element == MEMBER else intersection(below, other)
        if both or element == MEMBER:
            result[element] = both
    return result


def has_member(trie: Trie, path: tuple[str, ...]) -> bool:
    """Whether ``path`` or anything below it is a member."""
    for element in path:
        if element not in trie:
            return False
        trie = trie[element]
    return bool(trie)


def to_fields(trie: Trie) -> dict[str, Any]:
    """The FieldsV1 form: a node that is only itself a member is ``{}``."""
    if len(trie) == 1 and MEMBER in trie:
        return {}
    return {element: {} if element == MEMBER else to_fields(trie[element]) for element in sorted(trie)}


def from_fields(fields: dict[str, Any]) -> Trie:
    """The trie of a FieldsV1."""
    return {
        element: {} if element == MEMBER else from_fields(below) or {MEMBER: {}} for element, below in fields.items()
    }
