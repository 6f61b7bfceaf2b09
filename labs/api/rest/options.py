"""Query parameters and their refusals.

Source: apimachinery pkg/apis/meta/{v1,internalversion}/validation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from labs import errors
from labs.api.deletion import DeleteOptions
from labs.api.fieldsets.limits import MAX_MANAGER_LENGTH
from labs.api.rest import bodies
from labs.api.rest.message import Request
from labs.api.rest.strict import check_body
from labs.api.strategy import FieldError, forbidden, invalid, not_supported
from labs.errors import ApiError

FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
PROPAGATIONS = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """``CreateOptions``, ``UpdateOptions`` and ``PatchOptions``."""

    is_dry_run: bool
    field_validation: str
    manager: str
    force: bool


def raise_options(kind: str, problems: list[FieldError]) -> None:
    """Raise 422 for wrong options of a kind such as ``ListOptions``."""
    if not problems:
        return
    texts = [f"{item.field}: {item.message}" for item in problems]
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    causes = [{"reason": item.reason, "message": item.message, "field": item.field} for item in problems]
    details = {"group": "meta.k8s.io", "kind": kind, "causes": causes}
    raise ApiError(422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {joined}', details)


def manager_of(request: Request) -> str:
    """The field manager: the parameter, else the user agent up to its first slash."""
    named = request.option("fieldManager")
    return named or request.headers.get("user-agent", "unknown").split("/")[0][:MAX_MANAGER_LENGTH]


def _manager_problems(name: str) -> list[FieldError]:
    """``ValidateFieldManager``; positions and lengths are in bytes."""
    problems: list[FieldError] = []
    if len(name.encode()) > MAX_MANAGER_LENGTH:
        text = f"Too long: may not be more than {MAX_MANAGER_LENGTH} bytes"
        problems.append(FieldError("FieldValueTooLong", "fieldManager", text))
    at = 0
    for character in name:
        if not character.isprintable():
            text = f"invalid character U+{ord(character):04X} (at position {at})"
            problems.append(invalid("fieldManager", name, text))
        at += len(character.encode())
    return problems


def write_options(request: Request, kind: str) -> WriteOptions:
    """The options of a create, update or patch. Raises 422."""
    problems: list[FieldError] = []
    named = request.option("fieldManager")
    problems += _manager_problems(named)
    problems += _dry_run_problems(list(request.query.get("dryRun", ())))
    validation = request.option("fieldValidation")
    if validation not in FIELD_VALIDATIONS:
        problems.append(not_supported("fieldValidation", validation, FIELD_VALIDATIONS))
    is_apply = request.headers.get("content-type", "").startswith("application/apply-patch")
    if kind == "PatchOptions" and is_apply and not named:
        problems.append(FieldError("FieldValueRequired", "fieldManager", "Required value: is required for apply patch"))
    if kind == "PatchOptions" and not is_apply and "force" in request.query:
        problems.append(forbidden("force", "may not be specified for non-apply patch"))
    raise_options(kind, problems)
    return WriteOptions(
        bool(request.query.get("dryRun")), validation or "Warn", manager_of(request), request.is_set("force")
    )


def _dry_run_problems(values: list[str]) -> list[FieldError]:
    if not values or set(values) <= {"All"}:
        return []
    return [not_supported("dryRun", values, ("All",))]


def delete_options(request: Request) -> DeleteOptions:
    """DeleteOptions of the body, or of the query when there is no body. Raises 400 and 422."""
    given: dict[str, Any] = {}
    if request.body.strip():
        given = bodies.decode_data(request, "DeleteOptions")
        check_body("", "v1", "DeleteOptions", given, names_type=False)
    else:
        if request.option("gracePeriodSeconds"):
            given["gracePeriodSeconds"] = parse_int(request.option("gracePeriodSeconds"))
        if request.option("propagationPolicy"):
            given["propagationPolicy"] = request.option("propagationPolicy")
        if "orphanDependents" in request.query:
            given["orphanDependents"] = request.is_set("orphanDependents")
        given["dryRun"] = list(request.query.get("dryRun", ()))
    return options_from_body(given)


def options_from_body(given: dict[str, Any]) -> DeleteOptions:
    """DeleteOptions from their wire form. Raises 422."""
    propagation = given.get("propagationPolicy") or None
    problems: list[FieldError] = []
    if propagation is not None and propagation not in PROPAGATIONS:
        problems.append(not_supported("propagationPolicy", propagation, (*PROPAGATIONS, "nil")))
    orphans = given.get("orphanDependents")
    if orphans is not None and propagation is not None:
        problems.append(
            invalid("propagationPolicy", propagation, "orphanDependents and deletionPropagation cannot be both set")
        )
    problems += _dry_run_problems(list(given.get("dryRun") or ()))
    raise_options("DeleteOptions", problems)
    if orphans is not None:
        propagation = "Orphan" if orphans else "Background"
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        given.get("gracePeriodSeconds"),
        propagation,
        preconditions.get("uid"),
        preconditions.get("resourceVersion"),
        bool(given.get("dryRun")),
    )


@dataclass(frozen=True, slots=True)
class ListOptions:
    """``ListOptions`` of a list or a watch; ``resource_version`` is None when it is not given."""

    label_selector: str
    field_selector: str
    limit: int
    continue_token: str
    resource_version: str | None
    match: str
    timeout_s: int | None
    bookmarks: bool
    sends_initial_events: bool | None


def list_options(request: Request, *, is_watch: bool) -> ListOptions:
    """The options of a list or watch. Raises 400 and 422."""
    timeout = request.option("timeoutSeconds")
    options = ListOptions(
        label_selector=request.option("labelSelector"),
        field_selector=request.option("fieldSelector"),
        limit=parse_int(request.option("limit") or "0"),
        continue_token=request.option("continue"),
        resource_version=request.option("resourceVersion") or None,
        match=request.option("resourceVersionMatch"),
        timeout_s=parse_int(timeout) if timeout else None,
        bookmarks=request.is_set("allowWatchBookmarks"),
        sends_initial_events=request.is_set("sendInitialEvents") if "sendInitialEvents" in request.query else None,
    )
    raise_options("ListOptions", _watch_problems(options) if is_watch else _list_problems(options))
    return options


def _list_problems(options: ListOptions) -> list[FieldError]:
    if options.sends_initial_events is not None:
        return [forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")]
    if not options.match:
        return []
    field = "resourceVersionMatch"
    problems = []
    if options.resource_version is None:
        problems.append(forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if options.continue_token:
        problems.append(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
    if options.match not in ("Exact", "NotOlderThan"):
        problems.append(not_supported(field, options.match, ("Exact", "NotOlderThan", "")))
    if options.match == "Exact" and options.resource_version == "0":
        problems.append(forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return problems


def _watch_problems(options: ListOptions) -> list[FieldError]:
    problems: list[FieldError] = []
    if options.sends_initial_events is None:
        if options.match:
            problems.append(
                forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                )
            )
        return problems
    if options.match != "NotOlderThan":
        problems.append(
            forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        )
    return problems


def parse_int(text: str) -> int:
    """A decimal integer of the query. Raises 400 with Go's message."""
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f"strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax") from None
