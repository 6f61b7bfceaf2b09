"""The one failure of the metric arithmetic."""

from __future__ import annotations

from labs.errors import LabError


class MetricError(LabError):
    """A metric that gives no replica count; the message is upstream's, to be prefixed by each caller."""
