"""An append-only record of what happened, folded into one digest.

Two runs with the same seed and the same calls have the same digest: the test of determinism.
"""

from __future__ import annotations

import hashlib


class Trace:
    """Folds each record into a running BLAKE2b digest; keeps only the count and the digest."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.records = 0

    def record(self, time_ns: int, kind: str, *facts: object) -> None:
        """Add a record; ``facts`` must have a ``repr`` that does not depend on the process."""
        self._hash.update(repr((time_ns, kind, facts)).encode())
        self.records += 1

    def digest(self) -> str:
        """The digest so far: 32 hexadecimal characters."""
        return self._hash.hexdigest()
