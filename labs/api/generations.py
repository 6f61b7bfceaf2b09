"""When metadata.generation rises.

Source: PrepareForUpdate in kubernetes/kubernetes pkg/registry/*/*/strategy.go.
"""

from __future__ import annotations

from typing import Any

from labs.api.resources import ResourceType
from labs.api.store import Object


def is_new_generation(kind: ResourceType, new: Object, old: Object) -> bool:
    """Whether metadata.generation rises; that of a Deployment also with its annotations."""
    if kind.resource == "deployments.apps" and new["metadata"].get("annotations") != old["metadata"].get("annotations"):
        return True
    return bool(_specification(kind, new) != _specification(kind, old))


def _specification(kind: ResourceType, obj: Object) -> Any:
    """What metadata.generation counts: the spec, or all of a kind that has none; of a custom resource all."""
    if kind.custom is not None:
        left_out = ("apiVersion", "metadata", "status" if "status" in kind.subresources else "metadata")
        return {key: value for key, value in obj.items() if key not in left_out}
    if "spec" in obj:
        return obj["spec"]
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}
