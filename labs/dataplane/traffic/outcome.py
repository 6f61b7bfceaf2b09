"""How a request can end. An expected failure is one of these values, never an exception."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The end of a call as its caller sees it; the number is what the ledger stores."""

    OK = 0
    APP_500 = 1
    """The server's own answers: an error in the program, or one that a call downstream caused."""
    APP_502 = 2
    APP_503 = 3
    APP_504 = 4
    REFUSED = 5
    """Connection refused: nothing listens there."""
    RESET = 6
    """Connection reset by peer: the server died with the request in hand."""
    TIMEOUT = 7
    """The caller stopped waiting; the server may still be at work."""
    NO_ENDPOINT = 8
    """The caller's view of the service is empty."""
    POOL_FULL = 9
    """Every connection of the caller's pool is taken, and so is every waiting place."""
    GATEWAY_502 = 10
    """Made by the load balancer: refused or reset by the target."""
    GATEWAY_503 = 11
    """Made by the load balancer: no target."""
    GATEWAY_504 = 12
    """Made by the load balancer: the target did not answer in its idle time-out."""
    ABANDONED = 13
    """The caller itself died."""

    @property
    def status(self) -> int:
        """The HTTP status, or 0 when there was no HTTP answer."""
        return _STATUS[self]


_STATUS = (200, 500, 502, 503, 504, 0, 0, 0, 0, 0, 502, 503, 504, 0)

OK, APP_500, APP_503 = int(Outcome.OK), int(Outcome.APP_500), int(Outcome.APP_503)
REFUSED, RESET = int(Outcome.REFUSED), int(Outcome.RESET)
"""Plain integers for the hot path, where an enum member costs several times as much."""

RETRYABLE = frozenset(
    int(outcome)
    for outcome in (
        Outcome.APP_502,
        Outcome.APP_503,
        Outcome.APP_504,
        Outcome.REFUSED,
        Outcome.RESET,
        Outcome.TIMEOUT,
        Outcome.NO_ENDPOINT,
        Outcome.GATEWAY_502,
        Outcome.GATEWAY_503,
        Outcome.GATEWAY_504,
    )
)

_FROM_DOWNSTREAM = {
    Outcome.APP_500: Outcome.APP_500,
    Outcome.APP_502: Outcome.APP_502,
    Outcome.APP_503: Outcome.APP_503,
    Outcome.APP_504: Outcome.APP_504,
    Outcome.REFUSED: Outcome.APP_502,
    Outcome.RESET: Outcome.APP_502,
    Outcome.TIMEOUT: Outcome.APP_504,
    Outcome.NO_ENDPOINT: Outcome.APP_503,
    Outcome.POOL_FULL: Outcome.APP_503,
    Outcome.GATEWAY_502: Outcome.APP_502,
    Outcome.GATEWAY_503: Outcome.APP_503,
    Outcome.GATEWAY_504: Outcome.APP_504,
}
_AT_GATEWAY = {
    Outcome.REFUSED: Outcome.GATEWAY_502,
    Outcome.RESET: Outcome.GATEWAY_502,
    Outcome.NO_ENDPOINT: Outcome.GATEWAY_503,
}


def answer_for(downstream: int) -> int:
    """What a program answers when a call that it needs ended as ``downstream``."""
    return int(_FROM_DOWNSTREAM[Outcome(downstream)])


def at_gateway(outcome: int) -> int:
    """What a load balancer makes of the end of its call to a target (ALB: 502, 503)."""
    return int(_AT_GATEWAY.get(Outcome(outcome), outcome))
