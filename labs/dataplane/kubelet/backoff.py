"""Waiting before a crashed container starts again, or an image is pulled again.

Source: kubernetes/client-go util/flowcontrol/backoff.go; pkg/kubelet/kuberuntime doBackOff. A wait doubles from 10 s to
5 min and is forgotten when the thing then held for more than twice the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.units import SECOND_NS

INITIAL_NS = 10 * SECOND_NS
MAX_NS = 300 * SECOND_NS
RECHECK_NS = 60 * SECOND_NS
"""A pod in a longer wait is looked at this often (before jitter)."""
JITTER = 0.5


@dataclass(frozen=True, slots=True)
class Backoff:
    """``delay_ns`` is to pass between the end of a run and the next start."""

    delay_ns: int
    updated_ns: int


def remaining_ns(entry: Backoff | None, finished_ns: int, now_ns: int) -> int:
    """How long a container that ended at ``finished_ns`` still has to wait; 0 when it may start now."""
    if entry is None or _is_expired(entry, finished_ns):
        return 0
    return max(0, finished_ns + entry.delay_ns - now_ns)


def after_start(entry: Backoff | None, finished_ns: int, now_ns: int) -> Backoff:
    """The entry once the container starts again after its end at ``finished_ns``."""
    if entry is None or _is_expired(entry, finished_ns):
        return Backoff(INITIAL_NS, now_ns)
    return Backoff(min(2 * entry.delay_ns, MAX_NS), now_ns)


def go_duration_s(delay_ns: int) -> str:
    """Whole seconds as Go prints a duration: ``10s``, ``1m20s``, ``5m0s``."""
    minutes, rest_s = divmod(delay_ns // SECOND_NS, 60)
    return f"{minutes}m{rest_s}s" if minutes else f"{rest_s}s"


def _is_expired(entry: Backoff, finished_ns: int) -> bool:
    return finished_ns - entry.updated_ns > 2 * MAX_NS
