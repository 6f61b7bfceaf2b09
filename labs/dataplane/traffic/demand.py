"""How much work a request brings: distributions, drawn by the block from one numpy stream."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Literal

import numpy as np

from labs.units import MILLISECOND_NS

BLOCK = 256
"""Draws made at once."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A length of time by its mean and coefficient of variation (``cv`` = deviation / mean).

    ``exponential`` has a cv of 1 and ``fixed`` one of 0, whatever ``cv`` says.
    """

    mean_ms: float
    cv: float = 1.0
    shape: Literal["exponential", "lognormal", "gamma", "fixed"] = "exponential"

    def draw(self, rng: np.random.Generator, size: int) -> list[int]:
        """``size`` lengths in whole nanoseconds."""
        mean = self.mean_ms * MILLISECOND_NS
        if mean <= 0 or self.shape == "fixed" or (self.cv <= 0 and self.shape != "exponential"):
            return [round(mean)] * size
        if self.shape == "exponential":
            draws = rng.exponential(mean, size)
        elif self.shape == "gamma":
            draws = rng.gamma(self.cv**-2, mean * self.cv**2, size)
        else:
            variance = log(1 + self.cv**2)
            draws = rng.lognormal(log(mean) - variance / 2, sqrt(variance), size)
        values: list[int] = np.rint(draws).astype(np.int64).tolist()
        return values


class Draws:
    """An endless supply of one demand."""

    __slots__ = ("_demand", "_rng", "_values")

    def __init__(self, demand: Demand, rng: np.random.Generator) -> None:
        self._demand = demand
        self._rng = rng
        self._values: list[int] = []

    def next(self) -> int:
        """The next length in nanoseconds."""
        if not self._values:
            self._values = self._demand.draw(self._rng, BLOCK)
        return self._values.pop()


class Uniforms:
    """An endless supply of numbers in [0, 1)."""

    __slots__ = ("_rng", "_values")

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._values: list[float] = []

    def next(self) -> float:
        """The next number."""
        if not self._values:
            self._values = self._rng.random(BLOCK).tolist()
        return self._values.pop()
