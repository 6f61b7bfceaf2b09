"""The one error tree.

    LabError
    ├── UsageError          a person's input; one sentence that names the cure
    ├── ApiError            a Kubernetes refusal: code, reason, message, details (a ``Status``)
    └── AwsError            an AWS refusal: wire code, message, HTTP status

A bug is an assertion, and an expected failure (a 503, a time-out) is a value: neither is here.
"""

from __future__ import annotations

from typing import Any


class LabError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(LabError):
    """Input that cannot be used; the message is one sentence that says what to do instead."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class AwsError(LabError):
    """A refusal in the form of an AWS service: wire ``code``, ``message`` and ``http_status``."""

    def __init__(self, code: str, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status


class ApiError(LabError):
    """A refusal in the form of a Kubernetes API server.

    ``details`` is the Status' ``details`` object (name, group, kind, causes, ...), or None. ``patience_s``: for how
    long a server tries again by itself before it refuses a request so; it is not part of the answer. ``warnings`` are
    told beside it.
    Source of the texts: kubernetes/apimachinery pkg/api/errors/errors.go.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None, patience_s: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.patience_s = patience_s
        self.warnings: tuple[str, ...] = ()

    def status(self) -> dict[str, Any]:
        """The ``v1.Status`` object that goes over the wire."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _resource_details(resource: str, name: str) -> dict[str, Any]:
    plural, _, group = resource.partition(".")
    details: dict[str, Any] = {"name": name}
    if group:
        details["group"] = group
    details["kind"] = plural
    return details


def not_found(resource: str, name: str) -> ApiError:
    """404 for a missing object; ``resource`` is ``plural`` or ``plural.group``."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', _resource_details(resource, name))


def already_exists(resource: str, name: str) -> ApiError:
    """409 for a name that is taken."""
    return ApiError(
        409,
        "AlreadyExists",
        f'{resource} "{name}" already exists',
        _resource_details(resource, name),
    )


def conflict(resource: str, name: str, why: str) -> ApiError:
    """409 for a write that is based on an old version or a wrong precondition."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource} "{name}": {why}',
        _resource_details(resource, name),
    )


def stale(resource: str, name: str) -> ApiError:
    """409 of optimistic locking."""
    return conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )


def bad_request(message: str) -> ApiError:
    """400 with a free text."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """403 by admission or authorization."""
    return ApiError(
        403,
        "Forbidden",
        f'{resource} "{name}" is forbidden: {why}',
        _resource_details(resource, name),
    )


def expired(message: str) -> ApiError:
    """410: the asked-for version is no longer kept."""
    return ApiError(410, "Expired", message)


def invalid_field(dotted_kind: str, name: str, field: str, value: object, why: str) -> ApiError:
    """422 for one field with a wrong value; ``dotted_kind`` is ``Kind`` or ``Kind.group``."""
    kind, _, group = dotted_kind.partition(".")
    message = f"Invalid value: {value}: {why}"
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    details |= {"kind": kind, "causes": [{"reason": "FieldValueInvalid", "message": message, "field": field}]}
    return ApiError(422, "Invalid", f'{dotted_kind} "{name}" is invalid: {field}: {message}', details)


def method_not_allowed() -> ApiError:
    """405 for a verb that the resource does not have."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def no_such_resource() -> ApiError:
    """404 for a resource that a served group version does not have."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})
