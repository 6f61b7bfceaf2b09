"""``kubectl logs``: what a container printed, from the kubelet of its node.

Source: kubernetes pkg/registry/core/pod/strategy.go (LogLocation),
pkg/kubelet/kubelet_pods.go (GetKubeletContainerLogs).
"""

from __future__ import annotations

from labs.api.client import Client
from labs.api.store import Object
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.errors import ApiError, bad_request


class LogReader:
    """Reads logs as the API server's ``log`` subresource does."""

    def __init__(self, client: Client, kubelets: Kubelets) -> None:
        self._client = client
        self._kubelets = kubelets

    def read(
        self,
        namespace: str,
        pod: str,
        container: str = "",
        previous: bool = False,
        tail_lines: int | None = None,
        since_ns: int = 0,
        has_timestamps: bool = False,
    ) -> str:
        """The text of the present run, or of the previous one.

        Raises ApiError: 404 for an unknown pod, 400 for a container that is unknown, unnamed among several,
        or not started, 500 when the node's kubelet does not answer.
        """
        found = self._client.require("pods", namespace, pod)
        name = container or _only_container(found)
        known = [entry["name"] for entry in _containers(found)]
        if name not in known:
            raise bad_request(f"container {name} is not valid for pod {pod}")
        self._require_kubelet(found, name)
        file = self._kubelets.logs.get(found["metadata"]["uid"], name, previous)
        if file is None:
            raise bad_request(_not_started_text(found, name, previous))
        return file.read(tail_lines, since_ns, has_timestamps)

    def _require_kubelet(self, pod: Object, container: str) -> None:
        node = pod["spec"].get("nodeName")
        if not node:
            raise bad_request(_not_started_text(pod, container, False))
        kubelet = self._kubelets.get(node)
        if kubelet is None or not kubelet.is_on or not kubelet.host.is_connected:
            ip = (pod.get("status") or {}).get("hostIP", node)
            metadata = pod["metadata"]
            path = f"containerLogs/{metadata['namespace']}/{metadata['name']}/{container}"
            text = f'Get "https://{ip}:10250/{path}": dial tcp {ip}:10250: i/o timeout'
            raise ApiError(500, "", text)


def _containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]


def _only_container(pod: Object) -> str:
    names = [entry["name"] for entry in pod["spec"]["containers"]]
    if len(names) == 1:
        only: str = names[0]
        return only
    chosen = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if chosen:
        return str(chosen)
    text = f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{' '.join(names)}]"
    init = [entry["name"] for entry in pod["spec"].get("initContainers") or []]
    raise bad_request(f"{text} or one of the init containers: [{' '.join(init)}]" if init else text)


def _not_started_text(pod: Object, container: str, previous: bool) -> str:
    metadata = pod["metadata"]
    if previous:
        return f'previous terminated container "{container}" in pod "{metadata["name"]}" not found'
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    waiting = next((entry["state"].get("waiting") for entry in entries if entry["name"] == container), None)
    reason = (waiting or {}).get("reason", "ContainerCreating")
    return f'container "{container}" in pod "{metadata["name"]}" is waiting to start: {reason}'
