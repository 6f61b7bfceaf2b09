"""Request bodies: JSON and YAML, and what is wrong with them.

Source: kubernetes/apiserver pkg/endpoints/handlers/{create,update,rest}.go; apimachinery
pkg/runtime/serializer.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from labs import errors
from labs.api import gojson
from labs.api.resources import BY_API_VERSION_AND_KIND, ResourceType
from labs.api.rest.message import Request
from labs.api.rest.protobuf import MEDIA_TYPE, decode_protobuf
from labs.api.schemas import definition
from labs.api.store import Object
from labs.errors import ApiError

MEDIA_TYPES = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
MAX_BODY_BYTES = 3 * 1024 * 1024
SHOWN_BYTES = 30
SCHEME = "pkg/api/legacyscheme/scheme.go:30"
REMOVED_VERSION = re.compile(r"v\d+(alpha|beta)\d+")
"""Versions that a server no longer serves but still knows the kinds of."""


class _JsonLoader(yaml.SafeLoader):
    """YAML as JSON has it: texts that look like times stay texts."""


_JsonLoader.yaml_implicit_resolvers = {
    mark: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for mark, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def unsupported_media_type(media_types: str = MEDIA_TYPES) -> ApiError:
    """415 with the media types that are accepted."""
    message = f"the body of the request was in an unknown format - accepted media types include: {media_types}"
    return ApiError(415, "UnsupportedMediaType", message)


def media_type(request: Request) -> str:
    """The body's media type without parameters, JSON when there is none."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() or "application/json"


def check_size(body: bytes) -> None:
    """Raise 413 for a body over the server's limit."""
    if len(body) > MAX_BODY_BYTES:
        message = f"Request entity too large: limit is {MAX_BODY_BYTES}"
        raise ApiError(413, "RequestEntityTooLarge", message)


class DoubledObject(dict[str, Any]):
    """An object in which ``doubles`` occur more than once; the last value holds."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.doubles = [key for index, key in enumerate(keys) if key in keys[:index]]


def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A decoder's hook that remembers double fields."""
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else DoubledObject(pairs)


def parse_json(body: bytes, kind: str) -> Any:
    """JSON data; objects with double fields are ``DoubledObject``. Raises 400."""
    try:
        return json.loads(body, object_pairs_hook=as_object)
    except (ValueError, RecursionError):
        raise _unrecognized(kind, body) from None


def _unknown(kind: str) -> str:
    return f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "


def _unrecognized(kind: str, body: bytes) -> ApiError:
    try:
        gojson.decode(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        return errors.bad_request(f"{_unknown(kind)}json parse error: {error} ({summary(body)})")
    return errors.bad_request(f"{_unknown(kind)}json parse error: invalid UTF-8 ({summary(body)})")


def summary(body: bytes) -> str:
    """``summarizeData``: the first bytes of a body, in hexadecimal digits unless it looks like an object."""
    if not body:
        return "<empty>"
    start, rest = body[:SHOWN_BYTES], " ..." if len(body) > SHOWN_BYTES else ""
    return (start.decode("utf-8", "replace") if body.startswith(b"{") else start.hex()) + rest


def parse_yaml(body: bytes, kind: str) -> Any:
    """YAML data. Raises 400."""
    try:
        return yaml.load(body, Loader=_JsonLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        why = str(error).split("\n")[0]
        raise errors.bad_request(f"{_unknown(kind)}yaml parse error: {why}") from None


def _parse_protobuf(body: bytes, kind: str) -> Object:
    try:
        return decode_protobuf(body)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request(f"{_unknown(kind)}protobuf decoding error: {error}") from None


def decode(request: Request, kind: ResourceType) -> Object:
    """The object of the body. Raises 400, 413 and 415."""
    return decode_as(request, kind.api_version, kind.kind)


def decode_as(request: Request, api_version: str, kind: str) -> Object:
    """The object of the body, which must be of this type or name none. Raises 400, 413 and 415."""
    data = decode_data(request, kind)
    check_type(data, api_version, kind)
    return data


def decode_data(request: Request, kind: str) -> Object:
    """The object of the body, of whatever type it says. Raises 400, 413 and 415."""
    check_size(request.body)
    media = media_type(request)
    if media == "application/json":
        data = parse_json(request.body, kind)
    elif media in ("application/yaml", "text/yaml"):
        data = parse_yaml(request.body, kind)
    elif media == MEDIA_TYPE:
        data = _parse_protobuf(request.body, kind)
    else:
        raise unsupported_media_type()
    if not isinstance(data, dict):
        raise _not_an_object(kind, data, request.body)
    return data


def _not_an_object(kind: str, data: Any, body: bytes) -> ApiError:
    names = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return errors.bad_request(
        f"{_unknown(kind)}json parse error: "
        f"json: cannot unmarshal {names.get(type(data), 'null')} into Go value of type "
        'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        f" ({summary(body)})"
    )


def check_type(data: Object, api_version: str, kind: str) -> None:
    """Fill kind and apiVersion in. Raises 400 when others are given."""
    for key in ("apiVersion", "kind"):
        if not isinstance(data.get(key) or "", str):
            found = gojson.type_name(data[key])
            why = f"json: cannot unmarshal {found} into Go struct field .{key} of type string"
            raise errors.bad_request(f"{_unknown(kind)}json parse error: {why}")
    found_version, found_kind = data.get("apiVersion") or api_version, data.get("kind") or kind
    group, _, version = found_version.rpartition("/")
    is_known = (found_version, found_kind) == (api_version, kind) or (
        (found_version, found_kind) in BY_API_VERSION_AND_KIND or definition(group, version, found_kind) is not None
    )
    if not is_known and REMOVED_VERSION.fullmatch(version) is None:
        raise errors.bad_request(
            f'{found_kind} in version "{version}" cannot be handled as a {kind}: '
            f'no kind "{found_kind}" is registered for version "{found_version}" in scheme "{SCHEME}"'
        )
    if found_kind != kind and found_version == api_version:
        version = api_version.rpartition("/")[2]
        internal = (api_version.partition("/")[0] if "/" in api_version else "core").partition(".")[0]
        raise errors.bad_request(
            f'{found_kind} in version "{version}" cannot be handled as a {kind}: '
            f"converting ({version}.{found_kind}) to ({internal}.{kind}): unknown conversion"
        )
    if found_version != api_version:
        raise errors.bad_request(
            f"the API version in the data ({found_version}) does not match the expected API version ({api_version})"
        )
    metadata = data.get("metadata")
    if metadata is None:
        data["metadata"] = {}
    elif not isinstance(metadata, dict):
        version, found = api_version.rpartition("/")[2], "array" if isinstance(metadata, list) else "string"
        why = f"json: cannot unmarshal {found} into Go struct field {kind}.metadata of type v1.ObjectMeta"
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')
    data["apiVersion"], data["kind"] = api_version, kind
