"""What every kind of patch raises."""

from __future__ import annotations


class PatchError(ValueError):
    """A patch that cannot be read or does not apply; the text is upstream's."""
