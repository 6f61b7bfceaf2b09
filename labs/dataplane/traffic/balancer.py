"""How a client chooses among the endpoints that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from labs.dataplane.traffic.demand import BLOCK
from labs.dataplane.traffic.path import Path


class Balancer(Protocol):
    """Chooses a path for each new connection, or for each request when none is kept alive."""

    counts_outstanding: bool
    """Whether it needs ``Path.outstanding`` to be kept."""

    def set_paths(self, paths: Sequence[Path]) -> None:
        """The endpoints from now on."""

    def pick(self) -> Path | None:
        """A path, or None when there is no endpoint."""


class RoundRobin:
    """In turn (ALB's default)."""

    counts_outstanding = False

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._next = 0

    def set_paths(self, paths: Sequence[Path]) -> None:
        """The endpoints from now on."""
        self._paths = list(paths)

    def pick(self) -> Path | None:
        """The next path in turn."""
        index = self._next
        try:
            path = self._paths[index]
        except IndexError:
            if not self._paths:
                return None
            index = 0
            path = self._paths[0]
        self._next = index + 1
        return path


class RandomChoice:
    """Any with the same probability (kube-proxy's iptables and nftables rules)."""

    counts_outstanding = False

    def __init__(self, rng: np.random.Generator) -> None:
        self._paths: list[Path] = []
        self._rng = rng
        self._uniforms: list[float] = []

    def set_paths(self, paths: Sequence[Path]) -> None:
        """The endpoints from now on."""
        self._paths = list(paths)

    def pick(self) -> Path | None:
        """A path by chance."""
        paths = self._paths
        if not paths:
            return None
        uniforms = self._uniforms
        if not uniforms:
            uniforms = self._uniforms = self._rng.random(BLOCK).tolist()
        return paths[int(uniforms.pop() * len(paths))]


class LeastOutstanding:
    """The fewest requests under way, the first of equals after the last choice (ALB's second algorithm)."""

    counts_outstanding = True

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._next = 0

    def set_paths(self, paths: Sequence[Path]) -> None:
        """The endpoints from now on."""
        self._paths = list(paths)

    def pick(self) -> Path | None:
        """The path with the fewest calls that wait for an answer."""
        paths = self._paths
        if not paths:
            return None
        start = self._next % len(paths)
        index = min(range(start, start + len(paths)), key=lambda place: paths[place % len(paths)].outstanding)
        self._next = index + 1
        return paths[index % len(paths)]
