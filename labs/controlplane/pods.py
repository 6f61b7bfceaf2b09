"""Facts about pods that several controllers ask for.

Source: kubernetes/kubernetes pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labs.api.client import Client
from labs.api.selectors import LabelSelector, selector_from_label_selector
from labs.api.store import Object
from labs.units import parse_rfc3339

TERMINAL_PHASES = ("Succeeded", "Failed")


def phase_of(pod: Object) -> str:
    """``status.phase``; a pod without one is Pending."""
    phase: str = (pod.get("status") or {}).get("phase") or "Pending"
    return phase


def is_terminal(pod: Object) -> bool:
    """Whether the pod ran to its end, well or not."""
    return phase_of(pod) in TERMINAL_PHASES


def is_leaving(obj: Object) -> bool:
    """Whether deletion has begun."""
    return "deletionTimestamp" in obj["metadata"]


def is_active(pod: Object) -> bool:
    """``IsPodActive``: neither at its end nor being deleted."""
    return not is_terminal(pod) and not is_leaving(pod)


def is_terminating(pod: Object) -> bool:
    """``IsPodTerminating``: being deleted, and not at its end yet."""
    return is_leaving(pod) and not is_terminal(pod)


def condition_of(obj: Object, type: str) -> dict[str, Any] | None:
    """The status condition of a type, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == type:
            found: dict[str, Any] = condition
            return found
    return None


def is_ready(pod: Object) -> bool:
    """Whether the condition Ready is True."""
    ready = condition_of(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def ready_since_ns(pod: Object) -> int | None:
    """When a ready pod became so; None when it is not ready or does not say since when."""
    ready = condition_of(pod, "Ready")
    if ready is None or ready["status"] != "True" or not ready.get("lastTransitionTime"):
        return None
    return parse_rfc3339(ready["lastTransitionTime"])


def available_at_ns(pod: Object, min_ready_s: int) -> int | None:
    """When a ready pod counts as available, which may be past; None when it is not ready."""
    since_ns = ready_since_ns(pod)
    if since_ns is None:
        return 0 if min_ready_s == 0 and is_ready(pod) else None
    return since_ns + min_ready_s * 1_000_000_000


def select_pods(client: Client, namespace: str, selector: Mapping[str, Any] | None) -> list[Object]:
    """The pods of a namespace that a ``metav1.LabelSelector`` selects, by the index of its rarest label."""
    parsed: LabelSelector = selector_from_label_selector(selector)
    pairs = ((selector or {}).get("matchLabels") or {}).items()
    store = client.api.store
    if not pairs:
        return client.list("pods", namespace, parsed)
    values = [f"{key}={value}" for key, value in pairs]
    rarest = min(values, key=lambda value: store.index_size("pods", "label", value))
    found = store.by_index("pods", "label", rarest, namespace)
    return [pod for pod in found if parsed.matches(pod["metadata"].get("labels"))]


def pod_from_template(template: Mapping[str, Any], owner: Object, reference: Mapping[str, Any]) -> Object:
    """``GetPodFromTemplate``: a new pod with the template's labels, annotations, finalizers and spec."""
    wanted = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [dict(reference)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if wanted.get(field):
            metadata[field] = wanted[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
