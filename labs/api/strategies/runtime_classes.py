"""node.k8s.io/v1: runtime classes.

Source: kubernetes/kubernetes pkg/apis/node/validation/validation.go.
"""

from __future__ import annotations

from labs.api import names
from labs.api.strategies.placement_validation import validate_tolerations
from labs.api.strategies.pod_defaults import canonical_amounts
from labs.api.strategies.resource_validation import validate_resources
from labs.api.strategies.rules import immutable, label_map
from labs.api.strategy import FieldError, Object, Strategy, invalid


def _default(obj: Object) -> None:
    if isinstance(obj.get("overhead"), dict):
        canonical_amounts(obj["overhead"], "podFixed")


def _validate(obj: Object) -> list[FieldError]:
    handler = obj.get("handler") or ""
    problems = [invalid("handler", handler, text) for text in names.dns1123_label(handler)]
    if obj.get("overhead"):
        problems += validate_resources({"limits": obj["overhead"].get("podFixed")}, "overhead")
    scheduling = obj.get("scheduling")
    if scheduling:
        problems += label_map(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
        problems += validate_tolerations(scheduling.get("tolerations") or (), "scheduling.tolerations")
    return problems


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    return [FieldError(item.reason, "handler", item.message) for item in immutable(new, old, "handler", "")]


RUNTIME_CLASS = Strategy(default=_default, validate=_validate, validate_update=_validate_update, is_ratcheting=True)
