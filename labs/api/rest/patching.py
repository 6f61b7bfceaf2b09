"""Patch bodies: which type, and what the object is afterwards.

Source: kubernetes/apiserver pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from typing import Any

from labs import errors
from labs.api.objects import clone
from labs.api.patches.errors import PatchError
from labs.api.patches.json_patch import apply_json_patch, decode_json_patch
from labs.api.patches.merge_patch import apply_merge_patch
from labs.api.patches.strategic import apply_strategic_merge_patch
from labs.api.resources import ResourceType
from labs.api.rest.bodies import check_type, media_type, parse_json, parse_yaml, unsupported_media_type
from labs.api.rest.message import Request
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
        known = f"{JSON_PATCH}, {MERGE}, {STRATEGIC}, {APPLY}, application/apply-patch+cbor"
        raise unsupported_media_type(known)
    return media


def patched(kind: ResourceType, old: Object, media: str, body: bytes) -> Object:
    """A new object: ``old`` with the patch. Raises 400, 415 and 422."""
    schema = definition(*kind.group_version_kind)
    if media == STRATEGIC and schema is None:
        raise unsupported_media_type(f"{JSON_PATCH}, {MERGE}, {APPLY}, application/apply-patch+cbor")
    patch = _parse(body)
    if media == JSON_PATCH:
        new = _json_patched(old, patch)
    elif not isinstance(patch, dict):
        raise errors.bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    elif media == MERGE:
        new = apply_merge_patch(clone(old), patch)
    else:
        new = _strategic(schema or Definition("", {}), old, patch)
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise errors.bad_request("the patched object has no metadata")
    for key, value in (("kind", kind.kind), ("apiVersion", kind.api_version)):
        if new.get(key) != value:
            raise errors.bad_request(f"the patch may not change {key}")
    return new


def _parse(body: bytes) -> Any:
    try:
        return parse_json(body, "patch")
    except ApiError:
        value = parse_yaml(body, "patch")
        if not isinstance(value, (dict, list)):
            shown = body[:1].decode("utf-8", "replace")
            raise errors.bad_request(f"invalid character '{shown}' looking for beginning of value") from None
        return value


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
    patch = _parse(request.body)
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
    patch = _parse(request.body)
    metadata = patch.get("metadata") if isinstance(patch, dict) else None
    return str((metadata or {}).get("resourceVersion") or "")
