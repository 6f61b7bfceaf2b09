"""``pods/ephemeralcontainers``: containers that join a running pod, for debugging, and never leave it.

Source: kubernetes/kubernetes pkg/registry/core/pod/strategy.go (podEphemeralContainersStrategy),
pkg/apis/core/validation/validation.go (ValidatePodEphemeralContainersUpdate, validateEphemeralContainers).
"""

from __future__ import annotations

from typing import Any

from labs.api.strategies.container_validation import validate_ephemeral
from labs.api.strategies.volume_validation import validate_volumes
from labs.api.strategy import FieldError, Object, Part, forbidden

PATH = "spec.ephemeralContainers"


def _merge(sent: Object, old: Object) -> Object:
    spec = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    given = (sent.get("spec") or {}).get("ephemeralContainers")
    return {**old, "spec": {**spec, **({"ephemeralContainers": given} if given else {})}}


def _validate(new: Object, old: Object) -> list[FieldError]:
    spec = new["spec"]
    problems = _changes(spec.get("ephemeralContainers") or [], old["spec"].get("ephemeralContainers") or [])
    volumes, _ = validate_volumes(spec.get("volumes") or (), "spec.volumes")
    return problems + validate_ephemeral(spec, volumes, PATH)


def _changes(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[FieldError]:
    """What was there before stays as it was."""
    by_name = {item.get("name"): item for item in new}
    problems: list[FieldError] = []
    for before in old:
        name = before["name"]
        if name not in by_name:
            text = f'existing ephemeral containers "{name}" may not be removed'
            problems.append(forbidden(PATH, text + "\n"))
        elif by_name[name] != before:
            text = f'existing ephemeral containers "{name}" may not be changed'
            problems.append(forbidden(PATH, text + "\n"))
    return problems


EPHEMERAL_CONTAINERS = Part(_merge, _validate)
