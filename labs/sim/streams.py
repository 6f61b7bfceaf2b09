"""Named random streams: one for each consumer, from the seed and the name.

A new consumer shifts nobody, and the same seed gives the same draws on every Python, since neither
``random.Random`` with a text seed nor PCG64 depends on the hash seed.
"""

from __future__ import annotations

import hashlib
import random
import uuid

import numpy as np


class Streams:
    """Hands out one generator for each name; the same name gives the same generator."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._python: dict[str, random.Random] = {}
        self._numpy: dict[str, np.random.Generator] = {}

    def python(self, name: str) -> random.Random:
        """The ``random.Random`` of this name."""
        stream = self._python.get(name)
        if stream is None:
            stream = self._python[name] = random.Random(f"{self.seed}/{name}")
        return stream

    def numpy(self, name: str) -> np.random.Generator:
        """The numpy generator (PCG64) of this name, for draws by the block."""
        stream = self._numpy.get(name)
        if stream is None:
            digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
            bits = np.random.PCG64(int.from_bytes(digest[:16], "big"))
            stream = self._numpy[name] = np.random.Generator(bits)
        return stream

    def uuid(self, name: str) -> str:
        """The next UUID (version 4 form) of the stream ``name``."""
        return str(uuid.UUID(int=self.python(name).getrandbits(128), version=4))
