"""Lists: resource versions, pages and continue tokens.

Source: kubernetes/apiserver pkg/storage/{continue.go,etcd3/store.go,cacher}; apimachinery
pkg/apis/meta/internalversion.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice
from typing import Any

from labs import errors
from labs.api.rest.options import ListOptions
from labs.api.rest.selection import Selection
from labs.api.store import Object, Store, name_of, namespace_of
from labs.errors import ApiError

TOKEN_VERSION = "meta.k8s.io/v1"
CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
    "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
    "modified, or deleted between the time the first chunk was returned and now may show up in the list."
)
LIST_EXPIRED = "The resourceVersion for the provided list is too old."


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and the list's metadata."""

    objects: list[Object]
    metadata: dict[str, Any]


def parse_version(text: str) -> int:
    """A resource version. Raises the 500 that a real server answers to garbage."""
    if text.isdigit():
        return int(text)
    quoted = json.dumps(text)
    message = f"resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax"
    raise ApiError(500, "", message)


def too_large(asked: int, current: int) -> ApiError:
    """504: the version is from the future."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    details = {"causes": causes, "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", details)


def check_not_older(store: Store, asked: str) -> None:
    """What a read may ask for. Raises 500 for a version that is no number, and 504 for one from the future."""
    version = parse_version(asked) if asked else 0
    if version > store.resource_version:
        raise too_large(version, store.resource_version)


def list_page(store: Store, selection: Selection, namespace: str | None, options: ListOptions) -> Page:
    """One page. Raises 400, 410, 422 and 504."""
    start, version = "", store.resource_version
    is_exact = False
    if options.continue_token:
        start, asked = decode_continue(options.continue_token)
        is_exact, version = asked >= 0, asked if asked >= 0 else version
    elif options.resource_version not in (None, "0"):
        asked = parse_version(options.resource_version or "")
        if asked > store.resource_version:
            raise too_large(asked, store.resource_version)
        is_exact = options.match == "Exact"
        version = asked if is_exact else version
    try:
        objects = _state(store, selection, namespace, version if is_exact else None)
    except ApiError as error:
        raise _expired(options.continue_token, start, error) from None
    if namespace is None:
        selected = list(filter(selection.matches, objects))
        selected.sort(key=lambda obj: f"{namespace_of(obj)}/{name_of(obj)}")
    else:
        selected = _selected_from(start, objects, namespace, options.limit, selection)
    return _cut(selected, start, version, namespace, options, selection)


def _selected_from(start: str, objects: list[Object], namespace: str, limit: int, selection: Selection) -> list[Object]:
    """Of objects in order of name, those selected from ``start`` on: no more than tell a page from the last one."""
    objects = objects[bisect_left(objects, start, key=lambda obj: token_key(obj, namespace)) :]
    if selection.is_everything:
        return objects
    return list(islice(filter(selection.matches, objects), limit + 1 if limit > 0 else None))


def _cut(
    objects: list[Object], start: str, version: int, namespace: str | None, options: ListOptions, selection: Selection
) -> Page:
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if start:
        objects = [obj for obj in objects if token_key(obj, namespace) >= start]
    if options.limit > 0 and len(objects) > options.limit:
        last = objects[options.limit - 1]
        metadata["continue"] = encode_continue(token_key(last, namespace) + "\0", version)
        if selection.is_everything:
            metadata["remainingItemCount"] = len(objects) - options.limit
        objects = objects[: options.limit]
    return Page(objects, metadata)


def token_key(obj: Object, namespace: str | None) -> str:
    """An object's place in a list: its name, behind its namespace in a list of all namespaces."""
    if namespace:
        return name_of(obj)
    return f"/{namespace_of(obj)}/{name_of(obj)}" if namespace is None else f"/{name_of(obj)}"


def _state(store: Store, selection: Selection, namespace: str | None, version: int | None) -> list[Object]:
    """The candidates now, or all objects as they were at ``version``. Raises 410."""
    if version is None or version >= store.resource_version:
        return selection.candidates(store, namespace)
    if version < store.compacted_version:
        raise ApiError(410, "Expired", LIST_EXPIRED)
    objects = {(namespace_of(obj), name_of(obj)): obj for obj in store.list(selection.resource, namespace)}
    for event in reversed(store.events_since(selection.resource, version)):
        key = (namespace_of(event.object), name_of(event.object))
        if namespace is not None and key[0] != namespace:
            continue
        if event.previous is None:
            objects.pop(key, None)
        else:
            objects[key] = event.previous
    return [objects[key] for key in sorted(objects)]


def encode_continue(start: str, version: int) -> str:
    """An opaque token, in the form of a real server's."""
    data = json.dumps({"v": TOKEN_VERSION, "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def decode_continue(token: str) -> tuple[str, int]:
    """Start key and version of a token. Raises 400 for anything that is none."""
    padded = token + "=" * (-len(token) % 4)
    try:
        raw = base64.urlsafe_b64decode(padded)
    except ValueError as error:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
    try:
        data = json.loads(raw)
        start, version = str(data["start"]), int(data["rv"])
    except (ValueError, KeyError, TypeError):
        first = raw[:1].decode("latin-1")
        why = f"invalid character '{first}' looking for beginning of value"
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {why}") from None
    if data.get("v") != TOKEN_VERSION:
        text = f'server does not recognize this encoded version "{data.get("v")}"'
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {text}")
    return start, version


def _expired(token: str, start: str, error: ApiError) -> ApiError:
    if not token:
        return ApiError(410, "Expired", LIST_EXPIRED)
    return ContinueExpired(encode_continue(start, -1)) if start else error


class ContinueExpired(ApiError):
    """410 with a token that goes on with the list as it is now."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", CONTINUE_EXPIRED)
        self.token = token

    def status(self) -> dict[str, Any]:
        """The Status; the fresh token is in its metadata."""
        return {**super().status(), "metadata": {"continue": self.token}}
