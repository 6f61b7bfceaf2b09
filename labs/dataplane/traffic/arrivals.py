"""Poisson arrivals whose rate is a function of time, drawn by the block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labs.units import SECOND_NS

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class RateProfile:
    """A rate in steps: from ``starts_s[i]`` seconds after the start on, ``rates_per_s[i]``.

    The first step starts at 0; the last one goes on for ever, or, when ``period_s`` is set, the
    whole profile starts again after it.
    """

    starts_s: tuple[float, ...]
    rates_per_s: tuple[float, ...]
    period_s: float | None = None

    @staticmethod
    def constant(rate_per_s: float) -> RateProfile:
        """The same rate for ever."""
        return RateProfile((0.0,), (rate_per_s,))

    @staticmethod
    def sampled(
        rate_per_s: Callable[[float], float], length_s: float, step_s: float, is_periodic: bool = False
    ) -> RateProfile:
        """Any function of the time in seconds, by its values in the middle of each step."""
        starts = tuple(float(start) for start in np.arange(0.0, length_s, step_s))
        rates = tuple(rate_per_s(start + step_s / 2) for start in starts)
        return RateProfile(starts, rates, length_s if is_periodic else None)


class Arrivals:
    """Arrival times of one profile: unit-rate arrivals, mapped back through the integrated rate."""

    __slots__ = ("_base", "_profile", "_rng", "_start_ns", "_times_s", "_totals", "_values")

    def __init__(self, profile: RateProfile, rng: np.random.Generator, start_ns: int) -> None:
        self._profile = profile
        self._rng = rng
        starts = profile.starts_s
        end_s = profile.period_s if profile.period_s is not None else starts[-1]
        widths = np.diff(np.array([*starts, end_s]))
        self._times_s = np.array([*starts, end_s])
        self._totals = np.concatenate(([0.0], np.cumsum(widths * np.array(profile.rates_per_s))))
        self.restart(start_ns)

    def restart(self, start_ns: int) -> None:
        """Count the profile's time from ``start_ns``."""
        self._start_ns = start_ns
        self._base = 0.0
        self._values: list[int] = []

    def next(self) -> int | None:
        """The next arrival in nanoseconds, or None when the rate is 0 from now on."""
        if not self._values and not self._refill():
            return None
        return self._values.pop()

    def _refill(self) -> bool:
        per_period = self._totals[-1]
        tail_rate = self._profile.rates_per_s[-1]
        is_periodic = self._profile.period_s is not None
        units = self._base + np.cumsum(self._rng.exponential(1.0, _BLOCK))
        self._base = float(units[-1])
        if is_periodic:
            if per_period <= 0:
                return False
            whole, rest = np.divmod(units, per_period)
            times = whole * self._times_s[-1] + self._invert(rest)
        elif tail_rate > 0:
            times = self._invert(units) + np.maximum(units - per_period, 0.0) / tail_rate
        else:
            times = self._invert(units[units < per_period])
        nanoseconds = self._start_ns + np.rint(times * SECOND_NS).astype(np.int64)
        self._values = nanoseconds[::-1].tolist()
        return bool(self._values)

    def _invert(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time at which the integrated rate reaches each of ``units``; a rate of 0 takes no arrivals."""
        index = np.searchsorted(self._totals, units, side="right") - 1
        index = np.minimum(index, len(self._profile.rates_per_s) - 1)
        rates = np.array(self._profile.rates_per_s)[index]
        ahead = np.minimum(units, self._totals[-1]) - self._totals[index]
        times: NDArray[np.float64] = self._times_s[index] + np.divide(
            ahead, rates, out=np.zeros_like(ahead), where=rates > 0
        )
        return times
