"""What goes in and out of the API: requests, users, responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from labs.api.users import ADMIN
from labs.api.users import ANONYMOUS as ANONYMOUS
from labs.api.users import User as User
from labs.errors import ApiError

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are in lower case, ``query`` holds all values of each name."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: User = ADMIN

    @classmethod
    def to(
        cls,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        user: User = ADMIN,
    ) -> Request:
        """A request for a path with its query."""
        parts = urlsplit(target)
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        return cls(method, parts.path, query, lowered, body, user)

    def option(self, name: str) -> str:
        """The first value of a query parameter, empty when it is absent."""
        values = self.query.get(name)
        return values[0] if values else ""

    def is_set(self, name: str) -> bool:
        """Whether a boolean query parameter is on, as apimachinery's Convert_Slice_string_To_bool reads it."""
        values = self.query.get(name) or ["false"]
        return values[0].lower() not in ("false", "0")


@dataclass(frozen=True, slots=True)
class Response:
    """One whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    warnings: tuple[str, ...] = ()
    patience_s: int = 0
    """For how long a server would have held the request back before it gave this answer."""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def encode(obj: Any) -> bytes:
    """JSON as the server sends it: compact, one line, a newline at the end."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def answer(obj: Any, status: int = 200, content_type: str = JSON, warnings: Sequence[str] = ()) -> Response:
    """A JSON answer."""
    return Response(status, {"Content-Type": content_type}, encode(obj), tuple(warnings))


def text(status: int, body: str) -> Response:
    """A plain-text answer."""
    return Response(status, {"Content-Type": TEXT}, body.encode())


def refusal(error: ApiError, warnings: Sequence[str] = ()) -> Response:
    """A ``Status`` as the answer; ``Retry-After`` when it says so."""
    headers = {"Content-Type": JSON}
    seconds = (error.details or {}).get("retryAfterSeconds") or 0
    if seconds:
        headers["Retry-After"] = str(seconds)
    patience_s = max(seconds, error.patience_s)
    return Response(error.code, headers, encode(error.status()), (*warnings, *error.warnings), patience_s)
