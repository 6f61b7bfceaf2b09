"""What a client does when a call is slow or fails: time-out, retries, budget, connections."""

from __future__ import annotations

from dataclasses import dataclass

from labs.units import MILLISECOND_NS, SECOND_NS


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """A token bucket, full at first: a success earns ``earned``, a retry takes 1 (Brooker's 0.1 and 5)."""

    earned: float = 0.1
    cap: float = 5.0


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A bounded pool of kept connections; each stays with the endpoint that it was opened to."""

    max_connections: int
    max_waiting: int
    """Calls that may wait for a connection; one more fails at once."""
    max_requests: int = 1_000
    """Requests until a connection is closed and chosen anew (nginx ``keepalive_requests``)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One client's rules for its calls to one service."""

    timeout_ns: int | None = 30 * SECOND_NS
    """Per attempt, from its start; None waits for ever. The server's work goes on after it."""
    attempts: int = 1
    """Tries in all, the first included."""
    backoff_base_ns: int = 100 * MILLISECOND_NS
    backoff_cap_ns: int = 20 * SECOND_NS
    budget: RetryBudget | None = None
    keep_alive: KeepAlive | None = None
    """None chooses an endpoint for each request, as a proxy with warm connections does."""
    connect_round_trips: int = 0
    """Round trips before the request on each new connection: TCP 1, with TLS 1.3 2, with TLS 1.2 3."""


def backoff_ns(policy: Policy, failed_attempts: int, uniform: float) -> int:
    """Wait before the next attempt: exponential with full jitter, uniform in [0, min(cap, base * 2^n))."""
    exponent = min(failed_attempts - 1, 62)
    return int(uniform * min(policy.backoff_cap_ns, policy.backoff_base_ns << exponent))
