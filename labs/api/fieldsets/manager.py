"""``metadata.managedFields`` after each write.

Source: apimachinery pkg/util/managedfields/internal/{fieldmanager,managedfieldsupdater,stripmeta,capmanagers}.go;
sigs.k8s.io/structured-merge-diff merge/update.go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from labs.api.fieldsets.compare import Comparison
from labs.api.fieldsets.limits import MAX_UPDATE_MANAGERS
from labs.api.fieldsets.sets import MEMBER, Trie, difference, from_fields, intersection, to_fields, union
from labs.api.resources import ResourceType, definition_of
from labs.api.store import Object
from labs.sim.loop import Loop
from labs.units import rfc3339

STRIPPED_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
ANCIENT = "ancient-changes"
MAX_SHARED_SETS = 4096
_text_of = json.JSONEncoder(sort_keys=True).encode
Encode = Callable[[Trie], dict[str, Any]]
Decode = Callable[[dict[str, Any]], Trie]
Writer = tuple[str, str, str, str]
"""Manager, operation, API version and subresource: what tells two entries apart."""
RESET: dict[str, tuple[str, ...]] = {"": ("status",), "status": ("spec",)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's fields; ``time`` is None where the server keeps none.

    ``encoded`` is the stored form that the entry was read from, for as long as it says the same.
    """

    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: Trie
    time: str | None
    encoded: dict[str, Any] | None = field(default=None, compare=False)

    def is_of(self, *writer: str) -> bool:
        """Whether this is the entry of such a Writer."""
        return writer == (self.manager, self.operation, self.api_version, self.subresource)


def decode_entries(encoded: Iterable[dict[str, Any]], decode: Decode = from_fields) -> list[Entry]:
    """The entries of managedFields; ``decode`` reads the trie of a FieldsV1."""
    return [
        Entry(*_writer_of(item), decode(item.get("fieldsV1") or {}), item.get("time"), item) for item in encoded if item
    ]


def _writer_of(item: dict[str, Any]) -> Writer:
    get = item.get
    return get("manager", ""), get("operation", "Update"), get("apiVersion", ""), get("subresource", "")


def encode_entries(entries: Iterable[Entry], encode: Encode = to_fields) -> list[dict[str, Any]]:
    """managedFields in the server's order: Apply before Update, then by time and name."""
    ordered = sorted(
        entries, key=lambda item: (item.operation, item.time or "", item.manager, item.api_version, item.subresource)
    )
    return [item.encoded if item.encoded is not None else _shown(item, encode(item.fields)) for item in ordered]


def _shown(item: Entry, fields: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"manager": item.manager, "operation": item.operation, "apiVersion": item.api_version}
    if item.time:
        shown["time"] = item.time
    shown |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    if item.subresource:
        shown["subresource"] = item.subresource
    return shown


