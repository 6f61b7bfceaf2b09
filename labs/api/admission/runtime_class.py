"""``RuntimeClass``: a pod's overhead and where it may run come from the class that it names.

Source: kubernetes/kubernetes plugin/pkg/admission/runtimeclass/admission.go.
"""

from __future__ import annotations

from typing import Any

from labs import errors
from labs.api.apiserver import Attributes
from labs.api.objects import at
from labs.api.quantity import parse_quantity
from labs.api.store import Object, Store
from labs.errors import ApiError

RUNTIME_CLASSES = "runtimeclasses.node.k8s.io"


class RuntimeClasses:
    """Looks the class of a new pod up."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Set overhead, node selector and tolerations. Raises 403."""
        if attributes.operation != "CREATE" or attributes.type.resource != "pods":
            return
        pod = attributes.object
        spec = pod["spec"]
        wanted = spec.get("runtimeClassName")
        found = self._store.get(RUNTIME_CLASSES, "", wanted) if wanted else None
        if wanted and found is None:
            raise _refused(pod, f'pod rejected: RuntimeClass "{wanted}" not found')
        overhead = at(found, "overhead", "podFixed")
        if overhead is None and spec.get("overhead"):
            raise _refused(pod, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
        if overhead is not None:
            if spec.get("overhead") and _amounts(spec["overhead"]) != _amounts(overhead):
                raise _refused(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
            spec["overhead"] = dict(overhead)
        scheduling = (found or {}).get("scheduling")
        if scheduling:
            _place(pod, scheduling)


def _amounts(amounts: dict[str, Any]) -> dict[str, Any]:
    return {name: parse_quantity(amount) for name, amount in amounts.items()}


def _place(pod: Object, scheduling: dict[str, Any]) -> None:
    spec = pod["spec"]
    selector = dict(spec.get("nodeSelector") or {})
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.get(key, value) != value:
            where = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}"
            raise _refused(pod, f"conflict: {where}; pod.spec.nodeSelector[{key}] = {selector[key]}")
        selector[key] = value
    if selector:
        spec["nodeSelector"] = selector
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [item for item in scheduling.get("tolerations") or () if item not in tolerations]
    if tolerations:
        spec["tolerations"] = tolerations


def _refused(pod: Object, why: str) -> ApiError:
    return errors.forbidden("pods", pod["metadata"].get("name", ""), why)
