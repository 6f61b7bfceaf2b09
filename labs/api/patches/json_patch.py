"""JSON patch (RFC 6902) as kube-apiserver applies it.

Source: gopkg.in/evanphx/json-patch.v4 patch.go. It differs from the RFC, and so from the ``jsonpatch`` package: a
replace of a missing key adds it, negative indices count from the end, a path need not start with a slash, and the
texts are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from labs.api.gojson import is_identical, type_name
from labs.api.gotext import atoi_fault, quoted
from labs.api.patches.errors import PatchError

Operation = dict[str, Any]


def decode_json_patch(value: Any) -> list[Operation]:
    """``DecodePatch`` of a decoded body: its operations. Raises PatchError when it is no list of objects."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise PatchError(f"json: cannot unmarshal {type_name(value)} into Go value of type jsonpatch.Patch")
    for item in value:
        if item is not None and not isinstance(item, dict):
            raise PatchError(f"json: cannot unmarshal {type_name(item)} into Go value of type jsonpatch.Operation")
    return [item or {} for item in value]


def apply_json_patch(document: Any, operations: Sequence[Operation]) -> Any:
    """``Patch.Apply``: ``document`` after every operation in turn. Raises PatchError at the first that fails."""
    for operation in operations:
        kind = operation.get("op")
        if not isinstance(kind, str) or kind not in _OPERATIONS:
            raise PatchError(f"Unexpected kind: {kind if isinstance(kind, str) else 'unknown'}")
        document = _OPERATIONS[kind](document, operation)
    return document


def _add(document: Any, operation: Operation) -> Any:
    path = _short_path(operation, "add")
    if not _has_parent(document, path):
        raise PatchError(f'add operation does not apply: doc is missing path: "{path}": missing value')
    return _add_at(document, path, operation.get("value"), f"error in add for path: '{path}'")


def _remove(document: Any, operation: Operation) -> Any:
    path = _short_path(operation, "remove")
    if not _has_parent(document, path):
        raise PatchError(f'remove operation does not apply: doc is missing path: "{path}": missing value')
    return _remove_at(document, path, f"error in remove for path: '{path}'")


def _replace(document: Any, operation: Operation) -> Any:
    path = _text(operation, "path", "replace operation failed to decode path")
    value = operation.get("value")
    if path == "":
        if not isinstance(value, dict | list):
            raise PatchError("replace operation value must be object or array: %!w(<nil>)")
        return value
    if not _has_parent(document, path):
        raise PatchError(f"replace operation does not apply: doc is missing path: {path}: missing value")
    _get(document, path, "replace operation does not apply: doc is missing key: " + path, "missing value")

    def put(parent: Any, key: str) -> Any:
        if isinstance(parent, dict):
            return {**parent, key: value}
        index = _index(key, len(parent), "")
        return [*parent[:index], value, *parent[index + 1 :]]

    return _changed(document, path, put)


def _move(document: Any, operation: Operation) -> Any:
    source = _text(operation, "from", "move operation failed to decode from")
    if not _has_parent(document, source):
        raise PatchError(f"move operation does not apply: doc is missing from path: {source}: missing value")
    context = f"error in move for path: '{_keys(source)[-1]}'"
    value = _get(document, source, context)
    document = _remove_at(document, source, context)
    path = _text(operation, "path", "move operation failed to decode path")
    if not _has_parent(document, path):
        raise PatchError(f"move operation does not apply: doc is missing destination path: {path}: missing value")
    return _add_at(document, path, value, f"error in move for path: '{path}'")


def _copy(document: Any, operation: Operation) -> Any:
    source = _text(operation, "from", "copy operation failed to decode from")
    if not _has_parent(document, source):
        raise PatchError(f"copy operation does not apply: doc is missing from path: {source}: missing value")
    value = _get(document, source, f"error in copy for from: '{source}'")
    path = _short_path(operation, "copy")
    if not _has_parent(document, path):
        raise PatchError(f"copy operation does not apply: doc is missing destination path: {path}: missing value")
    return _add_at(document, path, value, "error while adding value during copy")


