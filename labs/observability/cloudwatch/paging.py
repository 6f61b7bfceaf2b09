"""Opaque, stateless page tokens: a place, bound to the request that they came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from labs.observability.cloudwatch.refusals import invalid_next_token

_T = TypeVar("_T")


def _digest(params: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in params.items() if name != "NextToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]


def make_token(params: Mapping[str, Any], *place: int) -> str:
    """A token for the next page of the request ``params``."""
    text = json.dumps([_digest(params), *place])
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(params: Mapping[str, Any], parts: int = 1) -> list[int] | None:
    """The place in ``params``' NextToken, or None without one. Raises InvalidNextToken for a foreign one."""
    token = params.get("NextToken")
    if not token:
        return None
    place: list[int]
    try:
        digest, *place = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error) as error:
        raise invalid_next_token() from error
    if digest != _digest(params) or len(place) != parts or not all(isinstance(part, int) for part in place):
        raise invalid_next_token()
    return place


def page(params: Mapping[str, Any], items: Sequence[_T], size: int) -> tuple[list[_T], dict[str, str]]:
    """One page of ``items``, and ``{"NextToken": ...}`` when there are more."""
    first = (read_token(params) or [0])[0]
    last = first + size
    more = {"NextToken": make_token(params, last)} if last < len(items) else {}
    return list(items[first:last]), more
