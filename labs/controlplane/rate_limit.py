"""Token buckets, as client-go's flowcontrol.NewTokenBucketRateLimiter has them."""

from __future__ import annotations

from labs.units import SECOND_NS


class TokenBucket:
    """``qps`` tokens a second, at most ``burst`` of them saved up; full at the start."""

    __slots__ = ("_burst", "_qps", "_then_ns", "_tokens")

    def __init__(self, qps: float, burst: int, now_ns: int) -> None:
        self._qps = qps
        self._burst = burst
        self._tokens = float(burst)
        self._then_ns = now_ns

    def _refill(self, now_ns: int) -> None:
        gained = (now_ns - self._then_ns) * self._qps / SECOND_NS
        self._tokens = min(float(self._burst), self._tokens + gained)
        self._then_ns = now_ns

    def try_take(self, now_ns: int) -> bool:
        """Take a token if there is one."""
        self._refill(now_ns)
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True

    def reserve_ns(self, now_ns: int) -> int:
        """Take the next token, even one still to come; returns how long to wait for it."""
        self._refill(now_ns)
        self._tokens -= 1
        return max(0, round(-self._tokens * SECOND_NS / self._qps))