def _test(document: Any, operation: Operation) -> Any:
    path = _text(operation, "path", "test operation failed to decode path")
    if path == "":
        found = document
    elif not _has_parent(document, path):
        raise PatchError(f"test operation does not apply: is missing path: {path}: missing value")
    else:
        found = _get(document, path, f"error in test for path: '{path}'")
    if not is_identical(found, operation.get("value")):
        raise PatchError(f"testing value {path} failed: test failed")
    return document


_OPERATIONS: dict[str, Callable[[Any, Operation], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _text(operation: Operation, name: str, context: str) -> str:
    value = operation.get(name)
    if value is None:
        comma = "," if name == "from" else ""
        raise PatchError(f"{context}: operation{comma} missing {name} field: missing value")
    if not isinstance(value, str):
        raise PatchError(f"{context}: json: cannot unmarshal {type_name(value)} into Go value of type string")
    return value


def _short_path(operation: Operation, kind: str) -> str:
    path = operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"{kind} operation failed to decode path: missing value")
    return path


def _keys(path: str) -> list[str]:
    """What stands before the first slash is dropped, whatever it is."""
    return [re.sub("~[01]", lambda found: "/" if found[0] == "~1" else "~", key) for key in path.split("/")[1:]]


def _has_parent(document: Any, path: str) -> bool:
    """``findObject``: whether the path leads to a map or a list in which its last key may stand."""
    keys = _keys(path)
    for key in keys[:-1]:
        if isinstance(document, list):
            position = len(document) if atoi_fault(key) else int(key)
            if not -len(document) <= position < len(document):
                return False
            document = document[position]
        else:
            document = document.get(key)
        if not isinstance(document, dict | list):
            return False
    return bool(keys)


def _get(document: Any, path: str, context: str, reason: str = "") -> Any:
    """The value at a path whose parent is there; a missing key of a map reads as null."""
    *parents, last = _keys(path)
    for key in parents:
        document = document[key] if isinstance(document, dict) else document[int(key)]
    if isinstance(document, dict):
        return document.get(last)
    try:
        return document[_index(last, len(document), context)]
    except PatchError as error:
        raise (PatchError(f"{context}: {reason}") if reason else error) from error


def _add_at(document: Any, path: str, value: Any, context: str) -> Any:
    def add(parent: Any, key: str) -> Any:
        if isinstance(parent, dict):
            return {**parent, key: value}
        if key == "-":
            return [*parent, value]
        index = _index(key, len(parent) + 1, context, f"value was not a proper array index: '{key}': ")
        return [*parent[:index], value, *parent[index:]]

    return _changed(document, path, add)


def _remove_at(document: Any, path: str, context: str) -> Any:
    def remove(parent: Any, key: str) -> Any:
        if isinstance(parent, list):
            index = _index(key, len(parent), context)
            return parent[:index] + parent[index + 1 :]
        if key not in parent:
            raise PatchError(f"{context}: Unable to remove nonexistent key: {key}: missing value")
        return {name: value for name, value in parent.items() if name != key}

    return _changed(document, path, remove)


def _changed(document: Any, path: str, change: Callable[[Any, str], Any]) -> Any:
    """A copy of ``document`` in which the map or list that holds the last key has gone through ``change``."""

    def descend(node: Any, keys: list[str]) -> Any:
        key, *rest = keys
        if not rest:
            return change(node, key)
        if isinstance(node, dict):
            return {**node, key: descend(node[key], rest)}
        copied = list(node)
        copied[int(key)] = descend(node[int(key)], rest)
        return copied

    return descend(document, _keys(path))


def _index(key: str, size: int, context: str, prefix: str = "") -> int:
    """The index that ``key`` names in a list of ``size``, from 0 up. Raises PatchError."""
    if fault := atoi_fault(key):
        raise PatchError(f"{context}: {prefix}strconv.Atoi: parsing {quoted(key)}: {fault}")
    index = int(key)
    if not -size <= index < size:
        raise PatchError(f"{context}: Unable to access invalid index: {index}: invalid index referenced")
    return index % size
