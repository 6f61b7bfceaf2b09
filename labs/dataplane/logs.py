"""``kubectl logs``: what a container printed, from the kubelet of its node.

Source: kubernetes pkg/registry/core/pod/strategy.go (LogLocation),
pkg/kubelet/kubelet_pods.go (GetKubeletContainerLogs, validateContainerLogStatus).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs.api.client import Client
from labs.api.store import Object
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.dataplane.kubelet.logs import Line, LogFile, line_text
from labs.errors import ApiError, bad_request

_WAITING_TEXTS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of a log is wanted; ``since_ns`` is a moment."""

    is_previous: bool = False
    tail_lines: int | None = None
    since_ns: int = 0
    has_timestamps: bool = False
    limit_bytes: int | None = None


class LogTail:
    """The rest of a log as it comes. ``on_ready`` is called when there is something to pull, or at the end."""

    def __init__(self, file: LogFile, options: LogOptions, follows: bool) -> None:
        self._has_timestamps = options.has_timestamps
        self._left = options.limit_bytes
        self._pending: list[bytes] = []
        self._unwatch: Callable[[], None] | None = None
        self.headers = {"Content-Type": "text/plain"}
        self.on_ready: Callable[[], None] | None = None
        self.is_closed = False
        for line in file.lines(options.tail_lines, options.since_ns):
            self._add(line)
        if not follows or file.is_ended:
            self.is_closed = True
        elif not self.is_closed:
            self._unwatch = file.watch(self._heard)

    def _heard(self, line: Line | None) -> None:
        if line is None:
            self.close()
        else:
            self._add(line)
        if self.on_ready is not None:
            self.on_ready()

    def _add(self, line: Line) -> None:
        content = line_text(line, self._has_timestamps).encode()
        if self._left is not None:
            content = content[: self._left]
            self._left -= len(content)
        if content:
            self._pending.append(content)
        if self._left == 0:
            self.close()

    def pull(self) -> list[bytes]:
        """What has come since the last pull."""
        pending, self._pending = self._pending, []
        return pending

    def close(self) -> None:
        """Listen no more; what is pending can still be pulled."""
        self.is_closed = True
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None


class LogReader:
    """Reads logs as the API server's ``log`` subresource does."""

    def __init__(self, client: Client, kubelets: Kubelets) -> None:
        self._client = client
        self._kubelets = kubelets

    def read(self, namespace: str, pod: str, container: str = "", options: LogOptions = LogOptions()) -> str:
        """The text as it is now; raises as ``open`` does."""
        tail = self.open(namespace, pod, container, options)
        return b"".join(tail.pull()).decode(errors="ignore") if tail is not None else ""

    def open(
        self, namespace: str, pod: str, container: str = "", options: LogOptions = LogOptions(), follows: bool = False
    ) -> LogTail | None:
        """The log of the present run or of the previous one; None for a pod that is on no node.

        Raises ApiError: 404 for an unknown pod, 400 for a container that is unknown, unnamed among several,
        or not started, 500 when the node's kubelet does not answer.
        """
        found = self._client.require("pods", namespace, pod)
        name = container or _only_container(found)
        if name not in [entry["name"] for entry in _containers(found)]:
            raise bad_request(f"container {name} is not valid for pod {pod}")
        if not found["spec"].get("nodeName"):
            return None
        self._require_kubelet(found, name)
        file = self._kubelets.logs.get(found["metadata"]["uid"], name, options.is_previous)
        if file is None:
            raise bad_request(_not_started_text(found, name, options.is_previous))
        return LogTail(file, options, follows)

    def _require_kubelet(self, pod: Object, container: str) -> None:
        kubelet = self._kubelets.get(pod["spec"]["nodeName"])
        if kubelet is None or not kubelet.is_on or not kubelet.host.is_connected:
            ip = (pod.get("status") or {}).get("hostIP", pod["spec"]["nodeName"])
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
    state: dict[str, Any] = next((entry["state"] for entry in entries if entry["name"] == container), {})
    if "terminated" in state:
        return f'container "{container}" in pod "{metadata["name"]}" is terminated'
    reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
    why = _WAITING_TEXTS.get(reason, reason)
    return f'container "{container}" in pod "{metadata["name"]}" is waiting to start: {why}'
