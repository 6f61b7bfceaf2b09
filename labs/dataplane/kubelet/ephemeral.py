"""Containers that join a running pod: each runs once, beside the others, and has no say in what becomes of the pod.

Source: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions, EphemeralContainersToStart).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labs.dataplane.kubelet.containers import Container

if TYPE_CHECKING:
    from labs.dataplane.kubelet.pod_worker import PodWorker


def notice(worker: PodWorker) -> None:
    """Take up those that are new in the spec; one that an earlier kubelet ran is not run again."""
    told = {item["name"] for item in (worker.pod.get("status") or {}).get("ephemeralContainerStatuses") or ()}
    known = {container.name for container in worker.ephemeral}
    new = [
        Container(spec, False, "", is_ephemeral=True)
        for spec in worker.pod["spec"].get("ephemeralContainers") or ()
        if spec["name"] not in known | told
    ]
    if new:
        worker.ephemeral += new
        worker.write_status()
        worker.advance()


def to_start(worker: PodWorker) -> Iterator[Container]:
    """Those that have never run."""
    return (item for item in worker.ephemeral if not item.is_running and item.termination is None)


def statuses(containers: Sequence[Container], old: Mapping[str, Any]) -> dict[str, Any]:
    """``ephemeralContainerStatuses``, where there are any; what an earlier kubelet said of some stays."""
    own = {container.name: container.status() for container in containers}
    kept = [item for item in old.get("ephemeralContainerStatuses") or () if item["name"] not in own]
    found = [*kept, *own.values()]
    return {"ephemeralContainerStatuses": found} if found else {}