def comparable(obj: Object, subresource: str, kind: ResourceType) -> Object:
    """The part of an object that has owners: without identity, and without what this write may not set."""
    dropped = RESET.get(subresource, ()) if "status" in kind.subresources else ()
    kept = {key: value for key, value in obj.items() if key not in ("kind", "apiVersion", *dropped)}
    kept["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in STRIPPED_METADATA}
    return kept


def set_entries(obj: Object, entries: list[Entry], encode: Encode = to_fields) -> None:
    """Write the entries into an object's metadata."""
    _keep(obj, encode_entries((entry for entry in entries if entry.fields), encode))


def list_to_build_on(new: Object, old: Object | None, subresource: str) -> list[dict[str, Any]]:
    """The managedFields that a write begins from: those it brings, else those that are stored.

    ``[{}]`` empties the list; a subresource leaves it to the object. ``decodeLiveOrNew`` of fieldmanager.go.
    """
    before = list(_entries_of(old))
    given = new["metadata"].get("managedFields")
    if subresource or not given:
        return before
    if given == [{}]:
        return []
    return list(given) if all(map(_is_readable, given)) else before


def _entries_of(obj: Object | None) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = obj["metadata"].get("managedFields") or [] if obj is not None else []
    return entries


def _is_readable(item: dict[str, Any]) -> bool:
    """``DecodeManagedFields``: an entry of a known operation with a set of fields."""
    return item.get("operation") in ("Apply", "Update") and item.get("fieldsType") == "FieldsV1"


class FieldManager:
    """Records creates and updates."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._shared = SharedSets()
        self._created: dict[tuple[object, ...], dict[str, Any]] = {}
        self._latest: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def record(self, kind: ResourceType, new: Object, old: Object | None, manager: str, subresource: str) -> None:
        """Set ``new``'s managedFields after a create (``old`` is None) or an update by ``manager``."""
        time = None if subresource == "scale" else rfc3339(self._loop.now_ns)
        writer = (manager or "unknown", "Update", kind.api_version, subresource)
        given = list_to_build_on(new, old, subresource)
        wanted = comparable(new, subresource, kind)
        if old is None and not given:
            _keep(new, self._entries_created(kind, wanted, writer, time))
            return
        live = comparable(old, subresource, kind) if old is not None else {"metadata": {}}
        changes = Comparison(live, wanted, definition_of(kind))
        if not changes.added and not changes.removed:
            _keep(new, given)
            return
        is_as_stored = given == _entries_of(old)
        if is_as_stored and not changes.removed and self._has_all(given, changes.added, writer):
            _keep(new, given)
            return
        entries = decode_entries(given, self._shared.decode)
        entries = after_update(entries, changes.added, changes.removed, writer, time)
        set_entries(new, capped(entries), self._shared.encode)

    def _has_all(self, entries: list[dict[str, Any]], added: Trie, writer: Writer) -> bool:
        """Whether a writer has all of ``added`` already, and nobody else any of it: then every entry stays as it is.

        So it is with heartbeats and most statuses, which are most of all writes.
        """
        has_all = False
        for item in entries:
            fields = self._shared.decode(item.get("fieldsV1") or {})
            if _writer_of(item) == writer:
                has_all = not difference(added, fields)
            elif intersection(added, fields):
                return False
        return has_all

    def _entries_created(
        self, kind: ResourceType, new: Object, writer: Writer, time: str | None
    ) -> list[dict[str, Any]]:
        """The managedFields of a new object; what a writer makes in one second to one outline has the same."""
        # The fields of a custom kind depend on a schema that may change.
        key = (kind.group_version_kind, outline(new))
        fields = None if kind.custom is not None else self._created.get(key)
        if fields is None:
            if len(self._created) > MAX_SHARED_SETS:
                self._created.clear()
            changes = Comparison({"metadata": {}}, new, definition_of(kind))
            fields = self._created[key] = self._shared.encode(changes.added) if changes.added else {}
        if not fields:
            return []
        entries = self._latest.get((kind.resource, *writer))
        if entries is None or entries[0]["fieldsV1"] is not fields or entries[0].get("time") != time:
            if len(self._latest) > MAX_SHARED_SETS:
                self._latest.clear()
            entries = self._latest[kind.resource, *writer] = [_shown(Entry(*writer, {}, time), fields)]
        return entries


def outline(value: Any) -> object:
    """What decides which fields a new object sets: keys, lists, and whether a leaf is empty."""
    if isinstance(value, dict):
        return tuple((key, outline(item)) for key, item in value.items())
    if isinstance(value, list):
        return json.dumps(value)
    return True if value else value


def _keep(obj: Object, encoded: list[dict[str, Any]]) -> None:
    if encoded:
        obj["metadata"]["managedFields"] = encoded
    else:
        obj["metadata"].pop("managedFields", None)


class SharedFields(dict[str, Any]):
    """A FieldsV1 that knows the trie it was made from; nobody changes either."""

    __slots__ = ("trie",)

    trie: SharedTrie


class SharedTrie(dict[str, Any]):
    """A trie that knows its FieldsV1."""

    __slots__ = ("fields",)

    fields: SharedFields


class SharedSets:
    """One dict for equal sets and for equal parts of sets, each with its trie.

    The pods of one template would else hold a copy each: their sets differ in the pod's address at most.
    """

    def __init__(self) -> None:
        self._by_text: dict[str, SharedFields] = {}

    def encode(self, trie: Trie) -> dict[str, Any]:
        """The FieldsV1 of a trie."""
        if len(self._by_text) > MAX_SHARED_SETS:
            self._by_text.clear()
        return self._share(trie)

    def _share(self, trie: Trie) -> SharedFields:
        if isinstance(trie, SharedTrie):
            return trie.fields
        text = _text_of(trie)
        known = self._by_text.get(text)
        if known is None:
            parts = {element: self._share(trie[element]) for element in sorted(trie)}
            known = self._by_text[text] = SharedFields({} if list(parts) == [MEMBER] else parts)
            known.trie = SharedTrie({element: part.trie for element, part in parts.items()})
            known.trie.fields = known
        return known

    def decode(self, fields: dict[str, Any]) -> Trie:
        """The trie of a FieldsV1; nobody changes it."""
        return fields.trie if isinstance(fields, SharedFields) else from_fields(fields)


def after_update(entries: list[Entry], added: Trie, removed: Trie, writer: Writer, time: str | None) -> list[Entry]:
    """The entries after an update: the writer takes what it changed, everybody loses what is gone."""
    lost = union(added, removed)
    mine = next((entry for entry in entries if entry.is_of(*writer)), Entry(*writer, {}, time))
    others = [entry for entry in entries if not entry.is_of(*writer)]
    kept = [_with_fields(entry, difference(entry.fields, lost), entry.time) for entry in others]
    return [*kept, _with_fields(mine, union(difference(mine.fields, removed), added), time)]


def _with_fields(entry: Entry, fields: Trie, time: str | None) -> Entry:
    """The entry itself when these are its fields already, else one of ``time``."""
    return entry if fields == entry.fields else replace(entry, fields=fields, time=time, encoded=None)


def capped(entries: list[Entry]) -> list[Entry]:
    """At most ten Update entries: the oldest are merged into one, by version."""
    updates = sorted(
        (item for item in entries if item.operation == "Update" and item.fields), key=lambda item: item.time or ""
    )
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    merged: dict[str, Entry] = {}
    for item in updates[: excess + 1]:
        known = merged.get(item.api_version)
        fields = union(known.fields, item.fields) if known else item.fields
        merged[item.api_version] = Entry(ANCIENT, "Update", item.api_version, "", fields, item.time)
    old = updates[: excess + 1]
    return [item for item in entries if item not in old] + list(merged.values())
