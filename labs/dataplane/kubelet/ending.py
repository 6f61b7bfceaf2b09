"""Why the kubelet ends a pod by itself, and what its status says then.

Source: kubernetes pkg/kubelet/{active_deadline.go, eviction/eviction_manager.go, nodeshutdown}.
"""

from __future__ import annotations

from dataclasses import dataclass

DEADLINE_TEXT = "Pod was active on the node longer than the specified deadline"
SHUTDOWN_TEXT = "Pod was terminated in response to imminent node shutdown."
NOT_ADMITTED_TEXT = "Pod was rejected as the node is shutting down."


@dataclass(frozen=True, slots=True)
class Ending:
    """``reason`` and ``message`` of the status; ``is_disruption``: the condition DisruptionTarget says so too."""

    reason: str
    message: str
    is_disruption: bool = True


DEADLINE_EXCEEDED = Ending("DeadlineExceeded", DEADLINE_TEXT, is_disruption=False)
NODE_SHUTDOWN = Ending("Terminated", SHUTDOWN_TEXT)
NOT_ADMITTED = Ending("NodeShutdown", NOT_ADMITTED_TEXT, is_disruption=False)


def evicted(message: str) -> Ending:
    """By the eviction manager."""
    return Ending("Evicted", message)
