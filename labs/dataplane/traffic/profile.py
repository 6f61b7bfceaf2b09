"""What a server is like: the work that a request brings it, and what a caller meets at its address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from labs.dataplane.traffic.demand import Demand


@dataclass(frozen=True, slots=True)
class Profile:
    """What one request asks of a server."""

    cpu: Demand
    wait: Demand | None = None
    """Waiting without CPU, for a disk for example, after the CPU work and before the calls."""
    response_bytes: int = 0
    error_rate: float = 0.0
    """Share of requests that the program answers with 500 after its CPU work."""
    cold_requests: int = 0
    """The first requests after a start, each of which costs ``cold_factor`` times the CPU."""
    cold_factor: float = 1.0


class Listener(Enum):
    """What a caller meets at the address."""

    OPEN = auto()
    REFUSING = auto()
    """Connection refused."""
    SILENT = auto()
    """No answer at all: the host is gone."""
