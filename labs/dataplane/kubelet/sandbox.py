"""Whether the node's runtime can make a pod's sandbox.

Source: kubernetes pkg/kubelet/runtimeclass/runtimeclass_manager.go; containerd internal/cri/config (handlers of the EKS
optimized image).
"""

from __future__ import annotations

from labs.api.admission.runtime_class import RUNTIME_CLASSES
from labs.api.client import Client
from labs.api.store import Object

HANDLERS = ("", "runc")
_START = "Failed to create pod sandbox: "


def sandbox_problem(client: Client, pod: Object) -> str:
    """Why the sandbox cannot be made, as the event FailedCreatePodSandBox says it; empty when it can."""
    name = pod["spec"].get("runtimeClassName")
    if not name:
        return ""
    found = client.get(RUNTIME_CLASSES, "", name)
    if found is None:
        return f'{_START}failed to get RuntimeClass {name}: runtimeclass.node.k8s.io "{name}" not found'
    if found["handler"] in HANDLERS:
        return ""
    why = f'failed to get sandbox runtime: no runtime for "{found["handler"]}" is configured'
    return f"{_START}rpc error: code = Unknown desc = {why}"
