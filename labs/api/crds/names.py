"""Which names a definition is given, and the conditions that say so.

Source: apiextensions-apiserver pkg/controller/status/naming_controller.go,
pkg/controller/establish/establishing_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.api.store import Object


@dataclass(frozen=True, slots=True)
class Naming:
    """The names that are accepted, and why not all of them are (both empty when they are)."""

    accepted: dict[str, Any]
    reason: str = ""
    message: str = ""


def accepted_names(definition: Object) -> dict[str, Any]:
    """The names that a definition has been given so far."""
    return (definition.get("status") or {}).get("acceptedNames") or {"plural": "", "kind": ""}


def taken_names(others: Iterable[Object]) -> tuple[set[str], set[str]]:
    """The resource names and the kinds that other definitions of the group have been given."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        accepted = accepted_names(other)
        resources |= {accepted.get("plural", ""), accepted.get("singular", ""), *(accepted.get("shortNames") or ())}
        kinds |= {accepted.get("kind", ""), accepted.get("listKind", "")}
    return resources, kinds


def accept_names(wanted: Mapping[str, Any], before: Mapping[str, Any], others: Iterable[Object]) -> Naming:
    """``calculateNamesAndConditions``: each name that nobody else in the group has."""
    resources, kinds = taken_names(others)
    accepted, reason, message = dict(before), "", ""
    for key, taken, why in (
        ("plural", resources, "PluralConflict"),
        ("singular", resources, "SingularConflict"),
        ("shortNames", resources, "ShortNamesConflict"),
        ("kind", kinds, "KindConflict"),
        ("listKind", kinds, "ListKindConflict"),
    ):
        given = wanted.get(key)
        known = before.get(key)
        asked = (given or []) if isinstance(given, list) else [given or ""]
        mine = (known or []) if isinstance(known, list) else [known or ""]
        in_use = [f'"{name}" is already in use' for name in asked if name not in mine and name in taken]
        if in_use:
            reason, message = why, in_use[0] if len(in_use) == 1 else f"[{', '.join(in_use)}]"
        elif given:
            accepted[key] = given
        else:
            accepted.pop(key, None)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    return Naming(accepted, reason, message)
