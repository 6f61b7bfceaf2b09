"""``pods/ephemeralcontainers``: containers that join a running pod, for debugging, and never leave it.

Source: kubernetes/kubernetes pkg/registry/core/pod/strategy.go (podEphemeralContainersStrategy),
pkg/apis/core/validation/validation.go (ValidatePodEphemeralContainersUpdate, validateEphemeralContainers).
"""

from __future__ import annotations

from typing import Any

from labs.api.strategies.container_validation import padded_image, validate_container
from labs.api.strategies.volume_validation import validate_volumes
from labs.api.strategy import FieldError, Object, Part, duplicate, forbidden, not_found

PATH = "spec.ephemeralContainers"
NOT_OF_EPHEMERAL = (
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "startupProbe",
)
"""Fields of a container that an ephemeral one may not set, in order of name."""


def _merge(sent: Object, old: Object) -> Object:
    spec = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    given = (sent.get("spec") or {}).get("ephemeralContainers")
    return {**old, "spec": {**spec, **({"ephemeralContainers": given} if given else {})}}


def _validate(new: Object, old: Object) -> list[FieldError]:
    spec = new["spec"]
    problems = _changes(spec.get("ephemeralContainers") or [], old["spec"].get("ephemeralContainers") or [])
    volumes, _ = validate_volumes(spec.get("volumes") or (), "spec.volumes")
    others = {item["name"] for key in ("containers", "initContainers") for item in spec.get(key) or ()}
    seen = set(others)
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        path, name = f"{PATH}[{index}]", container.get("name") or ""
        problems += validate_container(container, volumes, path, spec) + padded_image(container, path)
        if name in seen:
            problems.append(duplicate(f"{path}.name", name))
        seen.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            problems.append(not_found(f"{path}.targetContainerName", target))
        problems += [
            forbidden(f"{path}.{key}", "cannot be set for an Ephemeral Container")
            for key in NOT_OF_EPHEMERAL
            if container.get(key)
        ]
        problems += [
            forbidden(f"{path}.volumeMounts[{place}].subPath", "cannot be set for an Ephemeral Container")
            for place, mount in enumerate(container.get("volumeMounts") or ())
            if mount.get("subPath")
        ]
    return problems


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
