"""Patch bodies: which type, and what the object is afterwards.

Source: kubernetes/apiserver pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from labs import errors
from labs.api.gojson import printed, type_name
from labs.api.objects import clone
from labs.api.patches.errors import PatchError
from labs.api.patches.json_patch import apply_json_patch, decode_json_patch
from labs.api.patches.merge_patch import apply_merge_patch
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.resources import ResourceType
from labs.api.rest.bodies import as_object, check_type, media_type, unsupported_media_type
from labs.api.rest.message import Request
from labs.api.rest.strict import double_fields
from labs.api.schemas import Definition, definition
from labs.api.store import Object
from labs.errors import ApiError

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
MAX_OPERATIONS = 10_000


def patch_media_type(request: Request) -> str:
    """The patch type. Raises 415."""
    media = media_type(request)
    if media not in (JSON_PATCH, MERGE, STRATEGIC, APPLY):
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return media


@dataclass(frozen=True, slots=True)
class Patched:
    """A new object; ``shown`` is how a refusal names it, ``doubles`` what the patch says more than once."""

    object: Object
    shown: str
    doubles: list[str]


def patched(kind: ResourceType, old: Object, media: str, body: bytes) -> Patched:
    """``old`` with the patch. Raises 400, 415 and 422."""
    schema = definition(*kind.group_version_kind)
    if media == STRATEGIC and schema is None:
        raise unsupported_media_type(f"{JSON_PATCH}, {MERGE}, {APPLY}")
    patch = _parse(body, media)
    if media == JSON_PATCH:
        new = _json_patched(old, patch)
    elif media == MERGE:
        new = apply_merge_patch(clone(old), patch)
    else:
        new = _strategic(schema or Definition("", {}), old, patch)
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise errors.bad_request("the patched object has no metadata")
    for key, value in (("kind", kind.kind), ("apiVersion", kind.api_version)):
        if new.get(key) != value:
            raise errors.bad_request(f"the patch may not change {key}")
    shown = printed(patch) if media == STRATEGIC else json.dumps(new, separators=(",", ":"), ensure_ascii=False)
    prefix = "json patch " if media == JSON_PATCH else ""
    return Patched(new, shown, [prefix + text for text in double_fields(patch)])


def _parse(body: bytes, media: str) -> Any:
    """The patch, of the JSON type that its media type asks for. Raises 400 in the words of its decoder."""
    prefix = "" if media == STRATEGIC else "error decoding patch: "
    try:
        patch = json.loads(body, object_pairs_hook=as_object)
    except (ValueError, RecursionError):
        raise errors.bad_request("invalid JSON patch") from None
    wanted, into = (list, "[]handlers.jsonPatchOp") if media == JSON_PATCH else (dict, "map[string]interface {}")
    if not isinstance(patch, wanted):
        found = type_name(patch)
        raise errors.bad_request(f"{prefix}json: cannot unmarshal {found} into Go value of type {into}")
    return patch


def _json_patched(old: Object, patch: Any) -> Any:
    if isinstance(patch, list) and len(patch) > MAX_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
        message = f"Request entity too large: {why}"
        raise ApiError(413, "RequestEntityTooLarge", message, {})
    try:
        operations = decode_json_patch(patch)
    except PatchError as error:
        raise errors.bad_request(str(error)) from None
    try:
        return apply_json_patch(clone(old), operations)
    except PatchError:
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {}) from None


def _strategic(schema: Definition, old: Object, patch: dict[str, Any]) -> Any:
    try:
        return apply_strategic_merge_patch(clone(old), patch, schema)
    except ValueError as error:
        raise errors.bad_request(str(error)) from None


def patched_scale(current: Object, request: Request) -> Object:
    """A Scale with a patch of any type but apply."""
    media = patch_media_type(request)
    patch = _parse(request.body, media)
    if media == JSON_PATCH:
        result = _json_patched(current, patch)
    elif isinstance(patch, dict):
        result = apply_merge_patch(clone(current), patch)
    else:
        raise errors.bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    if not isinstance(result, dict):
        raise ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})
    check_type(result, "autoscaling/v1", "Scale")
    return result


def patch_version(request: Request) -> str:
    """The resourceVersion that a patch names, or empty."""
    patch = _parse(request.body, patch_media_type(request))
    metadata = patch.get("metadata") if isinstance(patch, dict) else None
    return str((metadata or {}).get("resourceVersion") or "")
